"""What the studies of models too large to enumerate lay out alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.drawing import curves, level, plain
from analysis.study import Cell, Picture, Table
from fsm_gpt.chain import Chain
from fsm_gpt.explore import GreedyCycles
from fsm_gpt.gpt import load_model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fsm_gpt.gpt import GPT

__all__ = ["first_tokens", "loops", "position", "trained_here"]


def trained_here(folder: Path) -> GPT:
    """The project's own GPT whose weights are in a folder beside its text."""
    model = load_model(folder.joinpath("model.safetensors"))
    assert not isinstance(model, Chain)
    return model  # type: ignore[return-value]


def first_tokens(V: int, most: int = 8) -> list[list[int]]:
    """Prompts of one token, where nothing better is known to begin with."""
    return [[token] for token in range(min(most, V))]


def loops(found: GreedyCycles, *, most: int | None = None) -> Table:
    """The loops of greedy decoding, the commonest first."""
    rows: list[list[Cell]] = [
        [cycle.text, len(cycle.tokens), cycle.share, float(cycle.escapes[0].mean_tokens)]
        for cycle in found.cycles[:most]
    ]
    more = len(found.cycles) - len(rows)
    return Table(
        "Loops of greedy decoding",
        ("text", "tokens", "share of the prompts", "tokens until it is left at T = 1"),
        rows,
        note=f"And {more:,} more." if more else "",
    )


def position(
    positions: Sequence[int], means: Sequence[float], rate: float, *, streams: int
) -> Picture:
    """How uncertain the next token is, the further a text has come."""
    title = "Uncertainty of the next token, by its position in the text"

    def draw(figure: Figure) -> None:
        ax = plain(figure.add_subplot(), title, "tokens drawn before", "bits per token")
        curves(ax, {"": (positions, means)}, marks=False)
        level(ax, rate, f"entropy rate, {rate:.3f}", above=False)
        ax.set_xscale("symlog", linthresh=10)
        ax.set_xticks([0, 10, 100, 1000], ["0", "10", "100", "1,000"])
        ax.set_xlim(0, max(*positions, 1000))
        ax.minorticks_off()
        ax.set_ylim(bottom=0)

    return Picture(f"Mean entropy up to each position, over {streams} streams", draw)
