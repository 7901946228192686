"""Every text of a chain with its probability, and what Python's ``re`` says of it."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from fsm_gpt.chain import Chain

__all__ = ["EXPRESSIONS", "Texts", "spelled"]

#: A text as its tokens, its probability, and the state after it.
Walk = tuple[tuple[str, ...], Any, int]


class Texts:
    """All texts of n tokens from a start, by walking along every transition."""

    def __init__(
        self, chain: Chain, start: Any, n: int, *, over: frozenset[int] | None = None
    ) -> None:
        self.chain, self.n = chain, n
        over = frozenset({chain.end} if over is None else over)
        self.steps: dict[int, list[tuple[str | None, Any, int]]] = {}
        for source, token, target, p in zip(*chain.edges(), strict=True):
            emitted = None if int(target) in over else chain.vocabulary.tokens[int(token)]
            self.steps.setdefault(int(source), []).append((emitted, p, int(target)))
        weights = {start: Fraction(1)} if isinstance(start, int) else dict(enumerate(start))
        self.walks: list[Walk] = [((), p, s) for s, p in weights.items() if p]
        for _ in range(n):
            self.walks = [
                (said if token is None else (*said, token), p * q, target)
                for said, p, state in self.walks
                for token, q, target in self.steps[state]
            ]

    def text(self, tokens: tuple[str, ...]) -> str:
        """What the vocabulary writes."""
        return self.chain.vocabulary.separator.join(tokens)

    def matching(self, regex: str, *, anchored: bool) -> Any:
        """The probability that some text of up to n tokens matches."""
        return sum(p for said, p, _ in self.walks if self.matches(regex, said, anchored=anchored))

    def matches(self, regex: str, said: tuple[str, ...], *, anchored: bool) -> bool:
        """Whether the text, or one that it went through, matches."""
        if anchored:
            texts = (self.text(said[:k]) for k in range(len(said) + 1))
            return any(re.fullmatch(regex, text, re.DOTALL) for text in texts)
        return re.search(regex, self.text(said), re.DOTALL) is not None

    def ends(self, regex: str, *, anchored: bool) -> Any:
        """The expected number of places at which an occurrence ends."""
        return sum(p * self.count(regex, said, anchored=anchored) for said, p, _ in self.walks)

    def count(self, regex: str, said: tuple[str, ...], *, anchored: bool) -> int:
        """The number of places of one text at which an occurrence ends."""
        if anchored:
            texts = [self.text(said[: k + 1]) for k in range(len(said))]
            return sum(re.fullmatch(regex, text, re.DOTALL) is not None for text in texts)
        text = self.text(said)
        return sum(
            any(re.fullmatch(regex, text[i:j], re.DOTALL) for i in range(j + 1))
            for j in range(1, len(text) + 1)
        )


def _wrapped(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Larger expressions of what ``re`` and the library both read; each operand in brackets."""
    pairs = st.tuples(inner, inner)
    counts = st.tuples(st.integers(0, 2), st.integers(1, 3)).filter(lambda c: c[0] <= c[1])
    return st.one_of(
        pairs.map("".join),
        pairs.map(lambda p: f"({p[0]}|{p[1]})"),
        inner.map(lambda r: f"({r})*"),
        inner.map(lambda r: f"({r})+"),
        inner.map(lambda r: f"({r})?"),
        st.tuples(inner, counts).map(lambda p: f"({p[0]}){{{p[1][0]},{p[1][1]}}}"),
        inner.map(lambda r: f"({r}){{2,}}"),
        inner.map(lambda r: f"({r}){{2}}"),
    )


def _expressions() -> st.SearchStrategy[str]:
    some = st.lists(st.sampled_from("xyz"), min_size=1, max_size=2).map("".join)
    leaves = st.one_of(
        st.sampled_from(["x", "y", "z", ".", "()"]),
        some.map(lambda cs: f"[{cs}]"),
        some.map(lambda cs: f"[^{cs}]"),
    )
    return st.recursive(leaves, _wrapped, max_leaves=5)


#: Regular expressions over x, y and z, in the syntax that both sides read.
EXPRESSIONS = _expressions()


def spelled(expression: str, letters: str) -> str:
    """The expression with these letters for x, y and z, the first ones again if there are fewer."""
    return expression.translate({ord(c): letters[i % len(letters)] for i, c in enumerate("xyz")})
