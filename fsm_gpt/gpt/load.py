"""Loading a model: which kind of file it is, decided by its content and never by its name.

What the state is. Every model that is loaded here is a function of its window, the last L
tokens, and the window is *recomputed from its first position* at every step: token k of it
stands at position k, whatever came before. A sampler that goes on with the keys and values
of tokens that have left the window (a rolling cache) remembers them in all layers but the
first; that is another process, and sharing its states by their last L tokens would be wrong.

Fewer than L tokens: a causal model answers for every shorter context, at positions 0 to
l - 1, and these are the states that ``short_contexts`` adds. Nothing is put in front: a BOS
token is a token like any other, and stands in a window only while it is one of the last L.
A model that was always trained with BOS in front (Llama, Gemma) sees windows without it in
the long run, as it does when any sampler cuts its text to the last L tokens.

A sliding window of attention, shorter than L, changes what each layer sees and not what the
state is: the last L tokens still decide the next one, and ``provenance`` says how far back
a layer looks. A recurrent model carries numbers from its whole past: no window of tokens
decides its next one, so it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from fsm_gpt.errors import FileProblem, InvalidArgument, UnsafeFile
from fsm_gpt.files import shown
from fsm_gpt.gpt.archive import read_archive
from fsm_gpt.gpt.by_transformers import load_by_transformers, load_gguf
from fsm_gpt.gpt.checkpoint import load_checkpoint
from fsm_gpt.gpt.folder import open_folder
from fsm_gpt.gpt.gpt2 import is_gpt2, load_gpt2
from fsm_gpt.gpt.llama import Llama
from fsm_gpt.gpt.llama2c import load_llama2c
from fsm_gpt.gpt.mingpt import is_state_dict, load_mingpt
from fsm_gpt.gpt.model import GPT
from fsm_gpt.gpt.nanogpt import load_nanogpt
from fsm_gpt.gpt.tokenizer_file import gguf_vocabulary
from fsm_gpt.gpt.transformers_model import TransformersModel
from fsm_gpt.gpt.vocabulary_file import read_vocabulary
from fsm_gpt.headers.gguf import read_gguf_header
from fsm_gpt.headers.kind import kind_of, start_of
from fsm_gpt.space import Vocabulary

__all__ = ["LoadedModel", "load_model"]

LoadedModel: TypeAlias = GPT | Llama | TransformersModel


def load_model(
    path: str | PathLike[str],
    *,
    vocabulary: Vocabulary | str | PathLike[str] | Sequence[str] | None = None,
    n_head: int | None = None,
) -> LoadedModel:
    """Load a model that was trained here or elsewhere.

    ======================  ===========================================================
    file                    written by
    ======================  ===========================================================
    safetensors             :func:`save_model`
    ckpt.pt                 nanoGPT
    a state dict            minGPT; ``n_head`` is needed
    .bin                    llama2.c, versions 0, 1 and 2 (int8)
    a folder                Hugging Face: config.json and safetensors. GPT-2 needs nothing
                            more, any other causal model the extra ``fsm-gpt[hf]``
    GGUF                    llama.cpp; the extra ``fsm-gpt[hf]``
    ======================  ===========================================================

    The module's own docstring says what the state of such a model is.

    Parameters
    ----------
    path
        The file or folder.
    vocabulary
        The names of the tokens: the path of a JSON file, a tokenizer.json or a meta.pkl,
        or the tokens themselves as a sequence or a :class:`Vocabulary`. Without it, the
        model's own names; else those in a meta.pkl beside it; else "0", "1" and so on.
    n_head
        The number of attention heads, for files that do not say it.

    Returns
    -------
    GPT or Llama or TransformersModel
        On the CPU, with ``vocabulary``, ``context`` and ``provenance``, which has a SHA-256.

    Raises
    ------
    FileProblem
        A file is missing, damaged, or of another kind.
    UnsafeFile
        A file asks to run code, or leads out of its folder.
    InvalidArgument
        The number of heads is missing, or is not that of the model.
    MissingExtra
        The model needs a package that is not installed.

    Examples
    --------
    >>> load_model("nowhere.pt")
    Traceback (most recent call last):
    fsm_gpt.errors.FileProblem: nowhere.pt: cannot read it, there is no such file. Check the
    name and the folder.
    """
    path = Path(path)
    named = _given_vocabulary(vocabulary)
    model = _of_folder(path, named) if path.is_dir() else _of_file(path, named, n_head)
    _refuse_other_heads(model, n_head, path)
    model.provenance["window"] = (
        f"the last {model.context} tokens, recomputed from position 0 at every step"
    )
    return model


def _of_file(path: Path, named: Vocabulary | None, n_head: int | None) -> LoadedModel:
    start, size = start_of(path)
    match kind_of(start, size):
        case "archive":
            beside = path.with_name("meta.pkl")
            if named is None and beside.is_file():
                named = read_vocabulary(beside)
            archive = read_archive(path)
            if is_state_dict(archive):
                return load_mingpt(archive, vocabulary=named, n_head=n_head)
            return load_nanogpt(archive, vocabulary=named)
        case "safetensors":
            return load_checkpoint(path, vocabulary=named)
        case "llama2c":
            return load_llama2c(path, vocabulary=named)
        case "gguf":
            header = read_gguf_header(path)
            tokens = gguf_vocabulary(header, path) if named is None else named
            return load_gguf(path, header, vocabulary=tokens, own=named is None)
        case "pickle":
            raise UnsafeFile(
                f"{shown(path)}: it is a bare pickle (or was saved by PyTorch before version 1.6). "
                f"Loading one can run any code, so it was not loaded. If you trust it, load it "
                f"yourself and save it with today's torch.save."
            )
        case "unknown":
            raise FileProblem(
                f"{shown(path)}: its {size:,} bytes are neither a PyTorch archive nor safetensors, "
                f"GGUF or llama2.c. It is damaged, cut short, or not a checkpoint; give a ckpt.pt "
                f"of nanoGPT, a file of save_model(), or the folder of a Hugging Face model."
            )


def _of_folder(path: Path, named: Vocabulary | None) -> LoadedModel:
    folder = open_folder(path)
    beside = path / "tokenizer.json"
    own = named is None and beside.is_file()
    if own:
        named = read_vocabulary(beside)
    if is_gpt2(folder.config):
        return load_gpt2(folder, vocabulary=named, own=own)
    return load_by_transformers(folder, vocabulary=named, own=own)


def _refuse_other_heads(model: LoadedModel, n_head: int | None, path: Path) -> None:
    if n_head is None:
        return
    heads = None
    if isinstance(model, GPT):
        heads = model.config.n_head
    elif isinstance(model, Llama):
        heads = model.sizes.heads
    if heads != n_head:
        says = "says for itself" if heads is None else f"has {heads} heads and says so itself"
        raise InvalidArgument(
            f"{shown(path)}: n_head is {n_head!r}, and this model {says} how it is built. Leave it "
            f"out; it is for files that do not say it, such as minGPT's."
        )


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
