"""Every kind of page that one file holds, as a browser shows it.

In light, dark, narrow and on paper: no error, no request, nothing wider than the window, no rule
of accessibility broken, and everything within reach of the keyboard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.report.capacity_page import html_page
from fsm_gpt.report.capacity_report import capacity_report
from fsm_gpt.report.page import report
from tests.browser.opened import Opened
from tests.report.chains import AFTER, BEFORE, TEXT, gambler, hostile, of_ones, windows

pytestmark = pytest.mark.xdist_group("browser")

CHINESE = ("我", "们", "学", "习", "。", "人工智能")


def chinese() -> Chain:
    rows = np.random.default_rng(5).dirichlet(np.ones(6), size=36)
    return Chain(rows, vocabulary=CHINESE, normalize=True)


def nearly_silent() -> Chain:
    """Probabilities from one to 1e-300."""
    rows = [[1.0, 1e-300], [1e-12, 1.0], [0.5, 0.5], [1e-6, 1.0]]
    return Chain(rows, vocabulary="01", normalize=True)


PAGES: dict[str, Callable[[], str]] = {
    "8 states": lambda: (
        report(of_ones(AFTER), before=of_ones(BEFORE), text=TEXT, losses=[0.7, 0.4]).html
    ),
    "one state": lambda: report(Chain([[1.0]], vocabulary="a", context=1)).html,
    "gambler": lambda: report(gambler()).html,
    "hostile": lambda: report(hostile()).html,
    "nearly silent": lambda: report(nearly_silent()).html,
    "Chinese": lambda: report(chinese()).html,
    "27 tokens": lambda: report(windows(27, 1)).html,
    "64 states": lambda: report(windows(2, 6)).html,
    "65,536 states": lambda: report(windows(2, 16)).html,
    "capacity": lambda: html_page(capacity_report()),
}
LOOKS = {"light": {}, "dark": {"scheme": "dark"}}
SIZES = {
    "phone": {"width": 390, "height": 844},
    "paper": {"media": "print", "width": 696},  # A4 without its margins, at 96 dots an inch
}


@cache
def made(name: str) -> str:
    return PAGES[name]()


@pytest.fixture(scope="module", autouse=True)
def forget() -> Iterator[None]:
    yield
    made.cache_clear()


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_within_everyones_reach(
    name: str, look: str, open_page: Callable[..., Opened]
) -> None:
    assert open_page(made(name), **LOOKS[look]).audit() == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wider_than_a_phone_or_a_sheet(
    name: str, size: str, open_page: Callable[..., Opened]
) -> None:
    assert open_page(made(name), **SIZES[size]).overflow() <= 0


def test_a_phone_hides_nothing_from_a_screen_reader(open_page: Callable[..., Opened]) -> None:
    assert open_page(made("8 states"), **SIZES["phone"]).audit() == []


@pytest.mark.parametrize("name", PAGES)
def test_tab_reaches_everything_and_shows_where_it_is(
    name: str, open_page: Callable[..., Opened]
) -> None:
    opened = open_page(made(name))
    reachable = opened.reachable()  # figures take a place in the walk and give it to their parts
    walked = opened.tab_walk()
    assert len(walked) == reachable > 0
    assert [at for at in walked if not at["marked"]] == []


@pytest.mark.parametrize("name", ["8 states", "capacity"])
def test_the_page_reads_without_scripts(name: str, open_page: Callable[..., Opened]) -> None:
    opened = open_page(made(name), script=False)
    assert opened.page.locator("main h2").count() > 3
    assert opened.page.locator("button:visible").count() == 0


@pytest.mark.parametrize(("name", "most"), [("8 states", 1e6), ("65,536 states", 4e6)])
def test_the_page_is_small(name: str, most: float, tmp_path: Path) -> None:
    assert len(made(name).encode()) < most
