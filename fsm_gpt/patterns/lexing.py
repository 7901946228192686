"""Reading a pattern with the library automata-lib, which is given nothing that it takes amiss.

A pattern may come from anywhere. Its ranges and its counts are added up before anything is
written out. What the library would silently take for something else than other dialects do is
refused: a backslash before a letter without a meaning, D, S, W or ] with one inside of a class,
and a count of zero.
"""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING, Any

from fsm_gpt.errors import InvalidArgument
from fsm_gpt.space import visible

if TYPE_CHECKING:
    from automata.regex.lexer import Token

__all__ = ["blanks_escaped", "check_escapes", "check_ranges", "read", "refusal"]

#: Characters that the ranges of a pattern may span, all together.
WIDEST = 2**16
#: States that the pattern's automaton may have before it is made deterministic.
MOST_STATES = 2000

_LETTERS = frozenset("nrtvfasSdDwW")


def refusal(pattern: str, why: str) -> InvalidArgument:
    """The error for a pattern that is not read."""
    shown = visible(pattern) if len(pattern) <= 60 else f"{visible(pattern[:57])}..."
    return InvalidArgument(f"pattern {shown!r}: {why}")


def check_escapes(pattern: str) -> None:
    """Refuse a backslash that would silently mean something else than in other dialects."""
    rest = re.sub(r"\\(.)", lambda found: _known(pattern, found[1]), pattern, flags=re.DOTALL)
    if rest.endswith("\\"):
        raise refusal(pattern, "it ends in a backslash. Write \\\\ for the sign itself.")


def _known(pattern: str, sign: str) -> str:
    if sign.isalnum() and sign not in _LETTERS:
        raise refusal(
            pattern,
            f"\\{sign} means nothing here. After a backslash stands one of the letters "
            f"{' '.join(sorted(_LETTERS))}, or a sign whose meaning is taken away.",
        )
    return ""


def blanks_escaped(pattern: str) -> str:
    """The pattern with a backslash before each blank that the library would not read."""

    def escaped(found: re.Match[str]) -> str:
        sign = found[0][-1]
        if sign == " " or not sign.isspace():
            return found[0]
        return "\\n" if sign == "\n" else f"\\{sign}"

    return re.sub(r"\\.|.", escaped, pattern, flags=re.DOTALL)


def check_ranges(pattern: str) -> None:
    """Refuse ranges that would be written out as more characters than there is room for."""
    spans = (
        max(map(ord, found[2])) - ord(found[1])
        for found in re.finditer(r"(?=(.)-(\\?.))", pattern, flags=re.DOTALL)
    )
    total = sum(span for span in spans if span > 0)
    if total > WIDEST:
        raise refusal(
            pattern,
            f"its ranges span {total:,} characters, and at most {WIDEST:,} are written out. Use . "
            f"or [^...] for most characters.",
        )


def read(
    pattern: str, text: str, alphabet: frozenset[str], names: dict[str, str]
) -> list[Token[Any]]:
    """The pattern cut into operators and what they act on, checked for size."""
    from automata.base.exceptions import RegexException
    from automata.regex.parser import get_regex_lexer
    from automata.regex.postfix import validate_tokens

    try:
        tokens = get_regex_lexer(alphabet, count()).lex(text)
        validate_tokens(tokens)
    except (RegexException, ValueError) as problem:
        raise refusal(pattern, f"it cannot be read. {_said(problem, names)}.") from None
    size = _size(pattern, tokens) if tokens else 1
    if size > MOST_STATES:
        raise refusal(
            pattern,
            f"it stands for an automaton of about {size:,} states, and at most {MOST_STATES:,} are "
            f"built. Make its counts smaller.",
        )
    return tokens


def _said(problem: Exception, names: dict[str, str]) -> str:
    """What the library objects to, without the names of its classes."""
    said = str(getattr(problem, "message", problem)).rstrip(".")
    if "parethesis" in said:
        return "An opening or a closing bracket is missing: write \\( or \\) for the sign itself"
    said = re.sub(r"<\w+: (.*?)>|<([()])>", lambda found: found[1] or found[2], said)
    said = said.replace("{upper_bound}", "the upper one")
    return visible("".join(f"<{names[c]}>" if c in names else c for c in said))


def _size(pattern: str, tokens: list[Token[Any]]) -> int:
    """About how many states the automaton will have that the library builds."""
    from automata.regex.parser import (
        ConcatToken,
        QuantifierToken,
        UnionToken,
        add_concat_and_empty_string_tokens,
    )
    from automata.regex.postfix import InfixOperator, PostfixOperator, tokens_to_postfix

    stack: list[int] = []
    for token in tokens_to_postfix(add_concat_and_empty_string_tokens(tokens, count())):
        if isinstance(token, InfixOperator):
            right, left = stack.pop(), stack.pop()
            plain = isinstance(token, (ConcatToken, UnionToken))
            stack.append(left + right + 1 if plain else left * right)
        elif isinstance(token, PostfixOperator):
            copies = 1
            if isinstance(token, QuantifierToken):
                copies = max(token.lower_bound, token.upper_bound or 0)
                if token.upper_bound == 0:  # which the library takes for {0,1}
                    raise refusal(pattern, f"{token.text} asks for nothing. Leave it out.")
            stack.append(stack.pop() * max(copies, 1) + 1)
        else:
            stack.append(2)
    return max(stack)
