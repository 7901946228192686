"""Words of any script in a picture: never a box, never a warning.

The fonts that matplotlib brings, DejaVu, have Latin, Greek, Cyrillic, Arabic, Hebrew and many
signs, and no Chinese. A picture of points (PNG) takes the signs that they lack from a font that
is installed; where none has a sign, its code point is written in its place, as in ``U+6211``.
An SVG keeps the words as they are, and the reader's browser finds the fonts.

So an artist may carry two texts. It shows what can be drawn here, and :func:`own_words` puts
back what was meant while an SVG is written.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.space import visible

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.text import Text

__all__ = [
    "browser_fonts",
    "code_points",
    "fonts_for",
    "isolated",
    "own_words",
    "safe_words",
    "tell_once",
    "text_size",
    "tick_names",
    "width_in_browser",
    "write",
    "written",
]

SANS, MONO = "DejaVu Sans", "DejaVu Sans Mono"
#: Left-to-right mark: what follows it does not join the right-to-left words before it.
LRM = "\u200e"
#: What a sign that has no place of its own, as an accent, is written upon.
CIRCLE = "\u25cc"
#: Fonts of placeholders and of mathematics alone: no sign is taken from them.
_NO_HELP = ("Last Resort", "cm", "STIXSize", "STIXNon", "DejaVu")
#: Names along an axis take at most this part of the figure, in letters no smaller than these.
NAMES, SMALLEST = 0.3, 4.5

#: Whether a browser will draw the words that are planned now.
_BROWSER: ContextVar[bool] = ContextVar("browser", default=False)
_log = logging.getLogger("fsm_gpt.plot")
_told: set[str] = set()


@contextmanager
def browser_fonts(on: bool = True) -> Iterator[None]:
    """Room for words is planned as for a browser's fonts, where an SVG is what will be written."""
    before = _BROWSER.set(on)
    try:
        yield
    finally:
        _BROWSER.reset(before)


# ---- which font has a sign ----


@cache
def _face(path: str) -> Any:
    from matplotlib.ft2font import FT2Font

    return FT2Font(path)


@cache
def _own(sign: str, mono: bool = False) -> bool:
    """Whether DejaVu has this sign."""
    from matplotlib.font_manager import findfont

    families = (MONO, SANS) if mono else (SANS,)
    return any(_face(findfont(family)).get_char_index(ord(sign)) for family in families)


def installed() -> list[tuple[str, str]]:
    """Name and file of the other fonts of this machine, upright sans serif ones first."""
    from matplotlib.font_manager import fontManager

    plain = [
        (font.style != "normal", "Sans" not in font.name, str(font.weight), font.name, font.fname)
        for font in fontManager.ttflist
        if not font.name.startswith(_NO_HELP)
    ]
    return [(name, path) for *_, name, path in sorted(plain)]


@cache
def _helper(sign: str) -> str | None:
    """The family of an installed font that has this sign and can be drawn at any size."""
    for name, path in installed():
        try:
            face = _face(path)
            if face.scalable and face.get_char_index(ord(sign)):
                return name
        except (OSError, RuntimeError):
            continue  # a file that is no font any more, or none that can be read
    return None


def forget_fonts() -> None:
    """Look again which fonts there are."""
    _helper.cache_clear()


# ---- words ----


def _unseen(sign: str) -> bool:
    """A sign that only says how the one before it looks, as the variation selectors do."""
    return "\ufe00" <= sign <= "\ufe0f" or "\U000e0100" <= sign <= "\U000e01ef"


def safe_words(words: str) -> str:
    r"""Words as any font can stand them: no control characters, no accent without a letter.

    >>> safe_words("a\x00"), safe_words("\u0301"), safe_words("caf\u00e9")
    ('a\\x00', '◌́', 'café')
    """
    kept = ""
    for c in words:
        if _unseen(c):
            continue
        alone = not kept or unicodedata.category(kept[-1])[0] not in "LMN"
        if alone and unicodedata.category(c)[0] == "M":
            kept += CIRCLE
        kept += c if c.isprintable() or c == LRM else visible(c)
    return kept


def isolated(words: str) -> str:
    r"""Words beside which numbers keep their place, though the words run from right to left.

    >>> isolated("abc"), isolated("\u05e9\u05dc") == "\u200e\u05e9\u05dc\u200e"
    ('abc', True)
    """
    backwards = any(unicodedata.bidirectional(c) in ("R", "AL") for c in words)
    return f"{LRM}{words}{LRM}" if backwards else words


def code_points(words: str) -> str:
    """Words in which every sign that no font here has is written by its code point.

    >>> code_points("ab")
    'ab'
    """
    pieces: list[str] = []
    apart = False
    for sign in safe_words(words):
        drawn = sign == LRM or _own(sign) or _helper(sign) is not None
        if drawn:
            pieces.append(f" {sign}" if apart and sign.isalnum() else sign)
        else:
            if pieces and pieces[-1] == CIRCLE:  # it waits for a mark that does not come
                pieces.pop()
            close = bool(pieces) and not pieces[-1].isspace()
            pieces.append(f"{' ' if close else ''}U+{ord(sign):04X}")
        apart = not drawn
    return "".join(pieces)


def fonts_for(words: str, *, mono: bool = False) -> list[str]:
    """The families that these words are drawn with, in the order in which they are asked.

    >>> fonts_for("01", mono=True)
    ['DejaVu Sans Mono', 'DejaVu Sans']
    """
    families = [MONO, SANS] if mono else [SANS]
    for sign in words:
        if sign != LRM and not _own(sign):
            found = _helper(sign)
            if found is not None and found not in families:
                families.append(found)
    return families


def written(words: str) -> str:
    """The words for which room is planned: as they are for a browser, else as drawn here."""
    return safe_words(words) if _BROWSER.get() else code_points(words)


def width_in_browser(words: str, *, mono: bool = False) -> float | None:
    """An upper estimate of the width in ems, where DejaVu lacks a sign; None where it has all.

    A wide sign (Unicode Standard Annex 11) takes one em, a pictograph a little more.

    >>> width_in_browser("ab") is None
    True
    """
    if not _BROWSER.get() or all(_own(sign) for sign in words if sign != LRM):
        return None
    ems = 0.0
    for sign in words:
        if sign == LRM or unicodedata.category(sign) in ("Mn", "Me"):
            continue
        if ord(sign) >= 0x1F000 and unicodedata.category(sign) == "So":
            ems += 1.4
        elif unicodedata.east_asian_width(sign) in "WF":
            ems += 1.02
        elif _own(sign):
            ems += 0.62 if mono else 0.72
        else:
            ems += 0.95
    return ems


def text_size(
    text: str, size: float, *, weight: str = "normal", mono: bool = False
) -> npt.NDArray[np.float64]:
    """Width and height of a text in points; every line of text is as high as any other."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    words = written(text)
    ems = width_in_browser(words, mono=mono)
    if ems is not None:
        return np.array([ems * size, size * 1.17])
    font = FontProperties(family=fonts_for(words, mono=mono), size=size, weight=weight)
    width = text_to_path.get_text_width_height_descent(words, font, ismath=False)[0]
    return np.array([width, size * 1.17])


# ---- artists ----


def write(artist: Text, words: str, *, mono: bool = False) -> None:
    """Put words into an artist; dollar signs are dollar signs."""
    meant, drawn = safe_words(words), code_points(words)
    artist.set_parse_math(False)
    artist.set_text(drawn)
    artist.set_fontfamily(fonts_for(drawn, mono=mono))
    artist._meant = meant if meant != drawn else None  # type: ignore[attr-defined]


def tick_names(
    axis: Axis, places: Any, names: list[str], *, upright: bool = False, size: float = 8.0
) -> None:
    """Name places along an axis, in letters of one width, which leave most of the figure free.

    Those of the horizontal axis stand upright where they would not find room side by side.
    """
    from matplotlib.ticker import FixedFormatter, FixedLocator

    across, high = axis.axes.figure.figure.get_size_inches() * 72
    vertical = axis is axis.axes.yaxis
    widest = max(_ems(name) for name in names)
    upright = not vertical and (
        upright or (len(names) > 1 and 1.15 * size * widest > 0.7 * across / len(names))
    )
    if vertical or upright:
        most = NAMES * (across if vertical else high)
        size = max(SMALLEST, min(size, most / widest))
        names = [_cut(name, most / size) for name in names]
    drawn = [code_points(name) for name in names]
    formatter: Any = FixedFormatter(drawn)
    formatter._meant = [safe_words(name) for name in names]
    axis.set_major_locator(FixedLocator(places))
    axis.set_major_formatter(formatter)
    families = fonts_for("".join(drawn), mono=True)
    axis.set_tick_params(
        labelrotation=90 if upright else 0, labelfontfamily=families, labelsize=size
    )
    for tick in axis.get_major_ticks(len(names)):
        tick.label1.set_parse_math(False)
        tick.label2.set_parse_math(False)


def _ems(name: str) -> float:
    """The width of a name in letters of one width, as a part of their size."""
    return max(0.62, float(text_size(name, 1.0, mono=True)[0]))


def _cut(name: str, ems: float) -> str:
    """A name cut so far that it is no wider than this."""
    whole = name
    while len(name) > 1 and _ems(name if name == whole else f"{name}…") > ems:
        name = name[:-1]
    return name if name == whole else f"{name}…"


@contextmanager
def own_words(figure: Figure) -> Iterator[None]:
    """While this lasts, all text says what was meant, whichever fonts there are here."""
    from matplotlib.axis import Axis
    from matplotlib.text import Text

    texts: list[tuple[Text, str]] = []
    ticks: list[tuple[Any, Any]] = []
    for artist in figure.findobj():
        if isinstance(artist, Text) and getattr(artist, "_meant", None):
            texts.append((artist, artist.get_text()))
            artist.set_text(artist._meant)  # type: ignore[attr-defined]
        elif isinstance(artist, Axis):
            formatter: Any = artist.get_major_formatter()
            if getattr(formatter, "_meant", None):
                ticks.append((formatter, formatter.seq))
                formatter.seq = formatter._meant
    try:
        yield
    finally:
        for artist, drawn in texts:
            artist.set_text(drawn)
        for formatter, names in ticks:
            formatter.seq = names


def tell_once(figure: Figure) -> None:
    """Say once which signs a picture of points has as code points, and what helps."""
    from matplotlib.axis import Axis
    from matplotlib.text import Text

    meant: list[str] = []
    for artist in figure.findobj():
        if isinstance(artist, Text):
            meant.append(getattr(artist, "_meant", None) or "")
        elif isinstance(artist, Axis):
            meant += getattr(artist.get_major_formatter(), "_meant", None) or []
    lacking = {c for c in "".join(meant) if c != LRM and not _own(c) and _helper(c) is None}
    if not lacking or _told:
        return
    _told.update(lacking)
    some = ", ".join(f"U+{ord(c):04X}" for c in sorted(lacking)[:3])
    more = ", …" if len(lacking) > 3 else ""
    _log.warning(
        "note: no installed font has %s%s, so code points stand in the picture. "
        "An .svg lets the reader's fonts draw them.",
        some,
        more,
    )
