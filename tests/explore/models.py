"""Small models whose every row is known, made of seeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]


def random_model(V: int, L: int, seed: int, *, sharp: float = 3.0) -> Callable[[Ids], Any]:
    """Logits that are a fixed random function of the whole context; float64, so batches agree."""
    table = np.random.default_rng(seed).normal(size=(L + 1, (V + 1) ** L, V)) * sharp

    def model(ids: Ids) -> Any:
        number = np.zeros(len(ids), dtype=np.int64)
        for k in range(ids.shape[1]):
            number = number * V + ids[:, k]
        return table[ids.shape[1], number]

    return model


def counting(model: Callable[[Ids], Any]) -> tuple[Callable[[Ids], Any], list[int]]:
    """A model, and how many windows it was asked about in each call."""
    asked: list[int] = []

    def counted(ids: Ids) -> Any:
        asked.append(len(ids))
        return model(ids)

    return counted, asked
