"""A capacity in words: for a terminal, and in pieces for tables."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING

from fsm_gpt.capacity.size import bits_text

if TYPE_CHECKING:
    from fsm_gpt.capacity.figures import Capacity
    from fsm_gpt.capacity.models import Memory

__all__ = ["in_words", "memories_in_words", "named", "scale", "size_in_words"]

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB", "ZB")


def size_in_words(size: float) -> str:
    """A number of bytes in thousands, to three digits.

    >>> size_in_words(0.375), size_in_words(1998.981), size_in_words(37748736)
    ('0.375 bytes', '2.00 kB', '37.7 MB')
    """
    unit = 0
    while size >= 999.5 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    if unit == 0:
        return f"{size:.3g} {_UNITS[0]}"
    digits = 2 if size < 9.995 else 1 if size < 99.95 else 0
    return f"{size:.{digits}f} {_UNITS[unit]}"


def named(memories: Sequence[Memory]) -> str:
    """The names of memories of one size.

    >>> from fsm_gpt.capacity.models import nearest_memories
    >>> named(nearest_memories(1024)[0])
    'KIM-1, Sinclair ZX81'
    """
    return ", ".join(memory.name for memory in memories)


def memories_in_words(found: Capacity) -> str:
    """Between which historic memories the state stands."""
    below, above = found.memories_below, found.memories_above
    if not above:
        return f"more than the largest listed, {below[0].bytes:,} bytes ({named(below)})"
    more = f"{above[0].bytes:,} bytes ({named(above)})"
    if not below:
        return f"less than {more}"
    if below[0].bytes == found.bytes:
        return f"as much as {below[0].bytes:,} bytes ({named(below)})"
    return f"between {below[0].bytes:,} bytes ({named(below)}) and {more}"


def scale(found: Capacity) -> str:
    """The same, short enough for a table: the largest memory that is no larger."""
    if not found.memories_below:
        return f"< {found.memories_above[0].name}"
    memory = found.memories_below[0]
    times = found.bytes / memory.bytes
    return memory.name if times == 1 else f"{times:,.3g} x {memory.name}"


def in_words(found: Capacity) -> str:
    """All of it, a line for each thing, for a terminal."""
    from fsm_gpt.capacity.figures import UPPER_BOUND

    V, L = found.vocabulary, found.context
    made = ", ".join(str(part) for part in (found.organisation, found.year) if part)
    ids = f"{V:,} ids that it can emit"
    if found.padded_rows:
        assert found.embedding_rows is not None
        ids += (
            f"; {found.embedding_rows:,} embedding rows, {found.padded_rows:,} of them padding "
            f"(counted too: {bits_text(found.embedding_rows, L)} bits)"
        )
    lines = [
        ("vocabulary", ids),
        ("context", f"{L:,} tokens"),
        ("full windows", f"{V:,}^{L:,}, a number of {_digits(found.digits_of_windows)}"),
        ("all contexts", f"of 1 to {L:,} tokens: {_digits(found.digits_of_all_contexts)}"),
        ("parameters", _parameters(found)),
        ("cache", _cache(found)),
        ("for scale", memories_in_words(found)),
        *(("note", note) for note in found.notes),
        ("verified", found.verified),
        *(("source", source) for source in found.sources),
    ]
    head = f"{found.name}{f' ({made})' if made else ''}: {found.bits_text} bits of state"
    body = [
        fill(
            text,
            width=100,
            initial_indent=f"  {name:<14}",
            subsequent_indent=" " * 16,
            break_on_hyphens=False,
        )
        for name, text in lines
        if text
    ]
    return "\n".join([f"{head}, {found.bytes_text} bytes", *body, fill(UPPER_BOUND, width=100)])


def _digits(count: int) -> str:
    return f"{count:,} digit{'s' * (count != 1)}"


def _parameters(found: Capacity) -> str:
    if found.bits_per_parameter is None:
        return found.parameters_as_stated
    return f"{found.parameters_as_stated}; {found.bits_per_parameter:.3g} bits of state for each"


def _cache(found: Capacity) -> str:
    if found.cache_bytes is None:
        return ""
    return (
        f"{size_in_words(found.cache_bytes)} of keys and values for a full context in 16-bit "
        f"numbers; made anew from the window, so no state beyond it"
    )
