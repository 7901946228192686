"""Pictures of a terminal: SVG whose text can be selected, in the reader's own fonts."""

from __future__ import annotations

import html
import io
import re
from typing import Any

from rich.console import Console

#: rich's own frame names a font on the web; a page of ours fetches nothing.
_FONTS = re.compile(r"@font-face\s*\{.*?\}|<!--.*?-->", re.DOTALL)


def picture(page: Any, label: str, *, width: int = 80, lines: int | None = None) -> str:
    """What rich lays out, as an element of a page; the label is read aloud in its place."""
    console = Console(
        record=True,
        width=width,
        file=io.StringIO(),
        highlight=False,
        force_terminal=True,
        force_jupyter=False,
    )
    console.print(page)
    if lines is not None:
        text = console.export_text(styles=False, clear=True).splitlines()[:lines]
        for line in text:
            console.print(line.rstrip(), markup=False)
        console.print("…", markup=False)
    prefix = "terminal-" + re.sub(r"\W+", "-", label.lower())[:40] + f"-{width}"
    svg = _FONTS.sub("", console.export_svg(title="fsm-gpt analyze", unique_id=prefix))
    svg = svg.replace("Fira Code", "DejaVu Sans Mono").replace(
        "<svg ", (f'<svg role="img" aria-label="{html.escape(label)}" '), 1
    )
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", ""), "a picture asks for a page"
    return f'<div class="picture terminal" style="max-width: {0.575 * width:.0f}rem">{svg}</div>'
