"""The graph of an explored machine, with its frontier: what was not looked at has a mark.

Columns are tokens from the prompts, where there are few; else the states stand on a circle.
Outlines
say what is known: a loop that was reached is never left (solid; double where it is one state), of
all other states that is open (thin). The dashed disc in the colour of warnings stands for all that
was not looked at. Where more states were explored than can be read, those are drawn in which a text
is most often within its first tokens, and one dashed disc stands for the others.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.explore.machine import Exploration
from fsm_gpt.markov.bounds import closed_off
from fsm_gpt.markov.classes import CommunicatingClasses, communicating_classes
from fsm_gpt.markov.first_tokens import FirstTokens
from fsm_gpt.markov.stationary import heaviest
from fsm_gpt.report.brief import words_of
from fsm_gpt.report.graph import arranged, edge_label, edge_width, label_sizes, radii_of
from fsm_gpt.report.layout import positions
from fsm_gpt.report.pen import MASS_SIZE, NAME_SIZE, Entry, Pen, Plan
from fsm_gpt.report.sheet import bounds, sheet
from fsm_gpt.report.style import (
    LIGHT,
    STRONGEST,
    axes_for,
    palette,
    percent,
    quiet_fonts,
    short,
    token_colours,
)
from fsm_gpt.space import NamedStates, SomeContexts, Vocabulary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MOST_DRAWN", "explored_graph"]

Ids = npt.NDArray[np.int64]

#: So many states are drawn where all are; else so many of them, and where more than three tokens
#: lead on from most states, so few.
MOST_DRAWN, SOME, FEW = 24, 16, 8
#: Columns and rows of a drawing by columns.
COLUMNS, ROWS = 6, 9
#: Of a larger machine only states so near to the prompts are drawn.
NEAR = 4
#: Signs of a name in a disc.
SIGNS = 10


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A small chain to be drawn: some states, then the marks."""

    chain: Chain
    states: Ids
    """The explored states that are drawn."""
    others: int | None
    """The mark for explored states that are not, and how many these are."""
    n_others: int
    rest: int | None
    """The mark for all that was not looked at."""
    mass: npt.NDArray[np.float64]
    starts: npt.NDArray[np.bool_]
    classes: CommunicatingClasses
    together: dict[tuple[int, int], int]
    """How many tokens lead from a state to a mark, where it is more than one."""


def explored_graph(
    found: Exploration, first: FirstTokens, *, ax: Axes | None = None, dark: bool = False
) -> Axes:
    """Draw an exploration, its frontier marked.

    >>> from fsm_gpt.explore import explore
    >>> from fsm_gpt.markov.first_tokens import first_tokens
    >>> found = explore(lambda ids: np.zeros((len(ids), 2)), "a", vocabulary="ab", context=2,
    ...                 max_states=1)
    >>> ax = explored_graph(found, first_tokens(found.chain, 1, start=found.start))
    >>> sorted(text.get_text() for text in ax.texts if text.get_gid().startswith("name"))
    ['a', 'unexplored']
    """
    from fsm_gpt.report.room import keep_apart

    drawn = _drawn(found, first)
    plan = _plan(drawn, found.depth)
    colours = palette(dark)
    low, high = bounds(plan)
    paper = sheet(low, high, [], _legend(drawn, dark=dark))
    width, height = paper.high - paper.low + (0, paper.bottom)
    with quiet_fonts():
        ax = axes_for(ax, (width / 72, height / 72), dark=dark, bare=True)
        ax.set_xlim(paper.low[0], paper.high[0])
        ax.set_ylim(paper.low[1] - paper.bottom, paper.high[1])
        ax.set_aspect("equal")
        pen = _Pen.on(ax, colours, width, height)
        pen.edges(drawn.chain, plan, _hues(found.chain))
        pen.explored(drawn, plan)
        pen.legend(paper.low[0] + 8.0, paper.low[1] - 8, paper.rows)
        keep_apart(ax, planned=pen.scale)
    return ax


def _chosen(found: Exploration, first: FirstTokens) -> Ids:
    """The explored states that are drawn: all, or some starts and where a text is most often."""
    n = found.n_explored
    if n <= MOST_DRAWN:
        return np.arange(n)
    starts = np.flatnonzero(found.start[:n])[:6]
    some = SOME if found.chain.n_edges <= 3 * n else FEW
    often = heaviest(np.where(found.depth <= NEAR, first.visits[:n], 0.0), some)
    often = often[found.depth[often] <= NEAR]
    return np.sort(np.unique(np.concatenate([starts, often]))[: SOME + 6])


def _drawn(found: Exploration, first: FirstTokens) -> _Drawn:
    chain, n = found.chain, found.n_explored
    states = _chosen(found, first)
    k = len(states)
    place = np.full(chain.n_states, k, dtype=np.int64)  # of what is not drawn
    place[states] = np.arange(k)
    if chain.unexplored is not None:
        place[chain.unexplored] = k + 1
    edges = chain.edges()
    mine = np.flatnonzero(np.isin(edges.source, states))
    source, target = place[edges.source[mine]], place[edges.target[mine]]
    token, p = edges.token[mine].astype(np.int64), edges.probability[mine].astype(np.float64)
    V = chain.n_tokens
    together = {
        pair: n
        for pair, n in Counter(zip(source.tolist(), target.tolist(), strict=True)).items()
        if pair[1] >= k and n > 1
    }
    source, token, target, p = _gathered(source, token, target, p, k, V)
    marks = [m for m in (k, k + 1) if (target == m).any() or (m == k + 1 and not found.complete)]
    number = {mark: k + i for i, mark in enumerate(marks)}
    target = np.array([number.get(t, t) for t in target.tolist()], dtype=np.int64)
    loops = np.arange(k, k + len(marks))
    names = [*_names(chain, states), *("others" if m == k else "unexplored" for m in marks)]
    small = Chain.from_edges(
        np.concatenate([source, loops]),
        np.concatenate([token, np.full(len(loops), V)]),
        np.concatenate([target, loops]),
        np.concatenate([p, np.ones(len(loops))]),
        n_states=k + len(marks),
        vocabulary=_vocabulary(chain),
        states=NamedStates(tuple(names)),
        normalize=True,
    )
    mass = np.zeros(small.n_states)
    mass[:k] = first.visits[states]
    starts = np.zeros(small.n_states, dtype=bool)
    starts[:k] = found.start[states] > 0
    if chain.unexplored is not None and found.start[chain.unexplored] > 0:
        starts[number[k + 1]] = True
    return _Drawn(
        chain=small,
        states=states,
        others=number.get(k),
        n_others=n - k,
        rest=number.get(k + 1),
        mass=mass,
        starts=starts,
        classes=communicating_classes(closed_off(chain)),
        together={(s, number[t]): n for (s, t), n in together.items()},
    )


def _gathered(
    source: Ids, token: Ids, target: Ids, p: npt.NDArray[np.float64], k: int, V: int
) -> tuple[Ids, Ids, Ids, npt.NDArray[np.float64]]:
    """The transitions, with several tokens that lead from a state to one mark as one of them."""
    kept = target < k
    columns: list[list[Any]] = [[source[kept]], [token[kept]], [target[kept]], [p[kept]]]
    for mark, several in ((k, V + 1), (k + 1, V + 2)):
        here = target == mark
        states, number = np.unique(source[here], return_inverse=True)
        count = np.bincount(number.reshape(-1), minlength=len(states))
        own = np.zeros(len(states), dtype=np.int64)
        own[number.reshape(-1)] = token[here]
        columns[0].append(states)
        columns[1].append(np.where(count == 1, own, several))
        columns[2].append(np.full(len(states), mark))
        columns[3].append(np.bincount(number.reshape(-1), p[here], len(states)))
    a, b, c, d = (np.concatenate(column) for column in columns)
    return a, b, c, d


def _vocabulary(chain: Chain) -> Vocabulary:
    """The tokens, and one for the loops of the marks and for several tokens at once."""
    tokens = list(chain.vocabulary.tokens)
    for _ in range(3):
        name = "…"
        while name in tokens:
            name += "…"
        tokens.append(name)
    return Vocabulary(tuple(tokens))


def _hues(chain: Chain) -> list[int]:
    """The colours of the tokens; several at once have that of tokens without a hue."""
    return [*token_colours(chain), *([len(LIGHT.tokens) - 1] * 3)]


def _names(chain: Chain, states: Ids) -> list[str]:
    """Names that fit into a disc, the newest tokens of each context; no two alike."""
    contexts = chain.states
    assert isinstance(contexts, SomeContexts)
    names: list[str] = []
    for s in states.tolist():
        name = words_of(contexts.vocabulary, contexts.table[s])[0]
        name = name if len(name) <= SIGNS else f"…{name[-SIGNS + 1 :]}"
        if name in names or name in ("others", "unexplored"):
            name = f"{name[-5:]}#{s}"
        names.append(name)
    return names


def _plan(drawn: _Drawn, depth: npt.NDArray[np.int32]) -> Plan:
    chain = drawn.chain
    k = len(drawn.states)
    edges = chain.edges()
    weight = edges.probability.astype(float)
    kept = np.flatnonzero(edges.source < k)
    flow = weight * (drawn.mass[edges.source] + 1e-9)
    kept = np.sort(kept[np.argsort(-flow[kept], kind="stable")[:80]])
    radii = radii_of(chain, drawn.mass)
    pairs = [(int(edges.source[i]), int(edges.target[i])) for i in kept.tolist()]
    labels = [
        f"{drawn.together[pair]} tokens({percent(float(weight[i]))})"
        if pair in drawn.together
        else edge_label(chain, int(edges.token[i]), edges.probability[i])
        for i, pair in zip(kept.tolist(), pairs, strict=True)
    ]
    sizes = label_sizes(labels)
    centres, curves, places = arranged(_positions(drawn, depth), radii, pairs, sizes, flow[kept])
    widths = [edge_width(float(weight[i])) for i in kept.tolist()]
    return Plan(centres, radii, curves, widths, labels, places, sizes, kept.tolist())


def _positions(drawn: _Drawn, depth: npt.NDArray[np.int32]) -> Any:
    """Columns by the tokens from the prompts, or a circle where these are too many."""
    k = len(drawn.states)
    column = np.unique(depth[drawn.states], return_inverse=True)[1].reshape(-1)
    last = int(column.max()) + 1
    column = np.concatenate([column, np.full(drawn.chain.n_states - k, last)])
    if last + 1 > COLUMNS or np.bincount(column).max() > ROWS:
        return positions(drawn.chain)
    edges = drawn.chain.edges()
    height = np.zeros(len(column))
    place = np.zeros((len(column), 2))
    for c in range(last + 1):
        here = np.flatnonzero(column == c)
        near = [
            height[edges.source[(edges.target == s) & (column[edges.source] < c)]].mean()
            if ((edges.target == s) & (column[edges.source] < c)).any()
            else 0.0
            for s in here.tolist()
        ]
        here = here[np.lexsort((here, -np.array(near)))]
        height[here] = (len(here) - 1) / 2 - np.arange(len(here))
        place[here] = np.stack([np.full(len(here), 1.45 * c), 0.95 * height[here]], axis=1)
    return place


def _legend(drawn: _Drawn, *, dark: bool) -> list[Entry]:
    colours = palette(dark)
    entries = [Entry("", colours.muted, "▸ a prompt")]
    shown = set(drawn.states.tolist())
    closed = [states for states in drawn.classes.closed if shown & set(states.tolist())]
    if any(len(states) > 1 for states in closed):
        entries.append(Entry("solid", colours.ink, "a loop, never left"))
    if any(len(states) == 1 for states in closed):
        entries.append(Entry("double", colours.ink, "never left"))
    if drawn.rest is not None:
        entries.append(Entry("dashed", colours.alert, "not looked at"))
    if drawn.others is not None:
        entries.append(Entry("dashed", colours.muted, "explored, not drawn"))
    return entries


class _Pen(Pen):
    """Discs whose outlines say what is known of them."""

    def explored(self, drawn: _Drawn, plan: Plan) -> None:
        from matplotlib.patches import Circle, Polygon

        ring: dict[int, int] = {}
        for states in drawn.classes.closed:
            ring |= dict.fromkeys(states.tolist(), len(states))
        most = float(drawn.mass.max()) or 1.0
        k = len(drawn.states)
        for s, name in enumerate(drawn.chain.labels()):
            centre, radius = (float(plan.centres[s][0]), float(plan.centres[s][1])), plan.radii[s]
            radius = float(radius)
            disc = {"edgecolor": "none", "zorder": 4}
            self.ax.add_patch(Circle(centre, radius, facecolor=self.colours.paper, **disc))
            tint = float(drawn.mass[s]) / most
            if tint > 0:
                alpha = round(0.04 + (STRONGEST - 0.04) * tint, 3)
                self.ax.add_patch(
                    Circle(centre, radius, facecolor=self.colours.mass, alpha=alpha, **disc)
                )
            size = ring.get(int(drawn.states[s]), 0) if s < k else 0
            if s == drawn.rest:
                self._ring(centre, radius, self.colours.alert, dashed=True)
            elif s == drawn.others:
                self._ring(centre, radius, self.colours.muted, dashed=True)
            else:
                self._ring(
                    centre, radius, self.colours.ink if size else self.colours.muted, dashed=False
                )
            if size == 1:
                self._ring(centre, radius - 3.5, self.colours.ink, dashed=False)
            below = f"{drawn.n_others:,} states" if s == drawn.others else ""
            below = f"{drawn.mass[s]:.2g}" if s < k else below
            y = centre[1] + (5.0 if below else 0.0)
            ink = self.colours.alert if s == drawn.rest else self.colours.ink
            named = short(name, 12)
            self.text(centre[0], y, named, NAME_SIZE, ink, bold=True, mono=True, gid=f"name-{s}")
            if below:
                self.text(
                    centre[0], centre[1] - 9, below, MASS_SIZE, self.colours.ink, gid=f"mass-{s}"
                )
            if drawn.starts[s]:
                x, y = centre[0] - radius - 2, centre[1]
                corners = np.array([(x, y), (x - 9, y + 5.5), (x - 9, y - 5.5)])
                self.ax.add_patch(
                    Polygon(corners, facecolor=self.colours.ink, edgecolor="none", zorder=5)
                )
