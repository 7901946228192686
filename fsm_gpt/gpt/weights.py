"""From named tensors to a model, with nothing taken on trust.

The shapes that a configuration implies are worked out without allocating anything, so
a file that claims to be huge is refused by its claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from fsm_gpt.errors import FileProblem
from fsm_gpt.files import shown
from fsm_gpt.gpt.model import GPT, GPTConfig
from fsm_gpt.space import Vocabulary

__all__ = ["build_model", "numbered", "own_tensors", "refuse_bad_tensor", "without_padding"]

#: The output matrix. Where it is the token embedding, one of the two is stored.
TIED = "lm_head.weight"

#: A vocabulary is padded up to a multiple of one of these.
PADDED_TO = (8, 16, 32, 64, 128, 256)


def own_tensors(model: GPT) -> dict[str, Tensor]:
    """The weights of a model by name, each once, on the CPU and contiguous."""
    return {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in model.state_dict().items()
        if name != TIED or not model.config.tied_head
    }


def without_padding(
    config: GPTConfig,
    weights: dict[str, Tensor],
    named: Vocabulary,
    path: Path,
    *,
    any_number: bool = False,
) -> tuple[GPTConfig, dict[str, str]]:
    """The configuration without rows that stand for no token, and a note where there are some.

    ``weights`` loses those rows. With ``any_number`` the vocabulary may be any number of
    tokens shorter than the table, as those of tokenizers are; otherwise the table must be
    one that is rounded up.

    Raises
    ------
    FileProblem
        The vocabulary has more tokens than there are rows, or so many fewer that it is
        another model's.
    """
    rows, tokens = config.vocab_size, len(named)
    if tokens == rows:
        return config, {}
    if tokens > rows or not (any_number or any(-(-tokens // m) * m == rows for m in PADDED_TO)):
        raise FileProblem(
            f"{shown(path)}: the model has {rows} tokens and the vocabulary has {tokens}. "
            f"That is no padding; give the vocabulary that the model was trained with."
        )
    tables = [name for name in ("wte.weight", TIED) if name in weights]
    if any(weights[name].shape[:1] != (rows,) for name in tables):
        return config, {}  # a contradiction, which is refused where all shapes are looked at
    for name in tables:
        weights[name] = weights[name][:tokens]
    note = (
        f"{rows - tokens} of the {rows} rows have no token and were left out; "
        f"probabilities are those given that a real token follows"
    )
    return replace(config, vocab_size=tokens), {"padding": note}


def numbered(config: GPTConfig, weights: Mapping[str, Tensor], path: Path) -> Vocabulary:
    """Tokens named by their numbers, once the embedding is seen to have a row for each.

    A vocabulary that is only claimed would take a gigabyte.

    Raises
    ------
    FileProblem
        It has not.
    """
    table = weights.get("wte.weight")
    if table is not None:
        refuse_bad_tensor("wte.weight", table, (config.vocab_size, config.n_embd), path)
        return Vocabulary.of(config.vocab_size)
    raise FileProblem(
        f"{shown(path)}: it lacks the weights wte.weight. A model of its configuration needs "
        f"them, so the file is damaged or belongs to another kind of model; give a checkpoint of "
        f"this kind of GPT."
    )


def build_model(
    config: GPTConfig, weights: Mapping[str, Tensor], *, vocabulary: Vocabulary, path: Path
) -> GPT:
    """A model with these weights, in float64 if the token embedding is, else in float32.

    Raises
    ------
    FileProblem
        A tensor is missing, unknown, of another shape than the configuration implies,
        not of floats, or holds an infinite or undefined number.
    """
    blocks = {name.split(".")[1] for name in weights if name.startswith("h.")}
    if len(blocks) != config.n_layer:
        raise FileProblem(
            f"{shown(path)}: its configuration says {config.n_layer} layers and its weights have "
            f"{len(blocks)}. The file is damaged or was put together from two; get it again."
        )
    with torch.device("meta"):
        expected = {
            name: tuple(tensor.shape)
            for name, tensor in GPT(config).state_dict().items()
            if name != TIED or not config.tied_head
        }
    _refuse_other_names(set(expected), set(weights), path)
    for name, shape in expected.items():
        refuse_bad_tensor(name, weights[name], shape, path)
    model = GPT(config, vocabulary=vocabulary)
    if weights["wte.weight"].dtype == torch.float64:
        model.double()
    tied = {TIED: weights["wte.weight"]} if config.tied_head else {}
    model.load_state_dict({**weights, **tied})
    return model.eval()


def _refuse_other_names(expected: set[str], found: set[str], path: Path) -> None:
    for names, verb, because in (
        (expected - found, "lacks", "A model of its configuration needs them"),
        (found - expected, "also has", "A model of its configuration has no place for them"),
    ):
        if names:
            some = ", ".join(name[:80] for name in sorted(names)[:4])
            more = f" and {len(names) - 4} more" if len(names) > 4 else ""
            raise FileProblem(
                f"{shown(path)}: it {verb} the weights {some}{more}. {because}, so the file is "
                f"damaged or belongs to another kind of model; give a checkpoint of this kind of "
                f"GPT."
            )


def refuse_bad_tensor(name: str, tensor: Tensor, shape: tuple[int, ...], path: Path) -> None:
    """Refuse weights of another shape, not of floats, or with an infinite or undefined number."""
    if tuple(tensor.shape) != shape:
        raise FileProblem(
            f"{shown(path)}: the weights {name} have shape {tuple(tensor.shape)}, and the file's "
            f"own configuration implies {shape}. The file is damaged or was put together from two; "
            f"get it again."
        )
    if not tensor.is_floating_point():
        raise FileProblem(
            f"{shown(path)}: the weights {name} are of type {tensor.dtype}, not floats. Quantised "
            f"models are not read; give the checkpoint in float32, float16 or bfloat16."
        )
    if not torch.isfinite(tensor).all():
        bad = int((~torch.isfinite(tensor)).sum())
        raise FileProblem(
            f"{shown(path)}: {bad:,} of the {tensor.numel():,} weights {name} are infinite or "
            f"undefined (NaN), so the model computes nothing. Its training diverged or the file is "
            f"damaged; use an earlier checkpoint."
        )
