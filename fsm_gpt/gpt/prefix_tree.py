"""Every context of a GPT at once, as a walk of the tree of their prefixes.

In a causal model a position sees itself and what stands before it, so what the model
computes for a prefix is the same in every context that begins with it. The contexts of
L tokens are the leaves of a tree: a node at depth l is a context of l tokens, its
children are that context and one token more, and the keys and values of a node are
computed once and serve all of its descendants. A node costs one token step; asked one by
one, each of the V**L contexts would cost L of them, where the whole tree has
V (V**L - 1) / (V - 1) nodes, fewer than V / (V - 1) for each context.

- Pope et al. (2022), cached keys and values, https://arxiv.org/abs/2211.05102
- Cai et al. (2024), attention over a tree of continuations, https://arxiv.org/abs/2401.10774

The walk goes depth first down to a *piece*: some siblings with all of their descendants,
as many as a budget of memory allows. Inside a piece it goes level by level. Two choices
make the steps fast, where a step has thousands of nodes and a width of some dozens:

- Numbers of one node are a *column*: activations have shape (C, n). Then every product
  is one of two matrices, and a norm is a sum of long rows.
- Nodes of a level are ordered by their *newest* token first: node (t, p) is token t after
  node p of the level above. An array (h, d, n_i) of an ancestor level is then repeated
  along the front of (h, d, n / n_i, n_i), and nothing is gathered or copied.

Keys of the path above the piece are the same for all of its nodes, and meet them in one
product of matrices.

In the shape comments n is the number of nodes in a level, l its depth, L the length of
a context, V the vocabulary, C the width, h the number of heads, d = C / h, P the length
of the path above the piece.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.nn.modules import module as global_hooks

from fsm_gpt.gpt.columns import ColumnBlock, ColumnLinear, ColumnNorm, Scratch, attention

if TYPE_CHECKING:
    from fsm_gpt.gpt.model import GPT, Block

__all__ = ["BUDGET", "ContextLogits", "can_walk", "prefix_tree"]

#: Bytes that a piece may hold: keys, values and logits of its nodes.
BUDGET = 32 * 2**20

#: Multiplications in a piece, half a second of one core: so often is there progress to tell.
WORK = 2**32

#: Numbers in one activation (C, n) that is computed at once; it fits a processor's cache.
BLOCK = 2**18

#: Pieces that are computed at the same time, at most; each holds its budget.
THREADS = 4


class ContextLogits(NamedTuple):
    """Logits of contexts that follow each other in the order of states."""

    #: Tokens in each context.
    length: int
    #: The first context, read as a base-V integer, oldest token most significant.
    first: int
    #: Logits of the next token, shape (n, V).
    logits: Tensor


def prefix_tree(
    model: GPT, length: int, *, shorter: bool = False, first: int = 0, budget: int = BUDGET
) -> Generator[ContextLogits, None, None]:
    """The logits of every context of ``length`` tokens, in the order of states.

    The arithmetic is done in the precision and on the device of the model's weights,
    without gradients.

    Parameters
    ----------
    model
        A model for which :func:`can_walk` holds.
    length
        Tokens in a context, at most the model's own.
    shorter
        Also the contexts of 1 to ``length`` - 1 tokens. Those of one length come in
        order; of two lengths, a context may come before a shorter one.
    first
        Pieces that end before this context of ``length`` tokens are left out; the others are
        the same, to the last bit, as in a walk from the beginning.
    budget
        Bytes to hold at once. It decides the number of nodes in a piece, at least one,
        and nothing else.

    Examples
    --------
    >>> from fsm_gpt.gpt.model import GPT, GPTConfig
    >>> model = GPT(GPTConfig(vocab_size=2, context=3))
    >>> (block,) = prefix_tree(model, 3)
    >>> asked = model(torch.tensor([[0, 0, 0], [0, 0, 1]]))[:, -1]
    >>> block.first, torch.allclose(block.logits[:2], asked, atol=1e-6)
    (0, True)
    """
    return _Walk(model, length, shorter, budget, first).blocks()


def can_walk(model: GPT) -> bool:
    """Whether the model's parts are those that this file computes, and nothing else.

    Not where a forward pass was replaced or is hooked into, where the weights are of less
    than 32 bits or of several kinds, and not for one token, whose contexts share nothing.
    """
    from fsm_gpt.gpt.model import GPT, MLP, Attention, Block

    known = {Block, Attention, MLP, nn.Linear, nn.Embedding, nn.LayerNorm, nn.ModuleList}
    cls = type(model)
    kinds = {(weight.dtype, weight.device) for weight in model.parameters()}
    dtype, device = next(iter(kinds))
    return (
        cls.forward is GPT.forward
        and cls.__call__ is nn.Module.__call__
        and all(type(part) in known for part in model.modules() if part is not model)
        and not any(_is_changed(part) for part in model.modules())
        and not global_hooks._global_forward_hooks
        and not global_hooks._global_forward_pre_hooks
        and len(kinds) == 1
        and dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled(device.type)
        and model.config.vocab_size > 1
    )


def _is_changed(part: nn.Module) -> bool:
    """Whether something runs beside or instead of the forward pass of the part's class."""
    return bool("forward" in vars(part) or part._forward_hooks or part._forward_pre_hooks)


_Piece: TypeAlias = Callable[[], list[ContextLogits]]


class _Walk:
    """One walk: the model, how deep it goes, and how large a piece is."""

    def __init__(
        self, model: GPT, length: int, shorter: bool, budget: int, wanted_from: int = 0
    ) -> None:
        config = model.config
        self.wanted_from = wanted_from
        self.length, self.shorter = length, shorter
        self.V, self.C, self.h = config.vocab_size, config.n_embd, config.n_head
        self.wte, self.wpe = model.wte.weight, model.wpe.weight
        self.layers = [ColumnBlock.of(cast("Block", block)) for block in model.h]
        self.ln_f, self.lm_head = ColumnNorm.of(model.ln_f), ColumnLinear.of(model.lm_head)
        self.scratch = Scratch(self.wte)
        nodes = max(1, min(budget // self._bytes_per_leaf(), WORK // model.n_parameters))
        #: Levels below the siblings with which a piece begins.
        self.under = 0
        while self.under < length - 1 and self.V ** (self.under + 1) <= nodes:
            self.under += 1
        #: How many siblings one piece begins with.
        self.siblings = max(1, min(self.V, nodes // self.V**self.under, BLOCK // self.C))

    def _bytes_per_leaf(self) -> int:
        """Bytes in a piece for each of its leaves.

        Keys and values of the V / (V - 1) - 1 nodes above it; its logits three times, as
        they are computed, in the order of states, and in float64 at their receiver.
        """
        kept = 2 * self.C * len(self.layers) * self.wte.element_size()
        logits = self.V * (2 * self.wte.element_size() + 8)
        return math.ceil(kept / (self.V - 1)) + logits

    def blocks(self) -> Generator[ContextLogits, None, None]:
        """All contexts; several threads, each with a piece of its own, on a processor.

        Threads that share one small product, as PyTorch's do, wait for each other more
        than they compute, and on a busy machine hardly do anything else.
        """
        threads = torch.get_num_threads()
        at_once = min(threads, THREADS) if self.wte.device.type == "cpu" else 1
        waiting: deque[Future[list[ContextLogits]]] = deque()
        torch.set_num_threads(1)
        pool = ThreadPoolExecutor(at_once)
        try:
            for piece in self._pieces([], 0):
                waiting.append(pool.submit(piece))
                if len(waiting) > at_once:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(threads)

    def _pieces(self, path: list[Tensor], number: int) -> Iterator[_Piece]:
        """What is to be computed below a node; ``number`` is its context in base V."""
        far = torch.cat([self._nothing(), *path], dim=-1)  # (layers, 2, h, d, P)
        if len(path) == self.length - 1 - self.under:
            for first in range(0, self.V, self.siblings):
                last = min(first + self.siblings, self.V)
                if (number * self.V + last) * self.V**self.under <= self.wanted_from:
                    continue
                yield partial(self._piece, far, number * self.V, first, last)
            return
        for token in range(self.V):
            child = number * self.V + token
            if (child + 1) * self.V ** (self.length - len(path) - 1) <= self.wanted_from:
                continue
            level, logits = self._level(far, [], token, token + 1, self.shorter)
            if logits is not None:
                yield partial(list, [ContextLogits(len(path) + 1, child, logits.T.clone())])
            yield from self._pieces([*path, level], child)

    def _nothing(self) -> Tensor:
        return self.wte.new_empty(len(self.layers), 2, self.h, self.C // self.h, 0)

    def _piece(self, far: Tensor, number: int, first: int, last: int) -> list[ContextLogits]:
        """Siblings ``first`` to ``last`` - 1 and all below them, level by level."""
        near: list[Tensor] = []
        blocks = []
        begin = number + first
        place = torch.arange(last - first, device=self.wte.device)  # (n,), in state order
        for length in range(far.shape[-1] + 1, self.length + 1):
            if near:
                first, last, begin = 0, self.V, begin * self.V
                tokens = torch.arange(self.V, device=self.wte.device)
                place = (place * self.V + tokens[:, None]).flatten()  # (n,), newest token first
            wanted = self.shorter or length == self.length
            level, logits = self._level(far, near, first, last, wanted)
            near.append(level)
            if logits is not None:
                ordered = logits.new_empty(len(place), self.V)  # (n, V)
                ordered[place] = logits.T
                blocks.append(ContextLogits(length, begin, ordered))
        return blocks

    @torch.no_grad()
    def _level(
        self, far: Tensor, near: list[Tensor], first: int, last: int, wanted: bool
    ) -> tuple[Tensor, Tensor | None]:
        """One token more, ``first`` to ``last`` - 1, after every node of the level above.

        Returns the keys and values of the level, (layers, 2, h, d, n), and its logits,
        (V, n), or None where they are not wanted. The columns are computed some at a
        time: as many as the nodes of some level above, so that an ancestor level is either
        repeated over them or has a part that belongs to them.
        """
        depth = far.shape[-1] + len(near)
        sizes = [level.shape[-1] for level in near]  # n of each level above
        n = (last - first) * (sizes[-1] if near else 1)
        width = max([1, *(size for size in [*sizes, n] if size <= BLOCK // self.C)])
        leaves = depth == self.length - 1  # nobody asks for their keys and values later
        held = width if leaves else n
        level = self.scratch(("level", depth), len(self.layers), 2, self.h, self.C // self.h, held)
        logits = self.scratch("logits", self.V, n) if wanted else None
        tokens = (self.wte[first:last] + self.wpe[depth]).T  # (C, tokens)
        for start in range(0, n, width):
            stop = min(start + width, n)
            own = [
                above[..., start % size : start % size + width]  # (layers, 2, h, d, <= width)
                for above, size in zip(near, sizes, strict=True)
            ]
            own.append(level[..., : stop - start] if leaves else level[..., start:stop])
            x = self._embedded(tokens, n, start, stop)  # (C, width)
            self._transform(x, far, own, wanted)
            if logits is not None:
                self.lm_head(self.ln_f(x, self.scratch), logits[:, start:stop])
        return level, logits

    def _embedded(self, tokens: Tensor, n: int, start: int, stop: int) -> Tensor:
        """Columns ``start`` to ``stop`` - 1 of a level, by their newest token: (C, n)."""
        repeats = n // tokens.shape[1]  # nodes in the level above
        first, last = start // repeats, -(-stop // repeats)
        x = self.scratch("x", self.C, stop - start)
        x.view(self.C, last - first, -1).copy_(tokens[:, first:last, None])
        return x

    def _transform(self, x: Tensor, far: Tensor, near: list[Tensor], wanted: bool) -> None:
        """Take the residual stream (C, n) through all blocks; keys and values to ``near[-1]``.

        Where no logits are wanted the last block stops at its keys and values.
        """
        C, n = x.shape
        scratch = self.scratch
        for i, block in enumerate(self.layers):
            inner = block.ln_1(x, scratch)  # (C, n)
            block.key_value(inner, near[-1][i].view(2 * C, n))
            if i == len(self.layers) - 1 and not wanted:
                return
            q = block.query(inner, scratch("query", C, n)).view(block.heads, -1, n)  # (h, d, n)
            y = attention(q, far[i], [level[i] for level in near], scratch)  # (C, n)
            block.attn_proj.add_to(x, y)
            inner = block.ln_2(x, scratch)  # (C, n)
            hidden = block.fc(inner, scratch("hidden", len(block.fc.weight), n))  # (4C, n)
            torch.ops.aten.gelu_(hidden, approximate=block.gelu)  # in place
            block.mlp_proj.add_to(x, hidden)
