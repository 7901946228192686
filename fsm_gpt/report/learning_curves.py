"""Numbers of a chain that is learned, against the step, with their bands over the trainings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fsm_gpt.errors import InvalidArgument
from fsm_gpt.learning.measure import MEASURES
from fsm_gpt.learning.watched import Watched
from fsm_gpt.report.style import axes_for, palette, set_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PANELS", "learning_figure", "learning_panels", "learning_plot"]

#: The panels of the figure where none are named.
PANELS = (
    "loss",
    "kl_text",
    "nearest_order",
    "entropy_rate",
    "excess_entropy",
    "second_eigenvalue",
)
#: Numbers that are counted: they are drawn as steps.
COUNTED = ("nearest_order", "greedy_cycles", "greedy_longest")


def learning_plot(
    watched: Watched,
    measure: str | Sequence[str] = "entropy_rate",
    *,
    low: float = 0.1,
    high: float = 0.9,
    ax: Axes | None = None,
    dark: bool = False,
    title: str | None = None,
) -> Axes:
    """A number against the step: the median over the trainings, and a band of two quantiles.

    Parameters
    ----------
    measure
        A name of ``fsm_gpt.learning.MEASURES``; or several of one unit, each in its colour.

    Raises
    ------
    InvalidArgument
        There is no number of this name, or the quantiles are none.

    >>> from fsm_gpt.chain import Chain
    >>> from fsm_gpt.watch import watch_models
    >>> chains = [(s, Chain([[0.5, 0.5], [p, 1 - p]])) for s, p in ((0, 0.5), (10, 0.1))]
    >>> ax = learning_plot(watch_models(chains))
    >>> ax.lines[0].get_xdata().tolist(), ax.get_ylabel()
    ([0, 10], 'bits per token')
    """
    from fsm_gpt.report.room import keep_apart

    names = (measure,) if isinstance(measure, str) else tuple(measure)
    colours = palette(dark)
    hues = (colours.mass, *colours.tokens[1:6])
    ax = axes_for(ax, (5.2, 3.3), dark=dark)
    steps = np.array(watched.steps)
    for k, name in enumerate(names):
        band = watched.band(name, low=low, high=high)
        style = "steps-post" if name in COUNTED else "default"
        hue = hues[k % len(hues)]
        if len(watched.runs) > 1:
            ax.fill_between(
                steps,
                band.low,
                band.high,
                step="post" if name in COUNTED else None,
                color=hue,
                alpha=0.18,
                linewidth=0,
                zorder=2,
            )
        few = len(steps) <= 24 and name not in COUNTED
        ax.plot(
            steps,
            band.median,
            color=hue,
            linewidth=2,
            drawstyle=style,
            marker="o" if few else None,
            markersize=4.5,
            zorder=3,
            label=MEASURES[name].words,
        )
    _across(ax, watched.steps)
    unit = MEASURES[names[0]].unit
    ax.set_ylabel(unit)
    if unit in ("cycles", "states", "tokens"):
        from matplotlib.ticker import MaxNLocator

        ax.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.margins(y=0.12)
    if len(names) > 1:
        bottom, top = ax.get_ylim()
        ax.set_ylim(bottom, top + 0.16 * len(names) * (top - bottom))  # room for the legend
        ax.legend(loc="upper left", frameon=False, fontsize=9, labelcolor=colours.ink)
    set_title(ax, title, dark=dark)
    keep_apart(ax)
    return ax


def learning_figure(
    watched: Watched,
    measures: Sequence[str | Sequence[str]] | None = None,
    *,
    low: float = 0.1,
    high: float = 0.9,
    dark: bool = False,
) -> Figure:
    """Several numbers against the step, a panel each, as one figure.

    Parameters
    ----------
    measures
        Names of ``fsm_gpt.learning.MEASURES``; those of ``PANELS`` that there are if not given.

    >>> from fsm_gpt.chain import Chain
    >>> from fsm_gpt.watch import watch_models
    >>> chains = [(s, Chain([[0.5, 0.5], [p, 1 - p]])) for s, p in ((0, 0.5), (10, 0.1))]
    >>> [ax.get_title(loc="left") for ax in learning_figure(watch_models(chains)).axes]
    ['Entropy rate', 'Excess entropy', 'Second eigenvalue']
    """
    from matplotlib.figure import Figure

    measures = _chosen(watched, measures)
    columns = min(3, len(measures))
    rows = -(-len(measures) // columns)
    figure = Figure(figsize=(max(3.4 * columns, 4.2), 2.6 * rows), facecolor=palette(dark).paper)
    figure.set_layout_engine("constrained")
    learning_panels(figure, watched, measures, low=low, high=high, dark=dark)
    return figure


def learning_panels(
    figure: Figure,
    watched: Watched,
    measures: Sequence[str | Sequence[str]] | None = None,
    *,
    low: float = 0.1,
    high: float = 0.9,
    dark: bool = False,
) -> None:
    """The same panels on a figure that is there.

    >>> from matplotlib.figure import Figure
    >>> from fsm_gpt.chain import Chain
    >>> from fsm_gpt.watch import watch_models
    >>> figure = Figure()
    >>> learning_panels(figure, watch_models([(0, Chain([[0.5, 0.5]] * 2))]), ["entropy_rate"])
    >>> len(figure.axes)
    1
    """
    measures = _chosen(watched, measures)
    columns = min(3, len(measures))
    grid = figure.subplots(-(-len(measures) // columns), columns, squeeze=False).reshape(-1)
    for ax, measure in zip(grid, measures, strict=False):
        words = MEASURES[measure].words if isinstance(measure, str) else ""
        title = words[:1].upper() + words[1:]
        learning_plot(watched, measure, low=low, high=high, ax=ax, dark=dark, title=title)
    for ax in grid[len(measures) :]:
        ax.remove()


def _chosen(
    watched: Watched, measures: Sequence[str | Sequence[str]] | None
) -> Sequence[str | Sequence[str]]:
    """What is drawn: what was asked for, or what there is."""
    if measures is None:
        return [name for name in PANELS if not np.isnan(watched.number(name)).all()]
    if not measures:
        raise InvalidArgument("learning_figure: there is no number to be drawn. Name some.")
    return measures


def _across(ax: Axes, steps: tuple[int, ...]) -> None:
    """The direction of steps: even, or like a logarithm where they are spaced like one."""
    gaps = np.diff(steps)
    ax.set_xlabel("step")
    if len(gaps) > 2 and gaps.max() >= 8 * gaps.min():
        least = max(float(gaps[0]), 1.0)
        ax.set_xscale("symlog", linthresh=least, linscale=0.5)
        told = [steps[0]]
        for step in steps[1:]:  # no label so near to the one before that they would meet
            if told[-1] < least or step >= 2.8 * told[-1]:
                told.append(step)
        ax.set_xticks(told, [f"{step:,}" for step in told])
        ax.minorticks_off()
