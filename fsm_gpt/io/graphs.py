"""A chain as a graph: DOT for graphviz, GraphML and node-link JSON by networkx.

States are the nodes 0 to N - 1 and carry their printable label. Each transition is an
edge of its own with its token and its probability, so two tokens that lead to one state
are two edges.

DOT is written here, because networkx writes it only with system packages (graphviz's
library, or pydot). Its grammar: https://graphviz.org/doc/info/lang.html; what a label
means: https://graphviz.org/docs/attr-types/escString/.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from fsm_gpt.chain import Chain
from fsm_gpt.errors import StateSpaceTooLarge
from fsm_gpt.io.transitions import about, transitions

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["GRAPH_LIMIT", "graph_of", "quoted", "write_dot", "write_graphml", "write_json"]

#: A graph of networkx takes about a kilobyte for each transition; larger ones are refused.
GRAPH_LIMIT = 500_000


def graph_of(chain: Chain) -> nx.MultiDiGraph[int]:
    """The chain as a graph of networkx; edges are numbered, which is their key.

    >>> graph = graph_of(Chain([[0.5, 0.5], [0.0, 1.0]], vocabulary="ab"))
    >>> graph.nodes[0]["label"], graph.edges[1, 1, 2]["probability"]
    ('a', 1.0)

    Raises
    ------
    StateSpaceTooLarge
        More than half a million transitions.
    InvalidChain
        The rows hold symbols.
    """
    import networkx as nx

    n = chain.n_edges
    if n > GRAPH_LIMIT:
        raise StateSpaceTooLarge(
            f"export: {n:,} transitions make a graph of about {n / 2**20:,.1f} GiB, and GraphML "
            f"and JSON stop at {GRAPH_LIMIT:,}. Write .csv, .npz or .dot, which take less memory."
        )
    some = transitions(chain)
    graph: nx.MultiDiGraph[int] = nx.MultiDiGraph()
    for state, label in enumerate(some.labels):
        graph.add_node(state, label=label)
        if some.contexts is not None:
            graph.nodes[state]["context"] = some.contexts[state]
    rows = zip(some.source, some.target, some.token, some.probability, strict=True)
    for i, (source, target, token, probability) in enumerate(rows):
        data = {"token": token, "label": some.tokens[token], "probability": probability}
        exact = {} if some.exact is None else {"exact": some.exact[i]}
        graph.add_edge(source, target, key=i, **data, **exact)
    return graph


def write_graphml(chain: Chain, file: BinaryIO) -> None:
    """GraphML, which yEd, Gephi and Cytoscape read; a context is its token ids as text."""
    import networkx as nx

    graph = graph_of(chain)
    graph.graph |= about(chain)
    for _, data in graph.nodes(data=True):
        if "context" in data:
            data["context"] = " ".join(map(str, data["context"]))
    nx.write_graphml(graph, file)


def write_json(chain: Chain, file: BinaryIO) -> None:
    """Node-link JSON, which networkx and d3 read."""
    import networkx as nx

    graph = graph_of(chain)
    said: dict[str, Any] = dict(about(chain))
    for name in ("vocabulary", "notes", "provenance"):
        said[name] = json.loads(said[name])
    graph.graph |= {**said, "context": chain.context}
    document = nx.node_link_data(graph, edges="edges")
    file.write(json.dumps(document, allow_nan=False).encode("ascii"))


def write_dot(chain: Chain, file: BinaryIO) -> None:
    """DOT, which graphviz draws."""
    for line in _dot_lines(chain):
        file.write(f"{line}\n".encode())


def _dot_lines(chain: Chain) -> Iterator[str]:
    some = transitions(chain)
    yield "digraph chain {"
    yield f"  graph [label={quoted(str(chain))}];"
    yield "  node [shape=box];"
    for state, label in enumerate(some.labels):
        yield f"  {state} [label={quoted(label)}];"
    for i, (source, token, target) in enumerate(
        zip(some.source, some.token, some.target, strict=True)
    ):
        p = some.probability[i]
        shown = f"{p:.4g}" if some.exact is None else some.exact[i]
        yield (
            f"  {source} -> {target} [label={quoted(f'{some.tokens[token]}: {shown}')}, "
            f"token={token}, probability={p!r}];"
        )
    yield "}"


def quoted(text: str) -> str:
    r"""A printable text as a label of DOT.

    Inside quotes only the quote must be escaped; a label then gives backslashes and
    ampersands a meaning of their own (``\N`` is the node's name, ``&lt;`` is <).

    >>> print(quoted('"];x[ \\N &lt;'))
    "\"];x[ \\N &amp;lt;"
    """
    for sign, written in (("&", "&amp;"), ("\\", r"\\"), ('"', r"\"")):
        text = text.replace(sign, written)
    return f'"{text}"'
