"""What watches the pages sees what is wrong with one."""

from collections.abc import Callable

import pytest

from tests.browser.opened import Opened

pytestmark = pytest.mark.xdist_group("browser")

GOOD = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Good</title></head>
<body><main><h1>Good</h1><p>Words.</p><button>One</button><button>Two</button></main></body></html>"""


def wrong(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_a_good_page_has_nothing_to_complain_of(open_page: Callable[..., Opened]) -> None:
    opened = open_page(GOOD)
    assert opened.audit() == []
    assert opened.complaints == []
    assert opened.overflow() == 0
    assert opened.reachable() == 2
    assert [at["name"] for at in opened.tab_walk()] == ["One", "Two"]


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (wrong("<p>", "<script>throw new Error('no')</script><p>"), "error: no"),
        (wrong("<p>", "<script>console.warn('hm')</script><p>"), "console: hm"),
        (wrong("<p>", "<img alt='' src='http://127.0.0.1:9/x.png'><p>"), "request: http://127"),
    ],
)
def test_complaints_are_kept(page: str, said: str, open_page: Callable[..., Opened]) -> None:
    opened = open_page(page)
    assert any(words.startswith(said) for words in opened.complaints)
    opened.complaints.clear()


@pytest.mark.parametrize(
    ("page", "rule"),
    [
        (wrong(' lang="en"', ""), "html-has-lang"),
        (wrong("<button>One", "<button>"), "button-name"),
        (wrong("<p>", "<p style='color: #ccc; background: #fff'>"), "color-contrast"),
    ],
)
def test_the_audit_finds(page: str, rule: str, open_page: Callable[..., Opened]) -> None:
    assert [words.split()[0] for words in open_page(page).audit()] == [rule]


def test_a_page_wider_than_its_window_is_seen(open_page: Callable[..., Opened]) -> None:
    opened = open_page(wrong("<p>", "<p style='width: 500px'>"), width=400)
    assert opened.overflow() > 90


def test_what_cannot_be_reached_is_counted(open_page: Callable[..., Opened]) -> None:
    trap = "<button onkeydown=\"if (event.key === 'Tab') event.preventDefault()\">One"
    opened = open_page(wrong("<button>One", trap))
    assert len(opened.tab_walk(most=10)) == 10
    assert opened.reachable() == 2
