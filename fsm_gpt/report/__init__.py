"""What a person sees: figures, the page, the terminal.

matplotlib, networkx, jinja2 and rich are loaded when they are first needed.
"""

from __future__ import annotations

from fsm_gpt.report.contexts import context_table
from fsm_gpt.report.curves import loss_plot, memory_plot, mixing_plot, spectrum_plot
from fsm_gpt.report.facts import Facts, gather
from fsm_gpt.report.graph import state_graph
from fsm_gpt.report.page import Report, report
from fsm_gpt.report.style import save_figure

__all__ = [
    "Facts",
    "Report",
    "context_table",
    "gather",
    "loss_plot",
    "memory_plot",
    "mixing_plot",
    "report",
    "save_figure",
    "spectrum_plot",
    "state_graph",
]
