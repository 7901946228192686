"""Which weights of a model move a number of its chain.

A number F of the chain has a gradient with respect to the logits of every context
(:mod:`fsm_gpt.markov.sensitivity`); the model carries it on to its weights, in one pass back. So
the entropy rate, a stationary probability or the time until a word has an exact derivative with
respect to each weight, though none of them is computed inside the model.

The gradient is that of the chain as it was decoded. A temperature T divides the logits. A rule that
drops tokens is taken as it is at these weights: the tokens that it keeps stay the same under a
change that is small enough, and greedy rows do not change at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from fsm_gpt.asking import Model, batches
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Rule, Temperature
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.extract import extract
from fsm_gpt.markov.functional import Functional
from fsm_gpt.markov.sensitivity import RowSensitivity, row_sensitivity
from fsm_gpt.result import Result, format_number
from fsm_gpt.space import ContextSpace, Vocabulary

__all__ = ["Differentiable", "ModelSensitivity", "PartSensitivity", "Penalty", "sensitivity"]

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Entries: TypeAlias = Sequence[tuple[str, tuple[slice, ...]]]

#: Contexts handed to the model at once.
BATCH = 2**14


class Differentiable(Model, Protocol):
    """A model that can carry a gradient on to its weights."""

    def pull_back(self, blocks: Iterable[tuple[Ids, Floats]]) -> Mapping[str, Floats]:
        """The gradient with respect to every weight by name.

        ``blocks`` are contexts (B, l) with the gradient of the logits after them, (B, V).
        """
        ...

    def weights(self) -> Mapping[str, Floats]:
        """Every weight by name."""
        ...

    def parts(self) -> Mapping[str, Entries]:
        """Names of parts, each with the entries of weights that are its own."""
        ...


@dataclass(frozen=True)
class PartSensitivity:
    """How much a part of a model has to do with a number of its chain."""

    name: str
    n_weights: int
    gradient_norm: float
    """Euclidean length of the gradient with respect to its weights."""
    share: float
    """Its part of the squared length of the whole gradient."""
    by_scale: float
    """Change of the value for each relative change of all its weights together, to first order:
    the sum of each weight times its derivative."""

    def predicted(self, factor: float) -> float:
        """How far the value would move, to first order, if the part's weights were scaled so.

        ``model.scaled(name, factor)`` is the model for which it can be looked up.
        """
        return self.by_scale * (factor - 1)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ModelSensitivity(Result):
    """The gradient of a number of a model's chain with respect to its weights."""

    _hidden: ClassVar[tuple[str, ...]] = ("weights", "rows")

    what: str
    value: float
    unit: str
    rows: RowSensitivity
    """The gradient with respect to the logits of the chain's rows."""
    weights: Mapping[str, Floats] = field(repr=False)
    """The derivative with respect to every weight, each of its weight's shape."""
    parts: tuple[PartSensitivity, ...]
    """In the order of their shares, the largest first."""
    method: str = "adjoint equation for the rows, then one pass back through the model in float64"

    @property
    def gradient_norm(self) -> float:
        """Euclidean length of the whole gradient."""
        return math.sqrt(sum(float((g * g).sum()) for g in self.weights.values()))

    def listing(self, most: int = 8) -> str:
        """The value, and the parts and rows that move it most."""
        n = sum(g.size for g in self.weights.values())
        lines = [
            f"{self.what}: {format_number(self.value)} {self.unit}",
            f"  gradient with respect to {n:,} weights ({self.method}); rows: "
            f"{self.rows.error_sentence}",
            f"  length {format_number(self.gradient_norm, 4)}",
        ]
        wide = max((len(part.name) for part in self.parts[:most]), default=0)
        lines += [
            f"  {part.name:{wide}}  {part.share:6.1%} of the gradient, "
            f"{part.by_scale:+.4g} for each relative change"
            for part in self.parts[:most]
        ]
        lines += [
            f"  row {label}: {format_number(moved, 4)} for each nat of its logits"
            for label, moved in self.rows.top(most)
        ]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.listing()


@overload
def sensitivity(model_or_chain: Chain, functional: Functional) -> RowSensitivity: ...


@overload
def sensitivity(
    model_or_chain: Differentiable,
    functional: Functional,
    *,
    decoding: Rule | Sequence[Rule] | None = None,
    short_contexts: bool = False,
    truncate_to: int | None = None,
    max_memory_gib: float = 8.0,
) -> ModelSensitivity: ...


def sensitivity(
    model_or_chain: Any,
    functional: Functional,
    *,
    decoding: Rule | Sequence[Rule] | None = None,
    short_contexts: bool = False,
    truncate_to: int | None = None,
    max_memory_gib: float = 8.0,
) -> RowSensitivity | ModelSensitivity:
    """The gradient of a number of a chain: with respect to its rows, or to a model's weights.

    Parameters
    ----------
    model_or_chain
        A chain, for the rows alone; or a model, whose chain is extracted first.
    functional
        The number: ``fsm_gpt.markov.functional.TokenEntropy()``, ``StationaryProbability(state)``,
        ``HittingTime(target, start)`` or ``KLRate(reference)``.
    decoding, short_contexts, truncate_to, max_memory_gib
        As in :func:`fsm_gpt.extract`; of a model only.

    Raises
    ------
    InvalidArgument
        The model cannot carry a gradient on to its weights, or options of a model were given
        with a chain.
    NotUnique, NotDefined, StateOutOfRange
        The number does not exist for this chain.

    References
    ----------
    Golub & Meyer (1986), SIAM J. Algebraic and Discrete Methods 7, 273-281.

    Examples
    --------
    >>> from fsm_gpt.markov.functional import TokenEntropy
    >>> coin = sensitivity(Chain([[0.75, 0.25], [0.75, 0.25]]), TokenEntropy())
    >>> coin.gradient.sum(axis=0).round(4).tolist()
    [-0.2972, 0.2972]
    """
    if isinstance(model_or_chain, Chain):
        if decoding is not None or short_contexts or truncate_to is not None:
            raise InvalidArgument(
                "sensitivity: decoding, short_contexts and truncate_to say how a model is "
                "extracted, and a chain was given. Apply a rule by chain.with_decoding(...)."
            )
        return row_sensitivity(model_or_chain, functional)
    model = model_or_chain
    if not all(hasattr(model, name) for name in ("pull_back", "weights", "parts")):
        raise InvalidArgument(
            f"sensitivity: {type(model).__name__} cannot carry a gradient on to its weights. "
            f"Models of load_model() and train() can; ask another for its rows, by "
            f"sensitivity(extract(model), ...)."
        )
    chain = extract(
        model,
        decoding=decoding,
        short_contexts=short_contexts,
        truncate_to=truncate_to,
        max_memory_gib=max_memory_gib,
    )
    rows = row_sensitivity(chain, functional)
    weights = model.pull_back(_blocks(chain, rows))
    return ModelSensitivity(
        what=rows.what,
        value=rows.value,
        unit=rows.unit,
        rows=rows,
        weights=weights,
        parts=_parts(model, weights),
    )


def _blocks(chain: Chain, rows: RowSensitivity) -> Iterator[tuple[Ids, Floats]]:
    """All contexts, with the gradient of the logits that the model gives them."""
    space = chain.states
    assert isinstance(space, ContextSpace)
    sharper = math.prod(
        float(rule.temperature) for rule in chain.decoding if isinstance(rule, Temperature)
    )
    first = np.searchsorted(rows.source, np.arange(chain.n_states + 1))
    for state, ids in batches(space, BATCH):
        table = np.zeros((len(ids), chain.n_tokens))
        here = slice(first[state], first[state + len(ids)])
        if not rows.by_transition[here].any():
            continue  # rows that nothing depends on
        table[rows.source[here] - state, rows.token[here]] = rows.by_transition[here]
        yield ids, table / (sharper or 1.0)


def _parts(model: Differentiable, gradient: Mapping[str, Floats]) -> tuple[PartSensitivity, ...]:
    weights = model.weights()
    whole = sum(float((g * g).sum()) for g in gradient.values())
    found = []
    for name, entries in model.parts().items():
        pairs = [(weights[key][where], gradient[key][where]) for key, where in entries]
        squared = sum(float((g * g).sum()) for _, g in pairs)
        found.append(
            PartSensitivity(
                name=name,
                n_weights=sum(g.size for _, g in pairs),
                gradient_norm=math.sqrt(squared),
                share=squared / whole if whole else 0.0,
                by_scale=sum(float((w * g).sum()) for w, g in pairs),
            )
        )
    return tuple(sorted(found, key=lambda part: -part.share))


@dataclass(frozen=True, eq=False)
class Penalty:
    """A number of a model's own chain, to be added to its loss while it is trained.

    ``train(..., penalty=Penalty(TokenEntropy(), -0.1, "01"))`` pays 0.1 nats for each bit of
    entropy rate: it is a bonus, because the weight is negative.

    Parameters
    ----------
    functional
        The number.
    weight
        Nats of loss for each unit of the number.
    vocabulary
        The model's tokens.

    Examples
    --------
    >>> from fsm_gpt.markov.functional import TokenEntropy
    >>> value, gradient = Penalty(TokenEntropy(), -2.0, "ab")(np.array([[0.5, 0.5]] * 2))
    >>> value, gradient.tolist()
    (-2.0, [[-0.0, -0.0], [-0.0, -0.0]])
    """

    functional: Functional
    weight: float
    vocabulary: Vocabulary | str | Sequence[str]

    def __post_init__(self) -> None:
        if not math.isfinite(self.weight):
            raise InvalidArgument(
                f"penalty: its weight is {self.weight}, and it has to be a finite number of nats."
            )

    def __call__(self, rows: Floats) -> tuple[float, Floats]:
        """The penalty of a model with these rows, and its gradient in their logits, (N, V)."""
        found = row_sensitivity(Chain(rows, vocabulary=self.vocabulary), self.functional)
        return self.weight * found.value, self.weight * found.gradient
