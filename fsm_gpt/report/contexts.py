"""The folded context table: hundreds of contexts in one square.

A window of L tokens is cut in two: its oldest tokens choose the row, its newest the
column. The cell has the hue of the most probable next token and is the stronger the
surer it is (for two tokens: the farther from one half). Equal rows mean that the
oldest tokens do not matter. Contexts that the chain does not have stay empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidChain, NotDefined, StateSpaceTooLarge
from fsm_gpt.report.fonts import tick_names, write
from fsm_gpt.report.legend import legend_below, next_token_entries, sureness
from fsm_gpt.report.style import (
    axes_for,
    palette,
    percent,
    quiet_fonts,
    set_title,
    short,
    token_colours,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

    from fsm_gpt.report.style import Palette

__all__ = ["TABLE_LIMIT", "context_table"]

TABLE_LIMIT = 4096


def context_table(
    chain: Chain, *, ax: Axes | None = None, dark: bool = False, title: str | None = None
) -> Axes:
    """Draw the next token of every context, oldest tokens down, newest across.

    Contexts shorter than L are left out.

    Raises
    ------
    NotDefined
        The states are not contexts.
    StateSpaceTooLarge
        More than 4,096 contexts.

    >>> ax = context_table(Chain([[0.5, 0.5], [0.25, 0.75], [1, 0], [0, 1]]))
    >>> ax.get_xlabel(), len(ax.patches) >= 4
    ('newest token', True)
    """
    from fsm_gpt.report.room import keep_apart

    contexts = chain.states.contexts()
    if contexts is None:
        raise NotDefined(
            "context_table: the states of this chain are not contexts, so they have no oldest and "
            "newest tokens. Use state_graph(chain) up to 32 states, or print chain.listing()."
        )
    if chain.kind == "symbolic":
        raise InvalidChain(
            "context_table: the rows hold symbols, which have no size. Put numbers in for them."
        )
    L, V = contexts.shape[1], chain.n_tokens
    if V**L > TABLE_LIMIT:
        raise StateSpaceTooLarge(
            f"context_table: {V}**{L} = {V**L:,} contexts are more than a figure can show; it "
            f"stops at {TABLE_LIMIT:,}. Cut the context with extract(model, truncate_to=...)."
        )
    full = np.flatnonzero((contexts >= 0).all(axis=1))
    newest = L - L // 2
    place = contexts[full] @ (V ** np.arange(L - 1, -1, -1))
    rows = np.asarray(chain.next_token[full], dtype=float)
    n_rows, n_columns = V ** (L - newest), V**newest
    colours = palette(dark)
    cell = min(0.62, max(0.13, 6.6 / n_columns))
    size = (n_columns * cell + 1.4, n_rows * cell + 1.5)
    ax = axes_for(ax, size, dark=dark)
    with quiet_fonts():
        ax.add_artist(_ground(n_rows, n_columns, colours, whole=len(full) == V**L))
        _cells(ax, chain, full, rows, place // n_columns, place % n_columns, colours, cell)
        _frame(ax, chain, n_rows, n_columns, newest)
        legend_below(ax, next_token_entries(chain, rows.argmax(axis=1), colours), dark=dark)
        set_title(ax, title, dark=dark)
    keep_apart(ax)
    return ax


def _ground(n_rows: int, n_columns: int, colours: Palette, *, whole: bool) -> Patch:
    """The ground of the table: hatched where the chain may lack a context."""
    from matplotlib.patches import Rectangle

    return Rectangle(
        (-0.5, -0.5),
        n_columns,
        n_rows,
        facecolor=colours.paper if whole else colours.panel,
        edgecolor="none" if whole else colours.faint,
        hatch=None if whole else "////",
        linewidth=0,
        zorder=0,
    )


def _cells(
    ax: Axes,
    chain: Chain,
    states: np.ndarray,
    rows: np.ndarray,
    down: np.ndarray,
    across: np.ndarray,
    colours: Palette,
    cell: float,
) -> None:
    from matplotlib.patches import Rectangle

    hues, V = token_colours(chain), chain.n_tokens
    names = [short(name, 4) for name in chain.vocabulary.shown]
    best, strength = sureness(rows)
    whole = len(rows) == V ** (chain.context or 1)
    for i in range(len(rows)):
        corner = (across[i] - 0.5, down[i] - 0.5)
        layers = [(colours.tokens[hues[int(best[i])]], float(strength[i]), 2)]
        if not whole:  # something to cover the hatching
            layers.insert(0, (colours.paper, 1.0, 1))
        for colour, opacity, zorder in layers:
            patch = Rectangle(
                corner, 1, 1, facecolor=colour, alpha=opacity, edgecolor="none", zorder=zorder
            )
            # Limits and layout are set by the frame; thousands of cells need not be asked.
            patch.set_in_layout(False)
            patch.set_gid(f"context-{states[i]}" if zorder == 2 else None)
            ax.add_artist(patch)
        if cell < 0.34:
            continue
        words = percent(rows[i, 1]) if V == 2 else f"{names[int(best[i])]} {percent(rows[i].max())}"
        text = ax.text(
            across[i],
            down[i],
            "",
            ha="center",
            va="center",
            color=colours.ink,
            fontsize=9 if V == 2 and cell > 0.5 else 6.5,
            gid=f"cell-{states[i]}",
        )
        write(text, words)


def _frame(ax: Axes, chain: Chain, n_rows: int, n_columns: int, newest: int) -> None:
    L, V = chain.context or 1, chain.n_tokens

    def names(count: int, length: int) -> tuple[list[int], list[str]]:
        step = 1
        while count // step > 34:
            step *= V
        ids = list(range(0, count, step))
        tokens = [[i // V ** (length - 1 - k) % V for k in range(length)] for i in ids]
        return ids, [short(chain.vocabulary.label(t), 14) for t in tokens]

    ax.set_xlim(-0.5, n_columns - 0.5)
    ax.set_ylim(n_rows - 0.5, -0.5)
    ax.set_aspect("equal")
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ids, labels = names(n_columns, newest)
    upright = newest * max(len(t) for t in chain.vocabulary.shown) > 3 and n_columns > 8
    tick_names(ax.xaxis, ids, labels, upright=upright)
    ax.xaxis.set_ticks_position("top")
    ax.xaxis.set_label_position("top")
    ax.set_xlabel(f"newest {newest} tokens" if newest > 1 else "newest token")
    ids, labels = names(n_rows, L - newest)
    tick_names(ax.yaxis, ids, labels)
    older = L - newest
    ax.set_ylabel(f"oldest {older} tokens" if older > 1 else "oldest token" if older else "")
    ax.tick_params(length=0)
    if not older:
        ax.set_yticks([])
