"""What is measured of a chain at each step of a training, and what it is held against.

The text that is learned has n-grams of its own: G_0, its unigram, G_1, its bigram, up to its own
chain G_L over the L tokens that the model sees. How far the model is from each of them is the KL
rate KL(G_k || model), in the long run of G_k: zero where the model *is* that n-gram, and finite
wherever the model rules nothing out. (The other direction, KL(model || G_k), is infinite as soon
as the text lacks something that the model can write, which is nearly always.) That of G_L is what
:func:`fsm_gpt.compare` says of the text's chain.

The *loss* is the mean of -ln p over the tokens that have L others before them in the text, in
nats: the loss of a training that learns from the last position of each window. It weighs windows
as the text has them; the cross-entropy weighs them as the text's chain visits them.

References
----------
Edelman, Edelman, Goel, Malach & Tsilivis (2024), arXiv 2402.11004; Makkuva et al. (2024), arXiv
2402.04161 (models in training beside unigrams and bigrams).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.counts import encode_text, transitions
from fsm_gpt.errors import FsmGptError, InvalidArgument
from fsm_gpt.markov.compare import compare
from fsm_gpt.markov.entropy import entropy_rate
from fsm_gpt.markov.greedy import greedy_map
from fsm_gpt.markov.induction import induction_score
from fsm_gpt.markov.leading import leading_eigenvalues
from fsm_gpt.markov.memory import memory_curve
from fsm_gpt.markov.n_gram import n_gram
from fsm_gpt.markov.text_surprise import text_surprise
from fsm_gpt.result import UNCERTIFIED, Bound
from fsm_gpt.space import Vocabulary

__all__ = ["MEASURES", "Change", "Measure", "Snapshot", "Yardstick"]

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Measure(NamedTuple):
    """A number that is followed through a training."""

    unit: str
    words: str


#: Every number that is followed, in the order in which it is told.
MEASURES = {
    "loss": Measure("nats per token", "loss on the text"),
    "cross_entropy": Measure("bits per token", "cross-entropy on the text's chain"),
    "kl_text": Measure("bits per token", "KL(text || model)"),
    "kl_unigram": Measure("bits per token", "KL(unigram || model)"),
    "kl_bigram": Measure("bits per token", "KL(bigram || model)"),
    "nearest_order": Measure("tokens", "order of the nearest n-gram"),
    "entropy_rate": Measure("bits per token", "entropy rate"),
    "excess_entropy": Measure("bits", "excess entropy"),
    "largest_change": Measure("probability", "largest change since the step before"),
    "greedy_cycles": Measure("cycles", "cycles under greedy decoding"),
    "greedy_longest": Measure("states", "longest greedy cycle"),
    "second_eigenvalue": Measure("modulus", "second eigenvalue"),
    "induction": Measure("probability", "induction score"),
    "induction_gain": Measure("probability", "induction score over own bigram"),
}


class Change(NamedTuple):
    """A probability that moved since the step before."""

    context: str
    token: str
    before: float
    after: float


class Reading(NamedTuple):
    """A number with a bound on its absolute error, or why there is none."""

    value: float
    error: Bound = UNCERTIFIED
    absent_because: str = ""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What was measured of one model at one step."""

    readings: dict[str, Reading]
    to_order: Floats
    """KL(n-gram of order k of the text || model) for k = 0 to L, in bits; empty without a text."""
    changes: tuple[Change, ...]
    """The probabilities that moved most since the step before, the largest first."""


@dataclass(frozen=True, eq=False)
class Yardstick:
    """A text, as models of it are held against it: its windows, its chain, its n-grams."""

    data: Chain
    """The text's own chain."""
    n_grams: tuple[Chain, ...]
    """Its n-grams of order 0 to L; the last is its own chain."""
    windows: Ids
    """The distinct windows with the token after each, shape (n, L + 1)."""
    counts: Ids
    """How often each stands in the text, shape (n,)."""

    @classmethod
    def of(
        cls,
        text: str | Sequence[str],
        *,
        context: int,
        vocabulary: Vocabulary,
        end: str = "drop",
    ) -> Yardstick:
        """The yardstick of a text.

        Raises
        ------
        InvalidText
            The text does not fit the vocabulary, is too short, or never repeats a context.

        >>> found = Yardstick.of("0110110", context=2, vocabulary=Vocabulary.of("01"))
        >>> found.counts.sum(), len(found.n_grams), found.data.n_states
        (np.int64(5), 3, 3)
        """
        ids, _ = encode_text(text, vocabulary)
        windows, counts = np.unique(transitions(ids, context), axis=0, return_counts=True)
        data = Chain.from_text(text, context=context, end=end, vocabulary=vocabulary).floats()
        shorter = tuple(n_gram(data, k) for k in range(context))
        return cls(data, (*shorter, data), windows, counts)


def measured(
    chain: Chain,
    *,
    undecoded: Chain,
    yardstick: Yardstick | None,
    before: Chain | None,
    most_changes: int = 5,
) -> Snapshot:
    """Every number of one chain.

    ``undecoded`` is the model's chain without a decoding rule, for the loss; ``before`` the chain
    of the watched step before.
    """
    readings: dict[str, Reading] = {}
    to_order: Floats = np.zeros(0)
    if yardstick is not None:
        to_order = _against(chain, undecoded, yardstick, readings)
    _own(chain, readings)
    changes = () if before is None else _changes(before, chain, most_changes)
    if before is None:
        readings["largest_change"] = Reading(
            math.nan, absent_because="no step was watched before the first"
        )
    else:
        moved = abs(changes[0].after - changes[0].before) if changes else 0.0
        readings["largest_change"] = Reading(moved, 2.0**-53)
    if yardstick is None:
        for name in ("loss", "cross_entropy", "kl_text", "kl_unigram", "kl_bigram"):
            readings[name] = Reading(math.nan, absent_because="no text was given")
        readings["nearest_order"] = readings["loss"]
    return Snapshot({name: readings[name] for name in MEASURES}, to_order, changes)


def _against(
    chain: Chain, undecoded: Chain, yardstick: Yardstick, readings: dict[str, Reading]
) -> Floats:
    """The numbers that need the text; returns the distance to each of its n-grams."""
    bits, error = text_surprise(undecoded, yardstick.windows, yardstick.counts)
    readings["loss"] = Reading(bits * math.log(2), error * math.log(2) + 2.0**-52 * bits)
    found = [compare(gram, chain) for gram in yardstick.n_grams]
    last = found[-1]
    to_order = np.array([one.kl_bits_per_token for one in found])
    readings["cross_entropy"] = Reading(last.cross_entropy_bits_per_token, last.error_bound)
    for name, one in (("kl_text", last), ("kl_unigram", found[0]), ("kl_bigram", found[1])):
        readings[name] = Reading(one.kl_bits_per_token, one.error_bound)
    readings["nearest_order"] = _nearest(to_order, [one.error_bound for one in found])
    return to_order


def _nearest(to_order: Floats, bounds: Sequence[Bound]) -> Reading:
    """The order of the nearest n-gram, the lowest of several; sure where no other can be."""
    order = int(np.argmin(to_order))
    if not math.isfinite(to_order[order]):
        return Reading(
            math.nan, absent_because="the model rules out something that every n-gram does"
        )
    if UNCERTIFIED in bounds:
        return Reading(float(order))
    errors = np.array([float(bound) for bound in bounds])
    farther = to_order - errors > to_order[order] + errors[order]
    return Reading(float(order), 0.0 if farther.sum() == len(to_order) - 1 else UNCERTIFIED)


def _own(chain: Chain, readings: dict[str, Reading]) -> None:
    """The numbers of the chain alone."""

    def ask(names: Sequence[str], question: Callable[[], Sequence[Reading]]) -> None:
        try:
            answers = question()
        except FsmGptError as problem:
            answers = [Reading(math.nan, absent_because=str(problem))] * len(names)
        readings.update(zip(names, answers, strict=True))

    ask(("entropy_rate",), lambda: _entropy(chain))
    ask(("excess_entropy",), lambda: _excess(chain))
    ask(("greedy_cycles", "greedy_longest"), lambda: _greedy(chain))
    ask(("second_eigenvalue",), lambda: _second(chain))
    ask(("induction", "induction_gain"), lambda: _induction(chain))


def _entropy(chain: Chain) -> Sequence[Reading]:
    found = entropy_rate(chain)
    bits = float(found.bits_per_token)
    return [Reading(bits, _absolute(found.error_bound, bits))]


def _excess(chain: Chain) -> Sequence[Reading]:
    found = memory_curve(chain)
    h = found.bits_per_token
    # E is the sum of h_k - h, each of which is off by e h_k + e h at most.
    size = float(h[:-1].sum() + (len(h) - 1) * h[-1])
    return [Reading(found.excess_bits, _absolute(found.error_bound, size))]


def _greedy(chain: Chain) -> Sequence[Reading]:
    lengths = greedy_map(chain).cycle_lengths
    return [Reading(float(len(lengths)), 0.0), Reading(float(max(lengths)), 0.0)]


def _second(chain: Chain) -> Sequence[Reading]:
    values = np.abs(leading_eigenvalues(chain, most=2).eigenvalues)
    return [Reading(float(values[1]) if len(values) > 1 else 0.0)]


def _induction(chain: Chain) -> Sequence[Reading]:
    found = induction_score(chain)
    score, bigram = float(found.probability), float(found.bigram_probability)
    return [
        Reading(score, _absolute(found.error_bound, score)),
        Reading(float(found.gain), _absolute(found.error_bound, score + bigram)),
    ]


def _absolute(relative: Bound, size: float) -> Bound:
    return UNCERTIFIED if relative == UNCERTIFIED else float(relative) * size * (1 + 2.0**-40)


def _changes(before: Chain, after: Chain, most: int) -> tuple[Change, ...]:
    """The probabilities that moved most between two chains over the same windows."""
    if not (before.is_window and after.is_window):
        raise InvalidArgument(
            "watch: the rows of one of the chains are kept sparsely, so changes of probabilities "
            "cannot be listed. Watch a model with fewer contexts."
        )
    old, new = before.next_token, after.next_token
    moved = np.abs(np.asarray(new, dtype=np.float64) - old).reshape(-1)
    most = min(most, len(moved))
    some = np.argpartition(-moved, most - 1)[:most]
    order = some[np.lexsort((some, -moved[some]))]
    V = after.n_tokens
    return tuple(
        Change(
            after.label(i // V),
            after.vocabulary[i % V],
            float(old[i // V, i % V]),
            float(new[i // V, i % V]),
        )
        for i in order.tolist()
        if moved[i] > 0
    )
