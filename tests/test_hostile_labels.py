"""A label is never anything but a label: not a tag, not a formula, not a command, not a direction.

Tokens, names of states, notes, provenance and titles come from files, which a stranger may have
written. Every writer is given the worst of them, and what it writes is read again by a reader of
that format: the same elements, lines and cells have to be there as with harmless names.
"""

from __future__ import annotations

import csv
import functools
import html.parser
import io
import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fsm_gpt as fg
from fsm_gpt.watch import watch_models

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "</textarea></style></title></svg>",
    '" onmouseover="alert(1)',
    "' onfocus='alert(1)",
    "<!--",
    "]]>",
    "javascript:alert(1)",
    "{{7*7}}{%",
    "\u202egnp.exe",
    "\u2066\u200b\u2028",
    "\x00",
    "\x1b[2J\x1b]0;title\x07",
    "\r\n\r\nSet-Cookie: x",
    "\ud800",
    "\ufeff",
    "\x9b31m",
    "=cmd|'/C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1)",
    "\t=1+1",
    "|",
    "](javascript:alert(1)) ![x](http://example.com/x.png)",
    "`code` *b* _i_ ~~s~~",
    "$\\frac$",
    "$x^2$ \\input{/etc/passwd}",
    '"];x[label="',
    "a\\",
    "ä中🦆",
)
HARMLESS = tuple(f"word{i:02}" for i in range(len(HOSTILE)))
N = len(HOSTILE)


def made(names: tuple[str, ...]) -> fg.Chain:
    rows = np.random.default_rng(1).dirichlet(np.full(N, 0.3), N)
    said = {"notes": list(names[:9]), "provenance": dict(zip(names[:9], names[9:18], strict=True))}
    return fg.Chain(rows, vocabulary=names, normalize=True, **said)


def named(names: tuple[str, ...]) -> fg.Chain:
    """A ring through states that have the names."""
    ring = np.arange(N)
    return fg.Chain.from_edges(
        ring, np.zeros(N, int), np.roll(ring, -1), np.ones(N), states=names, vocabulary=names[:1]
    )


CHAINS = {"tokens": made, "states": named}


def plain(text: str) -> None:
    """No sign that nobody can see, nor one that turns a line round."""
    unseen = {c for c in text if not c.isprintable() and c not in "\n\r\t\xa0"}
    assert not unseen, sorted(unseen)


class Elements(html.parser.HTMLParser):
    """The elements of a page and the names of their attributes, and what its links lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[tuple[str, ...]] = Counter()
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[(tag, *sorted(name for name, _ in attrs))] += 1
        for name, value in attrs:
            if name in ("href", "src", "action", "xlink:href"):
                self.links.add((value or "").partition(":")[0].strip().lower())


def elements(page: str) -> Elements:
    found = Elements()
    found.feed(page)
    found.close()
    return found


DANGEROUS = {"script", "img", "iframe", "object", "embed", "link", "base", "form", "meta", "style"}


def same_page(hostile: str, harmless: str) -> None:
    """The same kinds of elements, and as many of those that can do something."""
    plain(hostile)
    one, other = elements(hostile), elements(harmless)
    assert {kind for kind in one.seen if any(a.startswith("on") for a in kind[1:])} == {
        kind for kind in other.seen if any(a.startswith("on") for a in kind[1:])
    }
    assert {k[0] for k in one.seen} <= {k[0] for k in other.seen}
    for tag in DANGEROUS:
        counts = [sum(n for k, n in each.seen.items() if k[0] == tag) for each in (one, other)]
        assert counts[0] == counts[1], (tag, counts)
    assert one.links <= other.links | {"#"} or all(
        link.startswith("#") for link in one.links - other.links
    ), one.links - other.links
    assert "javascript" not in one.links


def same_picture(hostile: str, harmless: str) -> None:
    plain(hostile)
    kinds = [{e.tag for e in ET.fromstring(svg).iter()} for svg in (hostile, harmless)]
    assert kinds[0] <= kinds[1], kinds[0] - kinds[1]
    for element in ET.fromstring(hostile).iter():
        assert not any(name.lower().startswith("on") for name in element.attrib)


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


FORMULA = re.compile(r"[=+\-@\t\r]")


def same_table(hostile: str, harmless: str) -> None:
    """As many lines and columns; and no cell that a spreadsheet would work out."""
    plain(hostile)
    one, other = cells(hostile), cells(harmless)
    assert [len(line) for line in one] == [len(line) for line in other]
    for line in one:
        for cell in line:
            number = re.fullmatch(r"[+-]?[0-9.]+(e[+-]?[0-9]+)?", cell)
            assert len(cell) < 2 or number or not FORMULA.match(cell), cell


def same_markdown(hostile: str, harmless: str) -> None:
    """The same tables; no tag, link, picture or formula that was not there before."""
    plain(hostile)
    columns = [
        Counter(len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if "|" in line)
        for text in (hostile, harmless)
    ]
    assert set(columns[0]) == set(columns[1])
    for sign in (r"<[a-zA-Z/!]", r"(?<!\\)\]\(", r"(?<!\\)!\[", r"(?<!\\)\$", r"(?<!\\)~~"):
        outside = [re.sub(r"`[^`\n]*`", "", text) for text in (hostile, harmless)]
        counts = [len(re.findall(sign, text)) for text in outside]
        assert counts[0] == counts[1], (sign, re.findall(f".*{sign}.*", outside[0])[:3])


# ---- files ----


def exported(chain: fg.Chain, path: Path) -> str:
    fg.export(chain, path)
    return path.read_bytes().decode("utf-8")


@pytest.mark.parametrize("kind", CHAINS)
def test_csv(tmp_path: Path, kind: str) -> None:
    same_table(*(exported(CHAINS[kind](n), tmp_path / "x.csv") for n in (HOSTILE, HARMLESS)))


@pytest.mark.parametrize("kind", CHAINS)
def test_dot(tmp_path: Path, kind: str) -> None:
    """Lines as with harmless names, once what stands in quotes is taken out."""
    left = []
    for names in (HOSTILE, HARMLESS):
        text = exported(CHAINS[kind](names), tmp_path / "x.dot")
        plain(text)
        left.append(re.sub(r'"(\\.|[^"\\])*"', '""', text))
    assert left[0] == left[1]


@pytest.mark.parametrize("kind", CHAINS)
def test_graphml(tmp_path: Path, kind: str) -> None:
    import networkx as nx

    chain = CHAINS[kind](HOSTILE)
    plain(exported(chain, tmp_path / "x.graphml"))
    graph = nx.read_graphml(tmp_path / "x.graphml")
    assert [graph.nodes[str(s)]["label"] for s in range(N)] == chain.labels(range(N))


@pytest.mark.parametrize("kind", CHAINS)
def test_json(tmp_path: Path, kind: str) -> None:
    chain = CHAINS[kind](HOSTILE)
    text = exported(chain, tmp_path / "x.json")
    assert text.isascii()
    assert len(json.loads(text)["nodes"]) == N


@pytest.mark.parametrize("kind", CHAINS)
def test_prism(tmp_path: Path, kind: str) -> None:
    fg.export(CHAINS[kind](HOSTILE), tmp_path / "x.tra")
    for path in tmp_path.iterdir():
        plain(path.read_text("ascii"))
    files = {path.suffix[1:]: path for path in tmp_path.iterdir()}
    assert fg.read_prism(files["tra"], lab=files["lab"], exact=False).chain.n_states == N


@pytest.mark.parametrize("kind", CHAINS)
def test_a_chain_file_keeps_every_label(tmp_path: Path, kind: str) -> None:
    chain = CHAINS[kind](HOSTILE)
    fg.save(chain, tmp_path / "x")
    again = fg.load(tmp_path / "x")
    assert again.vocabulary == chain.vocabulary
    assert again.labels(range(N)) == chain.labels(range(N))


# ---- pages and pictures ----


@functools.cache
def page_of(names: tuple[str, ...], what: str) -> Any:
    chain = made(names)
    if what == "chain":
        return fg.report(chain, title=names[0], provenance={names[1]: names[10]})
    if what == "states":
        return fg.report(named(names), title=names[13])
    if what == "comparison":
        other = fg.Chain(np.roll(chain.matrix(), 1, axis=0), vocabulary=names, normalize=True)
        return fg.report(fg.compare(chain, other), names=(names[0], names[10]), title=names[1])
    if what == "machine":
        return fg.report(fg.minimize(chain, max_states=3), title=names[1])
    found = fg.explore(
        lambda ids: np.zeros((len(ids), N)),
        [names[0]],
        vocabulary=fg.Vocabulary(names),
        context=2,
        max_states=40,
    )
    return fg.report(found, title=names[1])


@pytest.mark.parametrize("what", ["chain", "states", "comparison", "machine", "exploration"])
def test_reports(what: str) -> None:
    hostile, harmless = page_of(HOSTILE, what), page_of(HARMLESS, what)
    same_page(hostile.html, harmless.html)
    same_markdown(hostile.markdown, harmless.markdown)
    plain(json.dumps(json.loads(hostile.json)))
    for script in re.findall(
        r'<script type="application/json"[^>]*>(.*?)</script>', hostile.html, re.S
    ):
        json.loads(script)


def test_downloads_of_a_report() -> None:
    """The files that a page carries in its links."""
    import base64
    from urllib.parse import unquote_to_bytes

    tables = []
    for names in (HOSTILE, HARMLESS):
        links = re.findall(r'href="data:text/csv[^,]*,([^"]*)"', page_of(names, "chain").html)
        decoded = [
            base64.b64decode(link) if not link.startswith("%") else unquote_to_bytes(link)
            for link in links
        ]
        tables.append([data.decode() for data in decoded])
    assert tables[0]
    for one, other in zip(*tables, strict=True):
        same_table(one, other)


def watched(names: tuple[str, ...]) -> Any:
    chain = made(names)
    return watch_models({names[0]: [(0, chain), (1, chain)]})


@pytest.mark.parametrize(
    "draw",
    [
        fg.plot.state_graph,
        fg.plot.context_table,
        fg.plot.flow_ring,
        fg.plot.mass_map,
        fg.plot.next_token_map,
        fg.plot.suffixes,
        fg.plot.ranks,
    ],
)
def test_pictures(tmp_path: Path, draw: Callable[..., Any]) -> None:
    written = []
    for names in (HOSTILE, HARMLESS):
        ax = draw(made(names), title=names[0])
        fg.plot.save(ax, tmp_path / "x.svg")
        if draw in (fg.plot.state_graph, fg.plot.ranks):
            fg.plot.save(draw(named(names), title=names[1]), tmp_path / "x.png", dpi=40)
        written.append((tmp_path / "x.svg").read_text("utf-8"))
    same_picture(*written)


def test_movies(tmp_path: Path) -> None:
    pages = []
    for names in (HOSTILE, HARMLESS):
        fg.movie(watched(names), tmp_path / "x.html", title=names[0])
        pages.append((tmp_path / "x.html").read_text("utf-8"))
    same_page(*pages)


# ---- what stands on a screen ----


def answers(chain: fg.Chain) -> list[Any]:
    return [
        chain,
        chain.vocabulary,
        fg.stationary_distribution(chain),
        fg.communicating_classes(chain),
        fg.entropy_rate(chain),
        fg.hitting(chain, 3),
        fg.most_likely_path(chain, 0, 3),
        fg.minimize(chain, max_states=3),
        fg.reward(chain, "surprisal", n=2),
        fg.compare(chain, chain),
        fg.time_reversal(chain),
        fg.greedy_map(chain),
    ]


@pytest.mark.parametrize("kind", CHAINS)
def test_what_is_printed_and_shown_in_a_notebook(kind: str) -> None:
    for one, other in zip(
        *map(answers, (CHAINS[kind](HOSTILE), CHAINS[kind](HARMLESS))), strict=True
    ):
        plain(str(one))
        plain(repr(one))
        if hasattr(one, "_repr_html_"):
            same_page(one._repr_html_() or "", other._repr_html_() or "")


def test_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from fsm_gpt.cli import main

    monkeypatch.chdir(tmp_path)
    fg.save(made(HOSTILE), "x")
    fg.save(named(HOSTILE), "y")
    first = ["analyze", "show", "simulate", "ask reach", "ask path", "minimize", "slow"]
    for verb in first:
        for name in ("x", "y"):
            more = {"ask reach": ["--to", "|"], "ask path": ["--to", "|"]}.get(verb, [])
            told = CliRunner().invoke(main, [*verb.split(), name, *more], prog_name="fsm-gpt")
            assert "fault of fsm-gpt" not in told.stderr, told.stderr
            plain(told.stderr)
            if verb != "simulate":  # which writes the text itself
                plain(told.stdout)


# ---- capacity ----


@pytest.mark.parametrize("format", ["html", "markdown", "csv", "bibtex", "json", "table"])
def test_the_report_of_capacities(tmp_path: Path, format: str) -> None:
    """A model's name is that of its file, and what it says of itself is a note."""
    said = []
    for names in (HOSTILE, HARMLESS):
        paths = []
        for i, name in enumerate(names):
            usable = name.replace("/", "∕").replace("\0", "0").encode("utf-8", "replace").decode()
            path = tmp_path / f"{usable}{i}.json"
            path.write_text(json.dumps({"vocab_size": 50, "n_ctx": 7, "model_type": name}))
            paths.append(path)
        said.append(fg.capacity_report(paths).render(format))
    plain(said[0])
    if format == "html":
        same_page(*said)
    elif format == "markdown":
        same_markdown(*said)
    elif format == "csv":
        same_table(*said)
    elif format == "bibtex":
        assert (
            said[0].count("@") - said[1].count("@") <= sum(name.count("@") for name in HOSTILE) * 2
        )
        entries = re.findall(r"^@\w+\{([\w-]+),\n(?:  \w+ = \{.*\},\n)+\}$", said[0], re.M)
        assert len(entries) == len(set(entries)) == len(re.findall(r"^@", said[1], re.M))
        for line in re.findall(r"= \{(.*)\},$", said[0], re.M):
            bare = re.sub(r"\\[{}%&#_$]|\\text[a-z]+\{\}", "", line)
            assert not re.search(r"[\\%&#_$~^]", bare), line
            assert bare.count("{") == bare.count("}")


def test_the_checks_see_what_is_not_escaped() -> None:
    with pytest.raises(AssertionError):
        same_page("<p>a<script>1</script></p>", "<p>a</p>")
    with pytest.raises(AssertionError):
        same_page('<p onclick="x">a</p>', "<p>a</p>")
    with pytest.raises(AssertionError):
        same_page('<a href="javascript:x">a</a>', '<a href="#x">a</a>')
    with pytest.raises(AssertionError):
        same_table("a\r\n=1+1\r\n", "a\r\nb\r\n")
    with pytest.raises(AssertionError):
        same_table("a,b\r\n", "a\r\n")
    with pytest.raises(AssertionError):
        same_markdown("| a | b | c |\n", "| a | b |\n")
    with pytest.raises(AssertionError):
        same_markdown("[a](b)", "a")
    for bad in ("\x1b[2J", "\u202e", "\x00"):
        with pytest.raises(AssertionError):
            plain(bad)
