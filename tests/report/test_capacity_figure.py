"""Bits of state over the years: every dot where its model is, and no name over another."""

import itertools
import math

import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.text import Text

from fsm_gpt.capacity import Capacity, capacity
from fsm_gpt.errors import NotDefined
from fsm_gpt.report.capacity_figure import _spread, capacity_plot
from fsm_gpt.report.capacity_report import CapacityReport, capacity_report, report_of
from fsm_gpt.report.style import palette

SOME = ["gpt2", "gpt-3", "llama-3-8b", "baby GPT", "claude"]


def dots(ax: Axes) -> list[tuple[float, float]]:
    (found,) = (c for c in ax.collections if isinstance(c, PathCollection))
    return [(float(x), float(y)) for x, y in found.get_offsets()]


@pytest.fixture(scope="module")
def everything() -> CapacityReport:
    return capacity_report()


@pytest.fixture(scope="module")
def drawn(everything: CapacityReport) -> Axes:
    ax = capacity_plot(everything)
    ax.figure.draw_without_rendering()
    return ax


def test_every_model_is_a_dot_in_its_year_at_its_bits(
    everything: CapacityReport, drawn: Axes
) -> None:
    models = [row for row in everything.rows if isinstance(row, Capacity) and row.year]
    wanted = sorted((row.year, round(row.bits, 6)) for row in models)
    assert sorted((round(x), round(y, 6)) for x, y in dots(drawn)) == wanted
    assert all(abs(x - round(x)) < 0.5 for x, _ in dots(drawn))
    assert drawn.get_yscale() == "log"


def test_no_dot_covers_another(drawn: Axes) -> None:
    places = drawn.transData.transform(dots(drawn)) * 72 / drawn.figure.dpi
    # A year that is full has dots that touch; none lies on another.
    nearest = min(math.dist(a, b) for a, b in itertools.combinations(places.tolist(), 2))
    assert nearest > 2.5


def test_memories_are_lines_at_their_bits(everything: CapacityReport, drawn: Axes) -> None:
    across = {round(line.get_ydata()[0]) for line in drawn.lines if line.get_ydata()[0] > 1}
    assert across == {8 * memory.bytes for memory in everything.memories}
    words = " ".join(text.get_text() for text in drawn.texts)
    for memory in everything.memories:
        assert f"{memory.bytes:,} B" in words
    assert "Commodore 64 (1982)" in words


@pytest.mark.parametrize("names", [None, SOME, ["gpt2"]], ids=["all", "some", "one"])
def test_names_cover_neither_each_other_nor_the_edge(names: list[str] | None) -> None:
    ax = capacity_plot(capacity_report(names))
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    page = ax.figure.bbox
    for box in boxes:
        assert page.x0 <= box.x0
        assert box.x1 <= page.x1
        assert page.y0 <= box.y0
        assert box.y1 <= page.y1
    # Of the words alone: what Annotation says of itself includes the line that leads to them.
    for a, b in itertools.combinations([Text.get_window_extent(text) for text in ax.texts], 2):
        assert not a.overlaps(b)


def test_the_records_are_named(drawn: Axes) -> None:
    words = {text.get_text() for text in drawn.texts}
    assert {"Llama 4 Scout", "GPT-3 175B", "GPT-1", "baby GPT"} <= words
    few = {text.get_text() for text in capacity_plot(capacity_report(SOME)).texts}
    assert {"GPT-2 small", "GPT-3 175B", "Llama 3 8B", "baby GPT"} <= few


def test_dark_is_dark() -> None:
    ax = capacity_plot(capacity_report(SOME), dark=True, title="Bits")
    assert ax.get_facecolor()[:3] == pytest.approx((0x12 / 255, 0x16 / 255, 0x1C / 255))
    assert ax.get_title(loc="left") == "Bits"
    assert palette(dark=True).ink == ax.texts[-1].get_color()


def test_nothing_to_draw_is_said() -> None:
    with pytest.raises(NotDefined, match="no model of this report has both a figure and a year"):
        capacity_plot(report_of([capacity(vocabulary=2, context=3)]))


def test_places_are_spread_in_order() -> None:
    places = _spread([1.0, 1.0, 1.1, 4.0, 9.0, 9.0], 0.5)
    assert places == sorted(places)
    assert all(b - a >= 0.5 - 1e-9 for a, b in itertools.pairwise(places))
    assert places[3] == 4.0
    assert sum(places[:3]) == pytest.approx(3.1)
