"""Each tutorial as a notebook to download, next to its page.

The notebook has the page's own text and cells, and no outputs. What a page says through Sphinx
alone is put as a notebook can say it: a number that was computed inside a sentence stands there as
this build computed it, a link to another page is its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from docutils import nodes
from layouts import joined
from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook
from nbformat import NotebookNode

import fsm_gpt

if TYPE_CHECKING:
    from sphinx.application import Sphinx

#: Pages below this folder become notebooks.
FOLDER = "tutorials/"

_EVAL = re.compile(r"\{eval\}(`+)(.+?)\1(?!`)", re.DOTALL)
_ROLE = re.compile(r"\{[a-z:+-]+\}`(?:([^`<]*?) *<[^`>]*>|~?([^`]*))`")
_PAGE_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?![a-z]+:)[^)\s]*\)")
_FENCE = re.compile(r"^(`{3,})\{([\w:-]+)\}([^\n]*)\n(.*?)^\1 *$\n?", re.DOTALL | re.MULTILINE)
_ONLY_SPHINX = re.compile(
    r"^(?::{3,}.*|\([\w-]+\)=|<!-- generated: .*-->|\{[.#][^}`]*\}) *$\n?", re.MULTILINE
)
#: Directives whose content is for Sphinx, not for a reader.
_UNSEEN = {"toctree", "eval-rst", "figure", "image", "include", "raw"}

#: What a reader of each language is told: the link, the first cell, its comment.
WORDS = {
    "en": (
        "Download this page as a notebook",
        "> This notebook is a page of the documentation of fsm_gpt {version}, without its outputs: "
        "run its cells from top to bottom. It needs Python 3.11 or newer and a clone of the "
        "repository, and may write files next to itself. In the clone:\n>\n",
        "# Is what it needs here?",
    ),
    "zh-CN": (
        "下载本页的 Jupyter 笔记本",
        "> 本笔记本是 fsm_gpt {version} 文档中的一页，不含输出，请从上到下依次运行。需要 "
        "Python 3.11 或更新版本，以及本仓库的一份克隆；个别单元格会在笔记本旁边写文件。"
        "在克隆的目录中执行：\n>\n",
        "# 检查所需的包是否已安装",
    ),
}
INSTALL = """\
> ```sh
> python3 -m venv .venv
> .venv/bin/pip install -c constraints.txt -e . jupyterlab
> .venv/bin/jupyter lab
> ```"""
SET_UP = """\
{comment}
import importlib.util
import os
import sys
from pathlib import Path

for name in ("fsm_gpt", "analysis"):
    if importlib.util.find_spec(name) is None:
        raise ImportError(
            f"{{name}} is not there. Install fsm_gpt from a clone, as said above, "
            f"into the Python of this kernel: {{sys.executable}}"
        )
# Lines that begin with ! find the fsm-gpt of this Python, in plain text.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
os.environ["NO_COLOR"] = "1"
%matplotlib inline"""


def values_of(doctree: nodes.document) -> list[str]:
    """What the numbers inside sentences came to, in the order of the page."""
    found = []
    for bundle in doctree.findall(nodes.container):
        inline = isinstance(bundle.parent, nodes.TextElement)
        if inline and bundle.get("nb_element") == "mime_bundle":
            plain = [part for part in bundle.children if part.get("mime_type") == "text/plain"]
            found.append(plain[0].astext())
    return found


def asked(text: str) -> list[str]:
    """The expressions that a page computes inside its sentences."""
    return [match[2] for match in _EVAL.finditer(text)]


def readable(text: str, values: Iterator[str]) -> str:
    r"""Markdown of a page as Markdown of a notebook.

    >>> readable('A rate of {eval}`f"{h:.2f}"` [bits](../concepts/entropy.md).', iter(["0.82"]))
    'A rate of 0.82 bits.'
    >>> readable("```{note}\nMind *this*.\n```\n", iter(()))
    '> Mind *this*.\n'
    """
    text = _EVAL.sub(lambda _: next(values), text)
    text = _FENCE.sub(_quoted, text)
    text = _ONLY_SPHINX.sub("", text)
    text = _ROLE.sub(lambda found: f"`{found[1] or found[2]}`", text)
    return joined(_PAGE_LINK.sub(r"\1", text))


def _quoted(found: re.Match[str]) -> str:
    """The content of a directive, set off from the text around it."""
    _, name, title, content = found.groups()
    if name in _UNSEEN:
        return ""
    lines = [line for line in content.splitlines() if not re.match(r"^:[\w-]+:", line)]
    lines = [f"**{title.strip()}**", "", *lines] if title.strip() else lines
    return "".join(f"> {line}".rstrip() + "\n" for line in lines)


def notebook(text: str, values: Iterable[str], *, language: str = "en") -> NotebookNode:
    """The notebook of a page.

    ``values`` are the numbers inside its sentences, one for each, in their order. What the page
    computes without showing how is kept, since later cells need it; Jupyter folds it.

    Raises
    ------
    ValueError
        There are more values than places for them, or fewer.
    """
    given, wanted = list(values), asked(text)
    if len(given) != len(wanted):
        raise ValueError(
            f"{len(wanted)} numbers stand inside sentences, and {len(given)} are known."
        )
    left = iter(given)
    _, about, comment = WORDS[language]
    new = nbformat.v4
    cells = [
        new.new_markdown_cell(about.format(version=fsm_gpt.__version__) + INSTALL),
        new.new_code_cell(SET_UP.format(comment=comment)),
    ]
    for cell in read_myst_markdown_notebook(text).cells:
        if cell.cell_type == "code":
            source = re.sub(r"^import shown\n?", "", cell.source, flags=re.MULTILINE).strip("\n")
            tags = cell.metadata.get("tags", [])
            folded = bool({"remove-cell", "remove-input", "hide-input"} & set(tags))
            about_it = {"jupyter": {"source_hidden": True}} if folded else {}
            one = new.new_code_cell(source, metadata=about_it)
        else:
            source = readable(cell.source, left).strip("\n")
            one = new.new_markdown_cell(source)
        if source:
            cells.append(one)
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"  # the same at each build
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = new.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.validate(made)
    return made


# ---- where they go ----


def _on_page(app: Sphinx, doctree: nodes.document) -> None:
    """Make the notebook of a page while its numbers are at hand, and link it below the title."""
    name = app.env.docname
    if not name.startswith(FOLDER):
        return
    text = Path(app.env.doc2path(name)).read_text(encoding="utf-8")
    if not is_myst_markdown_notebook(text):
        return
    about = app.env.metadata[name]
    language = str(about.get("language", "en"))
    about["notebook"] = nbformat.writes(notebook(text, values_of(doctree), language=language))
    title = next(iter(doctree.findall(nodes.title)))
    file = f"{name.rpartition('/')[2]}.ipynb"
    link = f'<p class="download"><a href="{file}" download>{WORDS[language][0]}</a></p>'
    title.parent.insert(title.parent.index(title) + 1, nodes.raw("", link, format="html"))


def _write(app: Sphinx, failed: Exception | None) -> None:
    if failed is None and app.builder.format == "html":
        for name, about in app.env.metadata.items():
            if "notebook" in about:
                Path(app.outdir, f"{name}.ipynb").write_text(about["notebook"], encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Listen for pages that were read, and for the end."""
    app.connect("doctree-read", _on_page)
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
