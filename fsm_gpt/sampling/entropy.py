"""Entropy rate by sampling, for models of any size.

The entropy rate h = sum_s pi(s) H(next_token[s]) is the long-run mean of H(row) over the states
that a walk visits (the ergodic theorem; Meyn & Tweedie, theorem 17.0.1), so a walk estimates it
without the list of states. What is averaged is the exact entropy of each row visited and not
-log2 p of the token drawn. Given the state, the second is the first plus a noise of mean zero
that comes from the draw alone: term by term its variance is larger, and the conditional mean
takes that part away (Rao and Blackwell). Of sums along a walk this is usual and no theorem: a
surprising token may lead to rows of less entropy. So -log2 p is kept beside it, as a
cross-check that knows nothing of the entropies.

The interval is that of independent replications, see :mod:`fsm_gpt.series.replications`; cycles
between visits to the most visited state are a second opinion, where it recurs
(:mod:`fsm_gpt.series.regeneration`).

References
----------
Cover & Thomas (2006), theorem 4.2.4. Meyn & Tweedie (2009), Markov Chains and Stochastic
Stability, theorem 17.0.1. Asmussen & Glynn (2007), Stochastic Simulation, chapter IV and
section V.4 (conditional Monte Carlo). Glynn & Whitt (1992), Annals of Applied Probability 2,
180-198 (when a run is long enough).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from fsm_gpt.about_model import (
    notes_on_rows,
    own_space,
    provenance_of,
    refuse_foreign_device,
    rules_of,
)
from fsm_gpt.asking import Model, asking
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Rule, in_words
from fsm_gpt.errors import Interrupted
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.prompts import Prompts
from fsm_gpt.result import read_only
from fsm_gpt.sampling.asked import (
    WHERE,
    refuse_for_chains,
    refuse_numbers,
    states_to_begin,
    tokens_to_begin,
)
from fsm_gpt.sampling.curve import entropy_curve
from fsm_gpt.sampling.result import RegenerativeEstimate, SampledEntropyRate
from fsm_gpt.sampling.streams import Streams, streams_of_chain, streams_of_model
from fsm_gpt.series.regeneration import mean_of_cycles
from fsm_gpt.series.replications import mean_of_streams, student_quantile
from fsm_gpt.space import Vocabulary

__all__ = ["sample_entropy_rate"]

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]


def sample_entropy_rate(
    subject: Model | Chain,
    *,
    streams: int = 32,
    n_tokens: int = 2000,
    prompts: Prompts | Sequence[int] | None = None,
    decoding: Rule | Sequence[Rule] | None = None,
    vocabulary: Vocabulary | str | int | Sequence[str] | None = None,
    context: int | None = None,
    truncate_to: int | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    device: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SampledEntropyRate:
    """Uncertainty of the next token in the long run, in bits per token, from sampled streams.

    Parameters
    ----------
    subject
        A model, see :class:`fsm_gpt.asking.Model`, or a chain, whose exact rate
        :func:`fsm_gpt.entropy_rate` gives.
    streams
        K, how many are drawn side by side; 8 or more.
    n_tokens
        Tokens of each stream, burn-in among them. The interval narrows with its square
        root; a stream should be tens of times as long as the model remembers.
    prompts
        What the streams begin with, in turn: texts or token ids; of a chain, states.
        Without them each stream of a model begins with one token, and each of a chain
        with one state, all equally likely: starts far apart show whether streams forget them.
    decoding, vocabulary, context, truncate_to, device
        As for :func:`fsm_gpt.extract`; all but ``decoding`` are for models.
    confidence
        The share of runs whose interval covers the true value.
    seed
        The same seed gives the same streams.
    progress
        Called with the tokens drawn and those to draw, of all streams together.

    Raises
    ------
    NotConverged
        The streams disagree or drift so much that no interval would be honest.
    NotDefined
        The chain is a part of a larger one, with a state ``unexplored``.
    InvalidArgument
        An option is out of range.
    Interrupted
        The user stopped it.

    Notes
    -----
    No run knows of what none of its streams has met. A closed class or a regime that no
    start leads to is not in the answer.

    Examples
    --------
    >>> chain = Chain([[0.5, 0.5], [0.25, 0.75]])
    >>> found = sample_entropy_rate(chain, streams=16, n_tokens=500)
    >>> from fsm_gpt.markov import entropy_rate
    >>> found.low < entropy_rate(chain).bits_per_token < found.high
    True

    References
    ----------
    Cover & Thomas (2006), theorem 4.2.4. Asmussen & Glynn (2007), Stochastic Simulation,
    chapter IV.
    """
    refuse_numbers(streams, n_tokens, confidence, seed)
    rules = rules_of(decoding, where=WHERE)
    generator = np.random.default_rng(seed)

    def tick(t: int) -> None:
        if progress is not None:
            progress(t * streams, n_tokens * streams)

    try:
        if isinstance(subject, Chain):
            refuse_for_chains(vocabulary, context, truncate_to, device)
            require_complete(subject, WHERE)
            chain = subject.with_decoding(*rules) if rules else subject
            starts = states_to_begin(chain, prompts, streams, generator)
            drawn = streams_of_chain(chain, starts, n_tokens, generator, tick)
            V, notes, provenance = chain.n_tokens, chain.notes, dict(chain.provenance)
            rules = chain.decoding
        else:
            refuse_foreign_device(subject, device, where=WHERE)
            named, own, length = own_space(subject, vocabulary, context, truncate_to, where=WHERE)
            begun = tokens_to_begin(prompts, named, length, streams, generator)
            with asking(subject, named, device=device) as rows_of:
                drawn = streams_of_model(
                    rows_of, rules, begun, named, length, n_tokens, generator, tick
                )
            V, provenance = len(named), provenance_of(subject, own, length)
            notes = tuple(notes_on_rows(own, length, masked=drawn.masked, lost=drawn.underflowed))
            if drawn.lost_by_rules:
                notes += (
                    f"{in_words(rules)}: in {drawn.lost_by_rules:,} rows a probability became zero "
                    f"by underflow, so structure there is that of the floats, not of the rule",
                )
    except KeyboardInterrupt:
        raise Interrupted(
            f"{WHERE}: stopped by the user before the streams were long enough, so there is no "
            f"interval. Nothing was written."
        ) from None
    return _judged(drawn, V, confidence, seed, in_words(rules), notes, provenance)


def _judged(
    drawn: Streams,
    V: int,
    confidence: float,
    seed: int,
    decoding: str,
    notes: tuple[str, ...],
    provenance: dict[str, str],
) -> SampledEntropyRate:
    K, n = drawn.entropies.shape
    # What the entropies of rows of V entries may be off by: fsm_gpt.markov.row_entropy.
    rounding = (5 * V + 40) * 2.0**-53 * float(drawn.entropies.max())
    found = mean_of_streams(drawn.entropies, drawn.tokens, confidence=confidence, rounding=rounding)
    if len(set(drawn.states[:, 0].tolist())) == 1:
        notes += ("all streams began alike, so that they agree says less of other beginnings",)
    if np.ptp(drawn.entropies) <= rounding:
        notes += (
            "every row on the way had the same entropy, so the interval is a point; it says "
            "nothing of rows that no stream met",
        )
    surprises = drawn.surprises[:, found.burn_in :].mean(axis=1)
    shares = _shares(drawn.tokens[:, found.burn_in :], V)
    return SampledEntropyRate(
        bits_per_token=found.mean,
        low=max(0.0, found.mean - found.half_width),
        high=min(max(math.log2(V), found.mean), found.mean + found.half_width),
        confidence=confidence,
        standard_error=found.standard_error,
        batch_means_standard_error=found.batch_means_error,
        effective_sample_size=found.effective_size,
        streams=K,
        n_tokens=n,
        burn_in=found.burn_in,
        disagreement=found.disagreement,
        relaxation_tokens=found.relaxation,
        bias_allowed=found.bias_allowed,
        surprise_bits_per_token=float(surprises.mean()),
        surprise_standard_error=float(surprises.std(ddof=1)) / math.sqrt(K),
        regenerative=_regenerative(drawn, V, confidence),
        token_frequencies=read_only(shares.mean(axis=0)),
        token_standard_errors=read_only(shares.std(axis=0, ddof=1) / math.sqrt(K)),
        curve=entropy_curve(drawn.entropies),
        decoding=decoding,
        seed=int(seed),
        notes=notes,
        provenance=MappingProxyType(provenance),
        method=f"{K} independent replications, Student's t with {K - 1} degrees of freedom",
        uncertified_because=f"sampled: {100 * (1 - confidence):.3g} in 100 such intervals miss",
    )


def _shares(tokens: Ids, V: int) -> Floats:
    """How often each token comes in each stream, shape (K, V)."""
    K, n = tokens.shape
    counts = np.bincount((np.arange(K)[:, None] * V + tokens).ravel(), minlength=K * V)
    return np.asarray(counts.reshape(K, V) / n)


def _regenerative(drawn: Streams, V: int, confidence: float) -> RegenerativeEstimate | None:
    cycles = mean_of_cycles(drawn.entropies, drawn.states)
    if cycles is None:
        return None
    half = student_quantile(confidence, cycles.n_cycles - 1) * cycles.standard_error
    return RegenerativeEstimate(
        bits_per_token=cycles.mean,
        low=max(0.0, cycles.mean - half),
        high=min(max(math.log2(V), cycles.mean), cycles.mean + half),
        standard_error=cycles.standard_error,
        state=drawn.label(*cycles.visit),
        n_cycles=cycles.n_cycles,
        mean_cycle_tokens=cycles.mean_length,
    )
