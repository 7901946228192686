"""The page: complete in itself, safe with hostile names, and true to the analyses."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy
from fsm_gpt.errors import FileProblem, InvalidArgument
from fsm_gpt.markov.entropy import entropy_rate
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.facts import gather
from fsm_gpt.report.page import Report, report, report_format
from fsm_gpt.report.sections import shown_states
from fsm_gpt.report.words import decimal, number
from tests.report.chains import AFTER, BEFORE, HOSTILE, TEXT, gambler, hostile, of_ones, windows

#: HTML elements that have no end tag.
VOID = {"meta", "link", "br", "hr", "img", "input", "col", "source", "wbr"}


class Reader(HTMLParser):
    """Checks that tags balance, and keeps what the tests ask for."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.problems: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.headings: list[tuple[int, str]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()
        self.problems += [f"<{tag}> is never closed" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            self.problems.append(f"</{tag}> closes {self.open[-1:]}")
        else:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if "script" not in self.open and "style" not in self.open:
            self.text.append(data)
        if self.open and re.fullmatch(r"h[1-6]", self.open[-1]):
            level, words = self.headings[-1]
            self.headings[-1] = (level, words + data)


def requests(reader: Reader) -> list[str]:
    """Each attribute that would make a browser fetch something."""
    found = []
    files = {  # a download that is inside the page asks nothing of anyone
        value
        for tag, name, value in reader.attributes
        if (tag, name) == ("a", "href") and value.startswith("data:")
    }
    for tag, name, value in reader.attributes:
        if name in {"src", "srcset", "href", "action", "data", "poster", "xlink:href"}:
            if not value.startswith("#") and value != "data:," and value not in files:
                found.append(f"<{tag} {name}={value!r}>")
        elif name.startswith("on") or name == "style" or "url(" in value.replace("url(#", ""):
            found.append(f"<{tag} {name}={value!r}>")
    return found


@pytest.fixture(scope="module")
def article() -> Report:
    return report(
        of_ones(AFTER),
        before=of_ones(BEFORE),
        data=Chain.from_text(TEXT, context=3, end="drop"),
        text=TEXT,
        losses=[0.6635, 0.4700],
        provenance={"command": "fsm-gpt demo", "seed": "1337"},
    )


PAGES = {
    "gambler": lambda: report(gambler()),
    "hostile": lambda: report(hostile(), title=HOSTILE[0], provenance={HOSTILE[0]: HOSTILE[2]}),
    "one state": lambda: report(Chain([[1.0]], vocabulary="a", context=1)),
    "greedy": lambda: report(of_ones(AFTER).with_decoding(Greedy()), before=of_ones(BEFORE)),
    "64 states": lambda: report(windows(2, 6), before=windows(2, 6, seed=2)),
    "many tokens": lambda: report(windows(9, 1), text="012345678" * 3),
}


@pytest.fixture(scope="module", params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    return PAGES[request.param]().html


def test_every_page_is_balanced_and_asks_for_nothing(page: str) -> None:
    reader = Reader(page)
    assert reader.problems == []
    assert requests(reader) == []
    assert "@import" not in page
    assert not {tag for tag, *_ in reader.attributes} & {"iframe", "object", "embed"}
    assert page.count("<script") == 2  # the one that runs, and what it reads


def test_the_reader_sees_what_is_wrong() -> None:
    assert Reader("<p><b>x</p></b>").problems
    assert Reader("<p>x").problems
    wrong = '<img src="http://x"><a href="https://x">x</a><p style="color:red">x</p>'
    assert len(requests(Reader(wrong))) == 3
    assert requests(Reader('<path fill="url(http://x)"/>'))


def test_headings_go_down_one_level_at_a_time(page: str) -> None:
    levels = [level for level, _ in Reader(page).headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))


def test_ids_are_unique_and_links_lead_somewhere(page: str) -> None:
    reader = Reader(page)
    ids = [value for _, name, value in reader.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = {
        value[1:] for _, name, value in reader.attributes if name == "href" and value[:1] == "#"
    }
    assert targets <= set(ids)


def test_the_policy_names_the_one_style_sheet(article: Report) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', article.html)
    assert policy
    (style,) = re.findall(r"<style>(.*?)</style>", article.html, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy[1].replace("&#39;", "'")
    (script,) = re.findall(r"<script>(.*?)</script>", article.html, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy[1].replace("&#39;", "'")
    assert policy[1].startswith("default-src 'none'")
    assert "unsafe" not in policy[1]


def test_every_colour_of_a_figure_has_a_value_in_both_themes(article: Report) -> None:
    used = set(
        re.findall(
            r"\b[fs]-([a-z]+(?:-ink)?(?:-\d)?)\b",
            " ".join(
                value for _, name, value in Reader(article.html).attributes if name == "class"
            ),
        )
    )
    assert {"token-0", "token-1", "mass", "ink"} <= used
    for name in used:
        assert article.html.count(f"--{name}:#") == 2, name


def test_the_page_says_everything(article: Report) -> None:
    headings = [words for _, words in Reader(article.html).headings]
    for words in (
        "Summary",
        "Training sequence",
        "State graph: before and after",
        "Before training",
        "After training",
        "Next-token probabilities",
        "Where the time is spent",
        "Structure under each decoding rule",
        "How much the past tells",
        "How fast a start is forgotten",
        "Spectrum",
        "Mean first passage times",
        "Bits of state",
        "Downloads",
        "Model against data",
        "Methods and error bounds",
        "Provenance",
    ):
        assert words in headings
    said = " ".join("".join(Reader(article.html).text).split())
    assert "[0, 0, 0]" in said
    assert "[0.268, 0.732]" in said  # the article's row of 000 after 50 steps
    assert "111 → 110 → 101 → 011 → 111" in said
    assert "4 (50%)" in said  # 000, 001, 010, 100 are never seen
    assert "fsm-gpt demo" in said
    assert "proven" in said
    assert not re.search("ergodic|attractor|residual", said)


def test_the_numbers_are_those_of_the_analyses(article: Report) -> None:
    rate = entropy_rate(of_ones(AFTER)).bits_per_token
    assert f"{rate:.4g}" in article.html
    assert article.facts.to_dict()["entropy_rate"]["bits_per_token"] == rate


def test_a_small_page_is_small(article: Report) -> None:
    assert len(article.html.encode()) < 1_000_000


def test_figures_and_tables_are_named_for_those_who_listen(page: str) -> None:
    attributes = Reader(page).attributes
    figures = [1 for tag, name, value in attributes if (tag, name) == ("svg", "role")]
    labels = [value for tag, name, value in attributes if (tag, name) == ("svg", "aria-label")]
    assert len(figures) == len(labels)
    assert all(label.endswith(".") and "table" in label for label in labels)
    assert {value for tag, name, value in attributes if (tag, name) == ("th", "scope")} <= {
        "row",
        "col",
    }


def test_a_listener_finds_the_way(page: str) -> None:
    reader = Reader(page)
    for landmark in ("header", "nav", "main", "footer"):
        assert page.count(f"<{landmark}") - page.count(f"<{landmark}er") == 1
    ids = {value for _, name, value in reader.attributes if name == "id"}
    assert '<a class="skip" href="#content">' in page
    assert "content" in ids
    tables = re.findall(r"<table.*?</table>", page, flags=re.DOTALL)
    assert tables
    for table in tables:
        assert re.search(r"<caption[^>]*>[^<]", table)
        assert "<th " in table
        assert not re.search(r"<th(?![^>]*scope=)[ >]", table)
    for tag, name, value in reader.attributes:
        if (tag, name) == ("div", "aria-label"):
            assert value.strip()


def test_every_figure_has_its_numbers_in_a_table(article: Report) -> None:
    said = " ".join("".join(Reader(article.html).text).split())
    curve = article.facts.memory_curve
    assert not isinstance(curve, Absent)
    for value in curve.bits_per_token:
        assert f"{value:.4f}" in said
    found = article.facts.spectrum
    assert not isinstance(found, Absent)
    for value in abs(found.eigenvalues):
        assert number(value) in said
    time = article.facts.mixing_time
    assert not isinstance(time, Absent)
    for distance in time.distances:
        assert decimal(distance) in said
    assert "0.6635" in said


def test_the_bits_of_state_are_an_upper_bound(article: Report) -> None:
    said = " ".join("".join(Reader(article.html).text).split())
    assert "3 × log2(2) = 3 bits" in said
    assert "upper bound on state" in said
    assert re.search(r"Contexts of 1 to 3 tokens ?14 ", said)  # Zekri et al. 2024
    assert re.search(r"that can follow ?1/7 ", said)
    assert "6.193 of 8" in said


def test_paper_is_thought_of(article: Report) -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", article.html, flags=re.DOTALL)
    on_paper = style[style.index("@media print") :]
    assert "nav, .skip, #downloads { display: none; }" in on_paper
    assert "break-inside: avoid" in on_paper
    assert "@media screen and (prefers-color-scheme:dark)" in style  # paper is never dark


def test_hostile_names_stay_text() -> None:
    html = PAGES["hostile"]().html
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "\u202e" not in html
    assert "\x00" not in html
    assert "\\u202eright to left$x^2$" in html


def test_what_does_not_exist_is_said_in_words() -> None:
    said = " ".join("".join(Reader(report(gambler()).html).text).split())
    assert "The chain has 2 closed classes" in said
    assert "3/4" in said  # from 1, ruin comes with probability 3/4 (Norris, Example 1.3.1)


def test_a_large_chain_leads_with_its_contexts() -> None:
    html = PAGES["64 states"]().html
    assert 0 < html.index('id="contexts"') < html.index('id="atlas"') < html.index('id="listing"')
    assert "50 states of greatest mass, of 64" in html


def test_symbols_are_shown() -> None:
    sympy = pytest.importorskip("sympy")
    a, b = sympy.symbols("a b")
    html = report(Chain.from_matrix([[1 - a, a], [b, 1 - b]])).html
    assert "b/(a + b)" in html  # Kemeny & Snell: the stationary law of two states
    assert Reader(html).problems == []


def test_save_is_whole_or_not_at_all(article: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    article.save(path)
    assert path.read_bytes() == article.html.encode()
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(FileProblem) as problem:
        article.save(tmp_path / "no" / "such" / "report.html")
    assert problem.value.exit_code == 4


def test_the_end_of_the_name_decides(article: Report, tmp_path: Path) -> None:
    for name, content in (
        ("r.html", article.html),
        ("r", article.html),
        ("R.MD", article.markdown),
        ("r.json", article.json),
    ):
        assert article.save(tmp_path / name).read_bytes() == content.encode()
    assert json.loads(article.json) == article.facts.to_dict()
    with pytest.raises(InvalidArgument, match=r"ends in none of \.html"):
        report_format("report.pdf")


def test_markdown_and_json_need_no_drawing() -> None:
    code = (
        "import sys; from fsm_gpt.chain import Chain; from fsm_gpt.report.page import report; "
        "r = report(Chain([[0.5, 0.5], [0.25, 0.75]])); r.markdown; r.json; "
        "print('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_the_same_chain_gives_the_same_page(article: Report) -> None:
    again = report(
        of_ones(AFTER),
        before=of_ones(BEFORE),
        data=Chain.from_text(TEXT, context=3, end="drop"),
        text=TEXT,
        losses=[0.6635, 0.4700],
        provenance={"command": "fsm-gpt demo", "seed": "1337"},
    )
    assert again.html == article.html


def test_a_notebook_shows_it_in_a_sandbox(article: Report) -> None:
    shown = article._repr_html_()
    assert shown.startswith("<iframe")
    assert 'sandbox="allow-downloads"' in shown  # and no script, no form, no navigation
    assert "<style>" not in shown
    assert "kB of HTML" in repr(article)


def test_before_and_after_may_differ_in_size() -> None:
    html = report(of_ones(AFTER), before=windows(2, 2)).html
    assert Reader(html).problems == []
    assert '<th scope="col">before training' not in html  # rows of other states do not compare


def test_tables_begin_with_the_closed_classes() -> None:
    """Seven tokens, two of them: every window of one token leads to 3 or to 5 and stays there."""
    rows = np.zeros((49, 7))
    ends = np.where(np.arange(49) % 7 < 4, 3, 5)
    rows[np.arange(49), ends] = 1.0
    facts = gather(Chain(rows))
    closed = [3 * 7 + 3, 5 * 7 + 5]
    assert [states.tolist() for states in facts.classes.closed] == [[s] for s in closed]
    assert shown_states(facts)[:2] == closed
    assert len(shown_states(facts)) == 49
