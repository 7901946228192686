"""The figures of the page: each with the words that are read aloud in its place.

Those words hold the message of the figure and say which table has the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from fsm_gpt.chain import Chain
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.contexts import TABLE_LIMIT, context_table
from fsm_gpt.report.curves import loss_plot, memory_plot, mixing_plot, spectrum_plot
from fsm_gpt.report.facts import Facts
from fsm_gpt.report.graph import GRAPH_LIMIT, state_graph
from fsm_gpt.report.style import percent
from fsm_gpt.report.svg import inline_svg
from fsm_gpt.report.words import count, next_tokens, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["add_figures"]

T = TypeVar("T")


def add_figures(page: dict[str, Any], facts: Facts) -> None:
    """Draw each figure once, and put it into its section; where there is none, its reason."""
    _graphs(page, facts)
    _contexts(page, facts)
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
    _curve(page["memory"], facts.memory_curve, memory_plot, "memory", "Memory curve")
    _curve(page["mixing"], facts.mixing_time, mixing_plot, "mixing", "Distance curve")
    _curve(page["spectrum"], facts.spectrum, spectrum_plot, "spectrum", "Spectrum")


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
    return {"name": name, "svg": inline_svg(ax, label=label, prefix=name.split()[0].lower())}


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
        )
    if page["table_figure"] and page["no_graph"]:
        page["no_graph"] += " The table of contexts shows them all."
