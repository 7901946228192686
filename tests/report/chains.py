"""Chains that the tests of figures and pages share."""

from __future__ import annotations

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy

#: The probability of 1 after 000, 001, ... 111 in the article's GPT, before and after its
#: 50 steps; tests/reference/article.json has its source and all digits.
BEFORE = (0.503665, 0.548430, 0.503516, 0.548189, 0.503884, 0.548228, 0.503720, 0.547953)
AFTER = (0.731635, 0.781411, 0.757824, 0.795611, 0.747489, 0.792855, 0.779909, 0.453612)

TEXT = "111101111011110"


def of_ones(ones: tuple[float, ...]) -> Chain:
    """The window chain over 0 and 1 with these probabilities of 1."""
    return Chain([[1 - p, p] for p in ones], vocabulary="01", normalize=True)


def windows(V: int, L: int, *, seed: int = 1, short: bool = False) -> Chain:
    """A window chain with random rows."""
    N = V * (V**L - 1) // (V - 1) if short else V**L
    rows = np.random.default_rng(seed).dirichlet(np.ones(V), size=N)
    return Chain(rows, short_contexts=short, normalize=True)


def article_with_short_contexts() -> Chain:
    """The article's 14 states: shorter contexts with even rows in front."""
    rows = [[0.5, 0.5]] * 6 + [[1 - p, p] for p in AFTER]
    return Chain(rows, vocabulary="01", short_contexts=True, normalize=True)


def weather() -> Chain:
    """Kemeny & Snell's Land of Oz (Finite Markov Chains, 1976, section 1.1)."""
    P = [["1/2", "1/4", "1/4"], ["1/2", 0, "1/2"], ["1/4", "1/4", "1/2"]]
    return Chain.from_matrix(P, vocabulary=["rain", "nice", "snow"])


def gambler() -> Chain:
    """Gambler's ruin on 0 to 4 with a fair coin: two absorbing states."""
    half = "1/2"
    P = [[1, 0, 0, 0, 0], [half, 0, half, 0, 0], [0, half, 0, half, 0], [0, 0, half, 0, half]]
    return Chain.from_matrix([*P, [0, 0, 0, 0, 1]])


HOSTILE = ("<script>alert(1)</script>", "\u202eright to left$x^2$", "nul\x00'\"&")


def hostile() -> Chain:
    """Tokens that a page must not believe."""
    return Chain.from_matrix([[0.2, 0.8, 0], [0.3, 0.3, 0.4], [0.1, 0.1, 0.8]], vocabulary=HOSTILE)


SMALL = {
    "article before": lambda: of_ones(BEFORE),
    "article after": lambda: of_ones(AFTER),
    "data": lambda: Chain.from_text(TEXT, context=3, end="drop"),
    "greedy": lambda: of_ones(AFTER).with_decoding(Greedy()),
    "greedy before": lambda: of_ones(BEFORE).with_decoding(Greedy()),
    "14 states": article_with_short_contexts,
    "16 states": lambda: windows(2, 4),
    "two states": lambda: windows(2, 1),
    "four states": lambda: windows(2, 2),
    "nine states": lambda: windows(3, 2),
    "one state": lambda: Chain([[1.0]], vocabulary="a", context=1),
    "weather": weather,
    "gambler": gambler,
    "hostile": hostile,
    "walk round ten": lambda: Chain.from_matrix(
        np.roll(np.eye(10), 1, axis=1) / 2 + np.roll(np.eye(10), -1, axis=1) / 2
    ),
    "parallel edges": lambda: Chain.from_edges(
        [0, 0, 0, 1, 1], [0, 1, 2, 0, 1], [0, 1, 1, 0, 1], [0.2, 0.3, 0.5, 0.9, 0.1]
    ),
}
#: So dense that a label may find no room; the figure says how many.
DENSE = {
    "16 states of four tokens": lambda: windows(4, 2),
    "32 states": lambda: windows(2, 5),
    "27 tokens": lambda: windows(27, 1),
    "12 states with short contexts": lambda: windows(3, 2, short=True),
}
