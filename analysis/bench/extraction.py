"""From a GPT to its chain, beside the model's own forward pass in batches.

The baseline asks the model for the last row of every context, in inference mode and in the
best of several batch sizes; its time is that of a sample of contexts, times their number,
because each batch takes as long as the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.bench.measure import Spread, alternating, peak, ratios
from analysis.bench.results import Found, Row, Size
from analysis.bench.tasks import Call, Task
from fsm_gpt.extract import extract
from fsm_gpt.gpt import GPT, GPTConfig

__all__ = ["beside", "memory", "run"]

BATCHES = (256, 1024, 4096, 16384)


@dataclass(frozen=True)
class _Shape:
    """A model of V = 2, and how many contexts the baseline is timed on."""

    L: int
    width: int
    sample: int
    rounds: int


SHAPES: dict[Size, tuple[_Shape, ...]] = {
    "full": (_Shape(20, 16, 2**15, 3), _Shape(16, 64, 2**14, 3)),
    "quick": (_Shape(12, 16, 2**12, 2), _Shape(10, 64, 2**10, 2)),
    "tiny": (_Shape(8, 16, 2**8, 1),),
}


def _model(L: int, width: int) -> GPT:
    return GPT(GPTConfig(vocab_size=2, context=L, n_embd=width))


def _forward(model: GPT, first: int, last: int, batch: int) -> np.ndarray:
    """Rows of the contexts first to last - 1, by the model's forward pass."""
    import torch

    places = torch.arange(model.context - 1, -1, -1)
    blocks = []
    with torch.inference_mode():
        for begin in range(first, last, batch):
            contexts = torch.arange(begin, min(begin + batch, last))
            ids = (contexts[:, None] >> places) & 1
            blocks.append(model(ids)[:, -1].double().softmax(dim=-1).numpy())
    return np.concatenate(blocks)


def beside(L: int, width: int, sample: int, rounds: int) -> list[Found]:
    """Ours on every context and the forward pass on a sample, in turn."""
    import torch

    torch.set_num_threads(1)
    model = _model(L, width)
    model.eval()
    works: dict[str, Callable[[], object]] = {
        f"forward {batch}": lambda batch=batch: _forward(model, 0, sample, batch)  # type: ignore[misc]
        for batch in BATCHES
        if batch <= sample
    }
    for work in works.values():
        work()
    works["ours"] = lambda: extract(model)
    seconds = alternating(works, rounds=rounds, warm_up=False)
    best = min((name for name in works if name != "ours"), key=lambda name: sum(seconds[name]))
    theirs = [s * 2**L / sample for s in seconds[best]]
    at = f"L={L}, width {width}"
    key = f"extraction/{width}"
    wrong = float(np.abs(extract(model).next_token[:64] - _forward(model, 0, 64, 64)).max())
    note = f"batches of {best.split()[1]}, timed on {sample:,} of {2**L:,} contexts"
    return [
        ratios(theirs, seconds["ours"]).row(f"{key}/ratio", unit="times", at=at),
        Spread.of(seconds["ours"]).row(f"{key}/ours", unit="s", at=at),
        Spread.of(theirs).row(f"{key}/forward", unit="s", at=at, note=note),
        Row(key=f"{key}/difference", value=wrong, unit="probability", at=at),
    ]


def memory(L: int, width: int) -> list[Found]:
    """What extraction takes above what the process held, the chain it makes included."""
    import torch

    torch.set_num_threads(1)
    extract(_model(4, width))
    model = _model(L, width)
    _, most = peak(lambda: extract(model))
    at = f"L={L}, width {width}"
    key = f"extraction/{width}/extra memory"
    return [Row(key=key, value=most.extra / 1e6, unit="MB", at=at)]


def run(call: Call, size: Size) -> list[Found]:
    """Every model: time beside the baseline, then memory."""
    found: list[Found] = []
    for shape in SHAPES[size]:
        key = f"extraction/{shape.width}"
        model = {"L": shape.L, "width": shape.width}
        more = {"sample": shape.sample, "rounds": shape.rounds}
        found += call(Task(key, beside, model | more, limit=400))
        found += call(Task(f"{key}/extra memory", memory, model, limit=240))
    return found
