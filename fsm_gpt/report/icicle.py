"""The tree of suffixes as an icicle: how much of the time texts end so, and what comes next.

A row is a number of last tokens, a block a suffix: as wide as the share of time that texts end
with it, coloured by the next token. Below a block lie its extensions by one older token. Where
they all look alike, the older token does not matter, and one says so by reading down a column.

References
----------
Kruskal & Landwehr (1983), American Statistician 37, 162-168 (icicle plots).
"""

from __future__ import annotations

from dataclasses import dataclass
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

__all__ = ["Block", "suffix_blocks", "suffix_icicle"]

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

    rows = suffix_blocks(chain, pi)
    ax = axes_for(ax, (5.6, 0.42 * len(rows) + 1.3), dark=dark)
    with quiet_fonts():
        for k, row in enumerate(rows, start=1):
            _row(ax, chain, row, k, dark=dark)
        _frame(ax, len(rows))
        seen = sorted({block.token for row in rows for block in row})
        entries = next_token_entries(chain, seen, palette(dark))
        legend_below(ax, entries, dark=dark, gap=36.0)
        set_title(ax, title, dark=dark)
    keep_apart(ax)
    return ax


@dataclass(frozen=True)
class Block:
    """A suffix that is wide enough to be drawn."""

    suffix: tuple[int, int]
    """Its length, and its tokens as a number in base V."""
    label: str
    left: float
    mass: float
    token: int
    """The most probable next token."""
    probability: float
    strength: float


def suffix_blocks(chain: Chain, pi: Numbers | None = None) -> list[list[Block]]:
    """The suffixes that are drawn, a list for each length, from left to right.

    >>> rows = suffix_blocks(Chain([[0.5, 0.5], [0.25, 0.75], [0.5, 0.5], [0.1, 0.9]]))
    >>> [[block.label for block in row] for row in rows]
    [['0', '1'], ['00', '10', '01', '11']]
    """
    V, L = chain.n_tokens, chain.context or 0
    depth = min(L, MOST_ROWS)
    while depth > 1 and V**depth > MOST_SUFFIXES:
        depth -= 1
    if pi is None:
        pi = stationary_distribution(chain).pi
    laws = [np.asarray(J, dtype=float) for J in suffix_laws(chain, pi, depth)][-2::-1]
    return [_blocks(chain, joint, k) for k, joint in enumerate(laws, start=1)]


def _blocks(chain: Chain, joint: Numbers, k: int) -> list[Block]:
    V = chain.n_tokens
    mass = joint.sum(axis=1)
    # From left to right by the newest token, below it by the one before, and so on.
    order = np.arange(V**k).reshape((V,) * k).transpose().ravel()
    width = mass[order]
    left = np.concatenate([[0.0], np.cumsum(width)])
    wide = np.flatnonzero(width >= NARROWEST)
    rows = joint[order[wide]] / width[wide, None]
    best, strength = sureness(rows)
    return [
        Block(
            (k, int(order[i])),
            chain.vocabulary.label(_digits(int(order[i]), V, k)),
            float(left[i]),
            float(width[i]),
            token,
            float(rows[n, token]),
            sure,
        )
        for n, (i, token, sure) in enumerate(
            zip(wide.tolist(), best.tolist(), strength.tolist(), strict=True)
        )
    ]


def _row(ax: Axes, chain: Chain, row: list[Block], k: int, *, dark: bool) -> None:
    """One row of blocks, and grey for the suffixes between them."""
    from fsm_gpt.report.room import give_room

    colours, hues = palette(dark), token_colours(chain)
    edge = 0.0
    for block in row:
        if block.left - edge > NARROWEST / 2:
            _block(ax, edge, block.left - edge, k, colours.faint, 1.0, colours.paper)
        _block(
            ax,
            block.left,
            block.mass,
            k,
            colours.tokens[hues[block.token]],
            block.strength,
            colours.paper,
            gid=f"suffix-{k}-{block.suffix[1]}",
        )
        edge = block.left + block.mass
        label, letters = block.label, int(block.mass / LETTER)
        if k == 1 and letters >= 4:
            label = short(label, letters)
        if len(label) <= letters:
            text = ax.text(
                block.left + block.mass / 2,
                k,
                "",
                ha="center",
                va="center",
                fontsize=8,
                color=colours.ink,
            )
            write(text, label, mono=True)
            give_room(text, block.mass)
    if 1.0 - edge > NARROWEST / 2:
        _block(ax, edge, 1.0 - edge, k, colours.faint, 1.0, colours.paper)


def _digits(number: int, V: int, k: int) -> list[int]:
    return [number // V ** (k - 1 - j) % V for j in range(k)]


def _block(
    ax: Axes,
    left: float,
    width: float,
    k: int,
    colour: str,
    strength: float,
    line: str,
    *,
    gid: str | None = None,
) -> None:
    from matplotlib.patches import Rectangle

    block = Rectangle(
        (left, k - 0.5), width, 1, facecolor=colour, alpha=strength, edgecolor="none", zorder=2
    )
    block.set_in_layout(False)
    block.set_gid(gid)
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
