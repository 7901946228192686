"""The pages of docs/: every verb and every public name has its place, and nothing is stale.

The build itself (`make docs`) runs every cell, follows every link and takes no warning.
"""

import importlib.util
import itertools
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest

import fsm_gpt
from analysis import STUDIES
from fsm_gpt.cli import main
from fsm_gpt.cli.ask import ASKS

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_" not in path.relative_to(DOCS).parts[0])
VERBS = main.list_commands(click.Context(main, **main.context_settings))


def extension(name: str) -> ModuleType:
    """A module of docs/_ext."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / "_ext" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


generated, docstrings, offline, balanced, living = map(
    extension, ("generated", "docstrings", "offline", "balanced", "living")
)


def filled(name: str) -> str:
    """A page as the build reads it."""
    return str(generated.fill((DOCS / name).read_text(encoding="utf-8")))


def sections(text: str) -> dict[str, str]:
    """The parts of a page by their headings."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def typed_commands(text: str) -> list[list[str]]:
    """The words of every fsm-gpt command of a page, without the program."""
    lines = "\n".join(re.findall(r"```(?:sh|\{code-cell\}[^\n]*)\n(.*?)```", text, re.DOTALL))
    found = re.findall(r"^(?:!|\.venv/bin/)?fsm-gpt (.+)$", lines, flags=re.MULTILINE)
    return [
        list(
            itertools.takewhile(lambda word: word not in (">", "2>", "|"), shlex.split(words, True))
        )
        for words in found
    ]


def understood(words: list[str]) -> bool:
    """Whether the program knows the verb and takes these options."""
    context = click.Context(main, info_name="fsm-gpt", **main.context_settings)
    command: click.Command | None = main
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        command, name = command.get_command(context, rest[0]), rest.pop(0)
        if command is None:
            return False
        try:
            given = [] if isinstance(command, click.Group) else list(rest)
            context = command.make_context(name, given, parent=context)
        except click.ClickException:
            return False
    return True


# ---- the command line ----


@pytest.mark.parametrize("name", VERBS)
def test_each_verb_has_a_section_with_an_example(name: str) -> None:
    section = sections(filled("reference/cli.md"))[f"`fsm-gpt {name}`"]
    examples = typed_commands(section)
    assert examples
    assert all(words[0] == name and understood(words) for words in examples)


def test_each_question_has_a_section_with_an_example() -> None:
    parts = re.split(
        r"^### (.+)$", sections(filled("reference/cli.md"))["`fsm-gpt ask`"], flags=re.M
    )
    assert parts[1::2] == [f"`fsm-gpt ask {question}`" for question in ASKS]
    for question, section in zip(ASKS, parts[2::2], strict=True):
        (example,) = typed_commands(section)
        assert example[:2] == ["ask", question]
        assert understood(example)
        assert "| option | meaning |" in section


@pytest.mark.parametrize(
    "command",
    [
        click.Command("bare", epilog="\b\nExample:\n  fsm-gpt bare"),
        click.Command("bare", help="It does something.", epilog="See elsewhere."),
        None,
    ],
    ids=["without help", "without an example", "listed and not there"],
)
def test_a_verb_without_docs_is_an_error(command: click.Command | None) -> None:
    with pytest.raises(ValueError, match="fsm-gpt bare"):
        generated.verb(
            "bare", command, click.Context(main, info_name="fsm-gpt", **main.context_settings)
        )


def test_commands_are_told_from_what_is_none() -> None:
    assert typed_commands("```sh\n.venv/bin/fsm-gpt demo  # it\n```") == [["demo"]]
    assert typed_commands("```{code-cell} x\n!fsm-gpt demo > a.txt\n```") == [["demo"]]
    assert understood(["demo", "--seed", "7"])
    assert not understood(["demo", "--sead", "7"])
    assert not understood(["dema"])
    assert understood(["ask", "reach", "chain", "--to", "1"])
    assert not understood(["ask", "reach", "chain", "--two", "1"])
    assert not understood(["ask", "raech", "chain"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_are_understood(page: Path) -> None:
    commands = typed_commands(page.read_text(encoding="utf-8"))
    assert [words for words in commands if not understood(words)] == []


def test_every_exit_code_has_a_meaning() -> None:
    table = filled("reference/cli.md")
    codes = {getattr(fsm_gpt.errors, name).exit_code for name in fsm_gpt.errors.__all__}
    assert {0, 2, *codes} <= {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.M)}


# ---- public names ----


@pytest.mark.parametrize("name", sorted(fsm_gpt._HOME))
def test_each_public_name_is_listed_and_described(name: str) -> None:
    assert re.search(rf"^   fsm_gpt\.{name}$", filled("reference/api.md"), re.MULTILINE)
    page = filled(f"reference/api/{generated.page_of(name)}.md")
    assert re.search(rf"^\.\. auto\w+:: fsm_gpt\.{name}$", page, re.MULTILINE)


def test_a_name_without_a_place_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fsm_gpt._HOME, "nowhere", "fsm_gpt.nowhere")
    with pytest.raises(ValueError, match="nowhere"):
        generated.page_of("nowhere")


def test_formulas_in_docstrings_are_kept_as_they_stand() -> None:
    plain = docstrings.plain(["So", "", "    h = |a|", "", "and |b|, ``a | b``.", ">>> a | b"])
    assert plain == ["So", "", "::", "", "    h = |a|", "", r"and \|b\|, ``a | b``.", ">>> a | b"]
    numpy = ["What.", "", "Parameters", "----------", "a", "    One.", "", "    Two."]
    assert docstrings.plain(numpy) == numpy


# ---- pages ----


def test_there_are_pages() -> None:
    assert {"index", "article", "your-own-model", "cli", "api"} <= {page.stem for page in PAGES}


def test_every_study_is_shown_and_listed() -> None:
    every = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    listed = (DOCS / "reference" / "studies.md").read_text(encoding="utf-8")
    for name in STUDIES:
        assert f"from analysis.{name} import run" in every
        assert f"| `{name}` |" in listed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+\.md)[^)]*\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).resolve().is_file(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_sources_that_are_cited_are_listed(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    known = set(re.findall(r"^\(([\w-]+)\)=$", (DOCS / "sources.md").read_text(), re.MULTILINE))
    own = {re.sub(r"[^\w-]+", "-", h.lower()) for h in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) <= known | own


def test_no_page_names_a_place_on_a_machine() -> None:
    place = re.compile(r"(?<![\w.])(?:/(?:work|root|home|tmp|Users)/|[A-Z]:\\)")
    assert place.search("see " + "/".join(["", "home", "me"]))
    files = [path for path in DOCS.rglob("*") if path.suffix in (".md", ".py", ".css", ".json")]
    assert [path.name for path in files if place.search(path.read_text(encoding="utf-8"))] == []


def test_what_pages_would_fetch_is_seen() -> None:
    outside = "https://a.example/x"
    assert offline.fetched(f'<a href="{outside}">x</a>', ".html") == []
    for bad in (
        f'<script src="{outside}"></script>',
        '<link rel="stylesheet" href="//a.example/x">',
        f"<style>p {{ background: url({outside}) }}</style>",
    ):
        assert len(offline.fetched(bad, ".html")) == 1
    assert offline.fetched(f"@import '{outside}';", ".css") == [outside]


GUIDES = sorted((DOCS / "how-to").glob("*.md"))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda page: page.stem)
def test_a_guide_is_short_and_is_run(guide: Path) -> None:
    text = guide.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    assert "\nfile_format: mystnb\n" in text
    assert "```{code-cell} ipython3\n" in text


def test_every_page_can_be_reached_from_the_first() -> None:
    trees = {
        page: re.findall(r"^(?:.*<)?([\w/.-]+)>?$", block, flags=re.MULTILINE)
        for page in PAGES
        for block in [
            "\n".join(re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(), re.DOTALL))
        ]
    }
    seen, ahead = set(), [DOCS / "index.md"]
    while ahead:
        page = ahead.pop()
        seen.add(page)
        ahead += [page.parent / f"{name}.md" for name in trees.get(page, [])]
    assert set(PAGES) <= seen


def test_citations_are_those_of_the_citation_file() -> None:
    said = living.citation()
    entries = living.bibtex(said)
    assert f"version = {{{fsm_gpt.__version__}}}" in entries
    assert entries.count("\n@") == len(said["references"])
    assert "eprint = {2410.02724}" in entries
    assert "Zekri, Oussama and Odonnat, Ambroise" in entries
    assert r"author = {{fsm\_gpt contributors}}" in entries


def test_cells_are_run_at_every_build() -> None:
    settings = (DOCS / "conf.py").read_text(encoding="utf-8")
    assert re.search(r'^nb_execution_mode = "(inline|force)"', settings, re.MULTILINE)
    assert "nb_execution_raise_on_error = True" in settings
    assert list(DOCS.rglob("*.ipynb")) == [], "a notebook can store what it once showed"


@pytest.mark.parametrize("sizes", [[4, 4, 4], [5, 5, 2], [12], [1] * 12])
def test_pages_are_dealt_so_that_no_process_reads_all_the_heavy_ones(sizes):
    weights = {f"page{i}": i for i in range(12)}
    order = balanced.dealt(weights, sizes)
    assert sorted(order) == sorted(weights)
    starts = list(itertools.accumulate(sizes, initial=0))
    runs = [order[a:b] for a, b in itertools.pairwise(starts)]
    heaviest = [max(weights[name] for name in run) for run in runs]
    assert sorted(heaviest, reverse=True) == list(range(11, 11 - len(sizes), -1))
