"""A bar that says how far long work is: in a notebook, in a terminal, and nowhere else.

What takes long calls its ``progress=`` now and then, with how much is done and perhaps of how
much. Written to a file or a pipe a bar would be noise, so there is none.
"""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

__all__ = ["Tell", "in_terminal", "progress_bar"]

#: How many are done, of how many (None where nobody knows), and what else to say.
Tell: TypeAlias = Callable[[int, int | None, str], None]

#: A notebook is told at most once in so many seconds.
PAUSE = 0.1


@contextmanager
def progress_bar(what: str, *, total: int | None = None) -> Iterator[Callable[..., None]]:
    """A bar for any ``progress=`` of this package, in a notebook or a terminal.

    Yields a function to hand over as ``progress=``. Elsewhere, where output goes to a file or a
    pipe, that function does nothing. The bar is not shown before there is something to say.

    Parameters
    ----------
    what
        What is being done, in a word.
    total
        How many there are to do, where the work does not say: the steps of a training, the
        states that an exploration may find. Without it the second number told is the total, if
        it is a whole number and no smaller than the first.

    Examples
    --------
    >>> import numpy as np, fsm_gpt as fg
    >>> after = np.log([[0.5, 0.5], [0.25, 0.75]])
    >>> with progress_bar("extracting") as bar:
    ...     chain = fg.extract(lambda ids: after[ids[:, -1]], vocabulary="ab", context=2,
    ...                        progress=bar)
    >>> chain.n_states
    4
    """
    shell = _notebook()
    if shell is None and not sys.stderr.isatty():
        yield lambda *told: None
        return
    with in_terminal(what) if shell is None else _in_notebook(what) as tell:

        def hear(done: int, *told: Any) -> None:
            of, rest = total, told
            if of is None and told and isinstance(told[0], int) and told[0] >= done:
                of, rest = told[0], told[1:]
            tell(done, of, ", ".join(_word(item) for item in rest))

        yield hear


def _word(item: Any) -> str:
    return f"{item:.4g}" if isinstance(item, float) else str(item)


def _notebook() -> Any:
    """The shell of a notebook that this runs in, or None; IPython is not loaded to find out."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell if getattr(shell, "kernel", None) is not None else None


@contextmanager
def in_terminal(what: str) -> Iterator[Tell]:
    """A bar on stderr, whatever that is."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[more]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None, more="")

        def tell(done: int, total: int | None, more: str) -> None:
            bar.update(task, completed=done, total=total, more=more)

        yield tell


@contextmanager
def _in_notebook(what: str) -> Iterator[Tell]:
    """A bar as HTML that is written anew; it stays, with its last numbers."""
    from IPython import display

    notebook: Any = display  # it has no types
    shown: list[Any] = []
    page, when = "", -PAUSE

    def put() -> None:
        if shown:
            shown[0].update(notebook.HTML(page))
        else:
            shown.append(notebook.display(notebook.HTML(page), display_id=True))

    def tell(done: int, total: int | None, more: str) -> None:
        nonlocal page, when
        page = bar_as_html(what, done, total, more)
        if time.monotonic() - when >= PAUSE:
            when = time.monotonic()
            put()

    try:
        yield tell
    finally:
        if page:
            put()


def bar_as_html(what: str, done: int, total: int | None, more: str) -> str:
    """The bar of a notebook: an element that browsers draw and screen readers read.

    >>> bar_as_html("a<b", 3, 8, "").partition(">")[2]
    'a&lt;b <progress value="3" max="8"></progress> 3 of 8</label>'
    """
    of = f" of {total:,}" if total is not None else ""
    size = f' value="{min(done, total)}" max="{max(total, 1)}"' if total is not None else ""
    words = f"{done:,}{of} {more}".rstrip()
    return (
        f'<label style="white-space:pre-wrap">{html.escape(what)} <progress{size}></progress> '
        f"{html.escape(words)}</label>"
    )
