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
#: Code, what it prints, and figures.
_CELL = re.compile(r'<div class="(?=picture"|[^"]*\bhighlight-)')
#: A line break between two characters, or marks, of Chinese.
_HAN = "[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]"
_BROKEN = re.compile(rf"(?<={_HAN})\n *(?={_HAN})")
_FIRST = re.compile(r"^(\s*<section[^>]*>)(.*?)(?=<section)", re.DOTALL)


def joined(text: str) -> str:
    r"""Text whose lines were broken between Chinese characters, where a blank would be wrong.

    >>> joined("平稳\n分布 of\n状态")
    '平稳分布 of\n状态'
    """
    return _BROKEN.sub("", text)


def in_language(body: str, language: str, *, cells: str = "en") -> str:
    """The body of a page, marked; code and figures are in a language of their own.

    >>> in_language('<p>你好</p><div class="highlight-sh"></div>', "zh-CN")
    '<div lang="zh-CN"><p>你好</p><div lang="en" class="highlight-sh"></div></div>'
    """
    body = joined(body)
    marked = _CELL.sub(f'<div lang="{cells}" class="', body)
    return f'<div lang="{language}">{marked}</div>'


def first_slide_apart(body: str) -> str:
    """What stands before the first section becomes a slide of its own.

    >>> first_slide_apart('<section id="a"><h1>A</h1><section>B</section></section>')
    '<section id="a"><div class="slide"><h1>A</h1></div><section>B</section></section>'
    """
    return _FIRST.sub(r'\1<div class="slide">\2</div>', body, count=1)


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
        context["styles"] = _styles(layout)
        context["first_slide_apart"] = first_slide_apart(context["body"])
        context["script"] = (HERE / "_static" / "slides.js").read_text(encoding="utf-8")
        return f"{layout}.jinja"
    if layout:
        context["body"] = f'<div class="{layout}">{context["body"]}</div>'
    return None


def _styles(layout: str) -> str:
    from furo import get_pygments_stylesheet

    return "\n".join([get_pygments_stylesheet(), own_styles(layout)])


def own_styles(layout: str) -> str:
    """Every style that a page of one file needs, in its order, without those of code."""
    sheets = [(HERE / "_static" / f"{name}.css") for name in ("lesson", layout)]
    return "\n".join([colours(), *(sheet.read_text(encoding="utf-8") for sheet in sheets)])


def setup(app: Sphinx) -> dict[str, Any]:
    """Listen for pages that are to be written, after the theme did."""
    app.connect("html-page-context", _on_page, priority=900)
    app.add_css_file("lesson.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
