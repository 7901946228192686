"""Chains in other programs' formats, read back by readers that are not ours.

GraphML and node-link JSON are read by networkx, .npz by scipy, CSV by Python's csv. DOT is
read here by a reader made from the grammar of graphviz (https://graphviz.org/doc/info/lang.html)
and from what it does to a label, since pydot and pygraphviz need system packages.
"""

import csv
import html
import io
import json
import re
import xml.etree.ElementTree as ET
from fractions import Fraction
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, strategies as st

from fsm_gpt.chain import Chain
from fsm_gpt.cli.export import FORMATS as TYPED
from fsm_gpt.decoding import Greedy
from fsm_gpt.errors import FileProblem, InvalidArgument, InvalidChain, StateSpaceTooLarge
from fsm_gpt.io import export, graphs
from fsm_gpt.io.export import FORMATS, format_of
from tests.strategies import chains

#: Tokens that would break out of their place if they were not quoted.
HOSTILE = [
    '"];x[',
    "\n",
    "\0",
    "\u202e\u2066",
    "\\",
    "\\N\\l\\G",
    '\\"',
    "&lt;&#10;",
    "<b>]]></data>",
    "a,b;c\td",
    "=1+1",
    "\ud800",
    "\uffff\x1b[31m",
    "'; --",
    " ",
    "",
    "é → 漢 🙂",
    "//",
    "-->",
]

texts = st.text(st.characters(), max_size=5)
vocabularies = st.lists(texts, min_size=1, max_size=4, unique=True)


def hostile_chain() -> Chain:
    return Chain(np.full((len(HOSTILE), len(HOSTILE)), 1 / len(HOSTILE)), vocabulary=HOSTILE)


def parallel_edges() -> Chain:
    """Two tokens that lead to one state."""
    return Chain.from_edges(
        [0, 0, 1], [0, 1, 0], [1, 1, 0], ["1/3", "2/3", 1], states=["a", "b\n"], vocabulary="xy"
    )


CASES = {
    "windows": Chain([[0.25, 0.75], [0.5, 0.5], [0.0, 1.0], [1.0, 0.0]], vocabulary="ab"),
    "decoded": Chain([[0.25, 0.75], [0.5, 0.5]] * 4).with_decoding(Greedy()),
    "float32": Chain(np.array([[0.3, 0.7], [0.6, 0.4]], dtype=np.float32)),
    "short contexts": Chain([[0.3, 0.7]] * 6, short_contexts=True),
    "a text": Chain.from_text("111101111011110", context=3),
    "parallel edges": parallel_edges(),
    "one state": Chain([[1.0]], context=1),
    "hostile": hostile_chain(),
}

Row = tuple[int, int, int, float, str]


def written(chain: Chain, form: Any) -> io.BytesIO:
    """The file, written as a user has it written."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        export(chain, path, format=form)
        return io.BytesIO(path.read_bytes())


def rows_of(chain: Chain) -> list[Row]:
    """Source, token, target, probability, and the rational where there is one."""
    edges = chain.edges()
    exact = edges.probability.dtype == object
    return [
        (int(s), int(t), int(u), float(p), str(p) if exact else "")
        for s, t, u, p in zip(*edges, strict=True)
    ]


# ---- GraphML and node-link JSON, by networkx ----


def read_graph(graph: Any) -> list[Row]:
    rows = [
        (s, data["token"], u, data["probability"], data.get("exact", ""))
        for s, u, data in graph.edges(data=True)
    ]
    return sorted(rows)


def read_graphml(file: io.BytesIO) -> Any:
    return nx.read_graphml(file, node_type=int, edge_key_type=int, force_multigraph=True)


def check_graphml(chain: Chain) -> None:
    file = written(chain, "graphml")
    graph = read_graphml(file)
    assert read_graph(graph) == sorted(rows_of(chain))
    assert [graph.nodes[s]["label"] for s in range(chain.n_states)] == chain.labels()
    assert json.loads(graph.graph["vocabulary"]) == list(chain.vocabulary)
    contexts = chain.states.contexts()
    if contexts is not None:
        named = [graph.nodes[s]["context"].split() for s in range(chain.n_states)]
        assert named == [[str(t) for t in row if t >= 0] for row in contexts]
    for _, _, data in graph.edges(data=True):
        assert data["label"] == chain.vocabulary.shown[data["token"]]
    tree = ET.fromstring(file.getvalue())
    ids = [edge.get("id") for edge in tree.iter("{http://graphml.graphdrawing.org/xmlns}edge")]
    assert len(set(ids)) == len(ids) == chain.n_edges


def check_json(chain: Chain) -> None:
    text = written(chain, "json").getvalue().decode("ascii")
    graph = nx.node_link_graph(json.loads(text), edges="edges")
    assert graph.is_directed()
    assert graph.is_multigraph()
    assert read_graph(graph) == sorted(rows_of(chain))
    assert [graph.nodes[s]["label"] for s in range(chain.n_states)] == chain.labels()
    assert graph.graph["vocabulary"] == list(chain.vocabulary)
    assert graph.graph["context"] == chain.context
    assert graph.graph["description"] == str(chain)


# ---- .npz by scipy, CSV by csv ----


def check_npz(chain: Chain) -> None:
    P = scipy.sparse.load_npz(written(chain, "npz"))
    expected = np.zeros((chain.n_states, chain.n_states))
    for source, _, target, p, _ in rows_of(chain):
        expected[source, target] += p
    assert P.toarray() == pytest.approx(expected, abs=1e-15)
    assert ((P.toarray() == 0) == (expected == 0)).all()


def plain(label: str) -> str:
    """A label without the apostrophe that keeps spreadsheets from reading it as a formula."""
    return label[1:] if re.match(r"'[=+@-].", label, flags=re.DOTALL) else label


def check_csv(chain: Chain) -> None:
    text = written(chain, "csv").getvalue().decode("utf-8")
    head, *lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert head[:4] == ["source", "token", "target", "probability"]
    assert ("exact" in head) == (chain.kind == "rational")
    found = []
    labels = chain.labels()
    for cells in lines:
        line = dict(zip(head, cells, strict=True))
        source, token, target = (int(line[name]) for name in ("source", "token", "target"))
        found.append((source, token, target, float(line["probability"]), line.get("exact", "")))
        names = [line[f"{name}_label"] for name in ("source", "token", "target")]
        assert not any(re.match(r"[=+@-].", name, flags=re.DOTALL) for name in names)
        expected = [labels[source], chain.vocabulary.shown[token], labels[target]]
        assert list(map(plain, names)) == list(map(plain, expected))
    assert found == rows_of(chain)


# ---- DOT, by its grammar ----

SIGNS = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|(-?\.?\w[\w.+-]*)|(->|[\[\]{};,=]))', re.DOTALL)


def as_drawn(string: str) -> str:
    """A quoted string as graphviz draws it when it is a label."""
    string = html.unescape(string.replace('\\"', '"'))

    def escape(found: re.Match[str]) -> str:
        if found[1] in "nlrNGETHL":
            raise ValueError(f"an escape with a meaning: {found[0]}")
        return found[1]

    return re.sub(r"\\(.)", escape, string, flags=re.DOTALL)


def read_dot(text: str) -> tuple[dict[str, dict[str, str]], list[tuple[str, str, dict[str, str]]]]:
    """Nodes and edges of one digraph; strict."""
    signs: list[tuple[str, str]] = []
    at = 0
    while text[at:].strip():
        found = SIGNS.match(text, at)
        if found is None:
            raise ValueError(f"no DOT at {at}: {text[at : at + 20]!r}")
        kind = "string" if found[1] is not None else "id" if found[2] else "sign"
        signs.append((kind, found[found.lastindex or 0]))
        at = found.end()
    signs.reverse()

    def take(kind: str, value: str | None = None) -> str:
        got = signs.pop()
        if got[0] != kind or (value is not None and got[1] != value):
            raise ValueError(f"{got} where {kind} {value} is due")
        return got[1]

    def attributes() -> dict[str, str]:
        take("sign", "[")
        found: dict[str, str] = {}
        while True:
            name = take("id")
            take("sign", "=")
            kind, value = signs.pop()
            if kind == "sign":
                raise ValueError(f"{value} is no value")
            found[name] = as_drawn(value) if kind == "string" else value
            if signs[-1] != ("sign", ","):
                break
            take("sign", ",")
        take("sign", "]")
        take("sign", ";")
        return found

    nodes: dict[str, dict[str, str]] = {}
    edges = []
    take("id", "digraph")
    take("id")
    take("sign", "{")
    while signs[-1] != ("sign", "}"):
        name = take("id")
        if signs[-1] == ("sign", "->"):
            take("sign", "->")
            edges.append((name, take("id"), attributes()))
        else:
            nodes[name] = attributes()
    take("sign", "}")
    if signs:
        raise ValueError("more than one graph")
    return nodes, edges


def check_dot(chain: Chain) -> None:
    nodes, edges = read_dot(written(chain, "dot").getvalue().decode("utf-8"))
    assert nodes.pop("graph") == {"label": str(chain)}
    assert nodes.pop("node") == {"shape": "box"}
    assert [nodes[str(s)]["label"] for s in range(chain.n_states)] == chain.labels()
    assert len(nodes) == chain.n_states
    found = []
    for source, target, data in edges:
        token, shown = int(data["token"]), data["label"]
        name = chain.vocabulary.shown[token]
        assert shown.startswith(f"{name}: ")
        p = Fraction(shown.removeprefix(f"{name}: "))
        assert float(p) == pytest.approx(float(data["probability"]), rel=1e-3)
        exact = str(p) if chain.kind == "rational" else ""
        found.append((int(source), token, int(target), float(data["probability"]), exact))
    assert found == rows_of(chain)


# ---- PRISM's transitions; the files beside them are in test_prism.py ----


def check_prism(chain: Chain) -> None:
    """As the manual has it: "n m", then "i j x", sources ascending, each pair once."""
    head, *lines = written(chain, "prism").getvalue().decode("ascii").split("\n")
    assert lines.pop() == ""
    assert head == f"{chain.n_states} {len(lines)}"
    expected: dict[tuple[int, int], Any] = {}
    for source, _, target, p, exact in rows_of(chain):
        expected[source, target] = expected.get((source, target), 0) + (
            Fraction(exact) if exact else p
        )
    found = {}
    for line in lines:
        source, target, p = line.split(" ")
        found[int(source), int(target)] = Fraction(p) if "/" in p or "." not in p else float(p)
    assert len(found) == len(lines)
    assert list(found) == sorted(found)
    assert found == pytest.approx(expected, rel=0 if chain.kind == "rational" else 1e-15)


CHECKS = {
    "dot": check_dot,
    "graphml": check_graphml,
    "json": check_json,
    "npz": check_npz,
    "csv": check_csv,
    "prism": check_prism,
}


def test_every_format_is_checked_and_can_be_typed() -> None:
    assert tuple(CHECKS) == FORMATS == TYPED


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_every_format_holds_the_chain(form: str, case: str) -> None:
    CHECKS[form](CASES[case])


@pytest.mark.parametrize("form", FORMATS)
@given(chain=chains())
def test_any_chain(form: str, chain: Chain) -> None:
    CHECKS[form](chain)


@pytest.mark.parametrize("form", FORMATS)
@given(tokens=vocabularies)
def test_any_tokens(form: str, tokens: list[str]) -> None:
    V = len(tokens)
    CHECKS[form](Chain(np.full((V, V), 1 / V), vocabulary=tokens, context=1))


@pytest.mark.parametrize("form", FORMATS)
def test_the_checks_can_fail(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain that differs in one probability is seen."""
    other = written(
        Chain([[0.25, 0.75], [0.5, 0.5], [0.0, 1.0], [0.5, 0.5]], vocabulary="ab"), form
    )
    monkeypatch.setitem(globals(), "written", lambda chain, form: other)
    with pytest.raises(AssertionError):
        CHECKS[form](CASES["windows"])


@pytest.mark.parametrize(
    "text",
    [
        'digraph g { 0 [label=""];x[""]; }',
        'digraph g { 0 [label="a\\"]; }',
        'digraph g { 0 [label="\\N"]; }',
        "digraph g { 0 -> 1 }",
        "digraph g { } }",
        "digraph g { 0 [label=]; }",
        "digraph g { 0 [label=<b>]; }",
        "graph g { }",
    ],
)
def test_the_reader_of_dot_refuses_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        read_dot(text)
    assert not isinstance(refused.value, IndexError)


def test_the_reader_of_dot_reads_what_graphviz_documents() -> None:
    nodes, edges = read_dot(
        'digraph g {\n a [label="say \\"hi\\" &amp; \\\\n"];\n a -> a [w=2];\n}'
    )
    assert nodes == {"a": {"label": 'say "hi" & \\n'}}
    assert edges == [("a", "a", {"w": "2"})]


# ---- which format, and what is refused ----


@pytest.mark.parametrize(
    ("path", "form", "meant"),
    [
        ("x.dot", None, "dot"),
        ("x.GV", None, "dot"),
        ("a.b/x.GraphML", None, "graphml"),
        ("x.npz", "csv", "csv"),
        ("x", "json", "json"),
        ("x.TRA", None, "prism"),
    ],
)
def test_the_ending_or_the_option_decides(path: str, form: str | None, meant: str) -> None:
    assert format_of(path, form) == meant


@pytest.mark.parametrize(
    ("path", "form", "words"),
    [
        ("x", None, "x ends in none of .dot, .graphml, .json, .npz, .csv, .tra,"),
        ("x.pdf", None, "name the format"),
        ("x.prism", None, "x.prism ends in none of"),
        ("x.graphm", None, "Did you mean graphml?"),
        ("x.dot", "dto", "Did you mean dot?"),
        ("x.dot", "pdf", "there is no format 'pdf' among dot, graphml, json, npz, csv, prism"),
        ("x\n.pdf", None, r"'x\\n.pdf' ends"),
    ],
)
def test_an_unknown_format(path: str, form: str | None, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words.replace(".", r"\.").replace("?", r"\?")):
        format_of(path, form)


@pytest.mark.parametrize("form", FORMATS)
def test_a_failure_leaves_the_old_file_as_it_was(tmp_path: Path, form: Any) -> None:
    from sympy import Symbol

    a = Symbol("a", positive=True)
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(InvalidChain, match="symbols"):
        export(Chain([[a, 1 - a], [0, 1]]), path, format=form)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "prism"])
def test_a_transition_is_not_lost_by_underflow(tmp_path: Path, form: Any) -> None:
    tiny = Fraction(1, 10**400)
    with pytest.raises(InvalidChain, match="underflow"):
        export(Chain([[tiny, 1 - tiny], [1, 0]]), tmp_path / "x", format=form)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["graphml", "json"])
def test_a_graph_that_is_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Any
) -> None:
    monkeypatch.setattr(graphs, "GRAPH_LIMIT", 3)
    with pytest.raises(StateSpaceTooLarge, match=r"4 transitions .* \.csv, \.npz or \.dot"):
        export(Chain([[0.5, 0.5], [0.5, 0.5]]), tmp_path / "x", format=form)
    export(Chain([[0.5, 0.5], [0.0, 1.0]]), tmp_path / "x", format=form)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="its folder does not exist"):
        export(CASES["windows"], tmp_path / "none" / "x.csv")


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_chain_makes_the_same_bytes(form: str) -> None:
    first, second = (written(hostile_chain(), form).getvalue() for _ in range(2))
    assert first == second
