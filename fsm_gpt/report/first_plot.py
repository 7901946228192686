"""The first tokens of a text in two curves: who has left the explored part, and what is known.

In both the area between the two sides is what the exploration leaves open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fsm_gpt.markov.first_tokens import FirstTokens
from fsm_gpt.report.style import axes_for, palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["left_plot", "uncertainty_plot"]


def left_plot(found: FirstTokens, *, ax: Axes | None = None, dark: bool = False) -> Axes:
    """The probability that a text has left the explored part, by the number of its tokens.

    >>> from fsm_gpt.chain import Chain
    >>> from fsm_gpt.markov.first_tokens import first_tokens
    >>> left_plot(first_tokens(Chain([[0.5, 0.5], [0, 1]]), 2, start=0)).get_xlabel()
    'tokens'
    """
    colours = palette(dark)
    ax = axes_for(ax, (5.2, 3.0), dark=dark)
    n = np.arange(found.tokens + 1)
    ax.fill_between(n, found.left, color=colours.alert, alpha=0.14, linewidth=0)
    ax.plot(n, found.left, color=colours.alert, linewidth=2, zorder=3, **_marks(len(n)))
    if 0 < found.surely < found.tokens:
        ax.axvline(found.surely, color=colours.muted, linewidth=1.2, dashes=(4, 3))
        right = found.surely > found.tokens / 2
        ax.annotate(
            f"none within {found.surely:,}",
            (found.surely, 0.93),
            xytext=(-5 if right else 5, 0),
            textcoords="offset points",
            ha="right" if right else "left",
            fontsize=9,
            color=colours.ink,
        )
    ax.set_ylim(0, 1.04)
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    _tokens(ax, len(n))
    ax.set_xlabel("tokens")
    ax.set_ylabel("left the explored part")
    return ax


def uncertainty_plot(found: FirstTokens, *, ax: Axes | None = None, dark: bool = False) -> Axes:
    """The mean entropy of each token in bits, from both sides.

    >>> from fsm_gpt.chain import Chain
    >>> from fsm_gpt.markov.first_tokens import first_tokens
    >>> ax = uncertainty_plot(first_tokens(Chain([[0.5, 0.5], [0, 1]]), 2, start=0))
    >>> ax.lines[0].get_ydata().tolist()
    [1.0, 0.5]
    """
    colours = palette(dark)
    ax = axes_for(ax, (5.2, 3.0), dark=dark)
    n = np.arange(1, found.tokens + 1)
    ax.fill_between(n, found.bits_low, found.bits_high, color=colours.mass, alpha=0.16, linewidth=0)
    ax.plot(n, found.bits_low, color=colours.mass, linewidth=2, zorder=3, **_marks(len(n)))
    if found.left[-1] > 0:
        ax.plot(n, found.bits_high, color=colours.mass, linewidth=1.2, dashes=(4, 3), zorder=3)
    ax.set_ylim(0, max(float(found.bits_high.max()) * 1.08, 1e-3))
    _tokens(ax, len(n))
    ax.set_xlabel("token")
    ax.set_ylabel("bits")
    return ax


def _marks(n: int) -> dict[str, Any]:
    """Marks where there are few points, so that one alone is seen."""
    return {"marker": "o", "markersize": 5} if n <= 24 else {}


def _tokens(ax: Axes, n: int) -> None:
    """Whole numbers alone on the axis of tokens."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(nbins=9, integer=True, min_n_ticks=1))
    if n <= 2:
        ax.margins(x=0.5)
