"""A llama2.c ``.bin`` to a model: the weights in the order in which its programs map them.

Int8 matrices (version 2) are multiplied out and computed with in float32; ``runq.c`` also
rounds what flows between them to int8, so it gives slightly other probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from fsm_gpt.errors import FileProblem
from fsm_gpt.files import read_limited, shown
from fsm_gpt.gpt.archive import sha256_of
from fsm_gpt.gpt.llama import Llama
from fsm_gpt.gpt.weights import refuse_bad_tensor
from fsm_gpt.headers.llama2c import Llama2cHeader, read_llama2c_header
from fsm_gpt.space import Vocabulary

__all__ = ["load_llama2c"]

Floats = npt.NDArray[np.float32]


def load_llama2c(path: Path, *, vocabulary: Vocabulary | None = None) -> Llama:
    """Read a file of llama2.c, of version 0, 1 or 2.

    Raises
    ------
    FileProblem
        It is damaged, or the vocabulary has another number of tokens.
    """
    sizes = read_llama2c_header(path)
    named = Vocabulary.of(sizes.vocab_size) if vocabulary is None else vocabulary
    if len(named) != sizes.vocab_size:
        raise FileProblem(
            f"{shown(path)}: the model has {sizes.vocab_size} tokens and the vocabulary has "
            f"{len(named)}. Give the vocabulary that the model was trained with."
        )
    data = read_limited(path, sizes.file_size)
    with torch.device("meta"):
        model = Llama(sizes, vocabulary=named)
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    weights = {name: torch.from_numpy(array) for name, array in _weights(data, sizes, expected)}
    if sizes.tied_head:
        weights["output.weight"] = weights["tok_embeddings.weight"]
    for name, tensor in weights.items():
        refuse_bad_tensor(name, tensor, expected[name], path)
    model.load_state_dict(weights, assign=True)
    if sizes.tied_head:
        model.output.weight = model.tok_embeddings.weight
    model.provenance = {
        "weights": "trained elsewhere",
        "file": path.name,
        "format": f"llama2.c, version {sizes.version}"
        + (" (int8, computed with in float32)" if sizes.version == 2 else ""),
        "sha256": sha256_of(path),
    }
    return model.eval()


def _weights(
    data: bytes, sizes: Llama2cHeader, shapes: dict[str, tuple[int, ...]]
) -> Iterator[tuple[str, Floats]]:
    """The weights of a file in its order, by name."""
    place = sizes.data_offset
    for name in _order(sizes):
        if name == "angles":  # of positions, which are computed anew
            place += 4 * sizes.in_angles
            continue
        shape = shapes[name]
        count = int(np.prod(shape))
        if sizes.version == 2 and len(shape) == 2:
            codes = np.frombuffer(data, np.int8, count, place)
            groups = count // sizes.group_size
            scales = np.frombuffer(data, "<f4", groups, place + count)
            place += count + 4 * groups
            with np.errstate(all="ignore"):  # damaged scales are refused as numbers
                array = codes.reshape(groups, -1) * scales[:, None]
        else:
            array = np.frombuffer(data, "<f4", count, place)
            place += 4 * count
        yield name, array.astype(np.float32).reshape(shape)  # a copy that can be written to
    assert place == len(data)


def _order(sizes: Llama2cHeader) -> Iterator[str]:
    """The names of the weights, as they follow each other."""

    def of_each_layer(*parts: str) -> Iterator[str]:
        for part in parts:
            yield from (f"layers.{n}.{part}.weight" for n in range(sizes.layers))

    attention = [f"attention.{name}" for name in ("wq", "wk", "wv", "wo")]
    network = [f"feed_forward.{name}" for name in ("w1", "w2", "w3")]
    if sizes.version == 0:
        yield "tok_embeddings.weight"
        yield from of_each_layer("attention_norm", *attention, "ffn_norm", *network)
        yield "norm.weight"
        yield "angles"
    else:
        yield from of_each_layer("attention_norm", "ffn_norm")
        yield "norm.weight"
        yield "tok_embeddings.weight"
        yield from of_each_layer(*attention, *network)
    if not sizes.tied_head:
        yield "output.weight"
