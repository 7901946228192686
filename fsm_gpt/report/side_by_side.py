"""Pictures of two chains in one: their rows, what they write, and their memory curves.

The reference has a grey line and the model a blue one. In a picture of points each is what both are
asked: on the diagonal they agree, above it the model gives more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fsm_gpt.report.style import axes_for, palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["agreement_plot", "laws_plot", "two_memories_plot"]

Floats = Any


def agreement_plot(
    reference: Floats, model: Floats, weight: Floats, *, ax: Axes | None = None, dark: bool = False
) -> Axes:
    """What the two give to a token after a context: a point each, as large as it is frequent.

    >>> agreement_plot([0.5, 0.5], [0.25, 0.75], [0.5, 0.5]).get_xlabel()
    'reference'
    """
    colours = palette(dark)
    ax = axes_for(ax, (4.4, 4.2), dark=dark)
    ax.plot([0, 1], [0, 1], color=colours.muted, linewidth=1.0, dashes=(4, 3), zorder=1)
    share = np.asarray(weight, dtype=float)
    area = 10 + 90 * share / max(float(share.max(initial=0.0)), 1e-300)
    ax.scatter(reference, model, s=area, color=colours.mass, alpha=0.45, linewidths=0, zorder=3)
    ax.set_xlim(-0.03, 1.03)
    ax.set_ylim(-0.03, 1.03)
    ticks = [0, 0.25, 0.5, 0.75, 1]
    ax.set_xticks(ticks, [f"{t:.0%}" for t in ticks])
    ax.set_yticks(ticks, [f"{t:.0%}" for t in ticks])
    ax.set_aspect("equal")
    ax.set_xlabel("reference")
    ax.set_ylabel("model")
    return ax


def laws_plot(
    reference: Floats, model: Floats, *, ax: Axes | None = None, dark: bool = False
) -> Axes:
    """How often the two write a text, on scales of powers: a point for each that both write.

    >>> laws_plot([0.5, 0.5], [0.25, 0.75]).get_xscale()
    'log'
    """
    colours = palette(dark)
    ax = axes_for(ax, (4.4, 4.2), dark=dark)
    p, q = np.asarray(reference, dtype=float), np.asarray(model, dtype=float)
    both = (p > 0) & (q > 0)
    p, q = p[both], q[both]
    ax.set_xscale("log")
    ax.set_yscale("log")
    if len(p):
        least = float(min(p.min(), q.min())) / 1.6
        most = min(1.0, float(max(p.max(), q.max())) * 1.6)
        line = [least, most]
        ax.plot(line, line, color=colours.muted, linewidth=1.0, dashes=(4, 3), zorder=1)
        size = 22 if len(p) <= 200 else 10
        ax.scatter(p, q, s=size, color=colours.mass, alpha=0.5, linewidths=0, zorder=3)
        _powers(ax.xaxis, least, most)
        _powers(ax.yaxis, least, most)
        ax.set_xlim(least, most)
        ax.set_ylim(least, most)
    ax.minorticks_off()
    ax.set_aspect("equal")
    ax.set_xlabel("reference")
    ax.set_ylabel("model")
    return ax


def _powers(axis: Any, least: float, most: float) -> None:
    """Ticks at powers of ten, or at a few plain shares where there are fewer than two of them."""
    low, high = int(np.ceil(np.log10(least))), int(np.floor(np.log10(most)))
    if high - low >= 1:
        step = max(1, (high - low) // 5)
        ticks = [10.0**k for k in range(low, high + 1, step)]
    else:
        ticks = [float(f"{x:.1g}") for x in np.geomspace(least * 1.3, most / 1.3, 3)]
        ticks = sorted({t for t in ticks if least <= t <= most})
    axis.set_ticks(ticks, [f"{t:.3g}" for t in ticks])


def two_memories_plot(
    reference: Floats, model: Floats, *, ax: Axes | None = None, dark: bool = False
) -> Axes:
    """The memory curves of both: bits of the next token where the last k are known.

    >>> two_memories_plot([1.0, 0.5], [1.0, 0.75]).get_ylabel()
    'bits per token'
    """
    colours = palette(dark)
    ax = axes_for(ax, (5.6, 3.3), dark=dark)
    ends = []
    for name, curve, colour, sign in (
        ("reference", reference, colours.muted, "s"),
        ("model", model, colours.mass, "o"),
    ):
        h = np.asarray(curve, dtype=float)
        marks: dict[str, Any] = {"marker": sign, "markersize": 6} if len(h) <= 24 else {}
        ax.plot(np.arange(len(h)), h, color=colour, linewidth=2, zorder=3, **marks)
        ends.append((name, len(h) - 1, float(h[-1]), colour))
    longest = max(end[1] for end in ends)
    values = np.concatenate([np.asarray(reference, dtype=float), np.asarray(model, dtype=float)])
    low, high = float(values.min()), float(values.max())
    span = max(high - low, 0.02 * max(high, 1e-3))
    ax.set_ylim(max(0.0, low - 0.16 * span) if low > 0 else -0.06 * span, high + 0.16 * span)
    upper = max(ends, key=lambda end: end[2])
    for end in ends:
        name, k, value, colour = end
        ax.annotate(
            name,
            (k, value),
            xytext=(8, 5 if end is upper else -9),
            textcoords="offset points",
            fontsize=9,
            color=colour,
            va="center",
        )
    ax.set_xlim(-0.05 * max(1, longest), longest + 0.3 * max(1, longest))
    step = max(1, -(-(longest + 1) // 12))
    ax.set_xticks(list(range(0, longest + 1, step)))
    ax.set_xlabel("last tokens known")
    ax.set_ylabel("bits per token")
    return ax
