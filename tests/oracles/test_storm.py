"""Hundreds of small machines, asked here and by the model checker Storm, which is exact.

In rationals the answers have to be the same numbers. In floats, of the chain with each
probability rounded, they have to be those numbers to a relative error of 1e-12: every algorithm
here is free of subtraction, so that rounding a probability changes no answer by much more.

Storm's questions are in PCTL with rewards (https://www.stormchecker.org/documentation/background).
"""

import math
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from tests.oracles.machines import Machine, frozen_in, machines, slowed
from tests.storm import as_rational, ask, storm_model

HOW_MANY = 200
MACHINES = range(HOW_MANY)


@cache
def prepared() -> list[tuple[Machine, object]]:
    """The machines, each with Storm's model of it."""
    return [
        (machine, storm_model(machine.chain, machine.labels, {"cost": machine.cost}))
        for machine in machines(HOW_MANY, seed=20)
    ]


def asked(question: str):
    """Every machine with Storm's answer from each of its states."""
    for machine, model in prepared():
        yield machine, [as_rational(x) for x in ask(model, question.format(n=machine.steps))]


def exactly(found, expected, machine: Machine) -> None:
    assert all(isinstance(x, Fraction) or math.isinf(x) for x in found)
    assert list(found) == expected, (machine.chain.listing(), machine.labels)


def nearly(found, expected, machine: Machine) -> None:
    """Within a relative error of 1e-12, and zero and infinity where they are."""
    found = [float(x) for x in found]
    expected = [float(x) for x in expected]
    same = [
        x == y if y == 0 or math.isinf(y) else abs(x - y) <= 1e-12 * abs(y)
        for x, y in zip(found, expected, strict=True)
    ]
    assert all(same), (found, expected, machine.chain.listing(), machine.labels)


def agree(question: str, answer) -> None:
    """Storm's answers are ours in rationals, and nearly ours in floats."""
    n = 0
    for machine, expected in asked(question):
        exactly(answer(machine, machine.chain), expected, machine)
        nearly(answer(machine, machine.floats), expected, machine)
        n += 1
    assert n == HOW_MANY


def total(values) -> object:
    """A sum of no numbers is zero too."""
    return sum(values, start=0 * Fraction(1))


# ---- reaching, for ever and within some steps ----


def test_eventually() -> None:
    agree('P=? [F "a"]', lambda m, chain: fg.hitting(chain, np.flatnonzero(m.a)).probabilities)


def test_the_time_until() -> None:
    agree('T=? [F "a"]', lambda m, chain: fg.hitting(chain, np.flatnonzero(m.a)).mean_steps)


def within(chain: Chain, goal, stuck, steps: int) -> list[object]:
    """P(goal within so many steps, before it is stuck), by distributions after some tokens."""
    exact = chain.dtype == object
    halted = frozen_in(chain.exact(), goal | stuck)
    halted = halted if exact else halted.floats()
    return [
        total(fg.distribution_after(halted, steps, start=s).probabilities[goal])
        for s in range(chain.n_states)
    ]


def test_eventually_within_some_steps() -> None:
    nowhere = np.zeros(8, dtype=bool)
    agree('P=? [F<={n} "a"]', lambda m, chain: within(chain, m.a, nowhere[: len(m.a)], m.steps))


def test_until() -> None:
    def answer(m: Machine, chain: Chain):
        halted = frozen_in(m.chain, ~m.a & ~m.b)
        halted = halted if chain.dtype == object else halted.floats()
        return fg.hitting(halted, np.flatnonzero(m.b)).probabilities

    agree('P=? ["a" U "b"]', answer)


def test_until_within_some_steps() -> None:
    agree('P=? ["a" U<={n} "b"]', lambda m, chain: within(chain, m.b, ~m.a & ~m.b, m.steps))


def test_always() -> None:
    """What is always so is never left: 1 - P(reaching its complement), in rationals."""
    for machine, expected in asked('P=? [G !"a"]'):
        left = fg.hitting(machine.chain, np.flatnonzero(machine.a)).probabilities
        exactly([1 - h for h in left], expected, machine)


# ---- costs ----


def test_cost_until() -> None:
    """A chain that takes a step for each unit of cost takes as long as the cost is high."""
    n = 0
    for machine, _ in prepared():
        cost = [1 + c % 2 for c in machine.cost]
        model = storm_model(machine.chain, machine.labels, {"cost": cost})
        expected = [as_rational(x) for x in ask(model, 'R{"cost"}=? [F "a"]')]
        slow, begin = slowed(machine.chain, cost)
        goal = begin[machine.a]
        exactly(fg.hitting(slow, goal).mean_steps[begin], expected, machine)
        nearly(fg.hitting(slow.floats(), goal).mean_steps[begin], expected, machine)
        n += 1
    assert n == HOW_MANY


def test_cost_over_some_steps() -> None:
    def answer(m: Machine, chain: Chain):
        return [
            total(
                x * c
                for t in range(m.steps)
                for x, c in zip(
                    fg.distribution_after(chain, t, start=s).probabilities, m.cost, strict=True
                )
            )
            for s in range(chain.n_states)
        ]

    agree('R{{"cost"}}=? [C<={n}]', answer)


@cache
def long_run(chain: Chain, start: int):
    """Shares of time; asked for twice, so that they are kept."""
    return fg.limiting_distribution(chain, start=start, time_average=True).probabilities


def test_long_run_share() -> None:
    agree(
        'LRA=? ["a"]',
        lambda m, chain: [total(long_run(chain, s)[m.a]) for s in range(chain.n_states)],
    )


def test_long_run_cost() -> None:
    agree(
        'R{{"cost"}}=? [LRA]',
        lambda m, chain: [
            total(x * c for x, c in zip(long_run(chain, s), m.cost, strict=True))
            for s in range(chain.n_states)
        ],
    )


def test_entropy_rate() -> None:
    """The long-run average of the entropies of rows, which are floats: to a relative 1e-12."""
    n = 0
    for machine, _ in prepared()[::4]:
        rows = machine.chain.next_token.astype(float)
        bits = [Fraction(-sum(p * math.log2(p) for p in row if p)) for row in rows]
        if machine.chain.end is not None:
            bits[machine.chain.end] = Fraction(0)
        model = storm_model(machine.chain, {}, {"bits": bits})
        expected = [as_rational(x) for x in ask(model, 'R{"bits"}=? [LRA]')]
        found = [
            fg.entropy_rate(machine.floats, start=s).bits_per_token
            for s in range(machine.chain.n_states)
        ]
        assert np.allclose(
            np.array(found, float), np.array(expected, float), rtol=1e-12, atol=1e-15
        )
        n += 1
    assert n == HOW_MANY // 4


# ---- the same questions under their own names ----


def named(name: str):
    """A public function of that name; the test is skipped as long as there is none."""
    if name not in dir(fg):
        pytest.skip(f"fsm_gpt has no function {name} to compare with Storm")
    return getattr(fg, name)


def test_reach() -> None:
    reach = named("reach")
    agree('P=? [F "a"]', lambda m, chain: reach(chain, m.a).probabilities)
    agree('P=? [F<={n} "a"]', lambda m, chain: reach(chain, m.a, within=m.steps).probabilities)


def test_reach_before() -> None:
    reach = named("reach")

    def answer(m: Machine, chain: Chain, within: int | None = None):
        avoid = m.b & ~m.a
        if not avoid.any():
            return reach(chain, m.a, within=within).probabilities
        return reach(chain, m.a, avoid=avoid, within=within).probabilities

    agree('P=? [(!"b" | "a") U "a"]', answer)
    agree('P=? [(!"b" | "a") U<={n} "a"]', lambda m, chain: answer(m, chain, m.steps))


def test_until_by_name() -> None:
    until = named("until")
    agree('P=? ["a" U "b"]', lambda m, chain: until(chain, m.a, m.b).probabilities)
    agree(
        'P=? ["a" U<={n} "b"]',
        lambda m, chain: until(chain, m.a, m.b, within=m.steps).probabilities,
    )


def test_always_by_name() -> None:
    always = named("always")
    agree('P=? [G "a"]', lambda m, chain: always(chain, m.a).probabilities)
    # Storm's language has no bound on G; what is left within some steps is not always so.
    for machine, left in asked('P=? [F<={n} !"a"]'):
        expected = [1 - p for p in left]
        n = machine.steps
        exactly(always(machine.chain, machine.a, within=n).probabilities, expected, machine)
        nearly(always(machine.floats, machine.a, within=n).probabilities, expected, machine)


def test_reward_by_name() -> None:
    reward = named("reward")
    agree(
        'R{{"cost"}}=? [LRA]',
        lambda m, chain: [
            reward(chain, m.cost, of="state", start=s).mean_per_token for s in range(chain.n_states)
        ],
    )


# ---- the comparison itself ----


def test_the_machines_are_of_many_kinds() -> None:
    every = machines(HOW_MANY, seed=20)
    assert {machine.chain.n_states for machine in every} == set(range(3, 9))
    structures = [fg.communicating_classes(machine.chain) for machine in every]
    assert sum(len(found.closed) > 1 for found in structures) > 10
    assert sum(max(found.periods) > 1 for found in structures) > 10
    assert sum(found.irreducible for found in structures) > 30
    assert sum(machine.chain.end is not None for machine in every) == HOW_MANY // 4


def test_a_wrong_answer_is_seen() -> None:
    machine = machines(1, seed=0)[0]
    with pytest.raises(AssertionError):
        exactly([Fraction(1, 3)], [Fraction(1, 3) + Fraction(1, 10**30)], machine)
    with pytest.raises(AssertionError):
        exactly([0.5], [Fraction(1, 2)], machine)
    with pytest.raises(AssertionError):
        nearly([1 + 1e-11], [Fraction(1)], machine)
    with pytest.raises(AssertionError):
        nearly([1e-300], [Fraction(0)], machine)
    nearly([1 + 1e-13, math.inf, 0.0], [Fraction(1), math.inf, Fraction(0)], machine)


def test_a_slowed_chain_takes_as_long_as_it_costs() -> None:
    """From 0 the gambler of costs 1, 2, 3 pays 1 + 2 + 3 on the way through."""
    walk = Chain.from_matrix([[0, "1", 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1]])
    slow, begin = slowed(walk, [Fraction(c) for c in (1, 2, 3, 1)])
    assert fg.hitting(slow, int(begin[3])).mean_steps[0] == 6
