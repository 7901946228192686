"""Pages that are laid out in their own way, or are in another language.

The first lines of such a page say so: ``layout: slides`` makes a page to project, ``layout: sheet``
one to print; each is one file that needs no other. Any other layout is a name that the style sheet
knows. ``language: zh-CN`` marks the page's text, and not what its cells print, so that a screen
reader changes its voice.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generated import colours

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parent.parent
#: Layouts with a template of their own.
WHOLE = {"slides", "sheet"}
_CELL = re.compile(r'<div class="cell ')


def in_language(body: str, language: str, *, cells: str = "en") -> str:
    """The body of a page, marked; what cells hold is in a language of its own.

    >>> in_language('<p>你好</p><div class="cell docutils">', "zh-CN")
    '<div lang="zh-CN"><p>你好</p><div lang="en" class="cell docutils"></div>'
    """
    marked = _CELL.sub(f'<div lang="{cells}" class="cell ', body)
    return f'<div lang="{language}">{marked}</div>'


def _on_page(
    app: Sphinx, name: str, template: str, context: dict[str, Any], doctree: object
) -> str | None:
    about = app.env.metadata.get(name, {})
    language, layout = about.get("language"), about.get("layout")
    if "body" not in context:
        return None
    if language:
        context["body"] = in_language(context["body"], language)
        context["toc"] = f'<div lang="{language}">{context.get("toc", "")}</div>'
    if layout in WHOLE:
        context["styles"] = _styles(app, layout)
        context["script"] = (HERE / "_static" / "slides.js").read_text(encoding="utf-8")
        return f"{layout}.html"
    if layout:
        context["body"] = f'<div class="{layout}">{context["body"]}</div>'
    return None


def _styles(app: Sphinx, layout: str) -> str:
    """Every style that a page of one file needs, in its order."""
    static = HERE / "_static"
    sheets = [app.builder.highlighter.get_stylesheet(), colours()]  # type: ignore[attr-defined]
    sheets += [(static / f"{name}.css").read_text(encoding="utf-8") for name in ("lesson", layout)]
    return "\n".join(sheets)


def setup(app: Sphinx) -> dict[str, Any]:
    """Listen for pages that are to be written, after the theme did."""
    app.connect("html-page-context", _on_page, priority=900)
    app.add_css_file("lesson.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
