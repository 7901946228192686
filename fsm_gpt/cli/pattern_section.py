"""What a report says of a pattern that it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fsm_gpt.errors import InvalidArgument

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain
    from fsm_gpt.report.beside import Beside

__all__ = ["pattern_section"]

#: Within so many tokens.
WITHIN = (10, 100, 1000)
#: Longer expressions are cut in a heading.
LONGEST = 40


def pattern_section(chain: Chain, regex: str, *, note: Callable[[str], None]) -> Beside:
    """How likely, how soon and how often a text of the chain matches, in the long run."""
    from fsm_gpt.errors import FsmGptError
    from fsm_gpt.patterns import pattern
    from fsm_gpt.report.beside import Beside
    from fsm_gpt.report.tables import Table
    from fsm_gpt.result import format_number
    from fsm_gpt.space import visible

    note("matching the pattern")
    shown = visible(regex if len(regex) <= LONGEST else f"{regex[: LONGEST - 1]}…")
    heading = f"The pattern {shown}"
    try:
        found = pattern(chain, regex)
        plain = chain.floats()  # exact probabilities of a thousand tokens have a thousand digits
        near = [pattern(plain, regex, within=n, long_run=False) for n in WITHIN]
    except InvalidArgument:
        raise  # it is no pattern
    except FsmGptError as problem:
        said = f"What the pattern does in the texts of this chain is not known. {problem}"
        return Beside(heading=heading, sentences=(said,), name="Pattern")
    sentences = [
        f"The regular expression is searched for anywhere in a text that goes on from the "
        f"stationary distribution. The probability that it ever occurs is "
        f"{_number(found.probability)}, and {_number(found.mean_tokens)} tokens are expected "
        f"until then. In the long run {_number(found.ends_per_token)} occurrences end per token "
        f"({found.method}; {found.error_sentence})."
    ]
    sentences += [f"{said[0].upper()}{said[1:].rstrip('.')}." for said in found.notes]
    table = Table(
        caption="Within so many tokens",
        heads=("tokens", "probability", "occurrences expected"),
        rows=tuple(
            (
                f"{n:,}",
                format_number(one.probability_within),
                format_number(one.expected_ends),
            )
            for n, one in zip(WITHIN, near, strict=True)
        ),
        note=f"{near[-1].method}; {near[-1].error_sentence}.",
    )
    numbers = {"pattern": found.to_dict(), "within": [one.to_dict() for one in near]}
    return Beside(
        name="Pattern",
        heading=heading,
        sentences=tuple(sentences),
        tables=(table,),
        numbers=numbers,
    )


def _number(value: Any) -> str:
    from fsm_gpt.result import format_number

    return "not known" if value is None else format_number(value)
