"""Maps, icicle and ranks: places and colours say what the chain says."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined, NotUnique
from fsm_gpt.markov.memory import token_law
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.markov.suffixes import suffix_laws
from fsm_gpt.report import atlas
from fsm_gpt.report.atlas import mass_map, next_token_map
from fsm_gpt.report.icicle import suffix_icicle
from fsm_gpt.report.legend import FULL_STRENGTH, WEAKEST
from fsm_gpt.report.page import report
from fsm_gpt.report.ranks import rank_plot
from fsm_gpt.report.svg import inline_svg
from tests.report.chains import windows


def random_chain(V: int, L: int, seed: int = 0) -> Chain:
    rng = np.random.default_rng(seed)
    return Chain(rng.dirichlet(np.ones(V), size=V**L))


def place(suffix: tuple[int, ...], V: int) -> tuple[float, float]:
    """The middle of a suffix in the unit square, by the definition: strips inside strips."""
    x = y = 0.0
    wide = high = 1.0
    for k, token in enumerate(reversed(suffix)):
        if k % 2 == 0:
            wide /= V
            x += token * wide
        else:
            high /= V
            y += token * high
    return x + wide / 2, y + high / 2


def strength_at(ax: Axes, layer: int, x: float, y: float) -> float:
    image = np.asarray(ax.images[layer].get_array())
    down, across = image.shape[:2]
    return float(image[int(y * down), int(x * across), 3]) / 255


@pytest.mark.parametrize(("V", "L"), [(2, 1), (2, 4), (3, 3), (4, 2)])
def test_every_context_lies_where_its_tokens_lead(V: int, L: int) -> None:
    chain = random_chain(V, L)
    ax = next_token_map(chain)
    rows = chain.next_token
    for state, tokens in enumerate(product(range(V), repeat=L)):
        best = int(rows[state].argmax())
        sure = (float(rows[state].max()) - 1 / V) / (1 - 1 / V)
        expected = WEAKEST + (FULL_STRENGTH - WEAKEST) * sure
        x, y = place(tokens, V)
        for token in range(V):
            found = strength_at(ax, token, x, y)
            assert found == pytest.approx(expected if token == best else 0.0, abs=0.004)


def test_where_more_time_is_spent_the_map_is_stronger() -> None:
    chain = random_chain(2, 6, seed=3)
    pi = stationary_distribution(chain).pi
    ax = mass_map(chain)
    strengths = [strength_at(ax, 0, *place(t, 2)) for t in product(range(2), repeat=6)]
    order = np.argsort(pi)
    assert (np.diff(np.array(strengths)[order]) >= -1e-9).all()
    assert max(strengths) == 1.0


def test_a_map_of_more_contexts_than_points_shows_the_last_tokens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(atlas, "MOST_POINTS", 8)
    short, long = random_chain(2, 3), random_chain(2, 3)
    repeated = Chain(np.tile(long.next_token, (4, 1)))  # the oldest two tokens do not matter
    for layer in range(2):
        one = np.asarray(next_token_map(short).images[layer].get_array())
        other = np.asarray(next_token_map(repeated).images[layer].get_array())
        assert one.shape == other.shape == (2, 4, 4)
        assert np.abs(one.astype(int) - other.astype(int)).max() <= 1


def test_suffix_laws_are_sums_over_windows() -> None:
    rows = [["1/2", "1/2"], ["1/3", "2/3"], ["1/5", "4/5"], ["1/7", "6/7"]]
    chain = Chain(rows)
    pi = stationary_distribution(chain).pi
    for k, joint in zip((2, 1, 0), suffix_laws(chain, pi, 2), strict=True):
        for suffix, token in product(range(2**k), range(2)):
            expected = sum(
                (pi[s] * Fraction(rows[s][token]) for s in range(4) if s % 2**k == suffix),
                Fraction(0),
            )
            assert joint[suffix, token] == expected
    shorter = list(suffix_laws(chain, pi, 1))
    assert [J.tolist() for J in shorter] == [J.tolist() for J in suffix_laws(chain, pi, 2)][1:]
    assert shorter[-1][0].tolist() == token_law(chain).tolist()


def test_suffix_laws_refuse_what_has_no_suffixes() -> None:
    named = Chain.from_edges([0, 1], [0, 0], [1, 0], [1.0, 1.0])
    with pytest.raises(NotDefined, match="no numbers"):
        list(suffix_laws(named, np.array([0.5, 0.5]), 1))
    with pytest.raises(InvalidArgument, match="last 3 tokens of windows of 1 tokens"):
        list(suffix_laws(random_chain(2, 1), np.array([0.5, 0.5]), 3))


def test_blocks_of_the_icicle_are_as_wide_as_their_share() -> None:
    chain = random_chain(3, 3, seed=5)
    pi = stationary_distribution(chain).pi
    ax = suffix_icicle(chain)
    blocks = [a for a in ax.get_children() if isinstance(a, Rectangle) and a.get_height() == 1]
    for k in (1, 2, 3):
        widths = [b.get_width() for b in blocks if b.get_y() == k - 0.5]
        expected = [pi[np.arange(27) % 3**k == suffix].sum() for suffix in range(3**k)]
        assert sorted(widths) == pytest.approx(sorted(expected))
        assert sum(widths) == pytest.approx(1)
    # Below a block lie its extensions.
    newest = {t.get_text(): t.get_position()[0] for t in ax.texts}
    for token in "012":
        longer = [x for label, x in newest.items() if len(label) == 2 and label[1] == token]
        width = float(token_law(chain)[int(token)])
        assert all(abs(x - newest[token]) < width / 2 for x in longer)


def test_ranks_add_up_the_heaviest() -> None:
    chain = Chain([["1/2", "1/2"], ["1/4", "3/4"]]).floats()  # pi = (1/3, 2/3)
    ax = rank_plot(chain)
    assert np.asarray(ax.lines[0].get_ydata()).tolist() == pytest.approx([2 / 3, 1])
    # 2 to the entropy of (1/3, 2/3), which is log2(3) - 2/3 bits.
    assert float(np.asarray(ax.lines[1].get_xdata())[0]) == pytest.approx(3 * 2 ** (-2 / 3))


@pytest.mark.parametrize("draw", [mass_map, next_token_map, suffix_icicle, rank_plot])
def test_several_closed_classes_have_no_map(draw) -> None:
    with pytest.raises(NotUnique):
        draw(Chain([[1, 0], [0, 1]]))


def test_a_tint_becomes_a_mask_over_a_named_colour() -> None:
    svg = ElementTree.fromstring(
        inline_svg(next_token_map(random_chain(2, 4)), label="map", prefix="p")
    )
    masks = {mask.attrib["id"] for mask in svg.iter("mask")}
    assert masks == {"p-tint-token-0", "p-tint-token-1"}
    seen = {
        rect.attrib["class"]: rect.attrib["mask"]
        for rect in svg.iter("rect")
        if "mask" in rect.attrib
    }
    assert seen == {
        "f-token-0": "url(#p-tint-token-0)",
        "f-token-1": "url(#p-tint-token-1)",
    }
    assert all("style" not in e.attrib for e in svg.iter())


def test_a_report_of_many_states_has_an_atlas() -> None:
    small, middle = report(windows(2, 3)).html, report(windows(2, 6)).html
    assert 'id="atlas"' not in small
    assert "How texts end" in middle
    assert "What comes next" not in middle  # the table of contexts shows them all
    large = report(windows(2, 13)).html
    for name in ("Where the time is spent", "What comes next", "How texts end", "How few states"):
        assert f"<h3>{name}" in large
    assert large.count("<mask ") == 3
    assert len(large) < 4_000_000


@pytest.mark.parametrize("near", [0.0, 0.2])
def test_mass_without_a_power_of_ten_between_its_ends_has_a_legend(near: float) -> None:
    rows = np.random.default_rng(3).dirichlet(np.full(27, 1e6), size=27**2)
    rows[:, 0] += near / 27
    ax = mass_map(Chain(rows, normalize=True))
    legend = ax.get_legend()
    assert legend is not None
    ends = [float(text.get_text()) for text in legend.get_texts()]
    assert all(1 / 27**2 / 3 < end < 3 / 27**2 for end in ends)
