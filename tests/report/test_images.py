"""Every kind of picture looks as the one that is kept; a spoiled one does not.

A label that moved changes few points of many, so the difference is taken in small squares: that
of the worst square counts, as the root of the mean square over its points and colours.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from matplotlib.axes import Axes

from fsm_gpt import plot
from fsm_gpt.report import style
from tests.report.chains import AFTER, of_ones
from tests.report.renew import (
    BASELINES,
    MADE_WITH,
    as_array,
    cases,
    drawn,
    path_of,
    pixels,
    release,
)

#: Side of a square in points, and how far a square may be from what is kept: colours are kept
#: in a palette of 128, and edges of letters differ by the processor's arithmetic.
SQUARE, TOLERANCE = 12, 0.09

same_release = pytest.mark.skipif(
    json.loads(MADE_WITH.read_text(encoding="utf-8"))["matplotlib"] != release(),
    reason="another release of matplotlib drew the pictures that are kept; see CONTRIBUTING.md",
)


def worst(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference of two pictures over all squares; infinite where sizes differ."""
    if a.shape != b.shape:
        return np.inf
    error = ((a - b) ** 2).mean(axis=2)
    high, wide = (-(-n // SQUARE) * SQUARE for n in error.shape)
    padded = np.zeros((high, wide))
    padded[: error.shape[0], : error.shape[1]] = error
    squares = padded.reshape(high // SQUARE, SQUARE, wide // SQUARE, SQUARE).mean(axis=(1, 3))
    return float(np.sqrt(squares.max()))


def kept(name: str, dark: bool = False) -> np.ndarray:
    return as_array(path_of(name, dark).read_bytes())


@same_release
@pytest.mark.parametrize(("name", "dark"), cases())
def test_a_picture_looks_as_it_did(name: str, dark: bool) -> None:
    difference = worst(pixels(drawn(name, dark)), kept(name, dark))
    assert difference < TOLERANCE, (
        f"{name} differs from {path_of(name, dark).name} by {difference:.3f}. Look at both; where "
        f"the new one is meant, `make pictures` keeps it."
    )


def test_what_is_kept_is_small_and_complete() -> None:
    pictures = sorted(BASELINES.glob("*.png"))
    assert pictures == sorted(path_of(*case) for case in cases())
    assert sum(path.stat().st_size for path in pictures) < 600_000
    assert {name.split()[0] for name, _ in cases()} == set(plot.__all__) - {"save"}


def of(ax: Axes, gid: str):  # type: ignore[no-untyped-def]
    return next(a for a in ax.get_children() if a.get_gid() == gid)


@same_release
def test_a_moved_label_is_found() -> None:
    ax = drawn("state_graph", False)
    label = of(ax, "edge-label-1-1")
    x, y = label.get_position()
    label.set_position((x + 6, y))
    assert worst(pixels(ax), kept("state_graph")) > TOLERANCE


@same_release
def test_a_swapped_colour_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "LIGHT", _swapped(style.LIGHT))
    for name in ("state_graph", "context_table", "flow_ring", "next_token_map", "suffixes"):
        assert worst(pixels(drawn(name, False)), kept(name)) > TOLERANCE, name


def _swapped(colours: style.Palette) -> style.Palette:
    from dataclasses import replace

    first, second, *rest = colours.tokens
    return replace(colours, tokens=(second, first, *rest))


@same_release
def test_a_wrong_number_is_found() -> None:
    other = (*AFTER[:3], AFTER[3] - 0.1, *AFTER[4:])
    for name, kind in (("state_graph", plot.state_graph), ("context_table", plot.context_table)):
        assert worst(pixels(kind(of_ones(other))), kept(name)) > TOLERANCE


def test_squares_see_what_a_mean_would_not() -> None:
    a = np.ones((240, 360, 3))
    b = a.copy()
    b[5:9, 8:14] = 0  # 24 points of 86,400
    assert np.sqrt(((a - b) ** 2).mean()) < 0.02
    assert worst(a, b) > 0.25
    assert worst(a, a) == 0
    assert worst(a, a[1:]) == np.inf
