"""What a person sees: figures, the page, the terminal.

Public names are loaded when they are first used; matplotlib, networkx, jinja2 and rich
when they are first needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fsm_gpt.report.atlas import mass_map, next_token_map
    from fsm_gpt.report.capacity_figure import capacity_plot
    from fsm_gpt.report.contexts import context_table
    from fsm_gpt.report.curves import loss_plot, memory_plot, mixing_plot, spectrum_plot
    from fsm_gpt.report.facts import Facts, gather
    from fsm_gpt.report.film import movie
    from fsm_gpt.report.flow_ring import flow_ring
    from fsm_gpt.report.graph import state_graph
    from fsm_gpt.report.icicle import suffix_icicle
    from fsm_gpt.report.learning_curves import learning_figure, learning_plot
    from fsm_gpt.report.page import Report, report
    from fsm_gpt.report.pareto_figure import pareto_plot
    from fsm_gpt.report.ranks import rank_plot
    from fsm_gpt.report.style import save_figure

__all__ = [
    "Facts",
    "Report",
    "capacity_plot",
    "context_table",
    "flow_ring",
    "gather",
    "learning_figure",
    "learning_plot",
    "loss_plot",
    "mass_map",
    "memory_plot",
    "mixing_plot",
    "movie",
    "next_token_map",
    "pareto_plot",
    "rank_plot",
    "report",
    "save_figure",
    "spectrum_plot",
    "state_graph",
    "suffix_icicle",
]

#: Which module holds which names; a test compares it with the block above.
_PUBLIC = {
    "fsm_gpt.report.atlas": ["mass_map", "next_token_map"],
    "fsm_gpt.report.capacity_figure": ["capacity_plot"],
    "fsm_gpt.report.contexts": ["context_table"],
    "fsm_gpt.report.curves": ["loss_plot", "memory_plot", "mixing_plot", "spectrum_plot"],
    "fsm_gpt.report.facts": ["Facts", "gather"],
    "fsm_gpt.report.film": ["movie"],
    "fsm_gpt.report.flow_ring": ["flow_ring"],
    "fsm_gpt.report.graph": ["state_graph"],
    "fsm_gpt.report.icicle": ["suffix_icicle"],
    "fsm_gpt.report.learning_curves": ["learning_figure", "learning_plot"],
    "fsm_gpt.report.page": ["Report", "report"],
    "fsm_gpt.report.pareto_figure": ["pareto_plot"],
    "fsm_gpt.report.ranks": ["rank_plot"],
    "fsm_gpt.report.style": ["save_figure"],
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value
