"""The parts of a GPT over columns, in memory that is used again.

The same functions as in :mod:`fsm_gpt.gpt.model`, for many contexts of one new token
each instead of a few contexts of many: activations have shape (C, n), and the numbers of
one node are a column. Then every product is one of two matrices, a norm is a sum of long
rows, and at a width of some dozens both are several times faster than with nodes in rows.

In the shape comments n is the number of nodes, C the width, h the number of heads,
d = C / h, P the length of a path that all nodes share, n_i the nodes in an ancestor level.
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from fsm_gpt.gpt.model import Block

__all__ = ["ColumnBlock", "ColumnLinear", "ColumnNorm", "Scratch", "attention"]


class Scratch(threading.local):
    """Memory that a thread uses again: fresh memory costs more than what is computed in it."""

    def __init__(self, like: Tensor) -> None:
        self.like = like
        self.held: dict[object, Tensor] = {}

    def __call__(self, name: object, *shape: int) -> Tensor:
        """An array of this shape that holds anything, the last one of this name no longer."""
        size = math.prod(shape)
        held = self.held.get(name)
        if held is None or len(held) < size:
            held = self.held[name] = self.like.new_empty(size)
        return held[:size].view(shape)


class ColumnLinear(NamedTuple):
    """A linear layer of columns."""

    weight: Tensor  # (out, in)
    bias: Tensor | None  # (out, 1)

    @classmethod
    def of(cls, layer: nn.Linear, first: int = 0, last: int | None = None) -> ColumnLinear:
        """Rows ``first`` to ``last`` - 1 of a layer."""
        bias = None if layer.bias is None else layer.bias[first:last, None]
        return cls(layer.weight[first:last], bias)

    def scaled(self, factor: float) -> ColumnLinear:
        """The layer, its result multiplied by a factor."""
        return ColumnLinear(self.weight * factor, None if self.bias is None else self.bias * factor)

    def __call__(self, x: Tensor, out: Tensor) -> Tensor:
        """(in, n) to (out, n)."""
        if self.bias is None:
            return torch.mm(self.weight, x, out=out)
        return torch.addmm(self.bias, self.weight, x, out=out)

    def add_to(self, x: Tensor, y: Tensor) -> None:
        """Add the layer's result for y, (in, n), to x, (out, n)."""
        x.addmm_(self.weight, y)
        if self.bias is not None:
            x += self.bias


class ColumnNorm(NamedTuple):
    """A layer norm of columns."""

    weight: Tensor  # (C, 1)
    bias: Tensor | None  # (C, 1)
    eps: float

    @classmethod
    def of(cls, norm: nn.LayerNorm) -> ColumnNorm:
        """The norm of a model."""
        bias = None if norm.bias is None else norm.bias[:, None]
        return cls(norm.weight[:, None], bias, norm.eps)

    def __call__(self, x: Tensor, scratch: Scratch) -> Tensor:
        """(C, n) to (C, n), in scratch memory."""
        centred = torch.sub(x, x.mean(0), out=scratch("centred", *x.shape))  # (C, n)
        squares = torch.mul(centred, centred, out=scratch("normed", *x.shape))  # (C, n)
        centred *= squares.mean(0).add_(self.eps).rsqrt_()  # (C, n) by (n,)
        if self.bias is None:
            return centred.mul_(self.weight)
        return torch.addcmul(self.bias, self.weight, centred, out=squares)


class ColumnBlock(NamedTuple):
    """A block of the model."""

    heads: int
    ln_1: ColumnNorm
    query: ColumnLinear  # divided by the square root of d
    key_value: ColumnLinear
    attn_proj: ColumnLinear
    ln_2: ColumnNorm
    fc: ColumnLinear
    gelu: str
    mlp_proj: ColumnLinear

    @classmethod
    def of(cls, block: Block) -> ColumnBlock:
        """The block of a model."""
        attn, mlp, C = block.attn, block.mlp, block.attn.c_attn.in_features
        return cls(
            attn.n_head,
            ColumnNorm.of(block.ln_1),
            ColumnLinear.of(attn.c_attn, 0, C).scaled((C // attn.n_head) ** -0.5),
            ColumnLinear.of(attn.c_attn, C),
            ColumnLinear.of(attn.c_proj),
            ColumnNorm.of(block.ln_2),
            ColumnLinear.of(mlp.c_fc),
            mlp.gelu,
            ColumnLinear.of(mlp.c_proj),
        )


def attention(q: Tensor, far: Tensor, near: list[Tensor], scratch: Scratch) -> Tensor:
    """What each node takes from the path, its ancestors in the piece and itself: (C, n).

    The softmax is written out: along the middle axis it is faster than the library's.
    """
    h, d, n = q.shape
    P = far.shape[-1]
    scores = scratch("scores", h, P + len(near), n)  # (h, l, n)
    product = scratch("centred", h, d, n)
    torch.bmm(far[0].transpose(1, 2), q, out=scores[:, :P])  # (h, P, d) by (h, d, n)
    for l, level in enumerate(near, start=P):  # noqa: E741
        torch.mul(_over(q, level), level[0, :, :, None], out=_over(product, level))
        torch.sum(product, 1, out=scores[:, l])
    scores -= scores.amax(1, keepdim=True)
    scores.exp_()
    y = torch.bmm(far[1], scores[:, :P], out=product)  # (h, d, P) by (h, P, n)
    for l, level in enumerate(near, start=P):  # noqa: E741
        weights = _over(scores[:, l : l + 1], level)  # (h, 1, n / n_i, n_i)
        _over(y, level).addcmul_(weights, level[1, :, :, None])
    y /= scores.sum(1, keepdim=True)
    return y.view(h * d, n)  # heads one below the other


def _over(x: Tensor, level: Tensor) -> Tensor:
    """(h, d, n) as (h, d, n / n_i, n_i), beside a level of n_i nodes."""
    return x.view(*x.shape[:2], -1, level.shape[-1])
