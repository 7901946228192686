"""The built pages ask the network for nothing: checked at the end of each build."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

#: Attributes from which a browser fetches by itself; that of a link waits for a click.
_FETCHED = {"src", "srcset", "poster", "data", "action", "xlink:href"}
_ELSEWHERE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
_IN_CSS = re.compile(r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^"')\s]+)""", re.IGNORECASE)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            fetched = name in _FETCHED or (name == "href" and tag in ("link", "image", "use"))
            if fetched and value and _ELSEWHERE.match(value.strip()):
                self.found.append(f"<{tag} {name}={value}>")
            if name == "style" and value:
                self.found += _IN_CSS.findall(value)


def fetched(text: str, suffix: str) -> list[str]:
    """What a page or a style sheet would fetch from elsewhere.

    >>> fetched('<a href="https://a.b">x</a><img src="https://a.b/c.png">', ".html")
    ['<img src=https://a.b/c.png>']
    >>> fetched("@import url('//a.b/font.css');", ".css")
    ['//a.b/font.css']
    """
    if suffix == ".css":
        return _IN_CSS.findall(text)
    reader = _Reader()
    reader.feed(text)
    return reader.found + _IN_CSS.findall(" ".join(re.findall(r"(?s)<style.*?</style>", text)))


def _check(app: Sphinx, failed: Exception | None) -> None:
    from sphinx.errors import SphinxError

    if failed is not None:
        return
    for path in sorted(Path(app.outdir).rglob("*")):
        if path.suffix in (".html", ".css"):
            found = fetched(path.read_text(encoding="utf-8"), path.suffix)
            if found:
                raise SphinxError(f"{path.name}: it would fetch {', '.join(found[:3])}")


def setup(app: Sphinx) -> dict[str, Any]:
    """Look at the pages when they are written."""
    app.connect("build-finished", _check, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
