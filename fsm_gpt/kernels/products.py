"""x P and P f of a large chain, in one pass over its probabilities.

Rows of windows are seen as (V, R, V): oldest token a, rest of the window r, next token t. The
successor of [a, r, t] is r V + t. Sums are in float64, whatever the rows are, and each row is
divided by its sum on the way. That sum is 1 + d with d of 1e-5 at most, so 1 - d + d^2 - d^3 does
it without a division and to within 1e-20. For two or three tokens d is added up again, which
costs less than reading it; for more it is read, where rows are in float64 as a whole number of
two bytes: float64 numbers next to one are multiples of 2^-53.

The speed is that of memory, and four things decide it. Results are made by numpy, which asks
for large pages, where numba would take a page fault every 4 KiB; better still, they are written
where a former one stood. For two or three tokens the loops over them are unrolled; for more, a
strip of r is finished for all a, four at a time, while it is in the cache. And two threads, each
with half of the windows, are faster than one from a few million entries on, and no slower on a
busy machine.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import config, njit

__all__ = [
    "excess_of",
    "expect_edges",
    "expect_window",
    "inverse",
    "push_edges",
    "push_window",
]

Floats: TypeAlias = npt.NDArray[np.float64]
Probabilities: TypeAlias = npt.NDArray[np.floating]
Ids: TypeAlias = npt.NDArray[np.int64]
Excess: TypeAlias = npt.NDArray[np.float64] | npt.NDArray[np.int16]
#: A place as np.uint64: unsigned, it needs no check for being negative, which would keep loops
#: from being vectorised.
Place: TypeAlias = Any

#: From so many entries on the rows are shared among threads, of which more than 4 gain nothing.
THREADS_FROM, MOST_THREADS = 2**22, 4
#: Results in a strip: half of what a core's own cache holds.
_STRIP = 8192
#: Reordering a sum is allowed: it changes which roundings are made, not how many.
_SUMS = {"reassoc", "contract", "nsz"}


def push_window(
    x: Floats, rows: Probabilities, excess: Excess | None = None, out: Floats | None = None
) -> Floats:
    """X P, of shape (N,).

    Rows of two or three tokens are divided by their sum, which is added up on the way, and
    others by 1 + ``excess``: floats, or whole numbers of 2^-53. No sum is further than 1e-5
    from one.
    """
    return _in_parts(_push, x, rows, excess, out)


def expect_window(
    f: Floats, rows: Probabilities, excess: Excess | None = None, out: Floats | None = None
) -> Floats:
    """P f, of shape (N,); rows are divided as in :func:`push_window`."""
    return _in_parts(_expect, f, rows, excess, out)


def push_edges(
    x: Floats,
    start: Ids,
    target: Ids,
    probability: Probabilities,
    scale: Floats | None = None,
    out: Floats | None = None,
) -> Floats:
    """X P, where the transitions of s are those from start[s] to start[s + 1]."""
    into = np.zeros(len(x)) if out is None else out
    into[:] = 0.0
    given = _frozen(x), _frozen(_or_none(scale)), _frozen(start), _frozen(target)
    _push_edges(*given, _frozen(probability), into)
    return into


def expect_edges(
    f: Floats,
    start: Ids,
    target: Ids,
    probability: Probabilities,
    scale: Floats | None = None,
    out: Floats | None = None,
) -> Floats:
    """P f, where the transitions of s are those from start[s] to start[s + 1]."""
    into = np.empty(len(f)) if out is None else out
    given = _frozen(f), _frozen(_or_none(scale)), _frozen(start), _frozen(target)
    _expect_edges(*given, _frozen(probability), into)
    return into


def _or_none(values: Excess | None) -> Excess:
    return np.empty(0) if values is None else values


def _frozen(array: npt.NDArray[Any]) -> Any:
    """A read-only view, so that a loop is compiled once and not for each mix of arrays."""
    view = array.view()
    view.setflags(write=False)
    return view


def _in_parts(
    product: Callable[..., None],
    vector: Floats,
    rows: Probabilities,
    excess: Excess | None,
    out: Floats | None,
) -> Floats:
    """A product of windows, the rests r shared among threads where that is faster."""
    N, V = rows.shape
    R = N // V
    into = np.empty(N) if out is None else out
    given = [_frozen(array) for array in (vector, _or_none(excess), rows)]

    def part(first: int, last: int) -> None:
        product(*given, into, np.uint64(first), np.uint64(last))

    available: int = config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    threads = min(available, MOST_THREADS)
    if threads == 1 or rows.size < THREADS_FROM:
        part(0, R)
    else:
        ends = [R * k // threads for k in range(threads + 1)]
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(part, ends[:-1], ends[1:]))
    return into


@njit(inline="always", error_model="numpy")
def inverse(d: float) -> float:
    """1 / (1 + d) for a small d."""
    return 1.0 - d * (1.0 - d * (1.0 - d))


@njit(inline="always", error_model="numpy")
def excess_of(p: Probabilities, s: Place, V: Place) -> float:
    """The sum of a row, in float64, less one."""
    total = 0.0
    for t in range(V):
        total += p[s * V + t]
    return total - 1.0


@njit(inline="always", error_model="numpy")
def _unit_of(excess: Excess) -> float:
    """What a stored excess is counted in."""
    return 1.0 if excess.itemsize == 8 else 2.0**-53


@njit(inline="always", error_model="numpy")
def _weight(x: Any, excess: Any, divided: bool, unit: float, s: Place) -> float:
    """X of a window, divided by the sum of its row."""
    weight: float = x[s] * inverse(excess[s] * unit) if divided else x[s]
    return weight


@njit(inline="always", error_model="numpy")
def _push_few(
    x: Floats, p: Probabilities, into: Floats, first: Place, last: Place, R: Place, V: Place
) -> None:
    """For a V that is a constant of the program."""
    for r in range(first, last):
        for t in range(V):
            total = 0.0
            for a in range(V):
                s = a * R + r
                total += x[s] * inverse(excess_of(p, s, V)) * p[s * V + t]
            into[r * V + t] = total


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _push(
    x: Floats, excess: Excess, rows: Probabilities, into: Floats, first: Place, last: Place
) -> None:
    V = np.uint64(rows.shape[1])
    R = np.uint64(len(x)) // V
    p = rows.ravel()
    if V == np.uint64(2):
        _push_few(x, p, into, first, last, R, np.uint64(2))
        return
    if V == np.uint64(3):
        _push_few(x, p, into, first, last, R, np.uint64(3))
        return
    divided, unit = len(excess) > 0, _unit_of(excess)
    strip = max(np.uint64(1), np.uint64(_STRIP) // V)
    two, three, four = np.uint64(2), np.uint64(3), np.uint64(4)
    whole = V - V % four
    for begin in range(first, last, strip):
        end = min(begin + strip, last)
        for k in range(begin * V, end * V):
            into[k] = 0.0
        for a in range(np.uint64(0), whole, four):
            for r in range(begin, end):
                s = a * R + r
                t, u, v = s + R, s + two * R, s + three * R
                weights = (
                    _weight(x, excess, divided, unit, s),
                    _weight(x, excess, divided, unit, t),
                    _weight(x, excess, divided, unit, u),
                    _weight(x, excess, divided, unit, v),
                )
                for k in range(V):
                    into[r * V + k] += (
                        weights[0] * p[s * V + k]
                        + weights[1] * p[t * V + k]
                        + weights[2] * p[u * V + k]
                        + weights[3] * p[v * V + k]
                    )
        for a in range(whole, V):
            for r in range(begin, end):
                s = a * R + r
                weight = _weight(x, excess, divided, unit, s)
                for k in range(V):
                    into[r * V + k] += weight * p[s * V + k]


@njit(inline="always", error_model="numpy")
def _expect_few(
    f: Floats, p: Probabilities, into: Floats, first: Place, last: Place, R: Place, V: Place
) -> None:
    """For a V that is a constant of the program."""
    for a in range(V):
        for r in range(first, last):
            s = a * R + r
            total = 0.0
            for t in range(V):
                total += p[s * V + t] * f[r * V + t]
            into[s] = total * inverse(excess_of(p, s, V))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_SUMS)
def _expect(
    f: Floats, excess: Excess, rows: Probabilities, into: Floats, first: Place, last: Place
) -> None:
    V = np.uint64(rows.shape[1])
    R = np.uint64(len(f)) // V
    p = rows.ravel()
    divided, unit = len(excess) > 0, _unit_of(excess)
    strip = max(np.uint64(1), np.uint64(_STRIP) // V)
    for begin in range(first, last, strip):
        end = min(begin + strip, last)
        if V == np.uint64(2):
            _expect_few(f, p, into, begin, end, R, np.uint64(2))
            continue
        if V == np.uint64(3):
            _expect_few(f, p, into, begin, end, R, np.uint64(3))
            continue
        for a in range(V):
            for r in range(begin, end):
                s = a * R + r
                total = 0.0
                for t in range(V):
                    total += p[s * V + t] * f[r * V + t]
                into[s] = total * inverse(excess[s] * unit) if divided else total


@njit(cache=True, nogil=True, error_model="numpy")
def _push_edges(
    x: Floats, scale: Floats, start: Ids, target: Ids, p: Probabilities, into: Floats
) -> None:
    divided = len(scale) > 0
    for s in range(len(start) - 1):
        weight = x[s] / scale[s] if divided else x[s]
        for k in range(start[s], start[s + 1]):
            into[target[k]] += weight * p[k]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_SUMS)
def _expect_edges(
    f: Floats, scale: Floats, start: Ids, target: Ids, p: Probabilities, into: Floats
) -> None:
    divided = len(scale) > 0
    for s in range(len(start) - 1):
        total = 0.0
        for k in range(start[s], start[s + 1]):
            total += p[k] * f[target[k]]
        into[s] = total / scale[s] if divided else total
