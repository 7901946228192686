"""How many threads PyTorch uses for a small model: one.

A product of small matrices is over before a second thread has woken up. On two busy
cores a second thread makes the article's training several times slower, never faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["SMALL_MODEL", "threads_for"]

#: Models of fewer parameters are run on one thread.
SMALL_MODEL = 2_000_000


@contextmanager
def threads_for(torch: Any, n_parameters: int) -> Iterator[None]:
    """Inside, PyTorch uses one thread if the model is small; afterwards what it used before.

    >>> import torch
    >>> before = torch.get_num_threads()
    >>> with threads_for(torch, 12656):
    ...     torch.get_num_threads()
    1
    >>> torch.get_num_threads() == before
    True
    """
    before = torch.get_num_threads()
    if n_parameters < SMALL_MODEL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
