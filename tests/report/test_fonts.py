"""Words of any script: drawn, or written by their code points; never a box, never a warning."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from fsm_gpt import plot
from fsm_gpt.chain import Chain
from fsm_gpt.report import fonts
from fsm_gpt.report.page import report
from fsm_gpt.report.style import render
from tests.report.pictures import PICTURES, SCRIPTS, scripts
from tests.report.renew import bundled_fonts


def texts(ax: Axes) -> list[str]:
    return [t.get_text() for t in ax.figure.findobj(Text) if t.get_text()]


@pytest.fixture
def no_other_fonts():
    with bundled_fonts():
        yield


@pytest.mark.usefixtures("no_other_fonts")
@pytest.mark.parametrize(
    ("words", "drawn"),
    [
        ("abc", "abc"),
        ("我", "U+6211"),
        ("我们", "U+6211 U+4EEC"),
        ("我1", "U+6211 1"),
        ("a我", "a U+6211"),
        ("token 我", "token U+6211"),
        ("🦆", "U+1F986"),
        ("سلام", "سلام"),
        ("\u0301", "◌\u0301"),
        ("\u0940", "U+0940"),
        ("a \u0301", "a ◌\u0301"),
        ("e\u0301", "e\u0301"),
        ("a\x07", "a\\x07"),
        ("\u202e", "\\u202e"),
        ("❤\ufe0f", "❤"),
        ("", ""),
    ],
)
def test_what_no_font_has_is_written_by_its_code_point(words: str, drawn: str) -> None:
    assert fonts.code_points(words) == drawn


def test_an_installed_font_lends_its_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of matplotlib's own fonts of mathematics stands in for one that is installed."""
    path = str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "STIXGeneral.ttf")
    with bundled_fonts():
        signs = map(chr, sorted(fonts._face(path).get_charmap()))
        sign = next(c for c in signs if c.isalpha() and not fonts._own(c))
        assert fonts.code_points(sign) == f"U+{ord(sign):04X}"
        monkeypatch.setattr(fonts, "installed", lambda: [("STIXGeneral", path)])
        fonts.forget_fonts()
        assert fonts.code_points(sign) == sign
        assert fonts.fonts_for(f"a{sign}") == ["DejaVu Sans", "STIXGeneral"]
        figure = Figure(figsize=(2, 1))
        fonts.write(figure.text(0.1, 0.5, "", fontsize=20), sign)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            render(figure, ".png")


def test_a_broken_font_lends_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    broken = [("Broken", str(tmp_path / "broken.ttf")), ("Gone", str(tmp_path / "gone.ttf"))]
    with bundled_fonts():
        monkeypatch.setattr(fonts, "installed", lambda: broken)
        fonts.forget_fonts()
        assert fonts.code_points("我") == "U+6211"


@pytest.mark.parametrize("name", [name for name in PICTURES if "scripts" in name])
def test_points_have_codes_and_vectors_have_words(name: str) -> None:
    with bundled_fonts(), warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = PICTURES[name]()
        render(ax.figure, ".png", dpi=40)  # type: ignore[arg-type]
        before = texts(ax)
        assert any("U+6211" in words for words in before)
        assert not any("我" in words for words in before)
        svg = ElementTree.fromstring(render(ax.figure, ".svg"))  # type: ignore[arg-type]
        words = " ".join(svg.itertext())
        assert "我" in words
        assert "🦆" in words
        assert "U+6211" not in words
        ax.figure.draw_without_rendering()
        assert texts(ax) == before  # the figure is as it was


def test_it_is_said_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fonts, "_told", set())
    with bundled_fonts(), caplog.at_level(logging.WARNING, logger="fsm_gpt.plot"):
        ax = plot.state_graph(scripts())
        plot.save(ax, tmp_path / "a.svg")
        assert not caplog.records
        plot.save(ax, tmp_path / "a.png", dpi=30)
        plot.save(ax, tmp_path / "b.png", dpi=30)
    (said,) = caplog.messages
    assert said.startswith("note: no installed font has U+0928, U+0940, U+6211")
    assert ".svg" in said


def test_numbers_stand_behind_words_that_run_backwards() -> None:
    with bundled_fonts():
        labels = [t.get_text() for t in plot.state_graph(scripts()).texts]
    hebrew = [words for words in labels if words.endswith("%)") and "שלום" in words]
    assert hebrew
    assert all(words.startswith(f"{fonts.LRM}שלום{fonts.LRM}(") for words in hebrew)


def test_a_browser_needs_less_room_than_code_points() -> None:
    chain = Chain([[0.5, 0.5], [0.25, 0.75]], vocabulary=["你好世界", "b"])
    with bundled_fonts():
        codes = fonts.text_size("你好世界", 10)[0]
        with fonts.browser_fonts():
            words = fonts.text_size("你好世界", 10)[0]
            assert fonts.text_size("abc", 10)[0] == pytest.approx(fonts.text_size("abc", 10)[0])
        assert 40 <= words < 50 < codes  # four signs of one em
        page = report(chain).html
    assert "你好世界" in page
    assert "U+4F60" not in page


def test_a_picture_of_many_scripts_is_drawn_without_a_word_of_complaint(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, logger="matplotlib"), warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = Figure(figsize=(4, 3))
        ax = plot.context_table(scripts(2), ax=figure.add_subplot(), title=" ".join(SCRIPTS))
        render(figure, ".png", dpi=50)
        assert ax.figure is figure
    assert caplog.messages == []
