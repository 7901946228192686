"""The report as Markdown: the same numbers in tables, without the figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fsm_gpt.report.facts import Facts
from fsm_gpt.report.sections import sections
from fsm_gpt.report.tables import markdown_table, markdown_text
from fsm_gpt.report.words import powers

__all__ = ["markdown"]

Section = dict[str, Any]


def markdown(facts: Facts, *, title: str | None = None) -> str:
    """The whole report, as GitHub and Sphinx show it.

    >>> from fsm_gpt.chain import Chain
    >>> from fsm_gpt.report.facts import gather
    >>> text = markdown(gather(Chain([[0.5, 0.5], [0.25, 0.75]])), title="Two states")
    >>> text.splitlines()[0], "## Bits of state" in text
    ('# Two states', True)
    """
    page = sections(facts, title=title)
    lead = "".join(
        f"**{markdown_text(part['words'])}**" if part["strong"] else _inside(part["words"])
        for part in page["lead"]
    )
    out = [f"# {_text(page['title'])}", "", lead, ""]
    cards = [(c["name"], f"{c['value']} {c['unit']}".strip(), c["sub"]) for c in page["cards"]]
    out += _table(("", "value", "meaning"), cards)
    for one in page["beside"]:
        out += [f"## {_text(one['heading'])}", ""]
        out += [line for sentence in one["sentences"] for line in (_text(sentence), "")]
        out += [line for some in one["tables"] for line in some.markdown()]
    if page["training"]:
        out += _training(page["training"], page["tokens"])
    out += _listing(page["listing"])
    out += _stationary(page["stationary"], page["tokens"])
    out += _structure(page["structure"], page["absorption"])
    if page["ending"]:
        out += ["## How a text ends", "", *_charted(page["ending"])]
    out += ["## How much the past tells", "", *_charted(page["memory"])]
    out += [*_told(page["context_use"]), *_told(page["machine"])]
    out += ["## How fast a start is forgotten", "", *_charted(page["mixing"])]
    out += ["## Spectrum", "", *_charted(page["spectrum"]), *_told(page["slow"])]
    out += _told(page["sensitivity"])
    out += ["## From state to state", ""]
    out += _table(("quantity", "value"), [(name, words) for name, words, _ in page["passages"]])
    out += ["### Mean first passage times", "", *_charted(page["passage"])]
    out += ["## Bits of state", "", *_charted(page["capacity"])]
    if page["comparison"]:
        out += _comparison(page["comparison"])
    out += ["## Methods and error bounds", "", _text(page["methods"]["sentence"]), ""]
    answers = page["methods"]["answers"]
    out += _table(
        ("quantity", "method", "error"),
        [(name, answer.method, answer.error_sentence) for name, answer in answers],
    )
    out += ["## Provenance", "", *_table(("", "what"), page["provenance"])]
    if page["notes"]:
        out += ["### Notes", "", *(f"- {_text(note)}" for note in page["notes"]), ""]
    return "\n".join(out).rstrip("\n") + "\n"


def _text(words: Any) -> str:
    return markdown_text(powers(words))


def _inside(words: str) -> str:
    """Words in the middle of a line, whose blanks at the ends count."""
    blank = " " if words[:1] == " " else ""
    return f"{blank}{_text(words)}{' ' if words[-1:] == ' ' else ''}"


def _table(
    heads: Sequence[str], rows: Iterable[Sequence[Any]], *, numbers: Iterable[int] = ()
) -> list[str]:
    cells = [[powers(cell) for cell in row] for row in rows]
    return [*markdown_table(heads, cells, numbers=set(numbers)), ""]


def _charted(section: Section) -> list[str]:
    """A section that is a sentence and tables, or the reason why there is none."""
    if section["absent"]:
        return [_text(section["absent"]), ""]
    words = section["caption"] or section.get("sentence")
    out = [_text(words), ""] if words else []
    for table in (*section["under"], *section["tables"]):
        out += table.markdown()
    return out


def _told(section: Section | None) -> list[str]:
    """A section of sentences and tables, where there is one."""
    if section is None:
        return []
    out = [f"## {section['title']}", ""]
    for words in (section["absent"], *section["sentences"]):
        out += [_text(words), ""] if words else []
    out += [line for table in (*section["tables"], *section["wide"]) for line in table.markdown()]
    return out + ([_text(section["caption"]), ""] if section["caption"] else [])


def _training(section: Section, tokens: Sequence[str]) -> list[str]:
    out = ["## Training sequence", ""]
    if section["runs"]:
        cut = f" … and {section['cut']:,} more tokens" if section["cut"] else ""
        out += [_text("".join(words for _, words in section["runs"])) + cut, ""]
    out += [_text(section["sentence"]), ""]
    if section["windows"]:
        heads = [f"next {tokens[t]}" for t in section["columns"]] or ["next"]
        rows = [(row["label"], *row["cells"]) for row in section["windows"]]
        out += ["What followed each window, in the data", ""]
        numbers = range(1, len(heads) + 1) if section["columns"] else ()
        out += _table(["window", *heads], rows, numbers=numbers)
        if section["more_windows"]:
            out += [f"and {section['more_windows']:,} more windows", ""]
    if section["coverage"]:
        rows = [(r["length"], r["possible"], r["seen"], r["share"]) for r in section["coverage"]]
        out += ["Contexts that training never showed, by length", ""]
        out += _table(("tokens", "possible", "seen", "never seen"), rows, numbers=range(4))
        unseen = [chip["label"] for chip in section["chips"] if not chip["seen"]]
        more = f" and {section['more_chips']:,} more" if section["more_chips"] else ""
        if unseen:
            out += [f"Never seen: {_text(', '.join(unseen))}{more}", ""]
    elif section["no_coverage"]:
        out += [_text(section["no_coverage"]), ""]
    return out + (section["losses"].markdown() if section["losses"] else [])


def _listing(section: Section) -> list[str]:
    before = ("before training",) if section["before"] else ()
    heads = ("input", *before, "after training" if before else "next token")
    rows = [
        (row["input"], *([row["before"]] if before else []), row["after"])
        for row in section["rows"]
    ]
    return ["## Next-token probabilities", "", _text(section["caption"]), "", *_table(heads, rows)]


def _stationary(section: Section, tokens: Sequence[str]) -> list[str]:
    out = ["## Where the time is spent", "", _text(section["sentence"]), ""]
    if not section["rows"]:
        return out
    of_token = [f"P({tokens[t]})" for t in section["columns"]] or ["most probable next tokens"]
    several = ["class"] if section["several"] else []
    heads = ["state", *several, "π", *of_token, "row entropy, bits"]
    rows = []
    for row in section["rows"]:
        member = [row["in_class"]] if several else []
        rows.append([row["label"], *member, row["pi"], *row["cells"], row["entropy"]])
    words = {0, len(heads) - 2} if not section["columns"] else {0}
    return [
        *out,
        _text(section["caption"]),
        "",
        *_table(heads, rows, numbers=set(range(len(heads))) - words),
    ]


def _structure(section: Section, absorption: Section | None) -> list[str]:
    out = ["## Structure under each decoding rule", "", _text(section["sentence"]), ""]
    keys = ("name", "closed", "periods", "absorbing", "transient", "entropy")
    if section["rows"]:
        heads = ("rule", "closed classes", "period", "absorbing", "transient states")
        rows = [[_joined(row[key]) for key in keys] for row in section["rows"]]
        out += _table((*heads, "bits per token"), rows, numbers=(2, 4, 5))
    if absorption:
        ahead = ("state", "mean steps until a closed class")
        ends = [f"ends in {words}" for words in absorption["columns"]]
        rows = [[row["label"], row["steps"], *row["cells"]] for row in absorption["rows"]]
        out += ["### From the transient states", "", _text(absorption["caption"]), ""]
        out += _table((*ahead, *ends), rows, numbers=range(1, len(ends) + 2))
    return out


def _joined(cell: str | list[str]) -> str:
    return cell if isinstance(cell, str) else "; ".join(cell)


def _comparison(section: Section) -> list[str]:
    out = ["## Model against data", ""]
    if section["absent"]:
        return [*out, _text(section["absent"]), ""]
    keys = ("label", "pi", "data", "model", "kl", "percent")
    heads = ("context", "π in the data", "data", "model", "KL, bits", "share of the total")
    for words in (section["sentence"], *section["beside"]["sentences"]):
        out += [_text(words), ""]
    out += [line for table in section["beside"]["tables"] for line in table.markdown()]
    out += ["### Context by context", "", _text(section["caption"]), ""]
    out += _table(heads, [[row[key] for key in keys] for row in section["rows"]], numbers=(1, 4, 5))
    if section["missing"]:
        out += [f"Ruled out by the model, yet seen in the data: {_text(section['missing'])}.", ""]
    return out
