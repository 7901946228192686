"""A movie of the state graph of a chain that is learned: a GIF, or a page with a slider.

Both hold one frame for each watched step, with its step, its loss and its entropy rate. The page is
complete in itself, as the report is: it opens offline, in light and dark, and asks nothing of the
network. Its slider is an ordinary one, so that the keyboard reaches it, and its one script moves
through pictures that are there already.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fsm_gpt import __version__
from fsm_gpt.decoding import in_words
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.files import Pathlike, atomic_write, check_writable, shown
from fsm_gpt.learning.measure import MEASURES
from fsm_gpt.learning.watched import Watched
from fsm_gpt.report.frames import caption, drawn_frames
from fsm_gpt.report.learning_curves import PANELS, learning_figure
from fsm_gpt.report.reel import Reel, reel
from fsm_gpt.report.style import palette, quiet_fonts
from fsm_gpt.report.words import count, number

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["movie", "movie_format"]

FORMATS = {".gif": "gif", ".html": "html", ".htm": "html"}
#: How much longer the last frame of a GIF stays.
LAST_STAYS = 6
#: A GIF has at most so many colours.
COLOURS = 128


def movie_format(path: Pathlike) -> str:
    """What a movie is written as to a file of this name: gif or html.

    Raises
    ------
    InvalidArgument
        The name ends in something else.

    >>> movie_format("learning.gif"), movie_format("learning.html")
    ('gif', 'html')
    """
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    if suffix not in FORMATS:
        raise InvalidArgument(
            f"movie: {shown(path)} ends neither in .gif nor in .html, and the ending decides what "
            f"is written. Change the end of the name."
        )
    return FORMATS[suffix]


def movie(
    watched: Watched,
    path: Pathlike,
    *,
    run: int | str | None = None,
    steps: Sequence[int] | None = None,
    milliseconds: int = 300,
    dark: bool = False,
    title: str | None = None,
) -> Path:
    """Write a movie of the state graph, a frame for each step: .gif or .html by the file's name.

    Parameters
    ----------
    watched
        What :func:`fsm_gpt.watch` saw, with its chains.
    path
        Where to; written whole or not at all.
    run
        The training that is shown, by its seed or name; the first if not given.
    steps
        Some of the watched steps; all if not given.
    milliseconds
        How long each frame stays, from 20; in a GIF the last one stays longer.
    dark
        Light lines on a dark ground, in a GIF; the page follows its reader.
    title
        Of the page.

    Raises
    ------
    InvalidArgument
        The name ends in something else, a step or training was not watched, or the time is out
        of range.
    NotDefined
        The chains were not kept.
    StateSpaceTooLarge
        More than 32 states.
    FileProblem
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from fsm_gpt.chain import Chain
    >>> from fsm_gpt.watch import watch_models
    >>> pairs = [(s, Chain([[0.5, 0.5], [p, 1 - p]])) for s, p in ((0, 0.5), (10, 0.1))]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     movie(watch_models(pairs), Path(folder) / "learning.gif").name
    'learning.gif'
    """
    kind = movie_format(path)
    if not (isinstance(milliseconds, int) and 20 <= milliseconds <= 60_000):
        raise InvalidArgument(
            f"movie: a frame of {milliseconds!r} milliseconds is out of range. Give a whole number "
            f"from 20 to 60,000."
        )
    shown_steps = watched.steps if steps is None else tuple(steps)
    if not shown_steps:
        raise InvalidArgument("movie: there is no step to be shown. Name some, or leave steps out.")
    chains = [watched.chain(step, run) for step in shown_steps]
    check_writable(path)
    titles = [caption(watched, step, run) for step in shown_steps]
    frames = reel(chains, titles)
    if kind == "gif":
        content = _gif(frames, milliseconds, dark)
    else:
        content = _page(watched, frames, shown_steps, run, milliseconds, title).encode("utf-8")
    with atomic_write(path) as file:
        file.write(content)
    return Path(path)


# ---- GIF ----


def _gif(frames: Reel, milliseconds: int, dark: bool) -> bytes:
    """All frames, with one palette for all, so that nothing flickers."""
    pictures = [_picture(frames, i, dark) for i in range(len(frames.chains))]
    colours = _common_palette(pictures)
    flat = [_flat(picture, colours) for picture in pictures]
    stay = [milliseconds] * len(flat)
    stay[-1] *= LAST_STAYS if len(flat) > 1 else 1
    stream = io.BytesIO()
    flat[0].save(stream, format="GIF", save_all=True, append_images=flat[1:], duration=stay, loop=0)
    return stream.getvalue()


def _flat(picture: Image, colours: Image) -> Image:
    """A picture in these colours. Its ground is exactly the first of them, and not the nearest."""
    from PIL import Image
    from PIL.Image import Dither

    flat = picture.quantize(palette=colours, dither=Dither.NONE)
    pixels = np.asarray(picture)
    ground = (pixels == pixels[0, 0]).all(axis=2)
    flat.paste(0, (0, 0), Image.fromarray(np.where(ground, 255, 0).astype(np.uint8)))
    return flat


def _picture(frames: Reel, i: int, dark: bool) -> Image:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure = frames.frame(i, dark=dark).get_figure(root=True)
    assert figure is not None
    figure.set_facecolor(palette(dark).paper)
    figure.set_dpi(110)
    canvas: Any = FigureCanvasAgg(figure)
    with quiet_fonts():
        canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _common_palette(pictures: Sequence[Image]) -> Image:
    """The ground first, then what serves the first, the middle and the last picture."""
    from PIL import Image
    from PIL.Image import Dither

    some = [pictures[i] for i in sorted({0, len(pictures) // 2, len(pictures) - 1})]
    width, height = some[0].size
    beside = Image.new("RGB", (width * len(some), height))
    for i, picture in enumerate(some):
        beside.paste(picture, (width * i, 0))
    table = beside.quantize(colors=COLOURS - 1, dither=Dither.NONE).getpalette()
    ground = some[0].getpixel((0, 0))
    assert isinstance(ground, tuple)
    assert table is not None
    colours = Image.new("P", (1, 1))
    colours.putpalette([*ground, *table])
    return colours


# ---- the page ----


def _page(
    watched: Watched,
    frames: Reel,
    steps: Sequence[int],
    run: int | str | None,
    milliseconds: int,
    title: str | None,
) -> str:
    from markupsafe import Markup

    from fsm_gpt.report.shell import page_from
    from fsm_gpt.report.svg import inline_svg

    name = watched.runs[0] if run is None else run
    training = f"seed {name}" if isinstance(name, int) else str(name)
    n = len(watched.runs)
    whole = learning_figure(watched)
    drawn = drawn_frames(frames, steps)
    with quiet_fonts():
        curves = inline_svg(
            whole.axes[0],
            label="The numbers of the table below against the step, a panel each.",
            prefix="numbers",
        )
    over = "" if n == 1 else f", the median of {n:,} trainings and the band of 80% of them"
    lead = (
        f"{count(len(steps), 'step')} of a training, {training}: the chain of "
        f"{count(frames.chains[0].n_states, 'context')} that the model is at each of them."
    )
    page: dict[str, Any] = {
        "title": title or "A chain while it is learned",
        "version": __version__,
        "decoding": in_words(watched.decoding) if watched.decoding else "",
        "lead": lead,
        "how": "Width and percentage of an arrow are the probability of its token, area and tint "
        "of a disc the share of time spent there; both mean the same at all steps. Move the "
        "slider with the mouse or the arrow keys.",
        "milliseconds": milliseconds,
        "frames": drawn,
        "curves": Markup(curves),
        "caption": f"Each number at the watched steps{over}.",
        "table": _table(watched),
        "moments": [] if watched.data is None else _sentences(watched),
    }
    return page_from("movie.html.j2", scripts=["movie.js"], page=page)


def _table(watched: Watched) -> dict[str, Any]:
    """Medians, with the band where there are several trainings."""
    names = [name for name in PANELS if not np.isnan(watched.numbers[name]).all()]
    bands = [watched.band(name) for name in names]
    rows = []
    for s, step in enumerate(watched.steps):
        cells = [f"{step:,}"]
        for band in bands:
            cell = number(float(band.median[s]), 3 if len(watched.runs) > 1 else 4)
            if len(watched.runs) > 1:
                cell += f" [{number(float(band.low[s]), 3)}, {number(float(band.high[s]), 3)}]"
            cells.append(cell)
        rows.append(cells)
    several = len(watched.runs) > 1
    return {
        "caption": "Numbers by step",
        "heads": ["step", *(f"{name.replace('_', ' ')}, {MEASURES[name].unit}" for name in names)],
        "rows": rows,
        "words": (),
        "note": "Median, and in brackets the quantiles 0.1 and 0.9." if several else "",
    }


def _sentences(watched: Watched) -> list[str]:
    head, *rest = str(watched.moments()).splitlines()
    return [f"{head.capitalize()} {line.strip()}." for line in rest]
