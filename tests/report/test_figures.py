"""The other figures, the inline SVG, and writing figures to files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy, Temperature
from fsm_gpt.errors import FileProblem, InvalidArgument, NotDefined, StateSpaceTooLarge
from fsm_gpt.markov.spectrum import spectrum
from fsm_gpt.report.atlas import mass_map, next_token_map
from fsm_gpt.report.contexts import context_table
from fsm_gpt.report.curves import loss_plot, memory_plot, mixing_plot, spectrum_plot
from fsm_gpt.report.graph import state_graph
from fsm_gpt.report.icicle import suffix_icicle
from fsm_gpt.report.ranks import rank_plot
from fsm_gpt.report.style import DARK, LIGHT, STRONGEST, Palette, save_figure, token_colours
from fsm_gpt.report.svg import inline_svg
from tests.report.chains import AFTER, TEXT, gambler, hostile, of_ones, windows

FIGURES = {
    "graph": lambda **options: state_graph(of_ones(AFTER), **options),
    "contexts": lambda **options: context_table(of_ones(AFTER), **options),
    "memory": lambda **options: memory_plot(of_ones(AFTER), **options),
    "mixing": lambda **options: mixing_plot(of_ones(AFTER), **options),
    "spectrum": lambda **options: spectrum_plot(of_ones(AFTER), **options),
    "mass": lambda **options: mass_map(of_ones(AFTER), **options),
    "next": lambda **options: next_token_map(of_ones(AFTER), **options),
    "suffixes": lambda **options: suffix_icicle(of_ones(AFTER), **options),
    "ranks": lambda **options: rank_plot(of_ones(AFTER), **options),
    "loss": lambda **options: loss_plot([2.0, 1.5, 1.0], **options),
}


def luminance(colour: str | tuple[float, ...]) -> float:
    """Relative luminance (WCAG 2.1)."""
    parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(a: str | tuple[float, ...], b: str | tuple[float, ...]) -> float:
    """The contrast ratio of two colours (WCAG 2.1)."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read(colours: Palette) -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)  # as the definition has it
    for ink in (colours.ink, colours.muted, colours.alert, *colours.token_inks):
        assert contrast(ink, colours.paper) >= 4.5, ink
        assert contrast(ink, colours.panel) >= 4.5, ink
    tint = tuple(
        STRONGEST * m + (1 - STRONGEST) * p
        for m, p in zip(to_rgb(colours.mass), to_rgb(colours.paper), strict=True)
    )
    assert contrast(colours.ink, tint) >= 4.5


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_no_two_roles_share_a_colour(colours: Palette) -> None:
    values = list(colours.named().values())
    assert len(values) == len(set(values))


def test_many_tokens_share_the_last_colour() -> None:
    colours = token_colours(windows(9, 1))
    assert sorted(colours) == [0, 1, 2, 3, 4, 5, 6, 6, 6]


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_figures_are_written(name: str, suffix: str, tmp_path: Path) -> None:
    ax = FIGURES[name](dark=suffix == ".png", title="costs $5 or $6")
    path = save_figure(ax, tmp_path / f"figure{suffix}", dpi=60)
    data = path.read_bytes()
    if suffix == ".png":
        assert data.startswith(b"\x89PNG\r\n")
    else:
        assert "costs $5 or $6" in " ".join(ElementTree.fromstring(data).itertext())
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", FIGURES)
def test_figures_draw_on_given_axes(name: str) -> None:
    ax = Figure().subplots()
    assert FIGURES[name](ax=ax) is ax


def test_a_wrong_path_is_explained(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"\.png nor in \.svg"):
        save_figure(Figure(), tmp_path / "figure.pdf")
    with pytest.raises(FileProblem):
        save_figure(Figure(), tmp_path / "no folder" / "figure.svg")


def test_figures_use_no_global_state() -> None:
    code = (
        "import sys; from fsm_gpt.report.graph import state_graph; from fsm_gpt.chain import Chain;"
        "state_graph(Chain([[0.5, 0.5], [0.25, 0.75]])); print('matplotlib.pyplot' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


def cells(ax: Axes) -> list[str]:
    return [t.get_text() for t in ax.texts if (t.get_gid() or "").startswith("cell")]


def test_the_context_table_has_the_probabilities_of_1() -> None:
    assert cells(context_table(of_ones(AFTER))) == [f"{p:.0%}" for p in AFTER]


def test_the_context_table_of_a_text_leaves_the_rest_empty() -> None:
    ax = context_table(Chain.from_text(TEXT, context=3, end="drop"))
    assert cells(ax) == ["100%", "100%", "100%", "50%"]


def test_the_context_table_names_the_likeliest_of_many_tokens() -> None:
    chain = windows(3, 2)
    best = chain.next_token.argmax(axis=1)
    assert [words.split()[0] for words in cells(context_table(chain))] == [str(t) for t in best]


@pytest.mark.parametrize("chain", [windows(2, 6), windows(4, 4), windows(27, 2), windows(5, 1)])
def test_context_tables_of_many_sizes(chain: Chain) -> None:
    ax = context_table(chain)
    assert len(ax.patches) == 1 + chain.n_states  # the ground, and a tint for each cell


def test_context_tables_that_cannot_be() -> None:
    named = Chain.from_edges([0, 1], [0, 0], [1, 0], [1.0, 1.0], states=["a", "b"])
    with pytest.raises(NotDefined, match="not contexts"):
        context_table(named)
    with pytest.raises(StateSpaceTooLarge, match="8,192"):
        context_table(Chain(np.full((2**13, 2), 0.5)))


def test_the_memory_curve_ends_at_the_entropy_rate() -> None:
    ax = memory_plot(of_ones(AFTER).with_decoding(Greedy()))
    assert ax.lines[0].get_ydata()[-1] == 0  # a cycle is certain


def test_the_spectrum_marks_what_cannot_be_told_from_zero() -> None:
    found = spectrum(of_ones(AFTER).with_decoding(Greedy()))
    ax = spectrum_plot(found)
    assert len(ax.collections) == 2
    hollow = ax.collections[1].get_offsets()
    assert len(hollow) == found.uncertain.sum() > 0


def test_mixing_marks_the_step() -> None:
    slow = of_ones(AFTER).with_decoding(Temperature(0.1))
    assert any("within 0.25" in t.get_text() for t in mixing_plot(slow).texts)


def test_an_inline_svg_has_no_styles_no_addresses_and_no_fixed_colours() -> None:
    svg = inline_svg(context_table(Chain.from_text(TEXT, context=3)), label="x", prefix="one")
    assert "style=" not in svg
    assert "http" not in svg
    assert not re.search(r"#[0-9a-f]{6}\b", svg)
    assert 'id="one-' in svg  # the hatch, with a name of its own
    for reference in re.findall(r"url\(#([^)]+)\)", svg):
        assert f'id="{reference}"' in svg
    ElementTree.fromstring(svg)


def test_labels_in_svg_are_text() -> None:
    svg = inline_svg(state_graph(hostile()), label="<b>", prefix="x")
    assert "<script" not in svg
    assert "&lt;script&gt;" in svg
    assert 'aria-label="&lt;b&gt;"' in svg


def test_colour_is_not_the_only_sign() -> None:
    svg = inline_svg(state_graph(gambler()), label="x", prefix="x")
    assert "stroke-dasharray" in svg
