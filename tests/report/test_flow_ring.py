"""The flow ring: arcs as wide as the flow, states in order, what is left out is counted."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Circle, PathPatch

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy
from fsm_gpt.errors import InvalidChain, NotUnique, StateSpaceTooLarge
from fsm_gpt.report.flow_ring import RADIUS, flow_ring
from fsm_gpt.report.page import report
from fsm_gpt.report.style import LIGHT
from tests.report.chains import AFTER, of_ones, windows

#: The weather of Kemeny & Snell's Land of Oz (1976, p. 8): its limiting vector is (.4, .2, .4).
OZ = [[0.5, 0.25, 0.25], [0.5, 0, 0.5], [0.25, 0.25, 0.5]]


def arcs(ax: Axes) -> dict[tuple[int, int], PathPatch]:
    """The arcs that are drawn one by one, by state and token."""
    found = {}
    for patch in ax.patches:
        kind, *ids = (patch.get_gid() or "").split("-")
        if kind == "flow":
            found[int(ids[0]), int(ids[1])] = patch
    return found


def legend(ax: Axes) -> list[str]:
    return [t.get_text() for t in ax.texts if (t.get_gid() or "").startswith("legend")]


def test_arcs_are_as_wide_as_the_flow_of_a_textbooks_chain() -> None:
    ax = flow_ring(Chain.from_matrix(OZ))
    flows = {
        (s, t): pi * OZ[s][t] for s, pi in enumerate((0.4, 0.2, 0.4)) for t in range(3) if OZ[s][t]
    }
    widths = {key: patch.get_linewidth() for key, patch in arcs(ax).items()}
    assert widths.keys() == flows.keys()
    most = max(flows, key=flows.__getitem__)
    for key, flow in flows.items():
        assert widths[key] / widths[most] == pytest.approx(flow / flows[most])
    assert "widest arc: 20% of all steps" in legend(ax)


def test_arcs_have_the_hue_of_their_token_and_lead_to_the_successor() -> None:
    chain = windows(2, 4)
    ax = flow_ring(chain)
    angle = np.pi / 2 - 2 * np.pi * np.arange(16) / 16
    place = RADIUS * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    drawn = arcs(ax)
    assert len(drawn) == 32
    for (s, t), patch in drawn.items():
        colour = patch.get_edgecolor()[:3]
        assert colour == pytest.approx(
            tuple(int(LIGHT.tokens[t][i : i + 2], 16) / 255 for i in (1, 3, 5))
        )
        points = np.asarray(patch.get_path().vertices)
        assert points[0] == pytest.approx(place[s])
        assert points[-1] == pytest.approx(place[(s % 8) * 2 + t])  # the shift, by its definition
        assert (np.hypot(*points.T) <= RADIUS + 1e-9).all()  # inside the ring


def test_discs_have_the_area_of_their_mass_and_stand_clockwise_from_the_top() -> None:
    pi = (0.4, 0.2, 0.4)
    ax = flow_ring(Chain.from_matrix(OZ))
    discs = {
        int((p.get_gid() or "").split("-")[1]): p
        for p in ax.patches
        if isinstance(p, Circle) and (p.get_gid() or "").startswith("disc")
    }
    least = 2.0
    area = {s: disc.radius**2 - least**2 for s, disc in discs.items()}
    assert area[1] / area[0] == pytest.approx(pi[1] / pi[0])
    assert discs[0].center == pytest.approx((0, RADIUS))
    assert discs[1].center[0] > 0 > discs[2].center[0]


def test_what_is_never_taken_is_not_drawn() -> None:
    greedy = flow_ring(of_ones(AFTER).with_decoding(Greedy()))
    # Greedy, the article's GPT goes round 111 -> 110 -> 101 -> 011 (see the article's figures).
    assert set(arcs(greedy)) == {(7, 0), (6, 1), (5, 1), (3, 1)}


def test_thin_arcs_are_bundled_and_the_thinnest_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = windows(2, 6)
    module = sys.modules["fsm_gpt.report.flow_ring"]  # the package has the function by this name
    monkeypatch.setattr(module, "EXACT", 10)
    monkeypatch.setattr(module, "MOST_ARCS", 100)
    ax = flow_ring(chain)
    assert len(arcs(ax)) == 10
    bundles = [p for p in ax.patches if type(p) is PathPatch and not p.get_gid()]
    moves = sum((np.asarray(p.get_path().codes) == 1).sum() for p in bundles)
    assert moves == 90
    assert any(words.startswith("28 arcs with ") for words in legend(ax))


def test_names_that_find_no_room_are_counted() -> None:
    ax = flow_ring(windows(2, 8))
    named = [t for t in ax.texts if (t.get_gid() or "").startswith("name")]
    assert 60 < len(named) < 256
    assert f"{256 - len(named)} states without room for a name" in legend(ax)
    heaviest = int(np.argmax(_pi(windows(2, 8))))
    assert f"name-{heaviest}" in {t.get_gid() for t in named}


def _pi(chain: Chain) -> np.ndarray:
    P = np.zeros((chain.n_states, chain.n_states))
    edges = chain.edges()
    np.add.at(P, (edges.source, edges.target), edges.probability)
    A = np.vstack([P.T - np.eye(len(P)), np.ones(len(P))])
    return np.asarray(np.linalg.lstsq(A, np.r_[np.zeros(len(P)), 1], rcond=None)[0])


def test_rings_that_cannot_be() -> None:
    with pytest.raises(StateSpaceTooLarge, match=r"1,024 states.*512"):
        flow_ring(windows(2, 10))
    with pytest.raises(NotUnique):
        flow_ring(Chain([[1, 0], [0, 1]]))
    sympy = pytest.importorskip("sympy")
    p = sympy.Symbol("p", positive=True)
    with pytest.raises(InvalidChain, match="symbols"):
        flow_ring(Chain([[p, 1 - p], [1 - p, p]]))


def test_the_report_has_a_ring_where_it_can_be_read() -> None:
    for chain, there in ((windows(2, 3), False), (windows(2, 4), True), (windows(2, 6), True)):
        assert ("How the time flows" in report(chain).html) is there
