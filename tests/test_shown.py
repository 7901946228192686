"""What a notebook and a Python prompt show: short, whole in structure, and escaped."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fsm_gpt as fg
from fsm_gpt.display import LONGEST, block, cut, text_as_html
from fsm_gpt.progress import bar_as_html
from fsm_gpt.result import Result, in_short

VOID = {"br", "hr", "img", "input", "meta"}


class Reader(HTMLParser):
    """A strict reader: each element is closed, in order, and none can do anything."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on")], attrs
        assert not [value for _, value in attrs if "url(" in (value or "")], attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == [], page
    assert not reader.names & {"script", "link", "iframe", "img", "object"}
    return reader


def test_the_reader_objects_to_what_is_wrong() -> None:
    for page in ("<p>", "<b><i></b></i>", "<script></script>", '<p onclick="x">a</p>'):
        with pytest.raises(AssertionError):
            read(page)


HOSTILE = ["<script>alert(1)</script>", "a\u202eb", "&amp;", '" onmouseover="x']


@pytest.fixture(scope="module")
def large() -> fg.Chain:
    """2**16 states."""
    rows = np.random.default_rng(0).dirichlet(np.ones(2), size=2**16)
    return fg.Chain(rows, vocabulary="01", provenance={"model": "drawn at random"})


#: Questions that a chain of 2**16 states is asked in a second or so; b is another chain.
QUESTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "always": lambda a, b: fg.always(a, [0, 1], within=5),
    "bounds_after": lambda a, b: fg.bounds_after(a, 5, [1], start=0),
    "calibration": lambda a, b: fg.calibration(a, b),
    "capacity": lambda a, b: fg.capacity("gpt2"),
    "capacity_report": lambda a, b: fg.capacity_report(["gpt2", "gpt-3"]),
    "communicating_classes": lambda a, b: fg.communicating_classes(a),
    "compare": lambda a, b: fg.compare(a, b),
    "context_coverage": lambda a, b: fg.context_coverage("0110101" * 20, context=10),
    "context_distance": lambda a, b: fg.context_distance(a, b),
    "context_use": lambda a, b: fg.context_use(a),
    "distribution_after": lambda a, b: fg.distribution_after(a, 20, start=0),
    "entropy_rate": lambda a, b: fg.entropy_rate(a),
    "eventually": lambda a, b: fg.eventually(a, [1]),
    "greedy_map": lambda a, b: fg.greedy_map(a),
    "induction_score": lambda a, b: fg.induction_score(a),
    "length_distribution": lambda a, b: fg.length_distribution(a.with_stop("1"), start=0),
    "limiting_distribution": lambda a, b: fg.limiting_distribution(a, start=0),
    "memory_curve": lambda a, b: fg.memory_curve(a),
    "most_likely_path": lambda a, b: fg.most_likely_path(a, 0, [a.n_states - 1]),
    "n_gram": lambda a, b: fg.n_gram(a, 2),
    "reach": lambda a, b: fg.reach(a, [1], within=30),
    "reward": lambda a, b: fg.reward(a, [0.0, 1.0]),
    "sample_texts": lambda a, b: fg.sample_texts(a.with_stop("1"), 100, start=0),
    "simulate": lambda a, b: fg.simulate(a, 5000),
    "stationary_distribution": lambda a, b: fg.stationary_distribution(a),
    "until": lambda a, b: fg.until(a, [0], [1]),
    "Chain": lambda a, b: a,
    "with_stop": lambda a, b: a.with_stop("1"),
    "ContextSpace": lambda a, b: a.states,
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_about_many_states_is_short(large: fg.Chain, name: str) -> None:
    other = _other(large)
    answer = QUESTIONS[name](large, other)
    shown = repr(answer)
    assert 0 < len(shown) < 2000
    assert "object at 0x" not in shown
    if isinstance(answer, (Result, fg.Chain)):
        page = answer._repr_html_()
        read(page)
        assert len(page) < 60_000


_OTHERS: dict[int, fg.Chain] = {}


def _other(large: fg.Chain) -> fg.Chain:
    if id(large) not in _OTHERS:
        rows = np.random.default_rng(1).dirichlet(np.ones(2), size=large.n_states)
        _OTHERS[id(large)] = fg.Chain(rows, vocabulary="01")
    return _OTHERS[id(large)]


def test_what_is_long_is_cut_for_every_answer_at_once() -> None:
    """The base class does it, so an answer that is written tomorrow is short too."""
    import dataclasses

    @dataclasses.dataclass(frozen=True, eq=False, repr=False)
    class Long(Result):
        text: str
        values: np.ndarray

        def __str__(self) -> str:
            return self.text

    for text in ("x" * 10**6, "\n".join(["a line"] * 10**5), "y\n" * 10**5, "word " * 10**5):
        answer = Long(text, np.zeros(10**6))
        assert len(repr(answer)) <= LONGEST
        assert str(answer) == text
        assert len(answer._repr_html_()) < 70_000
    assert repr(Long("short", np.zeros(2))) == "short"
    shown = repr(Long("head\n" + "\n".join(f"line {i}" for i in range(10**4)), np.zeros(2)))
    assert shown.startswith("head\nline 0\n")
    left = re.search(r"\.\.\. and ([\d,]+) more lines", shown)
    assert left is not None
    assert int(left[1].replace(",", "")) == 10**4 + 1 - (len(shown.splitlines()) - 1)


def test_a_chain_says_what_it_is() -> None:
    rows = [[0.25, 0.75], [0.5, 0.5]] * 4
    chain = fg.Chain(rows, vocabulary="ab", provenance={"model": "GPT", "weights": "trained here"})
    decoded = chain.with_decoding(fg.TopK(1))
    for words in (
        "8 states (every window of 3 tokens over 2)",
        "tokens: a, b",
        "model: GPT",
        "weights: trained here",
        "decoding top-k 1",
        "input [a, a, b] --->",
    ):
        assert words in repr(decoded)
    assert str(chain) == "Chain: 8 states (every window of 3 tokens over 2), 16 transitions"
    assert "listing() shows the rows" in repr(fg.Chain(rows * 8))
    page = read(chain._repr_html_())
    assert {"state", "a", "b", "aab", "0.2500", "trained here"} <= set(page.words)


def test_hostile_tokens_are_text() -> None:
    chain = fg.Chain(np.full((4, 4), 0.25), vocabulary=HOSTILE, notes=["<b>note</b>"])
    answers = [
        chain,
        fg.stationary_distribution(chain),
        fg.simulate(chain, 50, seed=1),
        fg.communicating_classes(chain),
        fg.mean_first_passage(chain),
        fg.greedy_map(chain),
        fg.memory_curve(chain),
    ]
    for answer in answers:
        page = answer._repr_html_()
        words = read(page)
        assert "<script" not in page
        assert "\u202e" not in page
        assert "b" not in words.names
    assert HOSTILE[0] in "".join(read(chain._repr_html_()).words)


def test_columns_become_tables_and_nothing_is_lost() -> None:
    lines = "  a: 0.5\n  b: 0.25\n  c: 0.25\n  of two words  1.5 bits\nprose: as it is"
    page = read(text_as_html(lines))
    for words in ("a", "0.25", "of two words", "1.5 bits", "prose: as it is"):
        assert words in page.words
    assert text_as_html(lines).count("<table>") == 2
    assert text_as_html("  a: 0.5\n  b: 0.25\n  c: 0.25").count("linear-gradient") == 3
    assert text_as_html("  a: -0.5\n  b: 0.25\n  c: 0.25").count("linear-gradient") == 0


def test_the_small_print_keeps_the_bound() -> None:
    answer = fg.entropy_rate(fg.Chain([[0.5, 0.5], [0.25, 0.75]]))
    words = "".join(read(answer._repr_html_()).words)
    assert words.count(answer.error_sentence) == 1
    assert answer.method in words
    assert "bits_per_token" in words
    assert answer.error_sentence in repr(answer)


def test_values_in_short() -> None:
    assert in_short(np.zeros(10**6)).startswith("array of shape (1000000,): 0, 0, ")
    assert len(in_short(("x" * 10**5,) * 3)) <= 200
    assert in_short(None) == "None"
    assert cut("a" * 10**4, widest=10) == "a" * 7 + "..."
    assert "<p" not in block("", "x").partition("</style>")[2]


def test_many_names_are_not_written_out() -> None:
    assert len(repr(fg.Vocabulary.of(50_257))) < 600
    assert "50,257 in all" in repr(fg.Vocabulary.of(50_257))
    assert repr(fg.Vocabulary.of("ab")) == "Vocabulary(tokens=('a', 'b'))"


# ---- bars ----


def test_no_bar_where_output_goes_to_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with fg.progress_bar("working") as bar:
        bar(1, 2)
        bar(1, 2.5)
    assert capsys.readouterr() == ("", "")


def test_a_bar_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for total, told, shown in ((None, (3, 8, "steps"), "3/8"), (20, (4, 0.25), "4/20")):
        stream = Terminal()
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("TERM", "xterm")
        with fg.progress_bar("working", total=total) as bar:
            bar(*told)
        assert "working" in stream.getvalue()
        assert shown in stream.getvalue()


def test_a_bar_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell of a kernel, and what it is asked to display."""
    pages: list[str] = []

    class Handle:
        def update(self, page: str) -> None:
            pages.append(page)

    def display(page: str, *, display_id: bool) -> Handle:
        assert display_id
        pages.append(page)
        return Handle()

    shell = SimpleNamespace(kernel=object())
    shown = SimpleNamespace(HTML=lambda page: page, display=display)
    ipython = SimpleNamespace(get_ipython=lambda: shell, display=shown)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    with fg.progress_bar("working <fast>") as bar:
        for done in range(1, 1001):
            bar(done, 1000)
    assert len(pages) < 100
    assert read(pages[-1]).names == {"label", "progress"}
    assert 'value="1000" max="1000"' in pages[-1]
    assert "working &lt;fast&gt;" in pages[-1]
    with fg.progress_bar("nothing said"):
        pass
    assert "nothing said" not in "".join(pages)
    assert "max" not in bar_as_html("a", 1, None, "")
