"""What a user's type checker sees of the public names; ``make types`` reads it, nothing runs it.

A name that became ``Any``, or was not exported, is an error here.
"""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import numpy as np
import numpy.typing as npt

import fsm_gpt as fg
from fsm_gpt.capacity import Capacity
from fsm_gpt.gpt.model import GPT
from fsm_gpt.markov.entropy import EntropyRate
from fsm_gpt.markov.stationary import StationaryDistribution
from fsm_gpt.report.capacity_report import CapacityReport
from fsm_gpt.report.page import Report


def from_a_text_to_a_report(text: str, page: Path) -> fg.Chain:
    """The way of the README."""
    run = fg.train(text, context=3, steps=50)
    assert_type(run.model, GPT)
    assert_type(run.losses, tuple[float, ...])
    chain = fg.extract(run.model)
    assert_type(chain, fg.Chain)
    assert_type(chain.n_states, int)
    report = fg.report(chain, text=text)
    assert_type(report, Report)
    assert_type(report.save(page), Path)
    return chain.with_decoding(fg.Greedy())


def answers(chain: fg.Chain) -> float:
    """Results carry their types as well as their units."""
    found = fg.stationary_distribution(chain)
    assert_type(found, StationaryDistribution)
    rate = fg.entropy_rate(chain)
    assert_type(rate, EntropyRate)
    assert_type(rate.method, str)
    return float(rate.bits_per_token)


def a_chain_of_numbers(rows: npt.NDArray[np.float64]) -> fg.Chain:
    """Arrays and lists are both rows."""
    assert_type(fg.Chain.from_matrix([[0.5, 0.5], [1.0, 0.0]]), fg.Chain)
    return fg.Chain(rows, vocabulary="01")


def sizes() -> CapacityReport:
    """A model's size, and that of several."""
    one = fg.capacity("gpt2")
    assert_type(one, Capacity)
    assert_type(one.bits, float)
    return fg.capacity_report(["gpt2", Path("config.json")])


def refused() -> str | None:
    """Errors are classes with a common parent."""
    try:
        fg.capacity("no such model")
    except fg.errors.InvalidArgument as problem:
        return str(problem)
    except fg.errors.FsmGptError:
        return None
    return ""
