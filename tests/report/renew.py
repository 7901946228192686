"""The pictures that are kept, and how they are made anew: ``make pictures``.

They hold the fonts that matplotlib brings and no others, so that every machine draws the same.
Another release of matplotlib may place letters a little differently; which one drew the pictures
stands beside them.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from fsm_gpt.report import fonts
from fsm_gpt.report.style import render
from tests.report.pictures import PICTURES

BASELINES = Path(__file__).parent / "baselines"
MADE_WITH = BASELINES / "made_with.json"
#: Points per inch of what is kept.
DPI = 56
#: What is kept: pictures in light, and those that are kept in dark as well.
KEPT = (
    *(name for name in PICTURES if " " not in name),
    "state_graph absorbing",
    "state_graph scripts",
    "state_graph hostile",
    "context_table scripts",
    "flow_ring near zero",
    "suffixes letters",
    "spectrum cycle",
    "pareto machine",
    "learning several",
)
IN_DARK = (
    "state_graph",
    "context_table",
    "flow_ring",
    "next_token_map",
    "memory_curve",
    "capacity",
)


def cases() -> list[tuple[str, bool]]:
    """Each picture that is kept, and whether it is dark."""
    return [(name, False) for name in KEPT] + [(name, True) for name in IN_DARK]


def path_of(name: str, dark: bool) -> Path:
    return BASELINES / f"{name.replace(' ', '-')}{'-dark' if dark else ''}.png"


@contextmanager
def bundled_fonts() -> Iterator[None]:
    """No font of this machine is seen."""
    before = fonts.installed
    fonts.installed = list  # type: ignore[assignment]
    fonts.forget_fonts()
    try:
        yield
    finally:
        fonts.installed = before
        fonts.forget_fonts()


def pixels(ax: Axes) -> np.ndarray:
    """What these axes look like, shape (height, width, 3), from 0 to 1."""
    with bundled_fonts():
        data = render(ax.figure, ".png", dpi=DPI)  # type: ignore[arg-type]
    return as_array(data)


def as_array(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=float) / 255


def drawn(name: str, dark: bool) -> Axes:
    with bundled_fonts():
        return PICTURES[name](dark=dark)


def release() -> str:
    """The release of matplotlib, without its last part."""
    return ".".join(matplotlib.__version__.split(".")[:2])


def main() -> None:
    BASELINES.mkdir(exist_ok=True)
    wanted = {path_of(*case) for case in cases()}
    for old in set(BASELINES.glob("*.png")) - wanted:
        old.unlink()
    for case in cases():
        image = Image.fromarray(np.round(255 * pixels(drawn(*case))).astype(np.uint8))
        image.quantize(128, dither=Image.Dither.NONE).save(path_of(*case), optimize=True)
    MADE_WITH.write_text(json.dumps({"matplotlib": release()}) + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in wanted)
    print(f"{len(wanted)} pictures, {size / 1000:.0f} kB, in {BASELINES}")


if __name__ == "__main__":
    main()
