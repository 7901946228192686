"""The numbers to reach."""

from __future__ import annotations

from collections.abc import Iterable

from analysis.bench.judging import Measure, Rows, Target, get, of, worst
from analysis.bench.results import Row
from analysis.bench.stationary import LARGE_ZEROS
from analysis.families import HARD, ZEROS

__all__ = ["TARGETS"]

_EVERY = (*HARD, *LARGE_ZEROS)
_ROTATES = ("rotate 1e-3", "rotate 1e-6")
_PROVEN = ("random", "sharp", "dirichlet 0.01", "sticky", "near-periodic")


def _cycles(bits: int) -> Measure:
    """The most cycles of any family."""
    return worst((f"stationary/2^{bits}/{name}/cycles" for name in _EVERY), "at most")


def _growth(rows: Rows) -> Row:
    """All families' cycles together at 2^20, against those at 2^18."""
    totals = []
    for bits in (18, 20):
        counts = [get(rows, f"stationary/2^{bits}/{name}/cycles") for name in _EVERY]
        missing = [row for row in counts if row.value is None]
        if missing:
            return missing[0]
        totals.append(sum(row.value or 0.0 for row in counts))
    note = f"{totals[0]:.0f} cycles and {totals[1]:.0f}"
    key = "stationary/growth"
    return Row(key=key, value=totals[1] / totals[0], unit="times", at="2^18 to 2^20", note=note)


def _million(quantity: str, families: Iterable[str], bits: int = 20) -> Measure:
    return worst((f"stationary/2^{bits}/{name}/{quantity}" for name in families), "at most")


def _small(quantity: str) -> Measure:
    return worst((f"stationary/entries/{n}/{quantity}" for n in (*HARD, *ZEROS)), "at most")


def _structure(middle: str, quantity: str) -> Measure:
    names = ("random", "min-p 0.3")
    return worst((f"structure/{middle}/{name}/{quantity}" for name in names), "at most")


_PUSH = "products/push/V={}/float64/1/{}"
_N12, _N16, _N18, _N20, _N24 = (f"2^{bits} states" for bits in (12, 16, 18, 20, 24))

TARGETS: tuple[Target, ...] = (
    Target(
        "x P, against scipy's CSR",
        of(_PUSH.format(2, "ratio")),
        "at least",
        2.5,
        "times",
        "V=2, L=24",
    ),
    Target(
        "x P, share of the bandwidth",
        of(_PUSH.format(2, "share")),
        "at least",
        0.75,
        "",
        "V=2, L=24",
    ),
    Target(
        "x P, against scipy's CSR",
        of(_PUSH.format(27, "ratio")),
        "at least",
        1.5,
        "times",
        "V=27, L=4",
    ),
    Target(
        "Memory of a chain, against CSR",
        of("products/memory/V=2"),
        "at most",
        0.6,
        "times",
        "V=2, L=24",
    ),
    Target(
        "Memory of a chain, against CSR",
        of("products/memory/V=27"),
        "at most",
        0.67,
        "times",
        "V=27, L=4",
    ),
    Target(
        "Stationary: error of any entry, any family",
        _small("error"),
        "at most",
        1e-11,
        "",
        _N12,
    ),
    Target("Stationary: bound, any family", _small("bound"), "at most", 1e-8, "", _N12),
    Target("Stationary: cycles to the residual", _cycles(18), "at most", 50, "cycles", _N18),
    Target("Stationary: cycles to the residual", _cycles(20), "at most", 50, "cycles", _N20),
    Target("Stationary: residual", _million("residual", _EVERY), "at most", 1e-12, "", _N20),
    Target("Stationary: growth of cycles", _growth, "at most", 1.1, "times", "2^18 to 2^20"),
    Target(
        "Stationary: time to the residual",
        _million("seconds", (name for name in _EVERY if name != "rotate 1e-3")),
        "at most",
        15,
        "s",
        _N20,
    ),
    Target(
        "Stationary: time to the residual, rotate 1e-3",
        _million("seconds", ("rotate 1e-3",)),
        "at most",
        25,
        "s",
        _N20,
    ),
    Target(
        "Stationary: time to the residual, random and sharp",
        _million("seconds", ("random", "sharp"), 24),
        "at most",
        300,
        "s",
        _N24,
    ),
    Target(
        "Stationary: memory, random and sharp",
        _million("memory", ("random", "sharp"), 24),
        "at most",
        8,
        "GB",
        _N24,
    ),
    Target(
        "Stationary: bound, five families", _million("bound", _PROVEN), "at most", 1e-6, "", _N20
    ),
    Target("Stationary: bound, rotates", _million("bound", _ROTATES), "at most", 1e-2, "", _N20),
    Target(
        "Stationary: cycles to these bounds",
        _million("cycles to proof", (*_PROVEN, *_ROTATES)),
        "at most",
        100,
        "cycles",
        _N20,
    ),
    Target("Certificate: time", _million("certificate", HARD), "at most", 10, "s", _N20),
    Target(
        "Certificate: bounds that do not hold",
        of("certificate/broken"),
        "at most",
        0,
        "bounds",
        "10,000 chains",
    ),
    Target(
        "Classes and period, against CSR and scipy",
        _structure("scipy", "ratio"),
        "at most",
        0.5,
        "times",
        _N20,
    ),
    Target("Classes and period", _structure("large", "seconds"), "at most", 20, "s", _N24),
    Target("Classes and period: memory", _structure("large", "memory"), "at most", 1, "GB", _N24),
    Target(
        "Entropy rate without proof, against Storm",
        of("entropy/storm/ratio"),
        "at least",
        3,
        "times",
        _N20,
    ),
    Target(
        "Entropy rate: error",
        of("entropy/error"),
        "at most",
        1e-9,
        "",
        _N20,
    ),
    Target("Mean time to reach a state", of("hitting/seconds"), "at most", 2, "s", _N16),
    Target(
        "Mean time to reach a state: bound",
        of("hitting/bound"),
        "at most",
        1e-8,
        "",
        _N16,
    ),
    Target(
        "Extraction, against batched forwards",
        of("extraction/16/ratio"),
        "at least",
        5,
        "times",
        "L=20, width 16",
    ),
    Target(
        "Extraction, against batched forwards",
        of("extraction/64/ratio"),
        "at least",
        6,
        "times",
        "L=16, width 64",
    ),
    Target(
        "Extraction: extra memory",
        of("extraction/16/extra memory"),
        "at most",
        300,
        "MB",
        "L=20, width 16",
    ),
    Target(
        "Extraction: extra memory",
        of("extraction/64/extra memory"),
        "at most",
        300,
        "MB",
        "L=16, width 64",
    ),
    Target("fsm-gpt analyze, whole process", of("command/seconds"), "at most", 30, "s", _N20),
    Target("fsm-gpt analyze: memory", of("command/memory"), "at most", 1.5, "GB", _N20),
)
