"""Figures of one curve each: the memory curve, the spectrum, mixing, the training loss.

Each takes a chain, or the answer where it is already there, and returns its axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.markov.memory import MemoryCurve, memory_curve
from fsm_gpt.markov.mixing import MixingTime, mixing_time
from fsm_gpt.markov.spectrum import Spectrum, spectrum
from fsm_gpt.report.style import axes_for, palette, set_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["loss_plot", "memory_plot", "mixing_plot", "spectrum_plot"]


def memory_plot(
    source: Chain | MemoryCurve,
    *,
    ax: Axes | None = None,
    dark: bool = False,
    title: str | None = None,
) -> Axes:
    """The uncertainty of the next token when the last k tokens are known, in bits.

    It falls to the entropy rate, the dashed line.

    >>> ax = memory_plot(Chain([[0.5, 0.5], [0.25, 0.75]]))
    >>> ax.lines[0].get_xdata().tolist()
    [0, 1]
    """
    from fsm_gpt.report.room import keep_apart

    curve = memory_curve(source) if isinstance(source, Chain) else source
    colours = palette(dark)
    ax = axes_for(ax, (5.2, 3.3), dark=dark)
    h = np.asarray(curve.bits_per_token, dtype=float)
    k = np.arange(len(h))
    ax.plot(k, h, color=colours.mass, linewidth=2, marker="o", markersize=7, zorder=3)
    ax.axhline(h[-1], color=colours.muted, linewidth=1.2, dashes=(4, 3), zorder=2)
    span = max(float(h[0] - h[-1]), 0.02 * max(float(h[0]), 1e-3), 1e-4)
    ax.set_ylim(h[-1] - 0.22 * span, h[0] + 0.16 * span)
    ax.set_xlim(-0.25 * max(1, len(h) / 8), len(h) - 1 + 0.25 * max(1, len(h) / 8))
    ax.set_xticks(k if len(k) <= 13 else k[:: -(-len(k) // 12)])
    ax.annotate(
        f"entropy rate {h[-1]:.4g}",
        (0.0, float(h[-1])),
        xytext=(0, 6 if h[0] - h[-1] < 0.02 * span else -5),
        textcoords="offset points",
        color=colours.muted,
        fontsize=9,
        va="bottom" if h[0] - h[-1] < 0.02 * span else "top",
        ha="left",
    )
    for i, value in enumerate(h[:-1] if len(h) <= 8 else h[:1]):
        if value - h[-1] < 0.02 * span:
            continue  # the line of the entropy rate says it
        ax.annotate(
            f"{value:.3f}",
            (float(i), float(value)),
            xytext=(7, 6),
            textcoords="offset points",
            fontsize=9,
            color=colours.ink,
        )
    ax.set_xlabel("last tokens known")
    ax.set_ylabel("bits per token")
    set_title(ax, title, dark=dark)
    keep_apart(ax)
    return ax


def spectrum_plot(
    source: Chain | Spectrum,
    *,
    ax: Axes | None = None,
    dark: bool = False,
    title: str | None = None,
) -> Axes:
    """The eigenvalues in the unit circle; hollow ones cannot be told from zero.

    The nearer the second largest lies to the circle, the longer a start is remembered;
    several on the circle mean a period.

    >>> ax = spectrum_plot(Chain([[0.5, 0.5], [0.25, 0.75]]))
    >>> ax.collections[0].get_offsets().tolist()
    [[1.0, 0.0], [0.25, 0.0]]
    """
    from matplotlib.patches import Circle

    from fsm_gpt.report.room import keep_apart

    found = spectrum(source) if isinstance(source, Chain) else source
    colours = palette(dark)
    ax = axes_for(ax, (3.9, 3.9), dark=dark)
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.add_patch(Circle((0, 0), 1, facecolor="none", edgecolor=colours.muted, linewidth=1.2))
    ax.plot([-1.1, 1.1], [0, 0], color=colours.faint, linewidth=0.8, zorder=1)
    ax.plot([0, 0], [-1.1, 1.1], color=colours.faint, linewidth=0.8, zorder=1)
    values = np.concatenate([found.eigenvalues, np.zeros(min(1, found.n_zero))])
    unsure = np.concatenate([found.uncertain, np.zeros(min(1, found.n_zero), dtype=bool)])
    second = float(np.sort(np.abs(values))[-2]) if len(values) > 1 else 0.0
    if 0 < second < 1 - 1e-12:
        ax.add_patch(
            Circle((0, 0), second, facecolor=colours.mass, alpha=0.08, edgecolor="none", zorder=0)
        )
    sure = values[~unsure]
    ax.scatter(sure.real, sure.imag, s=46, color=colours.mass, zorder=3, linewidths=0)
    if unsure.any():
        ax.scatter(
            values[unsure].real,
            values[unsure].imag,
            s=46,
            facecolors="none",
            edgecolors=colours.alert,
            linewidths=1.4,
            zorder=3,
        )
    if found.n_zero:
        ax.annotate(
            f"0, {found.n_zero:,} times",
            (0, 0),
            xytext=(6, -13),
            textcoords="offset points",
            fontsize=9,
            color=colours.muted,
        )
    ax.set_aspect("equal")
    ax.set_xlim(-1.13, 1.13)
    ax.set_ylim(-1.13, 1.13)
    ax.set_xticks([-1, 0, 1])
    ax.set_yticks([-1, 0, 1], ["−i", "0", "i"])
    ax.tick_params(length=0)
    set_title(ax, title, dark=dark)
    keep_apart(ax)
    return ax


def mixing_plot(
    source: Chain | MixingTime,
    *,
    ax: Axes | None = None,
    dark: bool = False,
    title: str | None = None,
) -> Axes:
    """The distance to the stationary distribution from the worst start, token by token.

    >>> ax = mixing_plot(Chain([[0.5, 0.5], [0.25, 0.75]]))
    >>> ax.get_xlabel()
    'tokens'
    """
    from fsm_gpt.report.room import keep_apart

    found = mixing_time(source) if isinstance(source, Chain) else source
    colours = palette(dark)
    ax = axes_for(ax, (5.2, 3.3), dark=dark)
    distances = np.asarray(found.distances, dtype=float)
    ax.plot(
        found.times, distances, color=colours.mass, linewidth=2, marker="o", markersize=6, zorder=3
    )
    ax.axhline(found.epsilon, color=colours.muted, linewidth=1.2, dashes=(4, 3))
    ax.axvline(found.steps, color=colours.muted, linewidth=1.2, dashes=(1, 2))
    top = float(max(distances.max(), found.epsilon)) * 1.12
    ax.set_ylim(0, top)
    steps = f"{found.steps:,} token" + ("" if found.steps == 1 else "s")
    right = found.steps > 0.6 * max(int(found.times[-1]), 1)
    ax.annotate(
        f"within {found.epsilon:g} after {steps}",
        (float(found.steps), top * 0.93),
        xytext=(-6 if right else 6, 0),
        textcoords="offset points",
        ha="right" if right else "left",
        fontsize=9,
        color=colours.ink,
    )
    if int(found.times[-1]) > 200:
        ax.set_xscale("symlog", linthresh=1)
        ax.set_xlim(0, float(found.times[-1]) * 1.2)
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        ax.minorticks_off()
    elif int(found.times[-1]) <= 12:
        ax.set_xticks(np.arange(int(found.times[-1]) + 1))
    ax.set_xlabel("tokens")
    ax.set_ylabel("total variation distance")
    set_title(ax, title, dark=dark)
    keep_apart(ax)
    return ax


def loss_plot(
    losses: Sequence[float],
    *,
    ax: Axes | None = None,
    dark: bool = False,
    title: str | None = None,
) -> Axes:
    """The training loss at each step, in nats.

    >>> loss_plot([0.66, 0.61]).get_ylabel()
    'loss (nats per token)'
    """
    from fsm_gpt.report.room import keep_apart

    colours = palette(dark)
    ax = axes_for(ax, (5.2, 3.3), dark=dark)
    ax.plot(np.arange(len(losses)), losses, color=colours.mass, linewidth=2, zorder=3)
    for i in sorted({0, len(losses) - 1}) if len(losses) else []:
        ax.annotate(
            f"{losses[i]:.3f}",
            (float(i), float(losses[i])),
            xytext=(5, 5) if i == 0 else (0, -13),
            textcoords="offset points",
            ha="left" if i == 0 else "right",
            fontsize=9,
            color=colours.ink,
        )
    ax.margins(y=0.15)
    ax.set_xlabel("step")
    ax.set_ylabel("loss (nats per token)")
    set_title(ax, title, dark=dark)
    keep_apart(ax)
    return ax
