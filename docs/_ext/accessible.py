"""What the theme leaves out for keyboards and screen readers.

Boxes that scroll sideways can be reached by the keyboard, and the captions of the list of pages say
at which level they are headings.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

#: What can be wider than a narrow screen.
_BOX = re.compile(r'<(pre|div class="(?:study|picture|formula|wide|table-wrapper[^"]*)")>')
_CAPTION = '<p class="caption" role="heading">'


def reachable(body: str) -> str:
    """A page's HTML with its boxes in the order of the tabulator.

    >>> reachable('<pre>x</pre>')
    '<pre tabindex="0">x</pre>'
    """
    return _BOX.sub(r'<\1 tabindex="0">', body)


def levelled(navigation: str) -> str:
    """The list of pages with the level of its captions."""
    return navigation.replace(_CAPTION, _CAPTION.replace(">", ' aria-level="2">'))


def _mend(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object) -> None:
    for key, mend in (("body", reachable), ("furo_navigation_tree", levelled)):
        if context.get(key):
            context[key] = mend(context[key])


def setup(app: Sphinx) -> dict[str, Any]:
    """Listen for pages, after the theme."""
    app.connect("html-page-context", _mend, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
