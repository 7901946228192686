"""Right files made wrong, for hypothesis: what a careless copy does, and what an attacker would."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

from hypothesis import strategies as st

__all__ = ["mutated"]

#: What lengths, counts and numbers are replaced by.
SIZES = [
    *(struct.pack("<Q", n) for n in (0, 1, 2**31, 2**40, 2**62, 2**63, 2**64 - 1)),
    *(struct.pack("<I", n) for n in (0, 2**16, 2**31 - 1, 2**32 - 1)),
    *(struct.pack("<d", x) for x in (float("nan"), float("inf"), -0.5, 5e-324, 1e308, -0.0)),
    *(struct.pack("<f", x) for x in (float("nan"), float("inf"), -1.0)),
]
WORDS = [
    *(b"NaN", b"Infinity", b"-1", b"1e999", b"-0.0", b"1e-320", b"5e-324", b"null", b"true", b"0"),
    *(b"9" * 30, b"9" * 5000, b'"x"', b"[]", b"{}", b"[" * 3000, b'{"a":' * 3000, b"(" * 500),
    *(b"\x00", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"\\u202e", b"\x1b[31m", b"\r\n"),
    *(b"../../x", b"/etc/passwd", b"<script>alert(1)</script>", b"=cmd|'/C calc'!A0", b" ", b"/"),
    *("٣".encode(), "\u202e".encode(), "\ufeff".encode(), b"1_000", b"0x10", b"1/0", b"a" * 2000),
]
_NUMBER = re.compile(rb"-?[0-9]+(?:\.[0-9]+)?")


def _change(draw: st.DrawFn, data: bytes, words: list[bytes]) -> bytes:
    """One change."""
    place = draw(st.integers(0, max(len(data) - 1, 0)))
    length = draw(st.integers(0, 16))
    match draw(st.sampled_from(["cut", "flip", "out", "twice", "in", "over", "number", "word"])):
        case "cut":
            return data[:place]
        case "flip":
            bit = 1 << draw(st.integers(0, 7))
            return (
                data[:place] + bytes(b ^ bit for b in data[place : place + 1]) + data[place + 1 :]
            )
        case "out":
            return data[:place] + data[place + length :]
        case "twice":
            return data[: place + length] + data[place:]
        case "in":
            return data[:place] + draw(st.sampled_from(words)) + data[place:]
        case "over":
            new = draw(st.sampled_from(SIZES))
            return data[:place] + new + data[place + len(new) :]
        case "number":
            numbers = list(_NUMBER.finditer(data))
        case _:
            numbers = list(re.finditer(rb'"[^"]{0,40}"|\b[a-z]+\b', data))
    if not numbers:
        return data + draw(st.sampled_from(words))
    found = numbers[draw(st.integers(0, len(numbers) - 1))]
    return data[: found.start()] + draw(st.sampled_from(words)) + data[found.end() :]


@st.composite
def mutated(draw: st.DrawFn, seeds: Callable[[], list[bytes]], words: tuple[str, ...]) -> bytes:
    """A right file after one to four changes; now and then anything at all."""
    if draw(st.integers(0, 19)) == 0:
        return draw(st.binary(max_size=64))
    data = draw(st.sampled_from(seeds()))
    some = WORDS + [word.encode() for word in words]
    for _ in range(draw(st.integers(1, 4))):
        data = _change(draw, data, some)
    return data
