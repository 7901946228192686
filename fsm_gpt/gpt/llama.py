"""A Llama, top to bottom, as llama2.c computes it.

What differs from a GPT: positions are no table but rotate queries and keys, pair by
pair; norms have no mean and no bias; the network in a block has a gate; several query
heads may share one head of keys and values; there is no bias anywhere.

- Touvron et al. (2023), Llama 2, https://arxiv.org/abs/2307.09288
- Su et al. (2021), rotary positions (RoPE), https://arxiv.org/abs/2104.09864; as there,
  numbers 2i and 2i + 1 of a head are one pair. (Hugging Face pairs i with i + d/2 and
  permutes the rows of the two matrices to match.)
- Zhang & Sennrich (2019), RMS norm, https://arxiv.org/abs/1910.07467
- Shazeer (2020), SwiGLU, https://arxiv.org/abs/2002.05202
- Ainslie et al. (2023), grouped-query attention, https://arxiv.org/abs/2305.13245

Names of parameters are those of llama2.c. In the shape comments B is the number of contexts
in a batch, l their length, V the vocabulary, C the width, h the number of query heads, g of
key-value heads, d = C / h.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fsm_gpt.capacity.models import CacheShape
from fsm_gpt.gpt.window_model import WindowModel
from fsm_gpt.headers.llama2c import Llama2cHeader
from fsm_gpt.space import Vocabulary

__all__ = ["Llama"]

#: Neither is stored in a file of llama2.c; its programs have them as constants.
NORM_EPS, ROPE_BASE = 1e-5, 10_000.0


class RMSNorm(nn.Module):
    """Divided by the root of the mean square, then scaled."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, l, C) to (B, l, C)."""
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + NORM_EPS) * self.weight


class Attention(nn.Module):
    """Each position looks at itself and at those before it."""

    def __init__(self, sizes: Llama2cHeader) -> None:
        super().__init__()
        C, kept = sizes.width, sizes.kv_width
        self.head_size, self.shared_by = sizes.head_size, sizes.heads // sizes.kv_heads
        self.wq = nn.Linear(C, C, bias=False)
        self.wk = nn.Linear(C, kept, bias=False)
        self.wv = nn.Linear(C, kept, bias=False)
        self.wo = nn.Linear(C, C, bias=False)

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        """(B, l, C) to (B, l, C); angles of shape (l, d / 2)."""
        B, l, C = x.shape  # noqa: E741
        q, k, v = (
            part.view(B, l, -1, self.head_size).transpose(1, 2)  # (B, h or g, l, d)
            for part in (self.wq(x), self.wk(x), self.wv(x))
        )
        q, k = rotated(q, angles), rotated(k, angles)
        k = k.repeat_interleave(self.shared_by, dim=1)  # (B, h, l, d)
        v = v.repeat_interleave(self.shared_by, dim=1)  # (B, h, l, d)
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.head_size)  # (B, h, l, l)
        past = torch.ones(l, l, dtype=torch.bool, device=x.device).tril()  # (l, l)
        weights = scores.masked_fill(~past, -math.inf).softmax(dim=-1)  # (B, h, l, l)
        y = (weights @ v).transpose(1, 2).reshape(B, l, C)  # heads side by side
        out: Tensor = self.wo(y)  # (B, l, C)
        return out


def rotated(x: Tensor, angles: Tensor) -> Tensor:
    """Each pair of numbers, (..., l, d), turned by its angle, (l, d / 2)."""
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]  # (..., l, d / 2)
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)


class FeedForward(nn.Module):
    """Two layers; what passes between them is multiplied by a gate."""

    def __init__(self, sizes: Llama2cHeader) -> None:
        super().__init__()
        self.w1 = nn.Linear(sizes.width, sizes.hidden, bias=False)
        self.w2 = nn.Linear(sizes.hidden, sizes.width, bias=False)
        self.w3 = nn.Linear(sizes.width, sizes.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, l, C) to (B, l, C)."""
        out: Tensor = self.w2(F.silu(self.w1(x)) * self.w3(x))
        return out


class Block(nn.Module):
    """Attention, then the network, each added to the residual stream."""

    def __init__(self, sizes: Llama2cHeader) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(sizes.width)
        self.attention = Attention(sizes)
        self.ffn_norm = RMSNorm(sizes.width)
        self.feed_forward = FeedForward(sizes)

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        """(B, l, C) to (B, l, C)."""
        x = x + self.attention(self.attention_norm(x), angles)
        x = x + self.feed_forward(self.ffn_norm(x))
        return x


class Llama(WindowModel):
    """A Llama of these sizes, and the names of its tokens.

    Its weights are whatever PyTorch puts there, to be replaced by those of a file.

    >>> sizes = Llama2cHeader(
    ...     version=1, width=8, hidden=16, layers=1, heads=2, kv_heads=1, vocab_size=5, context=6
    ... )
    >>> model = Llama(sizes, vocabulary=Vocabulary.of(5))
    >>> model.n_parameters, model(torch.tensor([[1, 4, 0]])).shape
    (640, torch.Size([1, 3, 5]))
    """

    def __init__(self, sizes: Llama2cHeader, *, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.sizes = sizes
        self.vocabulary = vocabulary
        self.provenance = {}
        self.tok_embeddings = nn.Embedding(sizes.vocab_size, sizes.width)
        self.layers = nn.ModuleList([Block(sizes) for _ in range(sizes.layers)])
        self.norm = RMSNorm(sizes.width)
        self.output = nn.Linear(sizes.width, sizes.vocab_size, bias=False)
        if sizes.tied_head:
            self.output.weight = self.tok_embeddings.weight

    @property
    def context(self) -> int:
        """L, the number of tokens that the model can see."""
        return self.sizes.context

    @property
    def cache_shape(self) -> CacheShape:
        """A key and a value of each head of these in each block."""
        return CacheShape(
            layers=self.sizes.layers,
            key_value_heads=self.sizes.kv_heads,
            head_size=self.sizes.head_size,
            source="the model as it was loaded",
        )

    def forward(self, ids: Tensor) -> Tensor:
        """Logits of the next token at each position: (B, l) token ids to (B, l, V), l <= L."""
        self.refuse_other_shapes(ids)
        d = self.sizes.head_size
        # In float64, so that the angles are right in whatever precision the model has.
        pairs = torch.arange(0, d, 2, dtype=torch.float64, device=ids.device)  # (d / 2,)
        positions = torch.arange(ids.shape[1], dtype=torch.float64, device=ids.device)  # (l,)
        angles = positions[:, None] * ROPE_BASE ** (-pairs / d)  # (l, d / 2)
        x = self.tok_embeddings(ids)  # (B, l, C)
        for block in self.layers:
            x = block(x, angles)  # (B, l, C)
        logits: Tensor = self.output(self.norm(x))  # (B, l, V)
        return logits
