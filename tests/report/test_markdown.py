"""The Markdown: the numbers of the page, in tables that are well formed."""

from __future__ import annotations

import itertools
import re

import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy
from fsm_gpt.report.page import report
from tests.report.chains import AFTER, BEFORE, HOSTILE, TEXT, gambler, hostile, of_ones, windows
from tests.report.test_page import Reader

REPORTS = {
    "article": lambda: report(
        of_ones(AFTER), before=of_ones(BEFORE), text=TEXT, losses=[0.6635, 0.47]
    ),
    "gambler": lambda: report(gambler()),
    "hostile": lambda: report(hostile(), title=HOSTILE[0]),
    "greedy": lambda: report(of_ones(AFTER).with_decoding(Greedy())),
    "64 states": lambda: report(windows(2, 6)),
    "many tokens": lambda: report(windows(9, 1), text="012345678" * 3),
    "one state": lambda: report(Chain([[1.0]], vocabulary="a", context=3)),
}


def cells(line: str) -> list[str]:
    return re.split(r"(?<!\\)\|", line)[1:-1]


@pytest.mark.parametrize("name", REPORTS)
def test_tables_are_well_formed(name: str) -> None:
    text = REPORTS[name]().markdown
    lines = text.splitlines()
    assert lines[0].startswith("# ")
    assert text.count("\n# ") == 0
    tables = 0
    for before, line in itertools.pairwise(lines):
        if line.startswith("| ---"):
            tables += 1
            assert len(cells(before)) == len(cells(line))
        elif line.startswith("|") and before.startswith("|"):
            assert len(cells(before)) == len(cells(line))
        elif line.startswith("|"):
            assert before == ""  # without a blank line it would be part of the paragraph
    assert tables >= 6
    assert "<script" not in text
    assert "\u202e" not in text


def test_the_numbers_are_those_of_the_page() -> None:
    made = REPORTS["article"]()
    page = " ".join(Reader(made.html).text)
    numbers = re.findall(r"\d+\.\d{3,}", made.markdown)
    assert len(numbers) > 100
    assert [n for n in numbers if n not in page] == []
    on_page = re.findall(r"\d+\.\d{4,}", page)
    assert len(on_page) > 100
    assert [n for n in on_page if n not in made.markdown] == []


def test_it_says_the_article_s_numbers() -> None:
    text = REPORTS["article"]().markdown
    assert "111 → 110 → 101 → 011 → 111" in text
    assert re.search(r"\| 1 × 10⁻⁶ \| 29 \| 29 \| 1,809 \|", text.replace("\xa0", " "))
    assert "Never seen: 000, 001, 010, 100" in text
