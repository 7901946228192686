"""What every model here is: a function of its last L tokens, with names for its tokens."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn

from fsm_gpt.capacity.models import CacheShape
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.space import Vocabulary

if TYPE_CHECKING:
    from fsm_gpt.gpt.pull_back import Floats, Ids, Part

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

    def pull_back(self, blocks: Iterable[tuple[Ids, Floats]]) -> dict[str, Floats]:
        """From a gradient in logits to one in weights; see :mod:`fsm_gpt.gpt.pull_back`."""
        from fsm_gpt.gpt.pull_back import pull_back

        return pull_back(self, blocks)

    def weights(self) -> dict[str, Floats]:
        """Every weight by its name, in float64."""
        from fsm_gpt.gpt.pull_back import weights_of

        return weights_of(self)

    def parts(self) -> Mapping[str, Part]:
        """Names of parts, each with the entries of weights that are its own."""
        from fsm_gpt.gpt.pull_back import parts_by_module

        return parts_by_module(self)

    def scaled(self, part: str, factor: float) -> Self:
        """A copy in which the weights of one part are multiplied by a number; 0 takes it out.

        Raises
        ------
        InvalidArgument
            There is no such part.
        """
        entries = self.parts().get(part)
        if entries is None:
            raise InvalidArgument(
                f"scaled: the model has no part {part!r}. Its parts are {', '.join(self.parts())}."
            )
        changed = copy.deepcopy(self)
        own = dict(changed.named_parameters())
        with torch.no_grad():
            for name, where in entries:
                own[name][where] *= factor
        changed.provenance = {**self.provenance, "changed": f"{part} times {factor:g}"}
        return changed

    def refuse_other_shapes(self, ids: Tensor) -> None:
        """Refuse ids that are not (B, l) with l from 1 to L."""
        if ids.dim() != 2 or not 1 <= ids.shape[1] <= self.context:
            raise InvalidArgument(
                f"model: the ids have shape {tuple(ids.shape)}, and the model reads (B, l) with l "
                f"from 1 to its context, {self.context}. Cut each sequence to its last "
                f"{self.context} tokens."
            )
