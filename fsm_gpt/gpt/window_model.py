"""What every model here is: a function of its last L tokens, with names for its tokens."""

from __future__ import annotations

from torch import Tensor, nn

from fsm_gpt.capacity.models import CacheShape
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.space import Vocabulary

__all__ = ["WindowModel"]


class WindowModel(nn.Module):
    """A model that sees its last L tokens, each window computed from its first position."""

    vocabulary: Vocabulary
    #: Where the weights come from, in words.
    provenance: dict[str, str]

    @property
    def context(self) -> int:
        """L, the number of tokens that the model can see."""
        raise NotImplementedError

    @property
    def n_parameters(self) -> int:
        """The number of weights; a matrix that serves twice counts once."""
        return sum(weight.numel() for weight in self.parameters())

    @property
    def cache_shape(self) -> CacheShape | None:
        """What a sampler would keep for each position, where that is known."""
        return None

    def refuse_other_shapes(self, ids: Tensor) -> None:
        """Refuse ids that are not (B, l) with l from 1 to L."""
        if ids.dim() != 2 or not 1 <= ids.shape[1] <= self.context:
            raise InvalidArgument(
                f"model: the ids have shape {tuple(ids.shape)}, and the model reads (B, l) with l "
                f"from 1 to its context, {self.context}. Cut each sequence to its last "
                f"{self.context} tokens."
            )
