"""Commands to go on with after one, about the same file and with the same options."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["after_analyze"]

#: Options of analyze that the other verbs do not have, and whether a value comes after each.
_OWN = {"--exact": False, "--json": False, "--text": True}


def after_analyze(file: str, typed: Sequence[str], *, n_states: int) -> list[tuple[list[str], str]]:
    """What to type after ``fsm-gpt analyze``, each as its words and what it does.

    >>> after_analyze("c", ["c", "--json", "--top-k", "2"], n_states=1)[0]
    (['fsm-gpt', 'report', 'c', '--top-k', '2'], 'The same as a page with pictures:')
    """
    options = _shared(typed, file)

    def line(*words: str) -> list[str]:
        return ["fsm-gpt", *words, file, *options]

    found = [
        (line("report"), "The same as a page with pictures:"),
        ([*line("simulate"), "--tokens", "200"], "A text that it writes:"),
    ]
    if n_states > 1:
        found.append((line("minimize"), "The smallest machine that does the same:"))
    found.append((["fsm-gpt", "ask", "--help"], "Questions with exact answers:"))
    return found


def _shared(typed: Sequence[str], file: str) -> list[str]:
    """The options as they were typed, without the file and what is analyze's alone."""
    kept: list[str] = []
    rest = iter(typed)
    named = False
    for word in rest:
        name, joined, _ = word.partition("=")
        if name in _OWN:
            if _OWN[name] and not joined:
                next(rest, None)
        elif word == file and not named:
            named = True
        elif word != "--":
            kept.append(word)
    return kept
