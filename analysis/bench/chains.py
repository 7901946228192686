"""Chains for the benchmark, new ones each time: a chain remembers what it was asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.families import TRAINED, ZEROS, hard_chain, hard_rows, trained_chain
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import MinP

__all__ = ["BESIDE", "csr", "exact_csr", "family", "in_words", "thinned"]

#: Families that keep one of four numbers beside the window, and so have four times V**L states.
BESIDE = ("period 4", "three classes")

Floats = npt.NDArray[np.float64]


def family(name: str, bits: int) -> Chain:
    """The chain of a family with 2**bits states; a trained one at its own size."""
    if name in TRAINED:
        return trained_chain(name)
    if name == "top-2":
        return hard_chain(name, 4, bits // 2)
    if name in ZEROS:
        return hard_chain(name, 2, bits - 2 if name in BESIDE else bits)
    return hard_chain(name, 2, bits)


def thinned(rows: Floats) -> Chain:
    """Windows under a decoding rule: tokens under 0.3 of the most probable one are cut off.

    It has zeros, so its classes have to be looked for.
    """
    return Chain(rows).with_decoding(MinP(0.3))


def csr(chain: Chain) -> Any:
    """P as scipy's CSR array with 32-bit indices, built from the rows at once."""
    from scipy.sparse import csr_array

    rows = np.asarray(chain.next_token, dtype=np.float64)
    N, V = rows.shape
    start = np.arange(0, N * V + 1, V, dtype=np.int32)
    states = np.arange(N, dtype=np.int32) % (N // V) * V
    target = (states[:, None] + np.arange(V, dtype=np.int32)).ravel()
    weight = (rows / rows.sum(axis=1, keepdims=True)).ravel()
    return csr_array((weight, target, start), shape=(N, N))


def exact_csr(name: str, V: int, L: int) -> Any:
    """The same from the name of a family, nothing else kept."""
    return csr(Chain(hard_rows(name, V, L)))


def in_words(n: int) -> str:
    """A number of states, as a power of two where it is one.

    >>> in_words(1024), in_words(1000)
    ('2^10 states', '1,000 states')
    """
    return f"2^{n.bit_length() - 1} states" if n & (n - 1) == 0 else f"{n:,} states"
