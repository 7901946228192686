"""Every kind of picture on fixed chains, easy and hard, for the tests that look at pictures."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from matplotlib.axes import Axes

from fsm_gpt import plot
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy
from fsm_gpt.learning.watched import Watched
from fsm_gpt.markov.minimize import minimize
from fsm_gpt.report.capacity_report import CapacityReport, capacity_report
from fsm_gpt.watch import watch_models
from tests.report.chains import AFTER, gambler, hostile, of_ones, weather, windows

Draw = Callable[..., Axes]

#: Words of a model in six scripts: Chinese, Arabic, Hebrew, an emoji, an accent alone, Devanagari.
SCRIPTS = ("我", "سلام", "שלום", "🦆", "\u0301", "नी")
LONG = ("a token with a long name", "another one, longer than the first", "of", "$x^2$")


@cache
def near_zero() -> Chain:
    """Sixty-four contexts whose next token is as good as certain."""
    ones = 10.0 ** -np.random.default_rng(4).uniform(1, 14, 64)
    flip = np.arange(64) % 3 == 0
    ones = np.where(flip, 1 - ones, ones)
    return Chain(np.stack([1 - ones, ones], axis=1), normalize=True)


@cache
def letters() -> Chain:
    """Twenty-seven tokens and a context of two."""
    rows = np.random.default_rng(5).dirichlet(np.full(27, 0.2), 729)
    return Chain(rows, vocabulary=" abcdefghijklmnopqrstuvwxyz", normalize=True)


@cache
def scripts(context: int = 1) -> Chain:
    rows = np.random.default_rng(6).dirichlet(np.ones(6), 6**context)
    return Chain(rows, vocabulary=list(SCRIPTS), normalize=True)


@cache
def long_names() -> Chain:
    rows = np.random.default_rng(7).dirichlet(np.ones(4), 16)
    return Chain(rows, vocabulary=list(LONG), normalize=True)


@cache
def large() -> Chain:
    rows = np.random.default_rng(8).dirichlet([0.4, 0.4], 2**13)
    return Chain(rows, normalize=True)


def one() -> Chain:
    return Chain([[1.0]], vocabulary="a", context=1)


@cache
def watched() -> Watched:
    rng = np.random.default_rng(9)
    runs = {}
    for seed in range(3):
        ones = rng.uniform(0.3, 0.7, 8)
        ends = np.array(AFTER)
        runs[seed] = [
            (step, of_ones(tuple(ones + (ends - ones) * part)))
            for step, part in ((0, 0.0), (1, 0.05), (4, 0.2), (16, 0.6), (64, 1.0))
        ]
    return watch_models(runs)


@cache
def models() -> CapacityReport:
    return capacity_report()


#: Each picture by its name; the kind is what stands before the first blank.
PICTURES: dict[str, Draw] = {
    "state_graph": lambda **o: plot.state_graph(of_ones(AFTER), **o),
    "state_graph absorbing": lambda **o: plot.state_graph(gambler(), **o),
    "state_graph hostile": lambda **o: plot.state_graph(hostile(), **o),
    "state_graph scripts": lambda **o: plot.state_graph(scripts(), **o),
    "state_graph one": lambda **o: plot.state_graph(one(), **o),
    "state_graph machine": lambda **o: plot.state_graph(minimize(windows(2, 4), max_states=4), **o),
    "context_table": lambda **o: plot.context_table(of_ones(AFTER), **o),
    "context_table 64": lambda **o: plot.context_table(near_zero(), **o),
    "context_table scripts": lambda **o: plot.context_table(scripts(2), **o),
    "context_table long": lambda **o: plot.context_table(long_names(), **o),
    "context_table letters": lambda **o: plot.context_table(letters(), **o),
    "flow_ring": lambda **o: plot.flow_ring(windows(2, 6), **o),
    "flow_ring near zero": lambda **o: plot.flow_ring(near_zero(), **o),
    "flow_ring scripts": lambda **o: plot.flow_ring(scripts(2), **o),
    "flow_ring 512": lambda **o: plot.flow_ring(windows(2, 9), **o),
    "flow_ring one": lambda **o: plot.flow_ring(one(), **o),
    "flow_ring names": lambda **o: plot.flow_ring(weather().floats(), **o),
    "mass_map": lambda **o: plot.mass_map(large(), **o),
    "mass_map near zero": lambda **o: plot.mass_map(near_zero(), **o),
    "mass_map letters": lambda **o: plot.mass_map(letters(), **o),
    "next_token_map": lambda **o: plot.next_token_map(large(), **o),
    "next_token_map letters": lambda **o: plot.next_token_map(letters(), **o),
    "next_token_map scripts": lambda **o: plot.next_token_map(scripts(2), **o),
    "suffixes": lambda **o: plot.suffixes(windows(2, 6), **o),
    "suffixes letters": lambda **o: plot.suffixes(letters(), **o),
    "suffixes scripts": lambda **o: plot.suffixes(scripts(2), **o),
    "suffixes long": lambda **o: plot.suffixes(long_names(), **o),
    "suffixes one": lambda **o: plot.suffixes(one(), **o),
    "ranks": lambda **o: plot.ranks(of_ones(AFTER), **o),
    "ranks large": lambda **o: plot.ranks(large(), **o),
    "ranks one": lambda **o: plot.ranks(one(), **o),
    "memory_curve": lambda **o: plot.memory_curve(of_ones(AFTER), **o),
    "memory_curve flat": lambda **o: plot.memory_curve(of_ones((0.5,) * 8), **o),
    "memory_curve long": lambda **o: plot.memory_curve(large(), **o),
    "spectrum": lambda **o: plot.spectrum(of_ones(AFTER), **o),
    "spectrum cycle": lambda **o: plot.spectrum(of_ones(AFTER).with_decoding(Greedy()), **o),
    "spectrum letters": lambda **o: plot.spectrum(windows(5, 3), **o),
    "mixing": lambda **o: plot.mixing(of_ones(AFTER), **o),
    "mixing slow": lambda **o: plot.mixing(Chain([[0.999, 0.001], [0.002, 0.998]]), **o),
    "pareto": lambda **o: plot.pareto(of_ones(AFTER), **o),
    "pareto machine": lambda **o: plot.pareto(minimize(windows(2, 5), max_states=4), **o),
    "loss": lambda **o: plot.loss([2.0, 1.5, 1.2, 1.0, 0.95], **o),
    "learning": lambda **o: plot.learning(watched(), "entropy_rate", **o),
    "learning several": lambda **o: plot.learning(
        watched(), ("entropy_rate", "excess_entropy"), **o
    ),
    "capacity": lambda **o: plot.capacity(models(), **o),
}
