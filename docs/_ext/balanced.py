"""Two processes that read the pages get as many cells to run.

Sphinx deals pages out in order of their names, a run of them to each process; the tutorials, which
have the most cells, would all be read by one. This deals them like cards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment


def dealt(weights: dict[str, int], sizes: list[int]) -> list[str]:
    """Names so ordered that each run of these sizes has its share of the heavy ones.

    >>> dealt({"a": 9, "b": 8, "c": 1, "d": 0}, [2, 2])
    ['a', 'c', 'b', 'd']
    """
    hands: list[list[str]] = [[] for _ in sizes]
    heaviest = sorted(weights, key=lambda name: (-weights[name], name))
    while heaviest:
        for hand, size in zip(hands, sizes, strict=True):
            if heaviest and len(hand) < size:
                hand.append(heaviest.pop(0))
    return [name for hand in hands for name in hand]


def _deal(app: Sphinx, env: BuildEnvironment, names: list[str]) -> None:
    from sphinx.util.parallel import make_chunks

    def cells(name: str) -> int:
        text = env.doc2path(name).read_text(encoding="utf-8", errors="replace")
        return text.count("{code-cell}") + text.count("{eval}")

    sizes = [len(chunk) for chunk in make_chunks(names, max(app.parallel, 1))]
    names[:] = dealt({name: cells(name) for name in names}, sizes)


def setup(app: Sphinx) -> dict[str, Any]:
    """Order the pages before they are read."""
    app.connect("env-before-read-docs", _deal)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
