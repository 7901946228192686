"""States against price: how few states write nearly the same texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.markov.minimal_machine import MinimalMachine
from fsm_gpt.markov.pareto import ParetoCurve, pareto_curve
from fsm_gpt.report.style import axes_for, palette, set_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["pareto_plot"]


def pareto_plot(
    source: Chain | MinimalMachine | ParetoCurve,
    *,
    ax: Axes | None = None,
    dark: bool = False,
    title: str | None = None,
) -> Axes:
    """The least KL rate that was found for each number of states, in bits per token.

    It ends where the price is zero, at the exact minimal machine. A machine that was asked for
    at a price is marked by a ring.

    >>> ax = pareto_plot(Chain([[0.5, 0.5], [0.25, 0.75]]))
    >>> ax.lines[0].get_xdata().tolist(), float(ax.lines[0].get_ydata()[-1])
    ([1, 2], 0.0)
    """
    from matplotlib.ticker import MaxNLocator

    from fsm_gpt.report.room import keep_apart

    marked = source.n_states if isinstance(source, MinimalMachine) else None
    if isinstance(source, MinimalMachine):
        source = source.pareto()
    curve = pareto_curve(source) if isinstance(source, Chain) else source
    colours = palette(dark)
    ax = axes_for(ax, (5.2, 3.3), dark=dark)
    states = np.asarray(curve.n_states)
    bits = np.asarray(curve.kl_bits_per_token, dtype=float)
    few = len(states) <= 40
    ax.plot(
        states,
        bits,
        color=colours.mass,
        linewidth=2,
        drawstyle="steps-post",
        marker="o" if few else None,
        markersize=5,
        zorder=3,
    )
    if marked is not None and (states == marked).any():
        price = float(bits[states == marked][0])
        ax.plot(
            [marked],
            [price],
            marker="o",
            markersize=11,
            markerfacecolor="none",
            markeredgecolor=colours.ink,
            linestyle="none",
            zorder=4,
        )
        ax.annotate(
            f"{marked:,} states: {price:.3g}",
            (marked, price),
            xytext=(9, 9),
            textcoords="offset points",
            fontsize=9,
            color=colours.ink,
        )
    n = int(states[-1])
    ax.annotate(
        f"{n:,} state{'s' if n > 1 else ''}: exact",
        (1.0, 1.0),
        xycoords="axes fraction",
        xytext=(-2, -4),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=9,
        color=colours.muted,
    )
    if n > 20:
        ax.set_xscale("log")
        ax.set_xlim(0.9, n * 1.12)
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        ax.minorticks_off()
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    top = float(bits.max())
    ax.set_ylim(-0.06 * (top or 1.0), 1.1 * (top or 1.0))
    ax.set_xlabel("states")
    ax.set_ylabel("KL bits per token")
    set_title(ax, title, dark=dark)
    keep_apart(ax)
    return ax
