"""Every picture of a chain, for notebooks: ``fg.plot.state_graph(chain, ax=ax)``.

Each function draws one kind of picture into the matplotlib axes that it is given as ``ax``, or
else into a new figure, and returns the axes (``.figure`` is the figure). All other options are
keyword-only; ``dark=True`` and ``title=...`` are understood by all. The command line, the report
and the pages draw with the same functions, and `save` writes a .png or an .svg as they do.

What colours and shapes mean is the same in all of them, and is written down in the gallery of
the docs. Labels never overlap: what finds no room at the size at hand is made smaller, left out
or counted. matplotlib is loaded when the first picture is drawn.

>>> from fsm_gpt import Chain, plot
>>> ax = plot.ranks(Chain([[0.5, 0.5], [0.25, 0.75]]))
>>> ax.get_ylabel()
'of the time'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fsm_gpt.report.atlas import mass_map as mass_map, next_token_map as next_token_map
    from fsm_gpt.report.capacity_figure import capacity_plot as capacity
    from fsm_gpt.report.contexts import context_table as context_table
    from fsm_gpt.report.curves import (
        loss_plot as loss,
        memory_plot as memory_curve,
        mixing_plot as mixing,
        spectrum_plot as spectrum,
    )
    from fsm_gpt.report.flow_ring import flow_ring as flow_ring
    from fsm_gpt.report.graph import state_graph as state_graph
    from fsm_gpt.report.icicle import suffix_icicle as suffixes
    from fsm_gpt.report.learning_curves import learning_plot as learning
    from fsm_gpt.report.pareto_figure import pareto_plot as pareto
    from fsm_gpt.report.ranks import rank_plot as ranks
    from fsm_gpt.report.style import save_figure as save

__all__ = [
    "capacity",
    "context_table",
    "flow_ring",
    "learning",
    "loss",
    "mass_map",
    "memory_curve",
    "mixing",
    "next_token_map",
    "pareto",
    "ranks",
    "save",
    "spectrum",
    "state_graph",
    "suffixes",
]

#: Each picture: its module in the room of reports, and its function there.
_HOME = {
    "state_graph": ("graph", "state_graph"),
    "context_table": ("contexts", "context_table"),
    "flow_ring": ("flow_ring", "flow_ring"),
    "mass_map": ("atlas", "mass_map"),
    "next_token_map": ("atlas", "next_token_map"),
    "suffixes": ("icicle", "suffix_icicle"),
    "ranks": ("ranks", "rank_plot"),
    "memory_curve": ("curves", "memory_plot"),
    "spectrum": ("curves", "spectrum_plot"),
    "mixing": ("curves", "mixing_plot"),
    "pareto": ("pareto_figure", "pareto_plot"),
    "loss": ("curves", "loss_plot"),
    "learning": ("learning_curves", "learning_plot"),
    "capacity": ("capacity_figure", "capacity_plot"),
    "save": ("style", "save_figure"),
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, function = _HOME[name]
    value = getattr(import_module(f"fsm_gpt.report.{module}"), function)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
