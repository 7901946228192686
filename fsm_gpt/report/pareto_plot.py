"""States against price, as a picture: the machines that none found is better than."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fsm_gpt.markov.pareto import ParetoCurve
from fsm_gpt.report.style import axes_for, palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["pareto_plot"]


def pareto_plot(
    curve: ParetoCurve, marked: int | None = None, *, ax: Axes | None = None, dark: bool = False
) -> Axes:
    """The KL rate that is paid against the number of states; the machine of so many is marked.

    >>> from fsm_gpt.chain import Chain
    >>> from fsm_gpt.markov.pareto import pareto_curve
    >>> ax = pareto_plot(pareto_curve(Chain([[0.5, 0.5], [0.25, 0.75]])), 2)
    >>> ax.get_xlabel()
    'states'
    """
    colours = palette(dark)
    ax = axes_for(ax, (5.2, 3.3), dark=dark)
    n, kl = curve.n_states.astype(float), curve.kl_bits_per_token
    few = len(n) <= 40
    ax.step(n, kl, where="post", color=colours.mass, linewidth=1.4, alpha=0.55, zorder=2)
    ax.scatter(n, kl, s=26 if few else 9, color=colours.mass, linewidths=0, zorder=3)
    here = np.flatnonzero(curve.n_states == (marked or -1))
    if len(here):
        x, y = float(n[here[0]]), float(kl[here[0]])
        ax.scatter(
            [x], [y], s=110, facecolors="none", edgecolors=colours.ink, linewidths=1.5, zorder=4
        )
        left = x > float(n[-1]) ** 0.6
        states = f"{int(x):,} state{'s' * (x != 1)}"
        ax.annotate(
            states,
            (x, y),
            xytext=(-9 if left else 9, 10),
            textcoords="offset points",
            ha="right" if left else "left",
            fontsize=9,
            color=colours.ink,
        )
    if n[-1] > 12:
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        ax.minorticks_off()
    else:
        ax.set_xticks(np.arange(1, int(n[-1]) + 1))
    top = max(float(kl[0]), 1e-12)
    ax.set_ylim(-0.06 * top, 1.14 * top)
    ax.set_xlabel("states")
    ax.set_ylabel("KL rate, bits per token")
    return ax
