"""Headless Chromium, and pages opened in it as a person would see them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.opened import Opened, open_in

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser of the machine's own; nothing is downloaded. It ends with the module."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("needs Chromium: on Debian and Ubuntu, apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=found,
            args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage"],
        )
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Any, request: pytest.FixtureRequest) -> Iterator[Callable[..., Opened]]:
    """Open a file, or a page's text; whatever it complains of by the end fails the test."""
    opened: list[Opened] = []

    def opener(what: str | Path, **options: Any) -> Opened:
        if not isinstance(what, Path):
            folder: Path = request.getfixturevalue("tmp_path")
            what, page = folder / f"page{len(opened)}.html", what
            what.write_text(page, encoding="utf-8")
        opened.append(open_in(browser, what, **options))
        return opened[-1]

    yield opener
    complaints = [words for each in opened for words in each.complaints]
    for each in opened:
        each.close()
    assert not complaints, complaints
