"""What the theme leaves out for people who do not see the page, added when the pages are written.

The captions of the list of pages are headings without a level, its two side columns are landmarks
without a name, what is set as code scrolls by mouse alone, and the page of searches has no heading.
The audit of the built pages (tests/browser/test_site.py) sees each of these.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_MENDED = {
    '<p class="caption" role="heading">': '<p class="caption" role="heading" aria-level="2">',
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="All pages">',
    '<aside class="toc-drawer">': '<aside class="toc-drawer" aria-label="On this page">',
    "<pre>": '<pre tabindex="0">',  # lines are long, and the keyboard scrolls what has the focus
    '<div id="search-results"></div>': '<h1>Search</h1>\n<div id="search-results"></div>',
}


def mended(page: str) -> str:
    """A page with what the theme left out.

    >>> mended('<aside class="toc-drawer">')
    '<aside class="toc-drawer" aria-label="On this page">'
    >>> mended(mended('<div id="search-results"></div>')).count("<h1>")
    1
    """
    for old, new in _MENDED.items():
        if new not in page or old not in new:
            page = page.replace(old, new)
    return page


def _mend(app: Sphinx, failed: Exception | None) -> None:
    if failed is not None:
        return
    for path in sorted(Path(app.outdir).rglob("*.html")):
        page = path.read_text(encoding="utf-8")
        better = mended(page)
        if better != page:
            path.write_text(better, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Mend the pages when they are written."""
    app.connect("build-finished", _mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
