"""Plain data out of a pickle, and never anything else.

A pickle is a program for a small machine. Some of its instructions look up a name and
call it, which can run any code; others only put strings, numbers, lists and
dictionaries together. Here the program is first read without being run, and refused
for any instruction outside the second kind; then it is run by an unpickler that
resolves no name. Either check would do; both are kept.

Tuples are refused too: tuples nested in tuples, each twice in the next, are small to
write, and as the key of a dictionary they take exponential time. So are memo slots beyond
the length of the file, which can ask for any amount of memory.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from pathlib import Path
from typing import Any, NoReturn

from fsm_gpt.errors import FileProblem, UnsafeFile
from fsm_gpt.files import read_limited, shown

__all__ = ["deepest_tuple", "read_plain_pickle"]

#: A vocabulary of 100,000 tokens takes about 3 MB.
LARGEST_PICKLE = 32 * 2**20

PLAIN = frozenset(
    {
        *("PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "NONE", "NEWTRUE", "NEWFALSE"),
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING"),
        *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
        *("EMPTY_LIST", "APPEND", "APPENDS", "LIST", "EMPTY_DICT", "DICT", "SETITEM", "SETITEMS"),
        *("GET", "BINGET", "LONG_BINGET", "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"),
    }
)


class _NoNames(pickle.Unpickler):
    """An unpickler that resolves no name and no outside object."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise UnsafeFile(f"the pickle asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise UnsafeFile("the pickle asks for an object outside itself")


def read_plain_pickle(path: Path) -> Any:
    """The dictionaries, lists, strings and numbers that a pickle holds.

    Raises
    ------
    UnsafeFile
        The pickle holds anything else.
    FileProblem
        It is missing, too long, damaged, or no pickle.
    """
    content = read_limited(path, LARGEST_PICKLE)
    try:
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name not in PLAIN:
                raise _unsafe(path, f"instruction {opcode.name}{_named(argument)}")
            if "PUT" in opcode.name and int(argument or 0) > len(content):
                raise _unsafe(path, f"memo slot {argument}")
        return _NoNames(io.BytesIO(content)).load()
    except UnsafeFile:
        raise
    except Exception as problem:  # a broken pickle can fail in any way at all
        reason = (str(problem).splitlines() or [type(problem).__name__])[0][:200]
        raise FileProblem(
            f"{shown(path)}: it is not a readable pickle ({reason}). It is damaged or something "
            f"else; give the meta.pkl that nanoGPT's prepare.py wrote, or a JSON list of tokens."
        ) from None


def _named(argument: Any) -> str:
    return f" ({argument[:80]!r})" if isinstance(argument, str) else ""


def _unsafe(path: Path, what: str) -> UnsafeFile:
    return UnsafeFile(
        f"{shown(path)}: the pickle holds more than dictionaries, lists, strings and numbers: "
        f"{what}. Loading such a pickle can run any code, so it was not loaded. If you trust it, "
        f"write its tokens to a JSON list and give that as the vocabulary."
    )


def deepest_tuple(program: bytes) -> int:
    """How many tuples a pickle nests in each other at most, found without running it.

    What holds tuples counts as deep as they are, so that no key of a dictionary is deeper.

    >>> deepest_tuple(pickle.dumps([1, (2, (3, 4))]))
    2
    """
    stack: list[int] = []  # the depth of each thing on the machine's stack
    marks: list[int] = []  # how high the stack was at each mark
    memo: dict[int, int] = {}
    deepest = 0
    for opcode, argument, _ in pickletools.genops(program):
        name, before = opcode.name, opcode.stack_before
        if name == "MARK":
            marks.append(len(stack))
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name.endswith("PUT"):
            memo[int(argument or 0)] = stack[-1]
        elif name.endswith("GET"):
            stack.append(memo[int(argument or 0)])
        else:
            if pickletools.markobject in before:
                under = before.index(pickletools.markobject)  # what it takes from below the mark
                first = marks.pop() - under
            else:
                first = len(stack) - len(before)
            depth = max(stack[first:], default=0) + name.startswith("TUPLE")
            del stack[first:]
            stack += [depth] * len(opcode.stack_after)
            deepest = max(deepest, depth)
    return deepest
