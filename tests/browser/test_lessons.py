"""The pages of the lesson that are one file each: slides to project, a sheet to print."""

from collections.abc import Callable
from pathlib import Path

import jinja2
import pytest

from tests.browser.opened import Opened
from tests.test_docs_lessons import DOCS, by_hand, layouts

pytestmark = pytest.mark.xdist_group("browser")

BODY = """<section id="all"><h1>A title</h1><p>Words.</p>
<section id="one"><h2>One</h2>{hand}<aside class="say"><p>Louder.</p></aside></section>
<section id="two"><h2>Two</h2><p class="big">79.29%</p></section>
<section id="three"><h2>Three</h2><pre>{wide}</pre></section></section>"""


def page(layout: str) -> str:
    """A page in a layout, as the build puts it together."""
    chain = by_hand.in_hundredths(by_hand.Chain([[0.268, 0.732]] * 8, vocabulary="01"))
    steps = by_hand.walk(chain, "111", by_hand.throws(4, seed=4))
    parts = (by_hand.row_of(chain, "101"), by_hand.rules(chain), by_hand.walked(steps))
    body = BODY.format(hand="".join(part.html for part in parts), wide="w" * 300)
    template = jinja2.Template((DOCS / "_templates" / f"{layout}.jinja").read_text("utf-8"))
    return template.render(
        title="A title",
        project="fsm_gpt",
        body=body,
        first_slide_apart=layouts.first_slide_apart(body),
        styles=layouts.own_styles(layout),
        script=(DOCS / "_static" / "slides.js").read_text("utf-8"),
    )


def place(opened: Opened) -> str:
    return str(opened.page.inner_text("#place"))


def test_keys_go_from_slide_to_slide(open_page: Callable[..., Opened]) -> None:
    opened = open_page(page("slides"))
    assert place(opened) == "1 of 4"
    for key, at in [
        ("ArrowRight", 2),
        ("Space", 3),
        ("PageDown", 4),
        ("ArrowRight", 4),
        ("ArrowLeft", 3),
        ("Home", 1),
        ("Shift+Space", 1),
        ("End", 4),
        ("ArrowUp", 3),
    ]:
        opened.page.keyboard.press(key)
        assert place(opened) == f"{at} of 4"
    assert opened.page.evaluate("location.hash") == "#two"
    top = opened.page.evaluate("document.querySelector('#two').getBoundingClientRect().top")
    assert abs(top) < 2
    opened.page.click("#back")
    assert place(opened) == "2 of 4"


def test_notes_are_shown_when_asked_for(open_page: Callable[..., Opened]) -> None:
    opened = open_page(page("slides"))
    seen = [opened.page.is_visible(".say")]
    for _ in range(2):
        opened.page.keyboard.press("n")
        seen.append(opened.page.is_visible(".say"))
    assert seen == [False, True, False]


def test_slides_can_be_read_without_a_script(open_page: Callable[..., Opened]) -> None:
    opened = open_page(page("slides"), script=False)
    assert opened.page.is_visible("#three h2")
    assert not opened.page.is_visible("#on")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("layout", sorted(layouts.WHOLE))
def test_pages_of_one_file_pass_the_audit(
    layout: str, width: int, scheme: str, open_page: Callable[..., Opened]
) -> None:
    opened = open_page(page(layout), width=width, scheme=scheme)
    assert opened.audit() == []
    assert opened.overflow() <= 0


def test_a_slide_is_a_page_of_print(open_page: Callable[..., Opened], tmp_path: Path) -> None:
    opened = open_page(page("slides"), media="print")
    printed = opened.page.pdf(prefer_css_page_size=True)
    assert printed.count(b"/Type /Page\n") == 4
