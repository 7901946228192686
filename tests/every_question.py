"""Every public question asked of chains with probabilities at the edge of the floats.

Whatever is asked has to be answered or refused in a sentence; a warning, an infinity where JSON
has none, or any error of numpy's or Python's own is a failure.

    python -m tests.campaign --campaign questions [--chains 500] [--seed N] [--only INDEX]
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.errors import FsmGptError
from tests.campaign import Outcome
from tests.differential import machine

__all__ = ["every_question"]

Ask = tuple[str, Callable[[], Any]]


def asked(chain: Chain, s: int, t: int) -> Iterator[Ask]:
    """The name of each question, and how it is asked."""
    some = sorted({s, t})
    for name in (
        *("absorption", "causal_states", "communicating_classes", "condition_number"),
        *("context_use", "convergence_bound", "entropy_rate", "fundamental_matrix", "greedy_map"),
        *("induction_score", "kemeny_constant", "leading_eigenvalues", "lumping"),
        *("mean_first_passage", "memory_curve", "metastable_sets", "minimize", "mixing_bounds"),
        *("mixing_time", "reversibility", "spectrum", "stationary_distribution"),
        *("time_reversal", "time_scales"),
    ):
        yield name, partial(getattr(fg, name), chain)
    for name in (
        "always",
        "conditioned",
        "eventually",
        "hitting",
        "hitting_bounds",
        "expected_visits",
    ):
        yield name, partial(getattr(fg, name), chain, some)
    other = chain.with_decoding(fg.Temperature(0.9))
    for name in ("compare", "context_distance", "entropy_drift", "n_gram_distances"):
        yield name, partial(getattr(fg, name), chain, other)
    ends = chain.with_stop(0)
    for name in ("last_before_end", "length_distribution", "quasi_stationary"):
        yield name, partial(getattr(fg, name), ends, start=s)
    yield "hitting_bounds", lambda: fg.hitting_bounds(chain, some)
    yield "bounds_after", lambda: fg.bounds_after(chain, 5, some, start=s)
    yield "distribution_after", lambda: fg.distribution_after(chain, 7, start=s)
    yield "first_tokens", lambda: fg.first_tokens(chain, 3, start=s)
    yield "limiting_distribution", lambda: fg.limiting_distribution(chain, start=s)
    yield "metastable_sets of 2", lambda: fg.metastable_sets(chain, n_sets=2)
    yield "minimize to 2", lambda: fg.minimize(chain, max_states=2)
    yield "most_likely_path", lambda: fg.most_likely_path(chain, s, t)
    yield "n_gram", lambda: fg.n_gram(chain, 2)
    yield "reach", lambda: fg.reach(chain, some, start=s)
    yield "reach within", lambda: fg.reach(chain, some, start=s, within=9)
    yield "reward", lambda: fg.reward(chain, "surprisal", n=4)
    yield "reward of states", lambda: fg.reward(chain, np.arange(chain.n_states) * 1.0, of="state")
    yield "until", lambda: fg.until(chain, some, [s])
    yield "pattern", lambda: fg.pattern(chain, "0+", within=4)
    yield "simulate", lambda: fg.simulate(chain, 20, seed=1)
    yield (
        "sample_entropy_rate",
        lambda: fg.sample_entropy_rate(chain, seed=1),
    )
    for rule in (fg.Temperature(0.5), fg.TopP(0.9), fg.MinP(0.1), fg.TopK(1)):
        yield f"decoding {rule}", partial(chain.with_decoding, rule)


def every_question(chains: int, *, seed: int, only: int | None = None) -> Outcome:
    """Asks so many chains everything."""
    outcome = Outcome(seed)
    for index in range(chains) if only is None else [only]:
        rng = np.random.default_rng([seed, 3, index])
        made = machine(rng)
        if made.kind == "large":
            continue
        s, t = rng.integers(made.chain.n_states, size=2).tolist()
        outcome.chains += 1
        story = f"--seed {seed} --only {index} {made.kind}"
        for name, ask in asked(made.chain, s, t):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    found = ask()
                    str(found), repr(found)
                    if hasattr(found, "to_dict"):
                        json.dumps(found.to_dict(), allow_nan=False)
                outcome.counts[name, "holds"] += 1
            except FsmGptError:
                outcome.counts[name, "refused"] += 1
            except Exception as problem:
                outcome.fail(name, f"{story}: {name}: {problem!r}")
    return outcome
