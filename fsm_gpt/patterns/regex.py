r"""What a regular expression says, over a few signs in place of all characters or tokens.

The library automata-lib reads the expression. It knows these operators and no others:

    ab  a|b  a*  a+  a?  a{2}  a{2,5}  a{2,}  (a)  ()  .  [abc]  [a-z]  [^abc]
    \d \D \s \S \w \W (of ASCII; in a class only \d \s \w)  \n \r \t \v \f \a

and two that Python's ``re`` lacks: ``a&b``, both at once, and ``a^b``, the two interleaved. A
backslash before any other sign that is no letter or digit takes its meaning away. There is no ``$``
and no ``^`` for an end: whether the whole text is meant is said beside the pattern. A quantifier
after another applies to it: ``a+?`` may be empty. ``|``, ``&`` and ``^`` bind equally, the left
one first: ``a|b&c`` is ``(a|b)&c``.

*Signs.* Characters that an expression does not tell apart behave alike, and one private sign
stands for all of them. So the size of an automaton depends on the expression and not on the
vocabulary. Over tokens each token is one sign, written by its name in angle brackets:
``<the> <old>* (<cat>|<dog>)``, ``[^<the><a>]``; blanks outside the brackets mean nothing.

A pattern may come from anywhere, so its length, the width of its ranges and the size of what it
stands for are bounded before the library builds anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from fsm_gpt.errors import InvalidArgument
from fsm_gpt.space import Vocabulary, visible

if TYPE_CHECKING:
    from automata.regex.lexer import Token

__all__ = ["By", "Signs", "refusal", "signs_of"]

By: TypeAlias = Literal["character", "token"]

#: Longer patterns are refused.
LONGEST = 1000
#: Characters that the ranges of a pattern may span, all together.
WIDEST = 2**16
#: States that the pattern's automaton may have before it is made deterministic.
MOST_STATES = 2000

#: Private signs begin here; no text of a vocabulary is read in their place.
_FIRST_SIGN = 0xF0000
#: A sign that stands for nothing at all: an empty class.
_NOTHING = chr(_FIRST_SIGN - 1)
_LETTERS = frozenset("nrtvfasSdDwW")
_OPERATORS = frozenset("().|*+?&^{}[],0123456789")


@dataclass(frozen=True)
class Signs:
    """A pattern over private signs, and which sign stands for each character or token."""

    pattern: str
    of: dict[str, str]
    """The sign of each character; over tokens, of each token by its name."""
    other: str
    """The sign of a token that is not named; over characters it stands for nothing."""

    @property
    def alphabet(self) -> frozenset[str]:
        """Every sign."""
        return frozenset(self.of.values()) | {self.other, _NOTHING}


def refusal(pattern: str, why: str) -> InvalidArgument:
    """The error for a pattern that is not read."""
    shown = visible(pattern) if len(pattern) <= 60 else f"{visible(pattern[:57])}..."
    return InvalidArgument(f"pattern {shown!r}: {why}")


def signs_of(pattern: str, vocabulary: Vocabulary, *, by: By = "character") -> Signs:
    r"""The pattern over private signs.

    Raises
    ------
    InvalidArgument
        It is no pattern, it is too large, or it names what the chain has not.

    >>> found = signs_of("a[ab]*", Vocabulary.of("abcd"))
    >>> len(found.pattern), len(set(found.of.values())), found.of["c"] == found.of["d"]
    (6, 3, True)
    """
    if not isinstance(pattern, str):
        raise InvalidArgument(f"pattern: {pattern!r} is no text. Give a regular expression.")
    if len(pattern) > LONGEST:
        raise refusal(
            pattern,
            f"it has {len(pattern):,} characters, and at most {LONGEST:,} are read. Shorten it.",
        )
    if by not in ("character", "token"):
        raise InvalidArgument(f"pattern: by={by!r} is unknown. Use 'character' or 'token'.")
    if by == "token":
        text, names = _over_tokens(pattern, vocabulary)
        alphabet = frozenset(names) | {chr(_FIRST_SIGN + len(names))}
    else:
        _check_escapes(pattern)
        text, names = _blanks_escaped(pattern), {}
        _check_ranges(pattern)
        alphabet = frozenset("".join((*vocabulary.tokens, vocabulary.separator)))
    tokens = _read(pattern, text, alphabet, names)
    members = [_meaning(pattern, token, alphabet, names) for token in tokens]
    sign_of = _grouped(alphabet, [m for m in members if m is not None])
    drawn = [
        token.text if member is None else _class(sign_of[c] for c in member)
        for token, member in zip(tokens, members, strict=True)
    ]
    if by == "character":
        return Signs("".join(drawn), sign_of, _NOTHING)
    other = sign_of[chr(_FIRST_SIGN + len(names))]
    return Signs("".join(drawn), {name: sign_of[mark] for mark, name in names.items()}, other)


def _over_tokens(pattern: str, vocabulary: Vocabulary) -> tuple[str, dict[str, str]]:
    """The pattern with a mark in place of each name in angle brackets, and the names."""
    marks: dict[str, str] = {}

    def marked(found: re.Match[str]) -> str:
        if found[1] is None:
            if not found[0].isspace() and found[0] not in _OPERATORS:
                raise refusal(
                    pattern,
                    f"{visible(found[0])!r} stands outside of angle brackets. Over tokens each is "
                    f"written <like this>, and inside \\<, \\> and \\\\ are the signs themselves.",
                )
            return "" if found[0].isspace() else found[0]
        name = _token(pattern, re.sub(r"\\([<>\\])", r"\1", found[1]), vocabulary)
        return marks.setdefault(name, chr(_FIRST_SIGN + len(marks)))

    text = re.sub(r"<((?:\\[<>\\]|[^<>\\])+)>|.", marked, pattern, flags=re.DOTALL)
    return text, {mark: name for name, mark in marks.items()}


def _token(pattern: str, name: str, vocabulary: Vocabulary) -> str:
    """A token by its text, or by its printable form."""
    if name in vocabulary.ids:
        return name
    if name in vocabulary.shown:
        return vocabulary.tokens[vocabulary.shown.index(name)]
    raise refusal(
        pattern,
        f"{visible(name)!r} is no token of this chain, whose {len(vocabulary):,} tokens are "
        f"{_some(vocabulary.shown)}. Name one of them.",
    )


def _some(names: Sequence[str]) -> str:
    return " ".join(names[:20]) + (" ..." if len(names) > 20 else "")


def _check_escapes(pattern: str) -> None:
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


def _blanks_escaped(pattern: str) -> str:
    """The pattern with a backslash before each blank that the library would not read."""

    def escaped(found: re.Match[str]) -> str:
        sign = found[0][-1]
        if sign == " " or not sign.isspace():
            return found[0]
        return "\\n" if sign == "\n" else f"\\{sign}"

    return re.sub(r"\\.|.", escaped, pattern, flags=re.DOTALL)


def _check_ranges(pattern: str) -> None:
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


def _read(
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
        said = re.sub(r"<\w+: (.*?)>", r"\1", str(getattr(problem, "message", problem)))
        said = "".join(f"<{names[c]}>" if c in names else c for c in said)
        raise refusal(pattern, f"it cannot be read. {visible(said).rstrip('.')}.") from None
    size = _size(pattern, tokens) if tokens else 1
    if size > MOST_STATES:
        raise refusal(
            pattern,
            f"it stands for an automaton of about {size:,} states, and at most {MOST_STATES:,} are "
            f"built. Make its counts smaller.",
        )
    return tokens


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


def _meaning(
    pattern: str, token: Token[Any], alphabet: frozenset[str], names: dict[str, str]
) -> frozenset[str] | None:
    """The characters that a part of the pattern stands for; None for an operator."""
    from automata.regex.parser import CharacterClassToken, StringToken, WildcardToken

    if isinstance(token, StringToken):
        if token.text not in alphabet:
            raise _unknown(pattern, token.text, alphabet, names)
        return frozenset({token.text})
    if isinstance(token, WildcardToken):
        return frozenset(token.input_symbols) & alphabet
    if not isinstance(token, CharacterClassToken):
        return None
    inside = re.sub(r"\\[^SDW]", "", token.text[1:-1], flags=re.DOTALL)
    if "\\" in inside:
        raise refusal(
            pattern,
            f"in the class {visible(token.text)} a backslash stands before S, D, W or ], which "
            f"is not read there. Write the class another way, such as (\\]|[...]) or [^\\s].",
        )
    if names and not set(token.text[1:-1]).issubset(alphabet | {"^"}):
        raise refusal(pattern, "a class of tokens holds names in angle brackets alone.")
    found = alphabet - token.class_chars if token.negated else alphabet & token.class_chars
    if not found and not token.negated:
        raise _unknown(pattern, token.text, alphabet, names)
    return frozenset(found)


def _unknown(
    pattern: str, text: str, alphabet: frozenset[str], names: dict[str, str]
) -> InvalidArgument:
    if names or min(alphabet, default="") >= chr(_FIRST_SIGN):
        return refusal(
            pattern, f"{visible(text)!r} stands outside of angle brackets, where no token is named."
        )
    known = [visible(c) for c in sorted(alphabet)]
    hint = " There is no sign for the end of the text: use anchored." if text == "$" else ""
    return refusal(
        pattern,
        f"no token of this chain has {visible(text)!r} in its text. The {len(known):,} characters "
        f"of its tokens are {_some(known)}. Leave it out, or take away its meaning by a backslash "
        f"if it is an operator.{hint}",
    )


def _grouped(alphabet: frozenset[str], sets: Iterable[frozenset[str]]) -> dict[str, str]:
    """A sign for each character, the same for those that no set tells apart."""
    inside = dict.fromkeys(sorted(alphabet), 0)
    for place, some in enumerate(dict.fromkeys(sets)):
        for c in some:
            inside[c] |= 1 << place
    place_of: dict[int, int] = {}
    return {
        c: chr(_FIRST_SIGN + place_of.setdefault(key, len(place_of))) for c, key in inside.items()
    }


def _class(signs: Iterable[str]) -> str:
    """A sign, or any of several."""
    some = sorted(set(signs)) or [_NOTHING]
    return some[0] if len(some) == 1 else f"[{''.join(some)}]"
