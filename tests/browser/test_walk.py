"""The report in a browser: the chain is walked by hand, by keys, by chance, and under each rule."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.report import page_figures, walk_rows
from fsm_gpt.report.page import Report, report
from fsm_gpt.watch import watch_models
from tests.browser.opened import Opened
from tests.report.chains import AFTER, BEFORE, TEXT, gambler, hostile, of_ones, windows

pytestmark = pytest.mark.xdist_group("browser")


def with_maps() -> Report:
    """The report of 256 states as one of more states than a table has room for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_figures, "TABLE_LIMIT", 128)
        found = report(windows(2, 8))
        assert found.html
    return found


PAGES = {
    "article": lambda: report(
        of_ones(AFTER),
        before=of_ones(BEFORE),
        text=TEXT,
        losses=[0.6635, 0.4700],
        watched=watch_models([(0, of_ones(BEFORE)), (50, of_ones(AFTER))], TEXT),
    ),
    "64 states": lambda: report(windows(2, 6)),
    "hostile": lambda: report(hostile()),
    "gambler": lambda: report(gambler()),
    "maps": lambda: with_maps(),
    "one state": lambda: report(Chain([[1.0]], vocabulary="人", context=1)),
}

#: What reaches farthest to the right, with what it is in.
WIDEST = """() => { let most = null, right = 0;
  for (const one of document.querySelectorAll("main *")) {
    const edge = one.getBoundingClientRect().right;
    if (edge > right && one.closest(".scroll") === null) { right = edge; most = one; }
  }
  return most.outerHTML.slice(0, 200) + " in " + most.parentNode.outerHTML.slice(0, 100);
}"""

Open = Callable[..., Opened]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The file of each page, written when it is first asked for."""
    folder = tmp_path_factory.mktemp("reports")

    def page(name: str) -> Path:
        path = folder / f"{name}.html"
        return path if path.exists() else PAGES[name]().save(path)

    return page


def text_of(opened: Opened) -> str:
    return str(opened.page.inner_text("#walk-text")).replace("\n", "")


def said(opened: Opened, of: str) -> str:
    return " ".join(str(opened.page.text_content(of)).split())


@pytest.mark.parametrize(
    ("name", "scheme", "width"),
    [
        ("article", "light", 1280),
        ("article", "dark", 400),
        ("64 states", "dark", 1280),
        ("hostile", "light", 400),
        ("gambler", "dark", 1280),
        ("one state", "light", 400),
        ("maps", "light", 400),
    ],
)
def test_every_page_is_accessible(
    name: str, scheme: str, width: int, pages: Callable[[str], Path], open_page: Open
) -> None:
    opened = open_page(pages(name), scheme=scheme, width=width)
    opened.page.click("#walk-draw")
    opened.page.fill("#walk-find", "1")
    assert opened.audit() == []
    assert opened.overflow() == 0, opened.page.evaluate(WIDEST)


def test_a_walk_by_hand(pages: Callable[[str], Path], open_page: Open) -> None:
    """The text, the context, the surprise and their mean are those of the chain's rows."""
    opened = open_page(pages("article"))
    page = opened.page
    assert text_of(opened) == "111"
    rows = {format(s, "03b"): (1 - p, p) for s, p in enumerate(AFTER)}
    text, bits = "111", []
    for token in "0100110":
        bits.append(-np.log2(rows[text[-3:]][int(token)]))
        page.click(f"#walk-tokens button[data-token='{token}']")
        text += token
    assert text_of(opened) == text
    assert said(opened, "#walk-here") == text[-3:]
    assert said(opened, "#walk-last") == f"{bits[-1]:.3f} bits"
    assert said(opened, "#walk-mean") == f"{np.mean(bits):.3f} bits"
    assert said(opened, "#walk-steps") == "mean of 7 steps"
    shown = page.inner_text("#walk-tokens button[data-token='1']")
    assert f"{100 * rows[text[-3:]][1]:.1f}%" in shown
    page.click("#walk-back")
    assert text_of(opened) == text[:-1]
    page.click("#walk-again")
    assert text_of(opened) == "111"


def test_a_walk_by_keys(pages: Callable[[str], Path], open_page: Open) -> None:
    opened = open_page(pages("article"))
    page = opened.page
    page.focus("#walk-tokens button[data-token='0']")
    page.keyboard.press("Enter")
    page.keyboard.press("1")
    page.keyboard.press("1")
    page.keyboard.press("0")
    assert text_of(opened) == "1110110"
    page.keyboard.press("Backspace")
    assert text_of(opened) == "111011"
    assert page.evaluate("document.activeElement.dataset.token") == "0"
    page.focus("#walk-find")
    page.keyboard.type("0")
    assert text_of(opened) == "111011", "what is typed into the search is no step"


def test_draws_repeat_and_follow_the_rows(pages: Callable[[str], Path], open_page: Open) -> None:
    """In 4,000 steps the share of each token after each context is within four deviations."""
    opened = open_page(pages("article"))
    page = opened.page
    page.evaluate(
        "for (let i = 0; i < 80; i += 1) document.getElementById('walk-draw-many').click()"
    )
    steps = page.evaluate("walk.now.steps.map((step) => [step.from, step.token])")
    assert len(steps) == 4000
    seen = Counter(map(tuple, steps))
    for s, p in enumerate(AFTER):
        n = seen[s, 0] + seen[s, 1]
        assert n > 30
        assert abs(seen[s, 1] / n - p) < 4 * np.sqrt(p * (1 - p) / n)
    for (a, t), (b, _) in itertools.pairwise(steps):
        assert b == (2 * a + t) % 8
    first = page.evaluate("walk.now.steps.slice(0, 50).map((step) => step.token)")
    page.reload()
    page.click("#walk-draw-many")
    assert page.evaluate("walk.now.steps.map((step) => step.token)") == first


def test_the_greedy_cycle(pages: Callable[[str], Path], open_page: Open) -> None:
    opened = open_page(pages("article"))
    page = opened.page
    page.select_option("#walk-rule", label="greedy (top-k 1)")
    assert "111 → 110 → 101 → 011 → 111" in said(opened, "#walk-structure")
    assert "Period 4." in said(opened, "#walk-structure")
    page.click("#walk-draw-many")
    assert text_of(opened) == ("1110" * 14)[:53]
    assert page.locator("[data-rule='4'] [data-part^='edge-'] .hit").count() == 8
    assert page.locator("[data-rule='0']").is_hidden()
    off = page.locator("#walk-tokens button[aria-disabled='true']")
    assert off.count() == 1
    before = text_of(opened)
    off.click(force=True)
    assert text_of(opened) == before
    assert said(opened, "#walk-mean") == "0 bits"


def test_search_finds_and_goes_there(pages: Callable[[str], Path], open_page: Open) -> None:
    opened = open_page(pages("64 states"))
    page = opened.page
    page.fill("#walk-find", "0110")
    assert said(opened, "#walk-count").startswith("4 end so")
    found = page.locator("#walk-found button strong").all_inner_texts()
    assert sorted(found) == ["000110", "010110", "100110", "110110"]
    page.locator("#walk-found button", has_text="100110").click()
    assert said(opened, "#walk-here") == "100110"
    assert re.search(r"π [\d.]+%.*bits on average", said(opened, "#walk-known"))
    page.fill("#walk-find", "000001")
    page.press("#walk-find", "Enter")
    assert said(opened, "#walk-here") == "000001"
    page.fill("#walk-find", "2")
    assert said(opened, "#walk-count") == "No name ends so."


def test_the_arrow_keys_reach_all_of_the_graph(
    pages: Callable[[str], Path], open_page: Open
) -> None:
    opened = open_page(pages("article"))
    page = opened.page
    page.focus("svg[data-figure='rule-0'] [data-part='disc-0']")
    reached = []
    for _ in range(24):
        reached.append(page.evaluate("document.activeElement.dataset.part"))
        assert said(opened, "#details")
        page.keyboard.press("ArrowRight")
    assert sum(part.startswith("disc") for part in reached) == 8
    assert sum(part.startswith("edge") for part in reached) == 16
    assert len(set(reached)) == 24
    assert page.locator("svg[data-figure='rule-0'] [tabindex='0']").count() == 1
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    assert said(opened, "#details").startswith("001: π ")
    page.keyboard.press("ArrowRight")
    assert said(opened, "#details").startswith("001 → 010 by 0: probability 21.9%")
    page.keyboard.press("Enter")
    assert said(opened, "#walk-here") == "001"
    page.keyboard.press("Enter")
    assert text_of(opened) == "0010"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement === document.body")
    page.wait_for_timeout(300)
    assert said(opened, "#details") == ""


def test_the_table_and_the_icicle(pages: Callable[[str], Path], open_page: Open) -> None:
    opened = open_page(pages("64 states"))
    page = opened.page
    page.focus("svg[data-figure='table'] [data-part='context-0']")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert said(opened, "#details").startswith("001001: π ")
    page.keyboard.press("Enter")
    assert said(opened, "#walk-here") == "001001"
    assert page.locator("svg[data-figure='table'] .here").count() == 1
    assert page.locator("svg[data-figure='icicle'] .here").count() >= 4
    page.locator("svg[data-figure='icicle'] [data-part='suffix-1-1']").hover(force=True)
    assert said(opened, "#details").startswith("Texts end in 1 ")


def test_the_maps(pages: Callable[[str], Path], open_page: Open) -> None:
    """A point is the context whose newest token is its half from left to right, and so on."""
    opened = open_page(pages("maps"))
    page = opened.page
    assert page.locator("svg[data-figure='mass'] .here").count() == 1
    cursor = "svg[data-figure='next'] .cursor"
    page.focus(cursor)
    for key in ("ArrowLeft", "ArrowUp"):
        for _ in range(16):
            page.keyboard.press(key)
    assert page.get_attribute(cursor, "aria-label") == "00000000"
    page.keyboard.press("ArrowDown")  # the oldest of eight tokens is the finest strip
    assert page.get_attribute(cursor, "aria-label") == "10000000"
    page.keyboard.press("ArrowRight")
    assert page.get_attribute(cursor, "aria-label") == "11000000"
    assert said(opened, "#details").startswith("11000000: π ")
    page.keyboard.press("Enter")
    assert said(opened, "#walk-here") == "11000000"


def test_a_step_out_of_what_is_embedded(monkeypatch: pytest.MonkeyPatch, open_page: Open) -> None:
    monkeypatch.setattr(walk_rows, "EXACT_BYTES", 100)
    monkeypatch.setattr(walk_rows, "MOST_BYTES", 1500)
    opened = open_page(report(windows(2, 8)).html)
    page = opened.page
    for _ in range(60):
        page.click("#walk-draw-many")
        if "does not hold" in said(opened, "#walk-said"):
            break
    assert "does not hold this context’s row" in said(opened, "#walk-said")
    assert "not embedded" in said(opened, "#walk-known")
    assert page.locator("#walk-tokens button[aria-disabled='false']:visible").count() == 0
    page.click("#walk-back")
    assert page.locator("#walk-tokens button[aria-disabled='false']:visible").count() > 0


def test_the_slider_changes_the_graph(pages: Callable[[str], Path], open_page: Open) -> None:
    opened = open_page(pages("article"))
    page = opened.page
    assert page.locator("figure.frame:visible").count() == 1
    page.focus("#slider")
    page.keyboard.press("End")
    assert page.get_attribute("#slider", "aria-valuetext") == "step 50"
    assert "1(45%)" in page.inner_text("figure.frame:visible")
    page.keyboard.press("Home")
    assert "1(55%)" in page.inner_text("figure.frame:visible")


def test_ruin_is_the_end_of_play(pages: Callable[[str], Path], open_page: Open) -> None:
    opened = open_page(pages("gambler"))
    opened.page.fill("#walk-find", "4")
    opened.page.press("#walk-find", "Enter")
    assert "closed class 2 of 2" in said(opened, "#walk-known")
    opened.page.click("#walk-draw-many")
    assert said(opened, "#walk-here") == "4"
    assert said(opened, "#walk-rate") == "—"
    assert said(opened, "#walk-no-rate")


def test_hostile_names_are_words(pages: Callable[[str], Path], open_page: Open) -> None:
    opened = open_page(pages("hostile"))
    opened.page.fill("#walk-find", ")</script>")
    opened.page.press("#walk-find", "Enter")
    assert said(opened, "#walk-here") == "<script>alert(1)</script>"
    assert opened.page.locator("#walk script").count() == 0


def test_tab_reaches_everything(pages: Callable[[str], Path], open_page: Open) -> None:
    opened = open_page(pages("article"))
    opened.page.fill("#walk-find", "1")
    opened.page.evaluate("document.activeElement.blur(); window.getSelection().removeAllRanges()")
    opened.page.evaluate("document.body.tabIndex = -1; document.body.focus()")
    opened.page.evaluate("document.body.removeAttribute('tabindex')")
    walked = opened.tab_walk()
    assert len(walked) >= opened.reachable() - 1
    assert all(at["seen"] and at["marked"] for at in walked)


def test_without_a_script_and_on_paper(pages: Callable[[str], Path], open_page: Open) -> None:
    for name in ("article", "64 states"):
        plain = open_page(pages(name), script=False).page
        assert not plain.locator("#walk, .player, .frame, [data-walk]").filter(visible=True).count()
        paper = open_page(pages(name), media="print").page
        assert not paper.locator("#walk, .player, .frame, .details").filter(visible=True).count()
    assert (
        open_page(pages("gambler"), media="print").page.locator("#graph svg:visible").count() == 1
    )
