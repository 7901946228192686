"""Chains that are hard on numerical methods: stiff, nearly reducible, nearly periodic.

Every eps is scaled entry by entry by a uniform number from 0.5 to 1.5 before rows are
divided by their sums. State s is a window over V tokens, oldest first.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def _near(V: int, L: int, follows: npt.NDArray[np.int64], eps: float, seed: int) -> Floats:
    """Rows that emit the given token, and any other with probability about eps."""
    rows = np.random.default_rng(seed).uniform(0.5, 1.5, (V**L, V)) * eps
    rows[np.arange(V**L), follows] = 1.0
    return rows


def hard_rows(name: str, V: int, L: int, *, seed: int = 0) -> Floats:
    """Next-token rows of shape (V**L, V) of the family with this name."""
    rng = np.random.default_rng(seed)
    N = V**L
    s = np.arange(N)
    if name == "random":
        rows = rng.dirichlet(np.ones(V), N)
    elif name == "sharp":
        logits = 10 * rng.standard_normal((N, V))
        rows = np.exp(logits - logits.max(axis=1, keepdims=True))
    elif name == "dirichlet 0.01":
        rows = np.maximum(rng.dirichlet(np.full(V, 0.01), N), 1e-12)
    elif name == "sticky":
        rows = _near(V, L, s % V, 1e-6, seed)
    elif name == "near-periodic":
        rows = _near(V, L, (s + 1) % V, 1e-6, seed)
    elif name == "rotate 1e-3":
        rows = _near(V, L, s // V ** (L - 1), 1e-3, seed)
    elif name == "rotate 1e-6":
        rows = _near(V, L, s // V ** (L - 1), 1e-6, seed)
    elif name == "nearly decomposable":
        digits = np.array([s // V**k % V for k in range(L)])
        high = (digits >= V / 2).sum(axis=0) * 2 > L
        other = high[:, None] != (np.arange(V) >= V / 2)[None, :]
        scale = np.where(other, 1e-6 * rng.uniform(0.5, 1.5, (N, V)), 1.0)
        rows = rng.dirichlet(np.ones(V), N) * scale
    else:
        raise ValueError(name)
    return np.asarray(rows / rows.sum(axis=1, keepdims=True))


HARD = (
    "random",
    "sharp",
    "dirichlet 0.01",
    "sticky",
    "near-periodic",
    "rotate 1e-3",
    "rotate 1e-6",
    "nearly decomposable",
)
