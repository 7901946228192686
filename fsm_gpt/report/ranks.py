"""How unevenly the time is spent: states by rank, heaviest first.

The *effective number of states* is two to the entropy of pi: as if so many were visited equally
(a Hill number of order 1: Hill 1973, Ecology 54, 427-432).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.markov.stationary import StationaryDistribution, stationary_distribution
from fsm_gpt.report.style import axes_for, palette, set_title
from fsm_gpt.report.words import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["rank_plot"]

#: A curve of more points looks the same.
MOST_POINTS = 300


def rank_plot(
    source: Chain | StationaryDistribution,
    *,
    ax: Axes | None = None,
    dark: bool = False,
    title: str | None = None,
) -> Axes:
    """The share of time that the n heaviest states have together, against n.

    The dashed line is the effective number of states.

    Raises
    ------
    NotUnique
        The chain has several closed classes.

    >>> ax = rank_plot(Chain([[0.5, 0.5], [0.25, 0.75]]))
    >>> [round(float(y), 3) for y in ax.lines[0].get_ydata()]
    [0.667, 1.0]
    """
    from fsm_gpt.report.room import keep_apart

    found = stationary_distribution(source) if isinstance(source, Chain) else source
    colours = palette(dark)
    ax = axes_for(ax, (5.2, 3.3), dark=dark)
    mass = np.sort(np.asarray(found.pi, dtype=float))[::-1]
    total = np.cumsum(mass)
    n = len(mass)
    ranks = np.unique(np.round(np.geomspace(1, n, min(n, MOST_POINTS))).astype(int))
    marker = "o" if n <= 20 else None
    ax.plot(
        ranks,
        total[ranks - 1],
        color=colours.mass,
        linewidth=2,
        marker=marker,
        markersize=5,
        zorder=3,
    )
    effective = float(found.effective_states)
    ax.axvline(effective, color=colours.muted, linewidth=1.2, dashes=(4, 3))
    right = effective > n**0.6
    ax.annotate(
        f"{count(n, 'state')} like " + (f"{effective:,.0f}" if n > 20 else f"{effective:.3g}"),
        (effective, 0.06),
        xytext=(-6 if right else 6, 0),
        textcoords="offset points",
        ha="right" if right else "left",
        fontsize=9,
        color=colours.ink,
    )
    if n > 20:
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        ax.minorticks_off()
    else:
        ax.set_xlim(0.5, n + 0.5)
        ax.set_xticks(range(1, n + 1))
    ax.set_ylim(0, 1.04)
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    ax.set_xlabel("heaviest states")
    ax.set_ylabel("of the time")
    set_title(ax, title, dark=dark)
    keep_apart(ax)
    return ax
