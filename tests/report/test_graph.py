"""The state graph: every transition is there, says its probability, and nothing overlaps."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy
from fsm_gpt.errors import StateSpaceTooLarge
from fsm_gpt.markov.minimize import minimize
from fsm_gpt.report.graph import as_networkx, state_graph
from fsm_gpt.report.layout import positions
from fsm_gpt.report.routing import boxes_overlap
from fsm_gpt.report.style import percent
from tests.report.chains import AFTER, BEFORE, DENSE, SMALL, gambler, of_ones, windows


def kind(artist: object) -> str:
    return (artist.get_gid() or "").rstrip("0123456789-")  # type: ignore[attr-defined]


def overlaps(ax: Axes) -> list[str]:
    """Each pair of labels that touch, and each label that touches a disc or leaves the figure.

    Measured on the rendered figure, in pixels.
    """
    renderer = FigureCanvasAgg(ax.figure).get_renderer()
    ax.figure.draw(renderer)
    labels = [
        t for t in ax.texts if kind(t) in ("edge-label",) or (t.get_gid() or "")[:6] == "legend"
    ]
    boxes = np.array([t.get_window_extent(renderer).extents for t in labels]).reshape(-1, 4)
    found = []
    for i, j in np.argwhere(np.triu(boxes_overlap(boxes, boxes), 1)):
        found.append(f"{labels[i].get_text()} meets {labels[j].get_text()}")
    discs = [p for p in ax.patches if kind(p) == "disc" and isinstance(p, Circle)]
    to_pixels = ax.transData.transform
    rims = []
    for disc in discs:
        centre = to_pixels(disc.center)
        radius = to_pixels((disc.center[0] + disc.radius, disc.center[1]))[0] - centre[0]
        rims.append((centre, radius))
        for text, box in zip(labels, boxes, strict=True):
            nearest = np.clip(centre, box[:2], box[2:])
            if np.hypot(*(nearest - centre)) < radius:
                found.append(f"{text.get_text()} meets a disc")
    for i, (a, r) in enumerate(rims):
        found += [
            f"disc {i} meets another" for b, q in rims[i + 1 :] if np.hypot(*(a - b)) <= r + q
        ]
    for text in [t for t in ax.texts if kind(t) == "name"]:
        box = text.get_window_extent(renderer)
        centre, radius = min(rims, key=lambda rim: np.hypot(*(rim[0] - (box.x0, box.y0))))
        if (box.x1 - box.x0) / 2 > radius:
            found.append(f"{text.get_text()} is wider than its disc")
    width, height = ax.figure.canvas.get_width_height()
    for text, box in zip(labels, boxes, strict=True):
        if box[0] < 0 or box[1] < 0 or box[2] > width or box[3] > height:
            found.append(f"{text.get_text()} leaves the figure")
    return found


def edge_labels(ax: Axes) -> list[str]:
    return sorted(t.get_text() for t in ax.texts if kind(t) == "edge-label")


@pytest.mark.parametrize("name", SMALL)
def test_nothing_overlaps_and_every_edge_has_its_label(name: str) -> None:
    chain = SMALL[name]()
    ax = state_graph(chain, title=f"{chain.n_states} states")
    assert overlaps(ax) == []
    assert len(edge_labels(ax)) == chain.n_edges


@pytest.mark.parametrize("name", DENSE)
def test_what_finds_no_room_is_counted(name: str) -> None:
    chain = DENSE[name]()
    ax = state_graph(chain)
    assert overlaps(ax) == []
    said = [t.get_text() for t in ax.texts if (t.get_gid() or "")[:6] == "legend"]
    counts = [
        int(words.split()[0].replace(",", ""))
        for words in said
        if "not drawn" in words or "without room" in words
    ]
    assert len(edge_labels(ax)) + sum(counts) == chain.n_edges


def test_an_overlap_would_be_seen() -> None:
    ax = state_graph(of_ones(AFTER))
    first, second = [t for t in ax.texts if kind(t) == "edge-label"][:2]
    second.set_position(first.get_position())
    assert any("meets" in words for words in overlaps(ax))
    first.set_position(next(p for p in ax.patches if kind(p) == "disc").center)
    assert any("meets a disc" in words for words in overlaps(ax))


@pytest.mark.parametrize("ones", [BEFORE, AFTER])
def test_labels_are_the_articles(ones: tuple[float, ...]) -> None:
    expected = sorted(
        f"{token}({p:.0%})" for one in ones for token, p in (("0", 1 - one), ("1", one))
    )
    assert edge_labels(state_graph(of_ones(ones))) == expected


@pytest.mark.parametrize("most", [2, 4, 5, 6])
def test_a_machine_is_a_readable_automaton(most: int) -> None:
    """Blocks are called by what they end in, and every edge has its label."""
    chain = Chain(np.random.default_rng(2).dirichlet([1, 1], 16))
    machine = minimize(chain, max_states=most)
    ax = state_graph(machine, title="a machine")
    assert overlaps(ax) == []
    assert len(edge_labels(ax)) == machine.chain.n_edges
    names = [t.get_text() for t in ax.texts if kind(t) == "name"]
    assert names == machine.chain.labels()
    assert any(name.startswith("…") for name in names)


def test_states_stand_in_the_order_of_flow_where_that_is_shorter() -> None:
    cycle = Chain.from_edges([0, 1, 2, 3, 4], [0] * 5, [2, 4, 1, 0, 3], [1.0] * 5)
    place = positions(cycle)
    steps = [np.hypot(*(place[s] - place[t])) for s, t in enumerate([2, 4, 1, 0, 3])]
    np.testing.assert_allclose(steps, steps[0])
    line = Chain.from_edges(
        [0, 0, 1, 1, 2, 2, 3, 3], [0, 1] * 4, [0, 1, 0, 2, 1, 3, 2, 3], [0.5] * 8
    )
    np.testing.assert_allclose(positions(line)[0], [0, positions(line)[0].max()], atol=1e-12)


def test_what_cannot_happen_is_not_drawn() -> None:
    ax = state_graph(of_ones(AFTER).with_decoding(Greedy()))
    assert edge_labels(ax) == ["0(100%)"] + ["1(100%)"] * 7


def test_only_certainty_is_written_as_certain() -> None:
    assert percent(1 - 1e-12) == ">99%"
    assert percent(1e-300) == "<1%"


def legend(chain: Chain) -> set[str]:
    return {t.get_text() for t in state_graph(chain).texts if (t.get_gid() or "")[:6] == "legend"}


def test_classes_are_told_apart() -> None:
    assert {"absorbing", "transient"} <= legend(gambler())
    assert not {"absorbing", "transient"} & legend(of_ones(AFTER))
    two_cycles = Chain.from_matrix([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])
    assert {"closed class 1", "closed class 2"} <= legend(two_cycles)


def test_area_is_mass() -> None:
    ax = state_graph(of_ones(AFTER), pi=[0, 0, 0, 0.1, 0, 0.2, 0.3, 0.4])
    radius = [p.radius for p in ax.patches if kind(p) == "disc"]
    area = np.square(radius)
    steps = (area[[3, 5, 6, 7]] - area[0]) / (area[7] - area[0])
    np.testing.assert_allclose(steps, [0.25, 0.5, 0.75, 1.0])


def test_a_graph_of_33_states_points_to_the_table() -> None:
    with pytest.raises(StateSpaceTooLarge, match="context_table"):
        state_graph(Chain.from_matrix(np.full((33, 33), 1 / 33), normalize=True))


def test_it_draws_on_axes_that_are_given() -> None:
    figure = Figure(figsize=(12, 5))
    left, right = figure.subplots(1, 2)
    assert state_graph(of_ones(BEFORE), ax=left) is left
    state_graph(of_ones(AFTER), ax=right, dark=True)
    assert overlaps(left) == []


def test_windows_of_a_text_keep_their_places() -> None:
    every = of_ones(AFTER)
    data = SMALL["data"]()
    expected = [positions(every)[every.state(name)] for name in data.labels()]
    np.testing.assert_array_equal(positions(data), expected)


@pytest.mark.parametrize("chain", [windows(3, 2), windows(2, 5)], ids=["V=3", "L=5"])
def test_a_ring_goes_from_window_to_successor(chain: Chain) -> None:
    place = positions(chain)
    order = np.argsort(-np.arctan2(place[:, 1], place[:, 0]))
    successors = chain.successors()
    steps = zip(order, np.roll(order, -1), strict=True)
    broken = [(a, b) for a, b in steps if b not in successors[a]]
    assert broken == []


def test_networkx_sees_the_same_chain() -> None:
    graph = as_networkx(of_ones(AFTER))
    assert graph.number_of_nodes() == 8
    out = {u: sum(d["probability"] for *_, d in graph.out_edges(u, data=True)) for u in graph}
    np.testing.assert_allclose(list(out.values()), 1.0)
