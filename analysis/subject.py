"""What is studied: the article's baby GPT, or the chain of any other model.

The baby GPT is two tokens, a context of three, and 50 steps of training on 111101111011110
(A. Karpathy, "baby GPT" notebook, April 2023, and an article about it of the same year).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from analysis.study import Cell
from fsm_gpt.asking import Model
from fsm_gpt.chain import Chain
from fsm_gpt.cli.demo import TEXT
from fsm_gpt.errors import (
    FsmGptError,
    InvalidArgument,
    NotConverged,
    NotDefined,
    NotUnique,
    StateSpaceTooLarge,
)
from fsm_gpt.extract import extract
from fsm_gpt.markov import (
    MinimalMachine,
    MixingTime,
    minimize,
    mixing_time,
    stationary_distribution,
)

if TYPE_CHECKING:
    from fsm_gpt.gpt import TrainingRun

__all__ = [
    "EPSILON",
    "NEAR",
    "SEED",
    "STEPS",
    "TEXT",
    "Subject",
    "answer",
    "asked",
    "baby",
    "data_chain",
    "effective_states",
    "merged",
    "mixed",
    "picked",
    "subject",
]

T = TypeVar("T")

#: The article's context, seed and number of steps.
CONTEXT, SEED, STEPS = 3, 1337, 50

#: How near to the stationary distribution is near, in total variation; and the same in words.
EPSILON, NEAR = 1e-6, "1e-6"

#: Mixing times are left out above this: their cost grows with the cube of the states.
COSTLY_STATES = 1024

#: Why a cell has no number.
_WHY: tuple[tuple[type[FsmGptError], str], ...] = (
    (NotUnique, "not unique"),
    (NotDefined, "not defined"),
    (NotConverged, "not converged"),
    (StateSpaceTooLarge, "too many states"),
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Subject:
    """A chain, with the chain before training and the data's own chain where they are known."""

    name: str
    chain: Chain
    before: Chain | None = None
    data: Chain | None = None
    text: str | None = None
    run: TrainingRun | None = None

    def chains(self) -> dict[str, Chain]:
        """The model's chains by name: before training, if known, and as it is."""
        if self.before is None:
            return {"model": self.chain}
        return {"before training": self.before, "after training": self.chain}

    def inputs(self) -> dict[str, Any]:
        """What the manifest of a study says of it."""
        return {
            "model": self.name,
            "text": self.text if self.text is None or len(self.text) <= 80 else len(self.text),
            "seed": None if self.run is None else self.run.seed,
            "steps": None if self.run is None else self.run.steps,
            "chain": str(self.chain),
            "provenance": dict(self.chain.provenance),
        }


@lru_cache(maxsize=64)
def baby(*, seed: int = SEED, steps: int = STEPS) -> TrainingRun:
    """The article's training; the same seed and steps are trained once."""
    from fsm_gpt.gpt import train

    return train(TEXT, context=CONTEXT, steps=steps, seed=seed)


def subject(model: Chain | Model | None = None, *, text: str | None = None) -> Subject:
    """What a study is about: the baby GPT where no other model is given."""
    if model is None:
        run = baby()
        chain = extract(run.model)
        return Subject(
            name="the article's baby GPT",
            chain=chain,
            before=extract(run.untrained),
            data=data_chain(TEXT, chain),
            text=TEXT,
            run=run,
        )
    chain = model if isinstance(model, Chain) else extract(model)
    return Subject(
        name=chain.provenance.get("file") or chain.provenance.get("model", "a chain"),
        chain=chain,
        data=None if text is None else data_chain(text, chain),
        text=text,
    )


def data_chain(text: str, like: Chain) -> Chain:
    """The text's own chain, over the contexts and tokens of a model."""
    if like.context is None:
        raise NotDefined(
            "study: the states of this chain are plain names and not contexts, so a text cannot be "
            "compared with it. Leave --text out, or give a chain over contexts."
        )
    return Chain.from_text(text, context=like.context, end="drop", vocabulary=like.vocabulary)


def asked(question: Callable[[], T]) -> T | str:
    """The answer, or in two words why there is none."""
    try:
        return question()
    except tuple(kind for kind, _ in _WHY) as problem:
        return next(words for kind, words in _WHY if isinstance(problem, kind))


def picked(found: T | str, pick: Callable[[T], Cell]) -> Cell:
    """A number out of what :func:`asked` gave."""
    return found if isinstance(found, str) else pick(found)


def answer(question: Callable[[], T], pick: Callable[[T], Cell]) -> Cell:
    """A number out of an answer, or in two words why there is none.

    >>> from fsm_gpt.markov import stationary_distribution
    >>> loops = stationary_distribution(Chain.from_matrix([[1, 0], [0, 1]]))
    >>> answer(lambda: loops.effective_states, float)
    'not unique'
    """
    return picked(asked(question), pick)


def effective_states(chain: Chain) -> Cell:
    """Two to the power of the entropy of the stationary distribution, or why there is none.

    >>> effective_states(Chain([[0.5, 0.5]] * 4))
    4.0
    """
    return answer(lambda: stationary_distribution(chain.floats()).effective_states, float)


def merged(chain: Chain, price: float) -> MinimalMachine | str:
    """The smallest machine found at a price in bits per token, or why there is none.

    Where the price merges everything, that is the machine of one state.

    >>> merged(Chain([[0.5, 0.5]] * 4), 0.01).n_states
    1
    """
    try:
        return asked(lambda: minimize(chain, max_kl_rate=price))
    except InvalidArgument:
        return asked(lambda: minimize(chain, max_states=1))


@lru_cache(maxsize=32)
def mixed(chain: Chain) -> MixingTime | str:
    """The mixing time to ``EPSILON``, worked out once a chain, or why there is none.

    >>> mixed(Chain([[0.5, 0.5]] * 4)).steps
    2
    """
    if chain.n_states > COSTLY_STATES:
        return "too many states"
    return asked(lambda: mixing_time(chain, epsilon=EPSILON))
