"""The lesson kit, the article in Chinese, and the notebooks made of the tutorials.

What the pages say is computed when they are built; what can be asked without a build is asked here.
"""

import html.parser
import importlib
import json
import re
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from docutils import nodes
from nbclient import NotebookClient

from fsm_gpt.chain import Chain
from fsm_gpt.markov import stationary_distribution

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))
LESSON = sorted((DOCS / "lesson").glob("*.md"))


def extension(name: str) -> ModuleType:
    """A module of docs/_ext, which finds the others there as in a build."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(DOCS / "_ext"), *sys.path])
        return importlib.import_module(name)


notebooks, layouts, by_hand = map(extension, ("notebooks", "layouts", "by_hand"))


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def cells(path: Path, *, shown: bool = False) -> list[str]:
    """The code of a page; only what a reader sees, if asked."""
    found = re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", read(path), re.M | re.S)
    return [
        re.sub(r"^:tags:[^\n]*\n", "", cell)
        for cell in found
        if not (shown and re.match(r":tags:.*remove-(input|cell)", cell))
    ]


# ---- notebooks ----


def made(path: Path) -> nbformat.NotebookNode:
    """The notebook of a page with marks where numbers of a build would stand."""
    text = read(path)
    language = "zh-CN" if path.stem.endswith(".zh") else "en"
    marks = [f"<{i}>" for i, _ in enumerate(notebooks.asked(text))]
    return notebooks.notebook(text, marks, language=language)


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_each_tutorial_is_a_notebook(page: Path) -> None:
    book = made(page)
    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    words = "\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert len({cell.id for cell in book.cells}) == len(book.cells)
    assert "pip install" in book.cells[0].source
    assert book.cells[2].source.startswith("# ")
    for number, _ in enumerate(notebooks.asked(read(page))):
        assert f"<{number}>" in words
    # No sign of Sphinx is left, no link leads to a page that is not there, no helper is missing.
    assert re.findall(r"\{[a-z:-]+\}`|```\{|^:::|\]\((?!https?:)[^)]*\)", words, re.M) == []
    assert "import shown" not in "\n".join(cell.source for cell in code)
    kept = "\n".join(cell.source for cell in code[1:])
    for cell in cells(page):
        assert cell.replace("import shown\n", "").strip() in kept


def test_a_notebook_is_the_same_at_each_build() -> None:
    first, second = (nbformat.writes(made(TUTORIALS[0])) for _ in range(2))
    assert first == second


def test_numbers_must_be_as_many_as_their_places() -> None:
    page = "---\nfile_format: mystnb\n---\n# One\n\nIt is {eval}`1 + 1` and {eval}`2`.\n"
    assert notebooks.notebook(page, ["2", "2"]).cells[-1].source == "# One\n\nIt is 2 and 2."
    for values in ([], ["2"], ["2", "2", "2"]):
        with pytest.raises(ValueError, match="2 numbers"):
            notebooks.notebook(page, values)


def test_what_only_sphinx_understands_is_put_otherwise() -> None:
    given = (
        "(here)=\n## A\n\n:::{container} x\nSee {py:func}`fg.train <fsm_gpt.train>` and "
        "{py:func}`~fsm_gpt.train`, [there](../a.md#b), [below](#here), "
        "[outside](https://a.b).\n:::\n\n```{toctree}\na\n```\n"
        "```{note} Mind\n:class: x\nthis\n```\n```sh\nmake\n```\n"
    )
    assert notebooks.readable(given, iter(())) == (
        "## A\n\nSee `fg.train` and `fsm_gpt.train`, there, below, [outside](https://a.b).\n\n"
        "> **Mind**\n>\n> this\n```sh\nmake\n```\n"
    )


def test_numbers_are_read_off_the_page() -> None:
    def bundle(text: str) -> nodes.container:
        plain = nodes.container("", nodes.Text(text), mime_type="text/plain")
        html = nodes.container("", nodes.Text("not this"), mime_type="text/html")
        return nodes.container("", html, plain, nb_element="mime_bundle")

    page = nodes.section("", nodes.title("", "T"), bundle("an output of a cell"))
    page += nodes.paragraph("", "", bundle("0.82"), nodes.Text(" and "), bundle("8"))
    assert notebooks.values_of(page) == ["0.82", "8"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_notebook_runs_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_PATH", str(DOCS / "_jupyter"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    book = made(DOCS / "tutorials" / "article.zh.md")
    NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    shown = json.dumps(outputs)
    assert "0.6635 -> 0.4670" in shown
    assert "image/png" in shown
    assert not [output for output in outputs if output.output_type == "error"]


# ---- pages in their own layout ----


def test_code_keeps_its_language() -> None:
    body = (
        '<p>平稳\n分布</p><div class="highlight-python"></div>'
        '<div class="output text_html">表</div>'
    )
    assert layouts.in_language(body, "zh-CN") == (
        '<div lang="zh-CN"><p>平稳分布</p><div lang="en" class="highlight-python"></div>'
        '<div class="output text_html">表</div></div>'
    )


def test_lines_are_joined_between_chinese_characters_alone() -> None:
    assert layouts.joined("状态，\n转移\nGPT\n的 a\nb") == "状态，转移\nGPT\n的 a\nb"


class _Tags(html.parser.HTMLParser):
    """Which elements are open; it objects to one that is closed out of order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("page", LESSON, ids=lambda page: page.stem)
def test_what_is_opened_in_a_lesson_is_closed(page: Path) -> None:
    tags = _Tags()
    outside = re.sub(r"^```.*?^```$|\{eval\}`[^`]*`|`[^`]*`", "", read(page), flags=re.M | re.S)
    tags.feed(outside)
    assert tags.open == []


def test_slides_and_sheets_need_no_other_file() -> None:
    for name in layouts.WHOLE:
        template = read(DOCS / "_templates" / f"{name}.jinja")
        assert re.findall(r"\bsrc=|<link|@import|url\(", template) == []
        assert (DOCS / "_static" / f"{name}.css").is_file()
    used = {found for page in LESSON for found in re.findall(r"^layout: (\w+)$", read(page), re.M)}
    assert used == {*layouts.WHOLE, "steps", "exercises"}
    styles = read(DOCS / "_static" / "lesson.css")
    assert all(f".{name} " in styles for name in used - layouts.WHOLE)


# ---- the lesson ----


def test_each_step_has_something_to_do_and_its_answer() -> None:
    parts = re.split(r"^## Step (\d): .+$", read(DOCS / "lesson" / "eight-steps.md"), flags=re.M)
    assert parts[1::2] == [str(n) for n in range(1, 9)]
    for number, step in zip(parts[1::2], parts[2::2], strict=True):
        assert "**Do.**" in step
        assert f"<summary>Check step {number}</summary>" in step


def test_each_exercise_has_one_answer_that_is_computed_and_checked() -> None:
    parts = re.split(r"^### (\d+)\. .+$", read(DOCS / "lesson" / "exercises.md"), flags=re.M)
    assert parts[1::2] == [str(n) for n in range(1, 15)]
    for number, exercise in zip(parts[1::2], parts[2::2], strict=True):
        question, _, rest = exercise.partition(f"<details><summary>Answer {number}</summary>\n\n")
        answer = rest.partition("\n</details>")[0]
        assert "?" in question
        assert "```" not in question
        assert re.search(r"^```\{code-cell\}.*^ *assert .*^```$", answer, re.M | re.S)


def test_the_plans_name_slides_steps_and_exercises_that_are_there() -> None:
    plans = read(DOCS / "lesson" / "index.md")
    slides = 1 + len(re.findall(r"^## ", read(DOCS / "lesson" / "slides.md"), re.M))
    most = {"slides?": slides, "steps?": 8, "exercises?": 14, "worksheet": 5}
    for what, last in most.items():
        named = re.findall(rf"{what} (\d+)(?:,? (?:to|and) (\d+))?", plans)
        assert named
        assert all(1 <= int(number) <= last for pair in named for number in pair if number)
    for minutes, plan in re.findall(r"^## (\d+) minutes\n(.*?)^Home", plans, re.M | re.S):
        assert sum(map(int, re.findall(r"^\| (\d+) \|", plan, re.M))) == int(minutes)


def test_the_article_in_chinese_has_the_cells_of_the_english_one() -> None:
    english = cells(DOCS / "tutorials" / "article.md", shown=True)
    chinese = cells(DOCS / "tutorials" / "article.zh.md", shown=True)
    # What takes the study a minute is read there from the tables that are kept of it.
    both = [cell for cell in english if not re.search(r"\bstudy\b|capacity_study|more\.", cell)]
    assert len(both) > 10
    assert [cell for cell in both if cell not in chinese] == []
    assert "](article.zh.md)" in read(DOCS / "tutorials" / "article.md")
    assert "](article.md)" in read(DOCS / "tutorials" / "article.zh.md")


# ---- by hand ----

ROWS = [[0.268, 0.732], [0.0, 1.0], [0.245, 0.755], [1.0, 0.0]]


def all_walks(chain: Chain, context: str) -> Iterator[str]:
    """The token of each of the hundred throws."""
    for throw in range(by_hand.SIDES):
        (step,) = by_hand.walk(chain, context, [throw])
        assert step.next == context[1:] + step.token
        yield step.token


def test_a_hundred_throws_are_the_row() -> None:
    hand = by_hand.in_hundredths(Chain(ROWS, vocabulary="01"))
    for context, row in zip(hand.labels(), hand.next_token, strict=True):
        tokens = "".join(all_walks(hand, context))
        assert Fraction(tokens.count("0"), 100) == row[0]
        assert Fraction(tokens.count("1"), 100) == row[1]
        assert tokens == "".join(sorted(tokens)), "low throws say 0"


def test_hundredths_are_exact_and_near() -> None:
    chain = Chain(ROWS, vocabulary="01")
    hand = by_hand.in_hundredths(chain)
    for row, exact in zip(chain.next_token, hand.next_token, strict=True):
        assert sum(exact) == 1
        assert all((100 * p).denominator == 1 for p in exact)
        assert all(abs(float(p) - q) <= 0.005 + 1e-12 for p, q in zip(exact, row, strict=True))


def test_a_long_walk_comes_near_the_long_run() -> None:
    chain = Chain([["3/10", "7/10"], ["1/2", "1/2"]], vocabulary="01")
    n = 20_000
    came = by_hand.visits(chain, by_hand.walk(chain, "0", by_hand.throws(n, seed=1)))
    assert sum(came) == n
    pi = stationary_distribution(chain).pi  # 5/12 and 7/12: 7/10 of 5/12 is 1/2 of 7/12
    assert list(pi) == [Fraction(5, 12), Fraction(7, 12)]
    assert abs(came[0] / n - float(pi[0])) < 0.02


def test_throws_are_the_same_for_everybody_and_all_occur() -> None:
    assert by_hand.throws(50, seed=4) == by_hand.throws(50, seed=4)
    assert set(by_hand.throws(5000, seed=4)) == set(range(100))


def test_a_form_tells_the_first_context_and_no_answer() -> None:
    chain = Chain([[0.3, 0.7], [0.5, 0.5]], vocabulary="01")
    steps = by_hand.walk(chain, "0", [0, 99, 0])
    form, filled = by_hand.walked(steps, filled=False), by_hand.walked(steps)
    assert form.html.count("tiles") == 1
    assert filled.html.count("tiles") == 6
    assert by_hand.walked(steps, first=11, filled=False).html.count("tiles") == 0
    assert "says 0" in repr(by_hand.rules(chain))
    assert "no throw" in repr(by_hand.rules(Chain([[0.0, 1.0], [1.0, 0.0]], vocabulary="01")))
