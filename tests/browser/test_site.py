"""The built pages, opened from their folder: no error, no request elsewhere, readable by all.

`make docs` builds them into build/docs/html, and `make site` opens them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.opened import Opened

SITE = Path(os.environ.get("SITE", Path(__file__).resolve().parents[2] / "build/docs/html"))
#: Pages that one template writes are heard by one of them.
ALIKE = re.compile(r"reference/api/|genindex|py-modindex|search\.html")
EVERY = sorted(str(page.relative_to(SITE)) for page in SITE.rglob("*.html")) or ["index.html"]
WRITTEN = [page for page in EVERY if not ALIKE.search(page)]
SAMPLES = [page for page in EVERY if page.endswith(("api/models.html", "search.html"))]

pytestmark = [
    pytest.mark.xdist_group("site"),
    pytest.mark.skipif(not (SITE / "index.html").exists(), reason=f"no pages in {SITE}: make docs"),
]


@pytest.mark.parametrize("page", EVERY)
def test_a_page_is_at_ease_on_a_phone(page: str, open_page: Callable[..., Opened]) -> None:
    opened = open_page(SITE / page, root=SITE, width=390, height=844)
    assert opened.overflow() <= 0


@pytest.mark.parametrize("page", WRITTEN + SAMPLES)
def test_a_page_is_within_everyones_reach(page: str, open_page: Callable[..., Opened]) -> None:
    assert open_page(SITE / page, root=SITE).audit() == []


@pytest.mark.parametrize("page", [page for page in WRITTEN if "/" not in page or "article" in page])
def test_a_dark_page_is_too(page: str, open_page: Callable[..., Opened]) -> None:
    assert open_page(SITE / page, root=SITE, scheme="dark").audit() == []


def test_a_search_finds_without_a_network(open_page: Callable[..., Opened]) -> None:
    opened = open_page(SITE / "index.html", root=SITE)
    opened.page.fill("input.sidebar-search", "entropy")
    opened.page.press("input.sidebar-search", "Enter")
    links = "document.querySelectorAll('#search-results li a').length"
    opened.page.wait_for_function(f"() => {links} > 5")  # they come one after the other
    assert "entropy" in opened.page.inner_text("#search-results").lower()
