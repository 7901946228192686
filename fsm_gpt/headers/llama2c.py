"""The header of a llama2.c ``.bin``: seven sizes, then weights in a fixed order.

Version 0 (legacy) is the seven sizes alone, 28 bytes; a negative vocabulary says that the
output matrix is stored apart from the embedding. Versions 1 and 2 begin with a magic
number and the version and fill 256 bytes; a byte says whether the two matrices are one.
Version 2 stores matrices as int8 in groups, each with a float32 scale (Q8_0).

The sizes decide the length of the file to the byte, which is checked here.

https://github.com/karpathy/llama2.c, ``export.py`` and ``run.c``, ``runq.c``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from fsm_gpt.errors import FileProblem
from fsm_gpt.files import file_problem, shown

__all__ = ["MAGIC", "Llama2cHeader", "looks_like_legacy", "read_llama2c_header"]

#: 0x616b3432, "ak42", little end first.
MAGIC = b"24ka"

#: No size in a header may exceed this.
LARGEST = 2**24

_HEADER = 256
_FIELDS = (
    *("width", "hidden width", "number of layers", "number of heads"),
    *("number of key-value heads", "vocabulary", "context"),
)


@dataclass(frozen=True, kw_only=True)
class Llama2cHeader:
    """The sizes of a Llama in a llama2.c file.

    >>> header = Llama2cHeader(
    ...     version=1, width=8, hidden=16, layers=1, heads=2, kv_heads=1, vocab_size=5, context=6
    ... )
    >>> header.n_parameters, header.file_size
    (640, 2816)
    """

    version: int
    width: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    vocab_size: int
    context: int
    tied_head: bool = True
    group_size: int = 0

    @property
    def head_size(self) -> int:
        """Numbers in one head's query."""
        return self.width // self.heads

    @property
    def kv_width(self) -> int:
        """Numbers in the keys of one position."""
        return self.kv_heads * self.head_size

    @property
    def in_norms(self) -> int:
        """Weights of all norms."""
        return (2 * self.layers + 1) * self.width

    @property
    def in_matrices(self) -> int:
        """Weights of all matrices."""
        tables = self.vocab_size * self.width * (1 if self.tied_head else 2)
        attention = 2 * self.width * (self.width + self.kv_width)
        return tables + self.layers * (attention + 3 * self.width * self.hidden)

    @property
    def n_parameters(self) -> int:
        """All weights; a shared matrix counts once."""
        return self.in_norms + self.in_matrices

    @property
    def data_offset(self) -> int:
        """Where the weights begin."""
        return struct.calcsize("<7i") if self.version == 0 else _HEADER

    @property
    def in_angles(self) -> int:
        """Numbers of the cosines and sines that version 0 stores beside the weights."""
        return 2 * self.context * (self.head_size // 2) if self.version == 0 else 0

    @property
    def file_size(self) -> int:
        """Bytes of the whole file."""
        if self.version == 2:
            matrices = self.in_matrices + 4 * (self.in_matrices // self.group_size)
        else:
            matrices = 4 * self.in_matrices
        return self.data_offset + 4 * (self.in_norms + self.in_angles) + matrices


def looks_like_legacy(start: bytes) -> bool:
    """Whether seven plausible sizes stand at the beginning; in a text they would be too large."""
    if len(start) < struct.calcsize("<7i"):
        return False
    *sizes, vocabulary, context = struct.unpack_from("<7i", start)
    return all(1 <= size <= LARGEST for size in (*sizes, abs(vocabulary), context))


def read_llama2c_header(path: Path) -> Llama2cHeader:
    """The header of a file, its claims checked against each other and the file's size.

    Raises
    ------
    FileProblem
        The version is unknown, the sizes contradict each other, or the file is shorter or
        longer than they imply.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_HEADER)
            size = path.stat().st_size
    except OSError as problem:
        raise file_problem(path, problem, "read") from None
    header = _parsed(start, path)
    if size != header.file_size:
        raise FileProblem(
            f"{shown(path)}: the sizes in its header imply {header.file_size:,} bytes (llama2.c, "
            f"version {header.version}) and it has {size:,}. It is cut short, damaged or something "
            f"else; get it again, or export it anew with llama2.c's export.py."
        )
    return header


def _parsed(start: bytes, path: Path) -> Llama2cHeader:
    version, group, tied = 0, 0, True
    fields = start[:28]
    if start.startswith(MAGIC):
        if len(start) < _HEADER:
            raise FileProblem(
                f"{shown(path)}: it begins like a file of llama2.c and ends inside its header of "
                f"{_HEADER} bytes. It is cut short; get it again."
            )
        (version,) = struct.unpack_from("<i", start, 4)
        fields, tied = start[8:36], start[36] != 0
        if version not in (1, 2) or start[36] > 1:
            raise FileProblem(
                f"{shown(path)}: it is a file of llama2.c of version {version}, and versions 0, 1 "
                f"and 2 are read here. Export it with export.py --version 1."
            )
        (group,) = struct.unpack_from("<i", start, 37) if version == 2 else (0,)
    sizes = list(struct.unpack("<7i", fields))
    if version == 0:
        tied = sizes[5] > 0
        sizes[5] = abs(sizes[5])
    for name, number in zip(_FIELDS, sizes, strict=True):
        if not 1 <= number <= LARGEST:
            raise FileProblem(
                f"{shown(path)}: its header gives the {name} as {number:,}, and a model has from "
                f"1 to {LARGEST:,}. The file is damaged; get it again."
            )
    width, hidden, layers, heads, kv_heads, vocabulary, context = sizes
    header = Llama2cHeader(
        version=version,
        width=width,
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        vocab_size=vocabulary,
        context=context,
        tied_head=tied,
        group_size=group,
    )
    _refuse_contradictions(header, path)
    return header


def _refuse_contradictions(header: Llama2cHeader, path: Path) -> None:
    problem = None
    if header.width % header.heads or header.head_size % 2:
        problem = f"a width of {header.width} does not divide into {header.heads} even heads"
    elif header.heads % header.kv_heads:
        problem = f"{header.heads} heads do not share {header.kv_heads} key-value heads equally"
    elif header.version == 2 and (
        header.group_size < 1
        or header.width % header.group_size
        or header.width * header.hidden % header.group_size
        or header.width * header.kv_width % header.group_size
    ):
        problem = f"its matrices do not divide into groups of {header.group_size}"
    if problem:
        raise FileProblem(
            f"{shown(path)}: its header contradicts itself: {problem}. The file is damaged; get it "
            f"again, or export it anew with llama2.c's export.py."
        )
