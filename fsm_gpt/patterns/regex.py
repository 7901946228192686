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

How a pattern is read, and what is refused before anything is built: :mod:`fsm_gpt.patterns.lexing`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from fsm_gpt.errors import InvalidArgument
from fsm_gpt.patterns.lexing import (
    blanks_escaped,
    check_escapes,
    check_ranges,
    read,
    refusal,
)
from fsm_gpt.space import Vocabulary, visible

if TYPE_CHECKING:
    from automata.regex.lexer import Token

__all__ = ["By", "Signs", "signs_of"]

By: TypeAlias = Literal["character", "token"]

#: Longer patterns are refused.
LONGEST = 1000

#: Private signs begin here; no text of a vocabulary is read in their place.
_FIRST_SIGN = 0xF0000
#: A sign that stands for nothing at all: an empty class.
_NOTHING = chr(_FIRST_SIGN - 1)
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
        check_escapes(pattern)
        text, names = blanks_escaped(pattern), {}
        check_ranges(pattern)
        alphabet = frozenset("".join((*vocabulary.tokens, vocabulary.separator)))
    tokens = read(pattern, text, alphabet, names)
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
