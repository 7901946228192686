"""The words of the pages, of the docstrings and of the report are spelled as a dictionary has them.

The dictionary is pyspellchecker's; names and words of the field that it lacks stand in
tests/spelling.txt. Code, formulas, links and quoted names are left out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
KNOWN = Path(__file__).with_name("spelling.txt")

PAGES = [
    ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "analysis/README.md")
] + [page for page in sorted((ROOT / "docs").rglob("*.md")) if "reference/api/" not in str(page)]
MODULES = sorted((ROOT / "fsm_gpt").rglob("*.py")) + sorted((ROOT / "analysis").rglob("*.py"))
TEMPLATES = sorted((ROOT / "fsm_gpt" / "report").glob("*.j2"))

#: What a page says that is not prose.
NOT_PROSE = [
    r"\A---\n.*?\n---\n",
    r"(?P<fence>```+|~~~+).*?(?P=fence)",
    r"\{[\w:-]+\}`+[^`]*`+",
    r"`+[^`]*`+",
    r"\$\$.*?\$\$",
    r"\$[^$\n]+\$",
    r"\]\([^)]*\)",
    r"\]\[[^\]]*\]",
    r"<[^<>]*>",
    r"\w+://\S+",
    r"^\([\w-]+\)=$",
    r"^:::.*$",
    r"^:\w+:.*$",
]
WORD = re.compile(r"(?<![\w./\\-])[A-Za-z][a-z]+(?:[’'][a-z]+)?(?![\w(/]|\.\w)")


def prose(text: str) -> str:
    """A page without its code, formulas, links and names in backticks."""
    for pattern in NOT_PROSE:
        text = re.sub(pattern, " ", text, flags=re.DOTALL | re.MULTILINE)
    return text


def docstrings(path: Path) -> Iterator[str]:
    """The docstrings of a module, without examples, sections of code and names in backticks."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        said = ast.get_docstring(node) if isinstance(node, documented) else None
        if said:
            lines, example = [], False
            for line in said.splitlines():
                example = line.lstrip().startswith(">>>") or (example and line.strip() != "")
                # A line that is set in further is a formula or a drawing, or goes on a list.
                if not example:
                    lines.append(line)
            yield prose("\n".join(lines))


def misspelled(text: str) -> list[str]:
    """The words of a text that neither the dictionary nor our own list knows."""
    from spellchecker import SpellChecker

    if not hasattr(misspelled, "checker"):
        checker = SpellChecker()
        checker.word_frequency.load_words(KNOWN.read_text(encoding="utf-8").split())
        misspelled.checker = checker
    words = {word.replace("’", "'") for word in WORD.findall(text)}
    bare = {re.sub(r"'s$", "", word) for word in words}
    return sorted(misspelled.checker.unknown(bare))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_is_spelled_well(page: Path) -> None:
    assert misspelled(prose(page.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("page", TEMPLATES, ids=lambda page: page.name)
def test_a_template_is_spelled_well(page: Path) -> None:
    text = re.sub(r"\{[{%].*?[%}]\}", " ", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert misspelled(prose(re.sub(r"<style.*?</style>", " ", text))) == []


def test_docstrings_are_spelled_well() -> None:
    wrong = {
        f"{module.relative_to(ROOT)}: {word}"
        for module in MODULES
        for said in docstrings(module)
        for word in misspelled(said)
    }
    assert sorted(wrong) == []


def test_a_misspelled_word_is_found() -> None:
    assert misspelled("A stationery entropie, definately.") == ["definately", "entropie"]


def test_what_is_no_prose_is_left_out() -> None:
    text = "Ask `definately` or\n```sh\ndefinately\n```\n[here](definately.md), $definately$."
    assert misspelled(prose(text)) == []


def test_our_own_words_are_in_order_and_needed() -> None:
    from spellchecker import SpellChecker

    words = KNOWN.read_text(encoding="utf-8").split()
    assert words == sorted(set(words))
    assert SpellChecker().known(words) == set()
