"""A GPT, top to bottom.

A causal transformer reads a context of token ids and gives, at each position, the
logits of the token that comes next. Its parts, in the order in which a context meets
them: embeddings of token and position; ``n_layer`` blocks, each of attention and a
two-layer network, each normalised *before* it acts and added to what it was given
(pre-norm, residual); a last norm; and the token embedding again, now read backwards
(or, in minGPT, a matrix of its own).

- Vaswani et al. (2017), "Attention is all you need", https://arxiv.org/abs/1706.03762
- Radford et al. (2019), GPT-2: pre-norm and the scaled initial weights of what is
  added to the residual stream, https://openai.com/index/better-language-models/
- Press & Wolf (2017), one matrix for embedding and output, https://arxiv.org/abs/1608.05859
- Ba et al. (2016), layer norm, https://arxiv.org/abs/1607.06450
- Hendrycks & Gimpel (2016), GELU, https://arxiv.org/abs/1606.08415

Names of parameters are those of nanoGPT (https://github.com/karpathy/nanoGPT), which
has the same layout. In the shape comments B is the number of contexts in a batch, l
their length, V the vocabulary, C the width ``n_embd``, h the number of heads.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fsm_gpt.capacity.models import CacheShape
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.gpt.window_model import WindowModel
from fsm_gpt.space import Vocabulary

if TYPE_CHECKING:
    from fsm_gpt.gpt.prefix_tree import ContextLogits
    from fsm_gpt.gpt.pull_back import Part

__all__ = ["GPT", "GPTConfig"]

#: No size in a configuration may exceed this; it keeps a damaged file from asking for the moon.
LARGEST = 2**24

#: PyTorch's name for each form of the GELU.
GELUS: dict[str, Literal["none", "tanh"]] = {"exact": "none", "tanh": "tanh"}


@dataclass(frozen=True, kw_only=True)
class GPTConfig:
    """The sizes that decide a GPT's shape; the defaults are the article's.

    Parameters
    ----------
    vocab_size
        V, the number of tokens.
    context
        L, the number of tokens that the model can see.
    n_layer, n_head, n_embd
        Blocks, attention heads in each, and width; heads divide the width.
    bias
        Whether linear layers add a bias.
    norm_bias
        Whether layer norms add a bias. The article's model has these and no others;
        nanoGPT has either both or none.
    gelu
        "exact", or "tanh" for the approximation that GPT-2 and minGPT use (Hendrycks &
        Gimpel, section 2).
    tied_head
        Whether the output matrix is the token embedding; in minGPT it is another.

    Raises
    ------
    InvalidArgument
        A size is no whole number of at least 1, or the heads do not divide the width.

    Examples
    --------
    >>> GPTConfig(vocab_size=2, context=3).n_embd
    16
    """

    vocab_size: int
    context: int
    n_layer: int = 4
    n_head: int = 4
    n_embd: int = 16
    bias: bool = False
    norm_bias: bool = True
    gelu: Literal["exact", "tanh"] = "exact"
    tied_head: bool = True

    def __post_init__(self) -> None:
        for name in ("vocab_size", "context", "n_layer", "n_head", "n_embd"):
            size = getattr(self, name)
            if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= LARGEST:
                raise InvalidArgument(
                    f"GPT: {name} is {size!r}, and a model needs a whole number from 1 to "
                    f"{LARGEST:,} there. Give one."
                )
        for name in ("bias", "norm_bias", "tied_head"):
            if not isinstance(getattr(self, name), bool):
                raise InvalidArgument(
                    f"GPT: {name} is {getattr(self, name)!r}, which is neither True nor False."
                )
        if self.gelu not in GELUS:
            raise InvalidArgument(
                f"GPT: gelu is {self.gelu!r}, and it is 'exact' or 'tanh'. Give one of the two."
            )
        if self.n_embd % self.n_head:
            raise InvalidArgument(
                f"GPT: a width of {self.n_embd} (n_embd) does not divide into {self.n_head} heads "
                f"(n_head) of equal width. Make n_embd a multiple of n_head."
            )

    def to_dict(self) -> dict[str, int | bool | str]:
        """The fields by name."""
        return asdict(self)


class Attention(nn.Module):
    """Each position looks at itself and at those before it."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        C = config.n_embd
        self.n_head = config.n_head
        self.c_attn = nn.Linear(C, 3 * C, bias=config.bias)  # query, key, value in one
        self.c_proj = nn.Linear(C, C, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, l, C) to (B, l, C)."""
        B, l, C = x.shape  # noqa: E741
        q, k, v = (
            part.view(B, l, self.n_head, C // self.n_head).transpose(1, 2)  # (B, h, l, C/h)
            for part in self.c_attn(x).split(C, dim=2)  # three of (B, l, C)
        )
        scores = q @ k.transpose(-2, -1) / math.sqrt(C // self.n_head)  # (B, h, l, l)
        past = torch.ones(l, l, dtype=torch.bool, device=x.device).tril()  # (l, l)
        weights = scores.masked_fill(~past, -math.inf).softmax(dim=-1)  # (B, h, l, l)
        y = weights @ v  # (B, h, l, C/h)
        y = y.transpose(1, 2).reshape(B, l, C)  # heads side by side
        out: Tensor = self.c_proj(y)  # (B, l, C)
        return out


class MLP(nn.Module):
    """Two layers, four times as wide in the middle, the same at every position."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.gelu = GELUS[config.gelu]
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, l, C) to (B, l, C)."""
        x = F.gelu(self.c_fc(x), approximate=self.gelu)  # (B, l, 4C)
        out: Tensor = self.c_proj(x)  # (B, l, C)
        return out


class Block(nn.Module):
    """Attention, then the network, each added to the residual stream."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, bias=config.norm_bias)
        self.attn = Attention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, bias=config.norm_bias)
        self.mlp = MLP(config)

    def forward(self, x: Tensor) -> Tensor:
        """(B, l, C) to (B, l, C)."""
        x = x + self.attn(self.ln_1(x))
        x = x + self.mlp(self.ln_2(x))
        return x


class GPT(WindowModel):
    """A GPT with random weights, and the names of its tokens.

    It has no dropout, so it computes one function of its context. The state of
    PyTorch's random generator is the same before and after.

    Parameters
    ----------
    config
        The sizes.
    vocabulary
        The V tokens: characters, a sequence of strings, or nothing for "0", "1", ...
    seed
        Decides the initial weights.

    Raises
    ------
    InvalidArgument
        The vocabulary has not ``config.vocab_size`` tokens, or the seed is negative.

    Examples
    --------
    >>> model = GPT(GPTConfig(vocab_size=2, context=3), seed=1337)
    >>> model.n_parameters, model(torch.tensor([[1, 0, 1]])).shape
    (12656, torch.Size([1, 3, 2]))
    """

    def __init__(
        self,
        config: GPTConfig,
        *,
        vocabulary: Vocabulary | str | list[str] | tuple[str, ...] | None = None,
        seed: int = 1337,
    ) -> None:
        super().__init__()
        self.config = config
        self.vocabulary = Vocabulary.of(config.vocab_size if vocabulary is None else vocabulary)
        if len(self.vocabulary) != config.vocab_size:
            raise InvalidArgument(
                f"GPT: the vocabulary has {len(self.vocabulary)} tokens and vocab_size is "
                f"{config.vocab_size}. A model has one row of weights for each token; make the "
                f"two agree."
            )
        if not 0 <= seed < 2**63:
            raise InvalidArgument(f"GPT: seed {seed} is not between 0 and 2**63 - 1.")
        # A file and its hash, or how they were trained.
        self.provenance = {"weights": f"random, seed {seed}"}
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            # The order of what follows decides which random number goes where.
            self.wte = nn.Embedding(config.vocab_size, config.n_embd)
            self.wpe = nn.Embedding(config.context, config.n_embd)
            self.h = nn.ModuleList([Block(config) for _ in range(config.n_layer)])
            self.ln_f = nn.LayerNorm(config.n_embd, bias=config.norm_bias)
            self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
            if config.tied_head:
                self.wte.weight = self.lm_head.weight
            self.apply(_small_random_weights)
            for name, weight in self.named_parameters():
                if name.endswith("c_proj.weight"):  # what is added to the residual stream
                    nn.init.normal_(weight, std=0.02 / math.sqrt(2 * config.n_layer))

    @property
    def context(self) -> int:
        """L, the number of tokens that the model can see."""
        return self.config.context

    @property
    def cache_shape(self) -> CacheShape:
        """A key and a value of each head in each block."""
        config = self.config
        return CacheShape(
            layers=config.n_layer,
            key_value_heads=config.n_head,
            head_size=config.n_embd // config.n_head,
            source="the model as it was loaded",
        )

    def forward(self, ids: Tensor) -> Tensor:
        """Logits of the next token at each position: (B, l) token ids to (B, l, V), l <= L."""
        self.refuse_other_shapes(ids)
        positions = torch.arange(ids.shape[1], device=ids.device)  # (l,)
        x = self.wte(ids) + self.wpe(positions)  # (B, l, C)
        for block in self.h:
            x = block(x)  # (B, l, C)
        logits: Tensor = self.lm_head(self.ln_f(x))  # (B, l, V)
        return logits

    def parts(self) -> Mapping[str, Part]:
        """Embeddings, and of each block its heads, its network and its norms."""
        from fsm_gpt.gpt.pull_back import parts_of_gpt

        return parts_of_gpt(self, self.config.n_layer, self.config.n_head, self.config.n_embd)

    def prefix_tree(
        self, length: int, *, shorter: bool = False, first: int = 0
    ) -> Generator[ContextLogits, None, None] | None:
        """The logits of every context of ``length`` tokens, each prefix computed once.

        With ``shorter`` also those of fewer tokens. With ``first`` from about that one on.
        None where the forward pass is not the one above any more (a part was exchanged, or is
        hooked into): then the model is to be asked context by context. See
        :mod:`fsm_gpt.gpt.prefix_tree`.

        >>> model = GPT(GPTConfig(vocab_size=2, context=3))
        >>> [tuple(block.logits.shape) for block in model.prefix_tree(3)]
        [(8, 2)]
        """
        from fsm_gpt.gpt.prefix_tree import can_walk, prefix_tree

        return prefix_tree(self, length, shorter=shorter, first=first) if can_walk(self) else None


def _small_random_weights(module: nn.Module) -> None:
    """N(0, 0.02) for every matrix, zero for every bias."""
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
