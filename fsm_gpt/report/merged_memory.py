"""Sections on the memory of a machine beside that of its chain, and on other machines."""

from __future__ import annotations

from typing import Any

from fsm_gpt.markov.causal import CausalStates
from fsm_gpt.markov.pareto import ParetoCurve
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.machine import order_in_words, prices
from fsm_gpt.report.merged_facts import Merged
from fsm_gpt.report.paper import (
    Figure,
    Part,
)
from fsm_gpt.report.pareto_plot import pareto_plot
from fsm_gpt.report.tables import Table
from fsm_gpt.report.words import count, number
from fsm_gpt.result import UNCERTIFIED, Bound

__all__ = ["memory_of_both", "other_machines"]


def memory_of_both(facts: Merged) -> Part:
    """C, h, E and crypticity of the chain and of the machine."""
    name, nav, title = "memory", "Memory", "How much there is to remember"
    both = facts.causal
    if all(isinstance(one, Absent) for one in both):
        return Part(name=name, nav=nav, title=title, absent=str(both[0]))
    lines: tuple[tuple[str, Any, Any], ...] = (
        ("Causal states", lambda a: f"{a.n_states:,}", None),
        (
            "Statistical complexity C, bits",
            lambda a: number(a.statistical_complexity_bits),
            lambda a: a.error_bound,
        ),
        (
            "Excess entropy E, bits",
            lambda a: number(a.excess_entropy_bits),
            lambda a: a.excess_entropy_error_bits,
        ),
        ("Crypticity C − E, bits", lambda a: number(a.crypticity_bits), _crypticity_error),
        (
            "Entropy rate h, bits per token",
            lambda a: number(a.entropy_rate_bits_per_token),
            lambda a: a.error_bound,
        ),
        ("Markov order, tokens", lambda a: order_in_words(a.markov_order), None),
    )
    rows = []
    for words, of, error in lines:
        cells = [
            "—" if isinstance(one, Absent) else f"{of(one)}{_unsure(one, error)}" for one in both
        ]
        rows.append((words, *cells, _at_most(both[1], error)))
    said = [
        "C is what has to be remembered to foretell as well as can be, E what the past tells of "
        "the future, at most C; their difference is remembered and never told."
    ]
    said += [str(one) for one in both if isinstance(one, Absent)]
    return Part(
        name=name,
        nav=nav,
        title=title,
        sentences=tuple(said),
        tables=(
            Table(
                caption="Memory of the chain and of the machine",
                heads=("quantity", "chain", "machine", "error at most, machine"),
                rows=tuple(rows),
                words=(0,),
            ),
        ),
    )


def _crypticity_error(found: CausalStates) -> Bound:
    """C − E is wrong by no more than both together."""
    if UNCERTIFIED in (found.error_bound, found.excess_entropy_error_bits):
        return UNCERTIFIED
    return float(found.error_bound) + float(found.excess_entropy_error_bits)


def _unsure(found: CausalStates, error: Any) -> str:
    return " uncertified" if error is not None and error(found) == UNCERTIFIED else ""


def _at_most(found: CausalStates | Absent, error: Any) -> str:
    if isinstance(found, Absent):
        return "—"
    if error is None:
        return "exact"
    bound = error(found)
    return str(bound) if bound == UNCERTIFIED else f"{bound:.1e}"


def other_machines(facts: Merged) -> Part:
    """The machines that none found is better than."""
    name, nav, title = "pareto", "Pareto curve", "States against price"
    curve = facts.pareto
    if not isinstance(curve, ParetoCurve):
        return Part(name=name, nav=nav, title=title, absent=str(curve))
    if len(curve.machines) < 2 or curve.machines[0].kl_bits == 0:
        said = "One state writes exactly what the chain writes, so there is nothing to choose from."
        return Part(name=name, nav=nav, title=title, sentences=(said,))
    marked = facts.chain.n_states
    return Part(
        name=name,
        nav=nav,
        title=title,
        figures=(
            Figure(
                name="pareto",
                draw=lambda: pareto_plot(curve, marked),
                caption=f"The cheapest machine that was found for each number of states; the one "
                f"of this page, of {count(marked, 'state')}, is marked.",
            ),
        ),
        tables=(prices(curve, marked),),
    )
