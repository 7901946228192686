"""The sizes of a model for its report: from its file, or from the model as it was loaded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fsm_gpt.errors import FsmGptError

if TYPE_CHECKING:
    from fsm_gpt.capacity import Capacity, NoCapacity
    from fsm_gpt.gpt.load import LoadedModel

__all__ = ["sizes_of"]


def sizes_of(path: str, model: LoadedModel) -> Capacity | NoCapacity:
    """Vocabulary, context, parameters and key-value cache of the model in a file or folder.

    A checkpoint of PyTorch says its sizes only inside a pickle; there the model that was
    loaded from it is asked.
    """
    from fsm_gpt.capacity import capacity_or_reason
    from fsm_gpt.capacity.answer import figures_of
    from fsm_gpt.capacity.models import Model

    place = path if os.sep in path else os.path.join(os.curdir, path)  # a place, and no name
    try:
        return capacity_or_reason(place)
    except FsmGptError:
        return figures_of(
            Model(
                name=os.path.basename(path),
                vocabulary=len(model.vocabulary),
                context=model.context,
                parameters=f"{model.n_parameters:,}",
                cache_shape=model.cache_shape,
                sources=("the model as it was loaded",),
                verified="read from the weights that were loaded",
            )
        )
