"""From this project's docstrings, which are plain text, to what Sphinx reads.

An indented block in them is a formula or a line of code: it is shown as it stands. A bar is
an absolute value or a condition, not a substitution.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_CODE = re.compile(r"(``.*?``)")
_SECTION = re.compile(r"^-{3,}$")


def _starts_block(lines: list[str], place: int) -> bool:
    """Whether an indented block begins here, after an empty line and a paragraph."""
    line = lines[place]
    if not line.startswith("    ") or place < 2 or lines[place - 1].strip():
        return False
    before = lines[place - 2]
    return bool(before.strip()) and not before.startswith(" ") and not before.endswith("::")


def _without_bars(line: str) -> str:
    parts = _CODE.split(line)
    return "".join(part if part.startswith("``") else part.replace("|", r"\|") for part in parts)


def plain(lines: list[str]) -> list[str]:
    r"""The lines of a docstring, ready for reStructuredText.

    >>> plain(["The distance", "", "    |a - b|", "", "is |a - b|."])
    ['The distance', '', '::', '', '    |a - b|', '', 'is \\|a - b\\|.']
    """
    first_section = next((i for i, line in enumerate(lines) if _SECTION.match(line)), len(lines))
    result: list[str] = []
    inside = False
    for i, line in enumerate(lines):
        if i < first_section and _starts_block(lines, i):
            result += ["::", ""]
            inside = True
        elif inside and line.strip() and not line.startswith("    "):
            inside = False
        example = line.lstrip().startswith((">>>", "..."))
        result.append(line if inside or example else _without_bars(line))
    return result


def process(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Rewrite a docstring in place, before its sections are read."""
    lines[:] = plain(lines)


def setup(app: Sphinx) -> dict[str, Any]:
    """Listen for docstrings."""
    app.connect("autodoc-process-docstring", process, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
