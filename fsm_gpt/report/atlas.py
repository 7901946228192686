"""Maps of a chain with too many contexts for a table: contexts that end alike lie together.

The newest token of a context chooses a strip from left to right, the one before it a strip from
top to bottom inside, the next again from left to right, and so on: the chaos game of Jeffrey
(1990, "Chaos game representation of gene structure", Nucleic Acids Res. 18, 2163-2170), with
strips in place of corners, so that any number of tokens fills the square. A rule that looks at
the last tokens only shows as large even patches; what depends on old tokens as fine grain.

Where there are more contexts than points, a point is all contexts that share their last tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.markov.suffixes import suffix_laws
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

__all__ = ["mass_map", "next_token_map"]

Floats = npt.NDArray[np.float64]

#: A map has at most so many points.
MOST_POINTS = 2**18
#: Masses below the greatest by this many powers of ten are left white.
DECADES = 9


def mass_map(
    chain: Chain,
    *,
    pi: Numbers | None = None,
    ax: Axes | None = None,
    dark: bool = False,
    title: str | None = None,
) -> Axes:
    """Where the time is spent: the stationary probability of every context, on a log scale.

    Raises
    ------
    NotDefined
        The states are not all windows of one length.
    NotUnique
        The chain has several closed classes.

    >>> ax = mass_map(Chain([[0.5, 0.5], [0.25, 0.75], [0.5, 0.5], [0.1, 0.9]]))
    >>> ax.get_xlabel()
    'newest token'
    """
    joint, k = _last_tokens(chain, pi)
    mass = joint.sum(axis=1)
    with np.errstate(divide="ignore"):
        power = np.log10(mass)
    top = float(power.max())
    lowest = max(float(power[mass > 0].min()), top - DECADES)
    span = max(top - lowest, 1e-9)
    strength = np.where(mass > 0, np.clip(0.04 + 0.96 * (power - lowest) / span, 0.0, 1.0), 0.0)
    colours = palette(dark)
    ax = _map_axes(ax, chain, k, dark=dark)
    with quiet_fonts():
        _tint(ax, _square(strength, chain.n_tokens, k), colours.mass, "mass")
        entries = [
            (colours.mass, float(0.04 + 0.96 * (p - lowest) / span), words)
            for p, words in _marks(lowest, top)
        ]
        legend_below(ax, entries, dark=dark)
        set_title(ax, title, dark=dark)
    return ax


def _marks(lowest: float, top: float) -> list[tuple[float, str]]:
    """Up to six powers of ten between two; both ends where fewer than two lie between them.

    >>> _marks(-3.2, -0.9)
    [(-3.0, '1e-3'), (-2.0, '1e-2'), (-1.0, '1e-1')]
    >>> [words for _, words in _marks(-4.5, -4.2)]
    ['3.2e-5', '6.3e-5']
    >>> [words for _, words in _marks(-4.5, -4.5)]
    ['3.2e-5']
    """
    decades = range(int(np.ceil(lowest)), int(np.floor(top)) + 1)
    if len(decades) > 1:
        return [(float(p), f"1e{p}") for p in decades[:: -(-len(decades) // 6)]]
    named = [f"{10.0**p:.1e}".replace("e-0", "e-") for p in (lowest, top)]
    ends = list(zip((lowest, top), named, strict=True))
    return ends[-1:] if named[0] == named[1] else ends


def next_token_map(
    chain: Chain,
    *,
    pi: Numbers | None = None,
    ax: Axes | None = None,
    dark: bool = False,
    title: str | None = None,
) -> Axes:
    """What comes next after every context: the most probable token, the stronger the surer.

    Where a point is several contexts, they are weighted by the time spent in each.

    Raises
    ------
    NotDefined
        The states are not all windows of one length.
    NotUnique
        The chain has several closed classes.

    >>> ax = next_token_map(Chain([[0.5, 0.5], [0.25, 0.75], [0.5, 0.5], [0.1, 0.9]]))
    >>> len(ax.images)
    2
    """
    joint, k = _last_tokens(chain, pi)
    V = chain.n_tokens
    if k == chain.context:  # a context of mass zero has a row, too
        rows = np.asarray(chain.next_token, dtype=float)
        rows = rows / rows.sum(axis=1, keepdims=True)
        there = np.ones(len(rows), dtype=bool)
    else:
        mass = joint.sum(axis=1, keepdims=True)
        there = mass[:, 0] > 0
        rows = joint / np.where(mass > 0, mass, 1.0)
    best, strength = sureness(rows)
    colours, hues = palette(dark), np.array(token_colours(chain))
    ax = _map_axes(ax, chain, k, dark=dark)
    with quiet_fonts():
        for hue in np.unique(hues).tolist():
            layer = np.where(there & (hues[best] == hue), strength, 0.0)
            _tint(ax, _square(layer, V, k), colours.tokens[hue], f"token-{hue}")
        legend_below(ax, next_token_entries(chain, best, colours), dark=dark)
        set_title(ax, title, dark=dark)
    return ax


def _last_tokens(chain: Chain, pi: Numbers | None) -> tuple[Floats, int]:
    """The law of the last k tokens and the next, and the greatest k that a map has room for."""
    V, L = chain.n_tokens, chain.context or 0
    k = L
    while V > 1 and V**k > MOST_POINTS and k > 1:
        k -= 1
    if pi is None:
        pi = stationary_distribution(chain).pi
    return np.asarray(next(suffix_laws(chain, pi, k)), dtype=float), k


def _square(values: Floats, V: int, k: int) -> Floats:
    """One value a suffix of k tokens, laid out by newest token, second newest and so on."""
    table = values.reshape((V,) * k)  # axis 0 is the oldest
    down = [k - 1 - digit for digit in range(1, k, 2)]
    across = [k - 1 - digit for digit in range(0, k, 2)]
    return table.transpose([*down, *across]).reshape(V ** len(down), V ** len(across))


def _map_axes(ax: Axes | None, chain: Chain, k: int, *, dark: bool) -> Axes:
    """A square whose strips carry the names of the two newest tokens."""
    ax = axes_for(ax, (4.6, 5.0), dark=dark)
    V = chain.n_tokens
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(True)
    ax.set_xlim(0, 1)
    ax.set_ylim(1, 0)
    ax.set_box_aspect(1)
    names = [short(name, 4) for name in chain.vocabulary.shown]
    step = -(-V // 32)
    middles = (np.arange(0, V, step) + 0.5) / V
    ax.set_xticks(middles, names[::step], family="DejaVu Sans Mono")
    ax.set_xlabel("newest token")
    ax.xaxis.set_ticks_position("top")
    ax.xaxis.set_label_position("top")
    if k > 1:
        ax.set_yticks(middles, names[::step], family="DejaVu Sans Mono")
        ax.set_ylabel("the token before it")
    else:
        ax.set_yticks([])
    ax.tick_params(length=0, labelsize=9 if V <= 12 else 6)
    for label in [*ax.get_xticklabels(), *ax.get_yticklabels()]:
        label.set_parse_math(False)
    return ax


def _tint(ax: Axes, strength: Floats, colour: str, name: str) -> None:
    """One colour, as strong as the values say; its name lets a page give it the reader's theme."""
    from matplotlib.colors import to_rgb

    image = np.empty((*strength.shape, 4), dtype=np.uint8)
    image[..., :3] = np.round(255 * np.array(to_rgb(colour)))
    image[..., 3] = np.round(255 * strength)
    drawn = ax.imshow(image, extent=(0, 1, 1, 0), aspect="auto", interpolation="none", zorder=2)
    drawn.set_gid(f"tint-{name}")
    ax.set_box_aspect(1)
