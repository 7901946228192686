"""The figures of the page: each with the words that are read aloud in its place.

Those words hold the message of the figure and say which table has the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from fsm_gpt.chain import Chain
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.atlas import mass_map, next_token_map
from fsm_gpt.report.contexts import TABLE_LIMIT, context_table
from fsm_gpt.report.curves import loss_plot, memory_plot, mixing_plot, spectrum_plot
from fsm_gpt.report.facts import Facts
from fsm_gpt.report.flow_ring import RING_LIMIT, flow_ring
from fsm_gpt.report.frames import frames_of
from fsm_gpt.report.graph import GRAPH_LIMIT, state_graph
from fsm_gpt.report.icicle import MOST_SUFFIXES, suffix_icicle
from fsm_gpt.report.machine import drawn
from fsm_gpt.report.ranks import rank_plot
from fsm_gpt.report.style import percent
from fsm_gpt.report.svg import inline_svg
from fsm_gpt.report.words import count, next_tokens, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["add_figures"]

T = TypeVar("T")

#: Of fewer states the graph says it better.
FEWEST_ON_A_RING = 16


def add_figures(page: dict[str, Any], facts: Facts) -> None:
    """Draw each figure once, and put it into its section; where there is none, its reason."""
    _graphs(page, facts)
    _contexts(page, facts)
    page["atlas"] = list(_atlas(facts))
    if page["training"]:
        page["training"]["loss_figure"] = ""
        if facts.losses:
            first, last = facts.losses[0], facts.losses[-1]
            label = (
                f"Training loss at each of {len(facts.losses):,} steps: from {number(first)} to "
                f"{number(last)} nats. The table of losses has numbers."
            )
            page["training"]["loss_figure"] = inline_svg(
                loss_plot(facts.losses), label=label, prefix="loss"
            )
        if facts.watched is not None and _shown_as_graph(facts.watched.chains):
            page["training"]["frames"] = frames_of(facts.watched)
    _curve(page["memory"], facts.memory_curve, memory_plot, "memory", "Memory curve")
    _curve(page["mixing"], facts.mixing_time, mixing_plot, "mixing", "Distance curve")
    _curve(page["spectrum"], facts.spectrum, spectrum_plot, "spectrum", "Spectrum")
    _machine(page["machine"], facts)


def _shown_as_graph(chains: tuple[tuple[Chain, ...], ...] | None) -> bool:
    """Whether there are chains that are small enough for a graph."""
    return chains is not None and chains[0][0].n_states <= GRAPH_LIMIT


def _machine(section: dict[str, Any] | None, facts: Facts) -> None:
    """The small machine, where it is one to draw."""
    found = drawn(facts)
    if section is not None and found is not None:
        label = f"The machine. {section['caption']} The table below it has the numbers."
        section["svg"] = inline_svg(state_graph(found), label=label, prefix="machine")


def _curve(
    section: dict[str, Any], answer: T | Absent, draw: Callable[[T], Axes], prefix: str, name: str
) -> None:
    """One figure with the table beside it."""
    section["svg"] = ""
    if not isinstance(answer, Absent):
        label = f"{name}. {section['caption']} The table beside it has the numbers."
        section["svg"] = inline_svg(draw(answer), label=label, prefix=prefix)


def _graphs(page: dict[str, Any], facts: Facts) -> None:
    chain, before = facts.chain, facts.before
    page["graphs"], page["no_graph"] = [], ""
    if chain.n_states > GRAPH_LIMIT:
        page["no_graph"] = f"{chain.n_states:,} states are too many for a graph that can be read."
        return
    both = before is not None and before.n_states <= GRAPH_LIMIT
    if before is not None and both:
        page["graphs"].append(_graph(before, "Before training", None))
    page["graphs"].append(_graph(chain, "After training" if both else "State graph", facts))


def _graph(chain: Chain, name: str, facts: Facts | None) -> dict[str, Any]:
    ax = state_graph(chain, pi=None if facts is None else facts.pi)
    label = (
        f"{name}: {count(chain.n_states, 'state')}, {count(chain.n_edges, 'transition')}."
        f"{_message(chain, facts)} The table of next-token probabilities has every transition"
        f"{' and that of the stationary distribution the share of each state' if facts else ''}."
    )
    prefix = name.split()[0].lower()
    return {
        "name": name,
        "svg": inline_svg(ax, label=label, prefix=prefix, parts=facts is not None),
    }


def _atlas(facts: Facts) -> Iterator[dict[str, str]]:
    """Pictures of a chain that has too many states for a graph."""
    chain, found = facts.chain, facts.stationary
    if isinstance(found, Absent) or len(found.classes) > 1:
        return
    pi = found.pi
    if FEWEST_ON_A_RING <= chain.n_states <= RING_LIMIT and chain.kind != "symbolic":
        yield _entry(
            "flow",
            "How the time flows",
            flow_ring(chain, pi=pi),
            "States stand on a circle in their own order. An arc is as wide as the share of all "
            "steps that take it, a disc as large as the share of time. Wide arcs are the rounds "
            "that a text runs.",
        )
    if chain.n_states <= GRAPH_LIMIT:
        return
    every = "Contexts that end alike lie together: the newest token chooses a strip from left to "
    every += "right, the one before it a strip from top to bottom inside, and so on."
    if chain.is_window and chain.n_states > TABLE_LIMIT:
        yield _entry(
            "mass",
            "Where the time is spent",
            mass_map(chain, pi=pi),
            f"{every} The stronger, the more time is spent there, on a scale of powers of ten.",
        )
        yield _entry(
            "next",
            "What comes next",
            next_token_map(chain, pi=pi),
            "The same places. The hue is the most probable next token, the strength how sure it "
            "is. Even patches depend on the newest tokens alone, grain on old ones.",
        )
    # One row alone would say no more than which tokens come how often.
    if chain.is_window and (chain.context or 0) > 1 and chain.n_tokens**2 <= MOST_SUFFIXES:
        yield _entry(
            "icicle",
            "How texts end",
            suffix_icicle(chain, pi=pi),
            "A row is a number of last tokens, a block is as wide as the share of time that texts "
            "end so; below it lie its extensions by one older token. Hue and strength say what "
            "comes next. Grey: too narrow to be drawn one by one.",
        )
    yield _entry(
        "ranks",
        "How few states matter",
        rank_plot(found),
        f"The share of time of the heaviest states together. The time is spread as over "
        f"{number(found.effective_states, 4)} equally visited states.",
    )


def _entry(prefix: str, name: str, ax: Axes, caption: str) -> dict[str, str]:
    label = f"{name}. {caption} The table states.csv has the numbers."
    svg = inline_svg(ax, label=label, prefix=prefix, parts=True)
    return {"prefix": prefix, "name": name, "svg": svg, "caption": caption}


def _message(chain: Chain, facts: Facts | None) -> str:
    """Where most of the time goes, in a sentence."""
    if facts is None or facts.pi is None or chain.n_states < 2:
        return ""
    s = int(facts.pi.argmax())
    return (
        f" Most time, {percent(float(facts.pi[s]))}, is spent in {chain.states.label(s)}, "
        f"where the next token is {next_tokens(chain, s)}."
    )


def _contexts(page: dict[str, Any], facts: Facts) -> None:
    chain, L = facts.chain, facts.chain.context
    page["table_first"], page["table_figure"] = chain.n_states > GRAPH_LIMIT, ""
    if L is None or L == 1 or chain.kind == "symbolic":
        return
    if 4 < chain.n_tokens**L <= TABLE_LIMIT:
        which = "has the first or heaviest of them, and states.csv " if page["table_first"] else ""
        page["table_figure"] = inline_svg(
            context_table(chain),
            label=(
                f"Every context of {L} tokens with its most probable next token: its oldest "
                f"tokens give the row, its newest the column. The table of next-token "
                f"probabilities {which}has the numbers."
            ),
            prefix="table",
            parts=True,
        )
    if page["table_figure"] and page["no_graph"]:
        page["no_graph"] += " The table of contexts shows them all."
