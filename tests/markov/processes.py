"""Processes of computational mechanics, as machines: a token and a state decide the next state.

What is known of them is quoted in tests/markov/test_causal.py.
"""

from __future__ import annotations

from fsm_gpt.chain import Chain


def coin(p: float = 0.5) -> Chain:
    """Tokens drawn one by one."""
    return Chain.from_edges([0, 0], [0, 1], [0, 0], [1 - p, p])


def golden_mean(p: float = 0.5) -> Chain:
    """No two ones in a row; after a zero comes a one with probability 1 - p."""
    return Chain.from_edges([0, 0, 1], [0, 1, 0], [0, 1, 0], [p, 1 - p, 1.0])


def even(p: float = 0.5) -> Chain:
    """Between zeros stand ones in even number; a pair begins with probability 1 - p."""
    return Chain.from_edges([0, 0, 1], [0, 1, 1], [0, 1, 0], [p, 1 - p, 1.0])


def nemo(p: float = 0.5, q: float = 0.5) -> Chain:
    """The nemo process: it forgets where it was, and no past tells it back."""
    return Chain.from_edges(
        [0, 0, 1, 2, 2], [1, 0, 0, 0, 1], [0, 1, 2, 0, 0], [p, 1 - p, 1.0, q, 1 - q]
    )


def period(word: str) -> Chain:
    """A word again and again."""
    n = len(word)
    tokens = [int(token) for token in word]
    return Chain.from_edges(
        range(n), tokens, [(i + 1) % n for i in range(n)], [1.0] * n, vocabulary="01"
    )


def noisy_period_two(p: float = 0.5) -> Chain:
    """A one in every second place, and a bent coin in the others."""
    return Chain.from_edges([0, 1, 1], [1, 0, 1], [1, 0, 0], [1.0, 1 - p, p])


def random_random_xor() -> Chain:
    """Two fair coins and whether they differ, again and again."""
    return Chain.from_edges(
        [0, 0, 1, 1, 2, 2, 3, 4],
        [0, 1, 0, 1, 0, 1, 0, 1],
        [1, 2, 3, 4, 4, 3, 0, 0],
        [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 1.0, 1.0],
    )
