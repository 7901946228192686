"""Loading a model: which kind of file it is, decided by its content and never by its name."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from fsm_gpt.errors import FileProblem, UnsafeFile
from fsm_gpt.files import file_problem, shown
from fsm_gpt.gpt.checkpoint import load_checkpoint, looks_like_safetensors
from fsm_gpt.gpt.model import GPT
from fsm_gpt.gpt.nanogpt import load_nanogpt
from fsm_gpt.gpt.vocabulary_file import read_vocabulary
from fsm_gpt.space import Vocabulary

__all__ = ["load_model"]


def load_model(
    path: str | PathLike[str],
    *,
    vocabulary: Vocabulary | str | PathLike[str] | Sequence[str] | None = None,
) -> GPT:
    """Load a checkpoint: this project's own, or nanoGPT's ckpt.pt.

    Parameters
    ----------
    path
        The file.
    vocabulary
        The names of the tokens: the path of a JSON file or of a meta.pkl, or the tokens
        themselves as a sequence or a :class:`Vocabulary`. Without it, the checkpoint's
        own names; else those in a meta.pkl beside it; else "0", "1" and so on.

    Returns
    -------
    GPT
        On the CPU; ``provenance`` has the file's SHA-256.

    Raises
    ------
    FileProblem
        A file is missing, damaged, or of another kind.
    UnsafeFile
        A file asks to run code.

    Examples
    --------
    >>> load_model("nowhere.pt")
    Traceback (most recent call last):
    fsm_gpt.errors.FileProblem: nowhere.pt: cannot read it, there is no such file. Check the
    name and the folder.
    """
    path = Path(path)
    start, size = _start_of(path)
    named = _given_vocabulary(vocabulary)
    if start.startswith(b"PK\x03\x04"):
        beside = path.with_name("meta.pkl")
        if named is None and beside.is_file():
            named = read_vocabulary(beside)
        return load_nanogpt(path, vocabulary=named)
    if looks_like_safetensors(start, size):
        return load_checkpoint(path, vocabulary=named)
    if start.startswith(b"\x80"):
        raise UnsafeFile(
            f"{shown(path)}: it is a bare pickle (or was saved by PyTorch before version 1.6). "
            f"Loading one can run any code, so it was not loaded. If you trust it, load it "
            f"yourself and save it with today's torch.save."
        )
    raise FileProblem(
        f"{shown(path)}: its {size:,} bytes are neither a PyTorch archive nor safetensors. It is "
        f"damaged, cut short, or not a checkpoint; give a ckpt.pt of nanoGPT, or a file of "
        f"save_model()."
    )


def _start_of(path: Path) -> tuple[bytes, int]:
    """The first bytes of a file, and its size."""
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise FileProblem(
                f"{shown(path)}: this is a pipe or a device, and a checkpoint must be a file that "
                f"can be read more than once. Copy it to a file first."
            )
        with path.open("rb") as file:
            return file.read(16), path.stat().st_size
    except FileProblem:
        raise
    except (OSError, ValueError) as problem:
        raise file_problem(path, problem, "read") from None


def _given_vocabulary(
    vocabulary: Vocabulary | str | PathLike[str] | Sequence[str] | None,
) -> Vocabulary | None:
    if vocabulary is None:
        return None
    if isinstance(vocabulary, (str, PathLike)):
        try:
            return read_vocabulary(Path(vocabulary))
        except FileProblem as problem:
            if isinstance(vocabulary, str) and "no such file" in str(problem):
                raise FileProblem(
                    f"vocabulary: there is no file {vocabulary!r}. A string is the path of a JSON "
                    f"file or a meta.pkl; to give the tokens themselves, pass a list of them."
                ) from None
            raise
    return Vocabulary.of(vocabulary)
