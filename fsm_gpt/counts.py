"""The data's own chain: exact counts of what followed each context.

An n-gram model without smoothing, and the reference against which a model of the
same data is compared. Counts are integers and rows are rationals: nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain, VocabularyLike
from fsm_gpt.errors import InvalidArgument, InvalidChain, InvalidText
from fsm_gpt.result import Result
from fsm_gpt.space import ContextSpace, SomeContexts, Vocabulary

__all__ = [
    "ContextCoverage",
    "chain_from_counts",
    "chain_from_text",
    "context_coverage",
    "encode_text",
    "transitions",
]

Ids = npt.NDArray[np.int64]


def encode_text(
    text: str | Sequence[str], vocabulary: VocabularyLike | None
) -> tuple[Ids, Vocabulary]:
    """A text as token ids, with the vocabulary that was given or that the text has."""
    if not len(text):
        raise InvalidText("text: it is empty. Give a text longer than the context.")
    if vocabulary is None:
        named = (
            Vocabulary.of_text(text) if isinstance(text, str) else Vocabulary.of(sorted(set(text)))
        )
    else:
        named = Vocabulary.of(vocabulary)
    return named.encode(text), named


def transitions(ids: Ids, context: int, *, wrap: bool = False) -> Ids:
    """Every window of a text with the token that follows it, shape (n, context + 1)."""
    if context < 1:
        raise InvalidArgument(
            f"context: length {context} is not at least 1. A state needs at least one token."
        )
    if len(ids) <= context:
        raise InvalidText(
            f"text: it has {len(ids)} tokens, and a context of {context} needs at least "
            f"{context + 1}: a window and the token after it. Give more text or a shorter context."
        )
    if wrap:
        ids = np.concatenate([ids, ids[:context]])
    return np.lib.stride_tricks.sliding_window_view(ids, context + 1)


def chain_from_text(
    text: str | Sequence[str],
    *,
    context: int,
    end: str | None = None,
    vocabulary: VocabularyLike | None = None,
) -> Chain:
    """See :meth:`fsm_gpt.Chain.from_text`."""
    if end not in (None, "drop", "wrap"):
        raise InvalidArgument(f"end: {end!r} is neither 'drop' nor 'wrap' (nor left out).")
    ids, named = encode_text(text, vocabulary)
    seen, counts = np.unique(
        transitions(ids, context, wrap=end == "wrap"), axis=0, return_counts=True
    )
    provenance = {"source": "counts of a text", "tokens": str(len(ids)), "end": str(end)}
    return _chain(seen, counts, named, end=end, provenance=provenance)


def chain_from_counts(
    counts: Any, *, vocabulary: VocabularyLike | None = None, end: str | None = None
) -> Chain:
    """See :meth:`fsm_gpt.Chain.from_counts`."""
    if end not in (None, "drop"):
        raise InvalidArgument(
            f"end: {end!r} is not 'drop' (nor left out). Counts have no order to wrap around."
        )
    read = _read_mapping if isinstance(counts, Mapping) else _read_array
    seen, numbers, named = read(counts, vocabulary)
    return _chain(seen, numbers, named, end=end, provenance={"source": "counts"})


def _read_mapping(
    counts: Mapping[Any, Mapping[Any, int]], vocabulary: VocabularyLike | None
) -> tuple[Ids, Ids, Vocabulary]:
    if vocabulary is None:
        tokens = {t for c, row in counts.items() for t in (*c, *row)}
        named = Vocabulary.of(sorted(tokens))
    else:
        named = Vocabulary.of(vocabulary)
    seen, numbers = [], []
    for context, row in counts.items():
        for token, count in row.items():
            ids = named.encode(context).tolist() + named.encode([token]).tolist()
            seen.append(ids)
            numbers.append(count)
    if len({len(ids) for ids in seen}) != 1:
        raise InvalidChain(
            "counts: the contexts have different lengths, or there are none. "
            "Every context needs the same number of tokens."
        )
    if len(seen[0]) == 1:
        raise InvalidArgument(
            "context: length 0 is not at least 1. A state needs at least one token."
        )
    return np.array(seen, dtype=np.int64), _whole(numbers), named


def _read_array(counts: Any, vocabulary: VocabularyLike | None) -> tuple[Ids, Ids, Vocabulary]:
    table = np.asarray(counts)
    if table.ndim != 2:
        raise InvalidChain(f"counts: their shape is {table.shape}, not (V**L, V).")
    N, V = table.shape
    named = Vocabulary.of(V if vocabulary is None else vocabulary)
    length = max(1, round(np.log(N) / np.log(V))) if V > 1 and N > 0 else 1
    space = ContextSpace(named, length)
    if space.size != N or len(named) != V:
        raise InvalidChain(
            f"counts: {N} rows of {V} columns with {len(named)} tokens are no window table; "
            f"one row for each of V**L contexts and one column a token are needed."
        )
    table = _whole(table)
    source, token = np.nonzero(table)
    seen = np.concatenate([space.contexts()[source], token[:, None]], axis=1)
    return seen, table[source, token], named


def _whole(numbers: Any) -> Ids:
    array = np.asarray(numbers)
    if array.dtype.kind == "f" and (array == np.floor(array)).all() and (array < 2**63).all():
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu" or (array < 0).any() or (array >= 2**63).any():
        raise InvalidChain(
            "counts: they are not all whole numbers from 0 to 2**63 - 1. "
            "For probabilities use Chain(rows)."
        )
    return array.astype(np.int64)


def _chain(
    seen: Ids, counts: Ids, vocabulary: Vocabulary, *, end: str | None, provenance: dict[str, str]
) -> Chain:
    """The chain over the contexts that go on, one transition for each row of ``seen``."""
    seen, counts = seen[counts > 0], counts[counts > 0]
    if not len(seen):
        raise InvalidChain("counts: all of them are zero, so nothing follows anything.")
    both = np.concatenate([seen[:, :-1], seen[:, 1:]])
    contexts, index = np.unique(both, axis=0, return_inverse=True)
    source, target = index.reshape(2, -1)
    goes_on = _going_on(source, target, len(contexts))
    kept = goes_on[target]
    if not kept.all() and end != "drop":
        last = target[~np.isin(target, source)][0]
        raise InvalidText(
            f"text: context {vocabulary.label(contexts[last])!r} is entered and never goes on, so "
            f"its row would be empty. This is how a text ends when its last context occurs only "
            f"there. Pass end='drop' to leave out the transitions into it, or, for a text, "
            f"end='wrap' to read it as a circle."
        )
    if not kept.any():
        raise InvalidText(
            "text: no context is left once those that never go on are dropped. The text never "
            "repeats a context; give more text, a shorter context, or end='wrap'."
        )
    dropped = int(counts[~kept].sum())
    number = np.cumsum(goes_on) - 1  # contexts that never go on are left out of the numbering
    source, target, token = number[source[kept]], number[target[kept]], seen[kept, -1]
    whole = counts[kept].astype(object)  # Python's integers: sums of any size
    totals = np.zeros(int(goes_on.sum()), dtype=object)
    np.add.at(totals, source, whole)
    probability = np.empty(len(whole), dtype=object)
    probability[:] = [Fraction(n, totals[s]) for n, s in zip(whole, source, strict=True)]
    notes = (
        (f"{dropped} transitions into contexts that never go on were dropped",) if dropped else ()
    )
    return Chain.from_edges(
        source,
        token,
        target,
        probability,
        vocabulary=vocabulary,
        states=SomeContexts(vocabulary, contexts[goes_on]),
        notes=notes,
        provenance=provenance,
    )


def _going_on(source: Ids, target: Ids, n_contexts: int) -> npt.NDArray[np.bool_]:
    """The contexts that go on for ever if transitions into those that do not are left out."""
    ways_on = np.bincount(source, minlength=n_contexts)
    by_target = np.argsort(target, kind="stable")
    first = np.searchsorted(target[by_target], np.arange(n_contexts + 1))
    goes_on = np.ones(n_contexts, dtype=bool)
    ends = np.flatnonzero(ways_on == 0).tolist()
    while ends:
        end = ends.pop()
        goes_on[end] = False
        for before in source[by_target[first[end] : first[end + 1]]].tolist():
            ways_on[before] -= 1
            if ways_on[before] == 0:
                ends.append(before)
    return goes_on


# ---- what a text covers ----


@dataclass(frozen=True, eq=False, repr=False)
class ContextCoverage(Result):
    """How much of the space of contexts a text visits before its last token."""

    seen: tuple[int, ...]
    """How many distinct contexts of 1 to L tokens are followed by a token."""
    possible: tuple[int, ...]
    """V, V**2, ..., V**L."""
    unseen: tuple[str, ...]
    """The contexts of L tokens that are never seen, the first thousand in order."""

    @property
    def unseen_share(self) -> tuple[float, ...]:
        """The share of contexts of 1 to L tokens that are never seen."""
        return tuple(1 - n / m for n, m in zip(self.seen, self.possible, strict=True))

    def __str__(self) -> str:
        lines = ["contexts never seen, by length"]
        for k, (n, m) in enumerate(zip(self.seen, self.possible, strict=True), start=1):
            lines.append(f"  {k} tokens: {m - n:,} of {m:,} ({1 - n / m:.1%})")
        if self.unseen:
            more = self.possible[-1] - self.seen[-1] - len(self.unseen[:12])
            lines.append(
                f"  {', '.join(self.unseen[:12])}" + (f" and {more:,} more" if more else "")
            )
        return "\n".join(lines)


def context_coverage(
    text: str | Sequence[str], *, context: int, vocabulary: VocabularyLike | None = None
) -> ContextCoverage:
    """Which contexts training on a text shows, and which it never does.

    A context of k tokens is seen if it stands somewhere in the text with a token after it.

    >>> context_coverage("111101111011110", context=3).unseen
    ('000', '001', '010', '100')
    """
    ids, named = encode_text(text, vocabulary)
    V, seen = len(named), []
    for k in range(1, context + 1):
        contexts = np.unique(transitions(ids, k)[:, :k], axis=0)
        seen.append(len(contexts))
    transitions(ids, context)  # refuses a context that is too short or too long
    known = {tuple(row) for row in contexts.tolist()}
    possible = tuple(V**k for k in range(1, context + 1))
    missing: list[str] = []
    space = ContextSpace(named, context)
    for state in range(possible[-1] if len(known) < possible[-1] else 0):
        tokens = space.tokens_of(state)
        if tokens not in known:
            missing.append(named.label(tokens))
            if len(missing) == 1000:
                break
    return ContextCoverage(tuple(seen), possible, tuple(missing))
