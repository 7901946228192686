"""A causal language model of the package ``transformers``, asked as any other model here is."""

from __future__ import annotations

import inspect

import torch
from torch import Tensor, nn

from fsm_gpt.gpt.window_model import WindowModel
from fsm_gpt.space import Vocabulary

__all__ = ["TransformersModel"]


class TransformersModel(WindowModel):
    """A causal language model of ``transformers``, and the names of its tokens.

    Each call computes the whole context from its first position; no keys or values are kept.
    """

    def __init__(self, model: nn.Module, *, vocabulary: Vocabulary, context: int) -> None:
        super().__init__()
        self.model = model
        self.vocabulary = vocabulary
        self._context = context
        self.provenance = {}
        taken = inspect.signature(model.forward).parameters
        self._last = {"logits_to_keep": 1} if "logits_to_keep" in taken else {}

    @property
    def context(self) -> int:
        """L, the number of tokens that the model can see."""
        return self._context

    def forward(self, ids: Tensor) -> Tensor:
        """Logits of the token after the last position: (B, l) token ids to (B, V), l <= L."""
        self.refuse_other_shapes(ids)
        answer = self.model(
            input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, **self._last
        )
        logits: Tensor = answer.logits[:, -1, : len(self.vocabulary)]  # (B, V)
        return logits
