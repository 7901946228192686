"""Any causal language model that the package ``transformers`` knows, from a folder or a GGUF file.

The package computes; what is here keeps it to that. No code of the folder is run
(``trust_remote_code=False``), nothing is fetched (``local_files_only=True``), no pickle is
opened (``use_safetensors=True``), no attention of somebody else's is taken. Weights that are
missing are an error, where the package would put random ones. What a configuration claims is
compared with what the files hold before anything of its size is made.

https://huggingface.co/docs/transformers
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fsm_gpt.capacity.config import context_of, sliding_window
from fsm_gpt.errors import FileProblem, FsmGptError, MissingExtra
from fsm_gpt.files import shown
from fsm_gpt.gpt.archive import first_line, sha256_of
from fsm_gpt.gpt.folder import Folder, refuse_no_window
from fsm_gpt.gpt.transformers_model import TransformersModel
from fsm_gpt.headers.gguf import GGUFHeader
from fsm_gpt.space import Vocabulary

__all__ = ["load_by_transformers", "load_gguf"]

#: Constants that a model computes from its sizes, such as sines of positions, in bytes.
LARGEST_CONSTANTS = 2**30


def load_by_transformers(
    folder: Folder, *, vocabulary: Vocabulary | None, own: bool = False
) -> TransformersModel:
    """Read a folder; ``own`` says that the vocabulary is the folder's own tokenizer.

    Raises
    ------
    MissingExtra
        The package is not installed.
    FileProblem
        It does not know the model, or configuration and weights disagree.
    """
    transformers = _package(folder.path)
    config = _configuration(transformers, folder)
    _refuse_claims(transformers, config, folder)
    with _reading(folder.path, transformers):
        model, info = transformers.AutoModelForCausalLM.from_pretrained(
            str(folder.path), config=config, use_safetensors=True, **_options(config)
        )
    _refuse_incomplete(info, model, folder.path)
    context, notes = context_of(config.get_text_config().to_dict(), str(folder.config_path))
    return _wrapped(
        model,
        folder.path,
        context,
        vocabulary,
        own=own,
        about={
            "format": f"{config.model_type}, Hugging Face folder",
            "sha256": folder.sha256(),
            "attention": sliding_window(config.get_text_config().to_dict()),
            "context_stated": "; ".join(notes),
        },
    )


def load_gguf(
    path: Path, header: GGUFHeader, *, vocabulary: Vocabulary | None, own: bool = False
) -> TransformersModel:
    """Read a GGUF file by the package's own reader; quantised weights are multiplied out.

    ``own`` says that the vocabulary is the file's own.

    Raises
    ------
    MissingExtra
        ``transformers``, ``gguf`` or ``accelerate`` is not installed.
    FileProblem
        The package does not know the model, or weights are missing.
    """
    refuse_no_window({"model_type": header.architecture}, path)
    transformers = _package(path, "gguf", "accelerate")
    place = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    with _reading(path, transformers):
        config = transformers.AutoConfig.from_pretrained(
            **place, trust_remote_code=False, local_files_only=True
        )
    _refuse_sizes(transformers, config, path, len(header.shapes), header.n_weights)
    layers = config.get_text_config().num_hidden_layers
    if layers != header.n_layers:  # the package passes over what it does not need
        raise FileProblem(
            f"{shown(path)}: its header says {layers:,} layers and it holds tensors of "
            f"{header.n_layers:,}. It is damaged or was put together from two; get it again."
        )
    with _reading(path, transformers):
        model, info = transformers.AutoModelForCausalLM.from_pretrained(
            **place, config=config, **_options(config)
        )
    _refuse_incomplete(info, model, path)
    return _wrapped(
        model,
        path,
        header.number("context_length"),
        vocabulary,
        own=own,
        about={
            "format": f"{header.architecture}, GGUF",
            "sha256": sha256_of(path),
            "attention": sliding_window(config.get_text_config().to_dict()),
        },
    )


def _options(config: Any) -> dict[str, Any]:
    """How a model is made: in float32 (or float64), nothing fetched and nothing run."""
    return {
        "trust_remote_code": False,
        "local_files_only": True,
        "dtype": torch.float64 if config.dtype == torch.float64 else torch.float32,
        "output_loading_info": True,
    }


def _package(path: Path, *more: str) -> Any:
    """The package, where it and what it needs are installed."""
    try:
        import transformers

        for name in more:
            __import__(name)
    except ImportError as problem:
        raise MissingExtra(
            f"{shown(path)}: reading this kind of model needs the package "
            f"{problem.name or 'transformers'}, which is not installed. Install it with: "
            f"pip install 'fsm-gpt[hf]'."
        ) from None
    return transformers


@contextmanager
def _reading(path: Path, transformers: Any) -> Iterator[None]:
    """The package without its bars and remarks; what it raises becomes one sentence."""
    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity(log.CRITICAL)
    log.disable_progress_bar()
    try:
        with redirect_stderr(io.StringIO()):  # some of its bars cannot be switched off
            yield
    except FsmGptError:
        raise
    except Exception as problem:  # it can fail in any way at all
        raise FileProblem(
            f"{shown(path)}: transformers cannot read it ({first_line(problem).rstrip('.')}). It "
            f"is damaged, its configuration and its weights disagree, or it is of a kind that "
            f"this version ({transformers.__version__}) does not know."
        ) from None
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()


def _configuration(transformers: Any, folder: Folder) -> Any:
    kind = folder.config.get("model_type")
    known = transformers.models.auto.modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    if not isinstance(kind, str) or kind not in known:
        raise FileProblem(
            f"{shown(folder.config_path)}: its model_type is {str(kind)[:80]!r}, and transformers "
            f"{transformers.__version__} knows no causal language model of that name. Load it with "
            f"the code that wrote it and pass it to extract(), which takes any callable."
        )
    with _reading(folder.path, transformers):
        return transformers.AutoConfig.for_model(**_plain(folder.config))


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without what is decided here, in its parts too.

    The name of an attention could be that of a repository with code for it.
    """
    decided = {"_name_or_path", "use_cache"}
    return {
        key: _plain(value) if isinstance(value, dict) else value
        for key, value in config.items()
        if key not in decided and "attn_implementation" not in key
    }


def _refuse_claims(transformers: Any, config: Any, folder: Folder) -> None:
    _refuse_sizes(transformers, config, folder.path, len(folder.shapes), folder.n_weights)


def _refuse_sizes(transformers: Any, config: Any, path: Path, tensors: int, weights: int) -> None:
    """Refuse a configuration that claims more than the files hold; nothing of its size is made."""
    for name, value in config.get_text_config().to_dict().items():
        if type(value) is not int:
            continue
        layers = "layer" in name and not name.endswith("_id")
        most = max(tensors, 256) if layers else 2**16 if "expert" in name else 2**40
        if value > most:
            raise FileProblem(
                f"{shown(path)}: its configuration gives {name} as {value:,}, and the files hold "
                f"{tensors:,} tensors. The two do not belong together, or one is damaged; get them "
                f"again."
            )
    with _reading(path, transformers), torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    claimed = sum(weight.numel() for weight in model.parameters())
    constants = sum(buffer.numel() * buffer.element_size() for buffer in model.buffers())
    if claimed > weights or constants > LARGEST_CONSTANTS:
        raise FileProblem(
            f"{shown(path)}: its configuration implies {claimed:,} weights (and {constants:,} "
            f"bytes of constants), and the files hold {weights:,}. The two do not belong together, "
            f"or one is damaged; get them again."
        )


def _refuse_incomplete(info: dict[str, Any], model: nn.Module, path: Path) -> None:
    """Refuse weights that are missing, left over, or no numbers."""
    for key, verb in (("missing_keys", "lacks"), ("unexpected_keys", "also has")):
        names = sorted(str(name) for name in info.get(key) or ())
        if names:
            more = f" and {len(names) - 4} more" if len(names) > 4 else ""
            raise FileProblem(
                f"{shown(path)}: it {verb} the weights {', '.join(names[:4])}{more}, which its "
                f"configuration does {'' if verb == 'lacks' else 'not '}imply. The two do not "
                f"belong together, or one is damaged; get them again."
            )
    problems = [*(info.get("mismatched_keys") or ()), *(info.get("error_msgs") or ())]
    if problems:
        raise FileProblem(
            f"{shown(path)}: its weights do not fit its configuration ({str(problems[0])[:200]}). "
            f"The two do not belong together; get them again."
        )
    for name, weight in model.named_parameters():
        # The sum of finite numbers may be infinite, but that of others is never finite.
        if not torch.isfinite(weight.detach().sum()) and not torch.isfinite(weight).all():
            bad = int((~torch.isfinite(weight)).sum())
            raise FileProblem(
                f"{shown(path)}: {bad:,} of the {weight.numel():,} weights {name} are infinite or "
                f"undefined (NaN), so the model computes nothing. Its training diverged or the "
                f"file is damaged; use an earlier checkpoint."
            )


def _wrapped(
    model: Any,
    path: Path,
    context: int | None,
    vocabulary: Vocabulary | None,
    *,
    own: bool,
    about: dict[str, str],
) -> TransformersModel:
    if context is None:
        raise FileProblem(
            f"{shown(path)}: its configuration states no context (max_position_embeddings, "
            f"n_positions or the like), so the windows cannot be listed. Load it with "
            f"transformers and pass it to extract() with context=..."
        )
    rows = model.get_output_embeddings().weight.shape[0]
    named = Vocabulary.of(rows) if vocabulary is None else vocabulary
    if len(named) > rows or (len(named) < rows and not own):
        raise FileProblem(
            f"{shown(path)}: the model has {rows} rows of embeddings and the vocabulary has "
            f"{len(named)} tokens. Give the vocabulary that the model was trained with."
        )
    padding = (
        {
            "padding": f"{rows - len(named)} of the {rows} rows have no token and were left out; "
            f"probabilities are those given that a real token follows"
        }
        if len(named) < rows
        else {}
    )
    found = TransformersModel(model, vocabulary=named, context=context)
    found.provenance = {"weights": "trained elsewhere", "file": path.name}
    found.provenance |= {key: value for key, value in about.items() if value} | padding
    return found.eval()
