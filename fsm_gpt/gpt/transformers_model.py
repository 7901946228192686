"""A causal language model of the package ``transformers``, asked as any other model here is."""

from __future__ import annotations

import inspect

import torch
from torch import Tensor, nn

from fsm_gpt.errors import InvalidArgument
from fsm_gpt.space import Vocabulary

__all__ = ["TransformersModel"]


class TransformersModel(nn.Module):
    """A causal language model of ``transformers``, and the names of its tokens.

    Each call computes the whole context from its first position; no keys or values are kept.
    """

    def __init__(self, model: nn.Module, *, vocabulary: Vocabulary, context: int) -> None:
        super().__init__()
        self.model = model
        self.vocabulary = vocabulary
        self.context = context
        self.provenance: dict[str, str] = {}
        taken = inspect.signature(model.forward).parameters
        self._last = {"logits_to_keep": 1} if "logits_to_keep" in taken else {}

    @property
    def n_parameters(self) -> int:
        """The number of weights; a shared matrix counts once."""
        return sum(weight.numel() for weight in self.parameters())

    def forward(self, ids: Tensor) -> Tensor:
        """Logits of the token after the last position: (B, l) token ids to (B, V), l <= L."""
        if ids.dim() != 2 or not 1 <= ids.shape[1] <= self.context:
            raise InvalidArgument(
                f"model: the ids have shape {tuple(ids.shape)}, and the model reads (B, l) with l "
                f"from 1 to its context, {self.context}. Cut each sequence to its last "
                f"{self.context} tokens."
            )
        answer = self.model(
            input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, **self._last
        )
        logits: Tensor = answer.logits[:, -1, : len(self.vocabulary)]  # (B, V)
        return logits
