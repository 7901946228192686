"""How a next token is coloured, and the line below a figure that says so.

A context has the hue of its most probable next token and is the stronger the surer that token
is: for two tokens, the farther from one half.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.report.fonts import text_size, write
from fsm_gpt.report.style import Palette, palette, short, token_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FULL_STRENGTH", "WEAKEST", "Entry", "legend_below", "next_token_entries", "sureness"]

Floats: TypeAlias = npt.NDArray[np.float64]
#: A colour, its strength, and what it means.
Entry: TypeAlias = tuple[str, float, str]

#: Letters of the legend.
SIZE = 8.0

#: Strength where the next token is certain, and where all are equally probable.
FULL_STRENGTH, WEAKEST = 0.85, 0.03


def sureness(rows: Floats) -> tuple[npt.NDArray[np.intp], Floats]:
    """The most probable token of each row, and the strength of its colour.

    >>> best, strength = sureness(np.array([[0.5, 0.5], [0.0, 1.0]]))
    >>> best.tolist(), strength.tolist()
    ([0, 1], [0.03, 0.85])
    """
    V = rows.shape[1]
    best = rows.argmax(axis=1)
    sure = np.ones(len(rows)) if V == 1 else (rows.max(axis=1) - 1 / V) / (1 - 1 / V)
    return best, np.round(WEAKEST + (FULL_STRENGTH - WEAKEST) * sure, 3)


def next_token_entries(
    chain: Chain, best: Iterable[int] | npt.NDArray[np.intp], colours: Palette
) -> list[Entry]:
    """What hue and strength mean, where ``best`` holds the tokens that are shown."""
    hues, V = token_colours(chain), chain.n_tokens
    names = [short(name, 8) for name in chain.vocabulary.shown]
    if V == 2:
        return [
            (colours.tokens[hues[token]], strength, words)
            for token, strength, words in (
                (0, FULL_STRENGTH, f"{names[0]} certain"),
                (0, FULL_STRENGTH / 2, "3 to 1"),
                (1, WEAKEST, "even"),
                (1, FULL_STRENGTH / 2, "3 to 1"),
                (1, FULL_STRENGTH, f"{names[1]} certain"),
            )
        ]
    others = len(colours.tokens) - 1
    shown = [t for t in np.unique(np.asarray(best)).tolist() if hues[t] < others][:others]
    entries = [(colours.tokens[hues[t]], FULL_STRENGTH, names[t]) for t in shown]
    if any(hue == others for hue in hues):
        entries.append((colours.tokens[others], FULL_STRENGTH, "other tokens"))
    return entries


def legend_below(ax: Axes, entries: list[Entry], *, dark: bool, gap: float = 4.0) -> None:
    """Colours with their words, so many points below the axes, in as many lines as it takes."""
    from matplotlib.patches import Patch
    from matplotlib.transforms import ScaledTranslation

    figure = ax.figure.figure
    room = 72 * figure.get_size_inches()[0] * 0.94
    widest = max(float(text_size(words, SIZE)[0]) for *_, words in entries) + 3.4 * SIZE
    columns = max(1, min(len(entries), int(room / widest)))
    lines = -(-len(entries) // columns)
    down = ScaledTranslation(0, -gap / 72, figure.dpi_scale_trans)

    across = -(-len(entries) // lines)
    by_column = [entry for column in range(across) for entry in entries[column::across]]
    patches = [
        Patch(facecolor=colour, alpha=alpha, edgecolor="none", label=words)
        for colour, alpha, words in by_column
    ]
    legend = ax.legend(
        handles=patches,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=ax.transAxes + down,
        borderaxespad=0.2,
        ncol=across,
        frameon=False,
        fontsize=SIZE,
        labelcolor=palette(dark).muted,
        handlelength=1.4,
        handleheight=1.0,
        columnspacing=1.0,
        handletextpad=0.5,
    )
    for text in legend.get_texts():
        write(text, text.get_text())
