"""x P and P f of window chains beside scipy's CSR, and beside the speed of memory.

scipy gets its better form: the product with the transpose of P in CSR for x P, P itself for
P f, whichever storage order is faster. Ours are written where the last ones stood, as in an
iteration; scipy makes a new array each time, which it cannot be kept from. Bytes are those
that any product with these rows has to move: the rows once, one vector read, one written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.bench.chains import csr, exact_csr
from analysis.bench.machine import ENTRIES, Stream, cores
from analysis.bench.measure import Spread, alternating, held, ratios
from analysis.bench.results import Found, Size
from analysis.bench.tasks import Call, Task
from analysis.families import hard_rows
from fsm_gpt.chain import Chain

__all__ = ["memory", "products", "run"]


@dataclass(frozen=True)
class _Shape:
    """Chains to multiply with: V, L, and whether scipy is asked as well."""

    V: int
    L: int


SHAPES: dict[Size, tuple[_Shape, ...]] = {
    "full": (_Shape(2, 24), _Shape(4, 11), _Shape(27, 4)),
    "quick": (_Shape(2, 20), _Shape(27, 3)),
    "tiny": (_Shape(2, 8), _Shape(3, 4)),
}
ROUNDS: dict[Size, int] = {"full": 9, "quick": 5, "tiny": 2}


def products(V: int, L: int, entries: int, threads: int, rounds: int) -> list[Found]:
    """Both products in float64 and float32, scipy's, and the bandwidth, taking turns."""
    rows = hard_rows("random", V, L)
    x = np.random.default_rng(1).dirichlet(np.ones(V), V ** (L - 1)).ravel()
    x /= x.sum()
    chain, narrow = Chain(rows), Chain(rows.astype(np.float32))
    P = csr(chain)
    by_target = P.T.tocsr()
    by_target.indices = by_target.indices.astype(np.int32, copy=False)
    stream, out = Stream(entries, threads), np.empty(V**L)
    works: dict[str, Callable[[], object]] = {
        "push float64": lambda: chain.push(x, out=out),
        "push float32": lambda: narrow.push(x, out=out),
        "expect float64": lambda: chain.expect(x, out=out),
        "expect float32": lambda: narrow.expect(x, out=out),
        "scipy x P": lambda: x @ P,
        "scipy transposed": lambda: by_target @ x,
        "scipy P f": lambda: P @ x,
        **stream.works(),
    }
    seconds = alternating(works, rounds=rounds)
    scipy = {
        "push": list(map(min, seconds["scipy x P"], seconds["scipy transposed"])),
        "expect": seconds["scipy P f"],
    }
    rates = stream.per_second(seconds)
    at = f"V={V}, L={L}, {threads} thread{'s' if threads > 1 else ''}"
    found: list[Found] = []
    for product in ("push", "expect"):
        for dtype, width in (("float64", 8), ("float32", 4)):
            took = seconds[f"{product} {dtype}"]
            moved = V**L * (V * width + 16)
            key = f"products/{product}/V={V}/{dtype}/{threads}"
            speed = Spread.of([moved / s / 1e9 for s in took])
            share = [moved / s / rate for s, rate in zip(took, rates, strict=True)]
            found.append(Spread.of(took).row(f"{key}/seconds", unit="s", at=at))
            found.append(speed.row(f"{key}/speed", unit="GB/s", at=at))
            found.append(Spread.of(share).row(f"{key}/share", unit="share", at=at))
            found.append(ratios(scipy[product], took).row(f"{key}/ratio", unit="times", at=at))
    return found


def memory(V: int, L: int) -> list[Found]:
    """Bytes that a chain holds once it was multiplied with, against CSR with 32-bit indices."""
    exact_csr("random", 2, 2)  # packages are loaded: they are not counted
    multiplied(V, L)  # neither are loops that are compiled
    ours = held(lambda: multiplied(V, L))
    theirs = held(lambda: exact_csr("random", V, L))
    at = f"V={V}, L={L}"
    note = f"{ours / V**L:.1f} and {theirs / V**L:.1f} bytes a state"
    row = Spread.of([ours / theirs]).row(f"products/memory/V={V}", unit="times", at=at, note=note)
    return [row]


def multiplied(V: int, L: int) -> Chain:
    """A chain that holds all that its products need."""
    chain = Chain(hard_rows("random", V, L))
    chain.push(np.ones(V**L))
    chain.expect(np.ones(V**L))
    return chain


def run(call: Call, size: Size) -> list[Found]:
    """Every shape on one thread, the first on all threads too."""
    found: list[Found] = []
    for shape in SHAPES[size]:
        base = {"V": shape.V, "L": shape.L}
        for threads in sorted({1, cores()}) if shape is SHAPES[size][0] else [1]:
            more = {"entries": ENTRIES[size], "threads": threads, "rounds": ROUNDS[size]}
            key = f"products/{{}}/V={shape.V}/float64/{threads}"
            found += call(Task(key.format("push"), products, base | more, threads=threads))
        found += call(Task(f"products/memory/V={shape.V}", memory, base))
    return found
