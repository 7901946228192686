"""The tree of suffixes as an icicle: how much of the time texts end so, and what comes next.

A row is a number of last tokens, a block a suffix: as wide as the share of time that texts end
with it, coloured by the next token. Below a block lie its extensions by one older token. Where
they all look alike, the older token does not matter, and one says so by reading down a column.

References
----------
Kruskal & Landwehr (1983), American Statistician 37, 162-168 (icicle plots).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.markov.suffixes import suffix_laws
from fsm_gpt.report.fonts import write
from fsm_gpt.report.legend import legend_below, next_token_entries, sureness
from fsm_gpt.report.style import (
    axes_for,
    palette,
    quiet_fonts,
    set_title,
    short,
    token_colours,
)
from fsm_gpt.rows import Numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["suffix_icicle"]

#: At most so many rows, and suffixes in the lowest of them.
MOST_ROWS, MOST_SUFFIXES = 9, 2**16
#: Blocks that are narrower are drawn as one grey block.
NARROWEST = 0.002
#: A label of n letters needs so much of the width for each.
LETTER = 0.014


def suffix_icicle(
    chain: Chain,
    *,
    pi: Numbers | None = None,
    ax: Axes | None = None,
    dark: bool = False,
    title: str | None = None,
) -> Axes:
    """The last tokens of a text, by the share of time that it ends so.

    Raises
    ------
    NotDefined
        The states are not all windows of one length.
    NotUnique
        The chain has several closed classes.

    >>> ax = suffix_icicle(Chain([[0.5, 0.5], [0.25, 0.75], [0.5, 0.5], [0.1, 0.9]]))
    >>> ax.get_ylabel(), len(ax.texts)
    ('last tokens', 6)
    """
    from fsm_gpt.report.room import keep_apart

    V, L = chain.n_tokens, chain.context or 0
    depth = min(L, MOST_ROWS)
    while depth > 1 and V**depth > MOST_SUFFIXES:
        depth -= 1
    if pi is None:
        pi = stationary_distribution(chain).pi
    laws = [np.asarray(J, dtype=float) for J in suffix_laws(chain, pi, depth)][-2::-1]
    ax = axes_for(ax, (5.6, 0.42 * depth + 1.3), dark=dark)
    seen: set[int] = set()
    with quiet_fonts():
        for k, joint in enumerate(laws, start=1):
            seen |= _row(ax, chain, joint, k, dark=dark)
        _frame(ax, depth)
        entries = next_token_entries(chain, sorted(seen), palette(dark))
        legend_below(ax, entries, dark=dark, gap=36.0)
        set_title(ax, title, dark=dark)
    keep_apart(ax)
    return ax


def _row(ax: Axes, chain: Chain, joint: Numbers, k: int, *, dark: bool) -> set[int]:
    """One row of blocks; the tokens that they show."""
    from fsm_gpt.report.room import give_room

    V, colours, hues = chain.n_tokens, palette(dark), token_colours(chain)
    mass = joint.sum(axis=1)
    # From left to right by the newest token, below it by the one before, and so on.
    order = np.arange(V**k).reshape((V,) * k).transpose().ravel()
    width = mass[order]
    left = np.concatenate([[0.0], np.cumsum(width)])
    wide = np.flatnonzero(width >= NARROWEST)
    best, strength = sureness(joint[order[wide]] / width[wide, None])
    edge = 0.0
    for i, token, sure in zip(wide.tolist(), best.tolist(), strength.tolist(), strict=True):
        if left[i] - edge > NARROWEST / 2:
            _block(ax, edge, left[i] - edge, k, colours.faint, 1.0, colours.paper)
        _block(ax, left[i], width[i], k, colours.tokens[hues[token]], sure, colours.paper)
        edge = left[i + 1]
        label = chain.vocabulary.label(_digits(int(order[i]), V, k))
        letters = int(width[i] / LETTER)
        if k == 1 and letters >= 4:
            label = short(label, letters)
        if len(label) <= letters:
            text = ax.text(
                left[i] + width[i] / 2,
                k,
                "",
                ha="center",
                va="center",
                fontsize=8,
                color=colours.ink,
            )
            write(text, label, mono=True)
            give_room(text, float(width[i]))
    if left[-1] - edge > NARROWEST / 2:
        _block(ax, edge, left[-1] - edge, k, colours.faint, 1.0, colours.paper)
    return set(best.tolist())


def _digits(number: int, V: int, k: int) -> list[int]:
    return [number // V ** (k - 1 - j) % V for j in range(k)]


def _block(
    ax: Axes, left: float, width: float, k: int, colour: str, strength: float, line: str
) -> None:
    from matplotlib.patches import Rectangle

    block = Rectangle(
        (left, k - 0.5), width, 1, facecolor=colour, alpha=strength, edgecolor="none", zorder=2
    )
    block.set_in_layout(False)
    ax.add_artist(block)
    if width > 4 * NARROWEST:  # a line between blocks, where there is room for it
        ax.plot([left, left], [k - 0.5, k + 0.5], color=line, linewidth=0.8, zorder=3)


def _frame(ax: Axes, depth: int) -> None:
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_xlim(0, 1)
    ax.set_ylim(depth + 0.5, 0.5)
    ax.set_yticks(range(1, depth + 1))
    ax.set_ylabel("last tokens")
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    ax.set_xlabel("share of the time")
    ax.tick_params(length=0)
