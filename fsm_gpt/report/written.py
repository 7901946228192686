"""What every report can be written as: a page, Markdown, JSON, chosen by the end of a name."""

from __future__ import annotations

import html
import os
from abc import ABC, abstractmethod
from pathlib import Path

from fsm_gpt.errors import InvalidArgument
from fsm_gpt.files import Pathlike, atomic_write, shown

__all__ = ["Written", "report_format"]

#: What is written, by the end of the file's name; without one it is the page.
SUFFIXES = {
    "": "html",
    ".html": "html",
    ".htm": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".json": "json",
}


def report_format(path: Pathlike) -> str:
    """What a report is written as to a file of this name: html, markdown or json.

    Raises
    ------
    InvalidArgument
        The name ends in something else.

    >>> report_format("report.md"), report_format("report.html")
    ('markdown', 'html')
    """
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    if suffix not in SUFFIXES:
        raise InvalidArgument(
            f"report: {shown(path)} ends in none of {', '.join(filter(None, SUFFIXES))}, and the "
            f"ending decides what is written. Change the end of the name."
        )
    return SUFFIXES[suffix]


class Written(ABC):
    """A page, and its numbers as Markdown and as JSON."""

    @property
    @abstractmethod
    def html(self) -> str:
        """The page, complete in itself."""

    @property
    @abstractmethod
    def markdown(self) -> str:
        """The same numbers in tables of Markdown, without the figures."""

    @property
    @abstractmethod
    def json(self) -> str:
        """All numbers as one JSON document."""

    def save(self, path: Pathlike) -> Path:
        """Write it, whole or not at all: .html, .md or .json by the end of the name.

        Raises
        ------
        InvalidArgument
            The name ends in something else.
        FileProblem
            The file cannot be written.
        """
        content: str = getattr(self, report_format(path))
        with atomic_write(path) as file:
            file.write(content.encode("utf-8"))
        return Path(path)

    def _repr_html_(self) -> str:
        page = html.escape(self.html, quote=True)
        return (
            f'<iframe srcdoc="{page}" sandbox="allow-downloads" title="fsm_gpt report" '
            f'width="100%" height="640" frameborder="0"></iframe>'
        )
