"""Bounds from a part of a chain hold the exact answers of the whole one, and are not idle."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import MinP, TopK, TopP
from fsm_gpt.errors import InvalidArgument, NotDefined, StateOutOfRange
from fsm_gpt.explore import Exploration, explore
from fsm_gpt.extract import extract
from fsm_gpt.markov import bounds_after, hitting_bounds
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.space import SomeContexts
from tests.explore.models import random_model
from tests.strategies import chains

RULES = {"full": [], "top-k 2": [TopK(2)], "top-p 0.8": [TopP(0.8)], "min-p 0.1": [MinP(0.1)]}


@st.composite
def parts(draw: st.DrawFn) -> tuple[Exploration, Chain, list[int]]:
    """An exploration, early stopped or not; its whole chain in rationals; its places there."""
    V, L = draw(st.sampled_from([(2, 2), (2, 3), (3, 2)]))
    rule = RULES[draw(st.sampled_from(list(RULES)))]
    model = random_model(V, L, draw(st.integers(0, 2**32 - 1)), sharp=draw(st.sampled_from([1, 4])))
    prompts = draw(
        st.lists(st.lists(st.integers(0, V - 1), min_size=1, max_size=4), min_size=1, max_size=3)
    )
    found = explore(
        model,
        prompts,
        decoding=rule,
        vocabulary=V,
        context=L,
        max_states=draw(st.integers(1, 9)),
        max_depth=draw(st.sampled_from([None, 2, 4])),
        min_probability=draw(st.sampled_from([0.0, 0.05])),
    )
    whole = extract(model, vocabulary=V, context=L, short_contexts=True, decoding=rule)
    table = found.chain.states.contexts()
    assert table is not None
    places = [whole.state([int(t) for t in row if t >= 0]) for row in table[: found.n_explored]]
    return found, whole.exact(), places


def starting(found: Exploration, whole: Chain) -> Any:
    """The start of an exploration as a distribution over the whole chain."""
    x = np.full(whole.n_states, Fraction(0))
    for prompt in found.prompts:
        x[whole.state(list(prompt))] += Fraction(1, len(found.prompts))
    return x


def steps_exactly(whole: Chain, x: Any, steps: int) -> Any:
    """X P^n in rationals."""
    for _ in range(steps):
        x = whole.push(x)
    return x


@given(parts(), st.integers(0, 9), st.data())
def test_the_truth_lies_between_the_bounds_after_some_tokens(
    part: tuple[Exploration, Chain, list[int]], steps: int, data: st.DataObject
) -> None:
    found, whole, places = part
    some = st.lists(st.integers(0, found.n_explored - 1), min_size=1, max_size=4)
    target = data.draw(some)
    said = bounds_after(found.chain, steps, target, start=found.start)
    truth = steps_exactly(whole, starting(found, whole), steps)
    exactly = sum((truth[places[s]] for s in set(target)), Fraction(0))
    assert Fraction(said.lower) <= exactly <= Fraction(said.upper)
    # Not idle: they are apart by what was left, and by rounding.
    assert said.upper - said.lower == pytest.approx(said.unexplored, abs=1e-13)
    assert said.certified
    assert said.unexplored == pytest.approx(found.unexplored_after(steps), abs=1e-15)


@given(parts(), st.data())
def test_the_truth_lies_between_the_bounds_of_hitting(
    part: tuple[Exploration, Chain, list[int]], data: st.DataObject
) -> None:
    found, whole, places = part
    some = st.lists(st.integers(0, found.n_explored - 1), min_size=1, max_size=3)
    target = data.draw(some)
    said = hitting_bounds(found.chain, target)
    exactly = fg.hitting(whole, [places[s] for s in target]).probabilities
    for state, place in enumerate(places):
        assert Fraction(float(said.lower[state])) <= exactly[place]
        assert exactly[place] <= Fraction(float(said.upper[state]))
    truth = sum((a * b for a, b in zip(starting(found, whole), exactly, strict=True)), Fraction(0))
    low, high = said.from_start(found.start)
    assert Fraction(low) <= truth <= Fraction(high)
    if found.complete:
        assert high - low < 1e-11
    else:
        assert said.lower[found.chain.unexplored] == 0
        assert said.upper[found.chain.unexplored] == 1


def completed(found: Exploration, *, to_target: bool, target: int) -> Chain:
    """The machine with its unexplored state replaced by one that always or never comes there."""
    edges = found.chain.edges()
    rest = found.chain.unexplored
    assert rest is not None
    to = edges.target.copy()
    to[edges.source == rest] = target if to_target else rest
    return Chain.from_edges(*edges._replace(target=to), n_states=found.chain.n_states)


def test_both_bounds_of_hitting_are_attained() -> None:
    model = random_model(3, 3, 4)
    found = explore(model, [[0]], decoding=TopK(2), vocabulary=3, context=3, max_states=8)
    assert not found.complete
    said = hitting_bounds(found.chain, 3)
    low = fg.hitting(completed(found, to_target=False, target=3), 3).probabilities
    high = fg.hitting(completed(found, to_target=True, target=3), 3).probabilities
    np.testing.assert_allclose(said.lower, low, rtol=0, atol=1e-12)
    np.testing.assert_allclose(said.upper, high, rtol=0, atol=1e-12)
    assert (said.upper - said.lower).max() > 0.1


def test_more_exploring_never_widens_the_bounds() -> None:
    model, widths = random_model(3, 3, 9), []
    for most in (5, 10, 15, 20, 40):
        found = explore(model, [[0]], decoding=TopK(2), vocabulary=3, context=3, max_states=most)
        low, high = hitting_bounds(found.chain, [2]).from_start(found.start)
        widths.append(high - low)
    assert all(later <= sooner + 1e-12 for sooner, later in itertools.pairwise(widths))
    assert widths[0] > 0.01
    assert widths[-1] < 1e-11


@given(chains(floats=True), st.data())
def test_where_nothing_is_unexplored_both_sides_are_the_answer(
    chain: Chain, data: st.DataObject
) -> None:
    target = data.draw(st.integers(0, chain.n_states - 1))
    said = hitting_bounds(chain, target)
    plain = fg.hitting(chain, target)
    np.testing.assert_allclose(said.lower, plain.probabilities, rtol=0, atol=1e-9)
    assert (said.lower <= said.upper).all()
    exactly = fg.hitting(chain, target, exact=True).probabilities
    if said.certified:
        for low, true, high in zip(said.lower, exactly, said.upper, strict=True):
            assert Fraction(float(low)) <= true <= Fraction(float(high))
    after = bounds_after(chain, 3, target, start=0)
    assert after.unexplored == 0.0
    assert after.lower <= after.upper


def test_bounds_of_rationals() -> None:
    walk = Chain.from_matrix([[1, 0, 0], ["1/3", 0, "2/3"], [0, 0, 1]])
    said = bounds_after(walk, 1, [1, 2], start=1)
    assert Fraction(said.lower) <= Fraction(2, 3) <= Fraction(said.upper)
    low, high = hitting_bounds(walk, 2).from_start(1)
    assert Fraction(low) <= Fraction(2, 3) <= Fraction(high)


def test_they_print_themselves() -> None:
    model = random_model(3, 3, 4)
    found = explore(model, [[0]], decoding=TopK(2), vocabulary="abc", context=3, max_states=8)
    said = str(bounds_after(found.chain, 5, "a", start=found.start))
    assert said.startswith("after 5 tokens in a: probability between")
    assert "left the explored part" in said
    lines = str(hitting_bounds(found.chain, ["a", "aa"])).splitlines()
    assert lines[0].startswith("ever reaching a, aa (")
    assert len(lines) == 1 + found.n_explored
    assert "unexplored" not in lines[-1]


# ---- refusals ----


@pytest.fixture(scope="module")
def part() -> Chain:
    model = random_model(3, 3, 4)
    return explore(model, [[0]], decoding=TopK(2), vocabulary="abc", context=3, max_states=8).chain


LONG_RUN = {
    "absorption": fg.absorption,
    "causal states": fg.causal_states,
    "communicating classes": fg.communicating_classes,
    "condition number": fg.condition_number,
    "context use": fg.context_use,
    "convergence bound": fg.convergence_bound,
    "entropy rate": fg.entropy_rate,
    "expected visits": lambda chain: fg.expected_visits(chain, 0),
    "fundamental matrix": fg.fundamental_matrix,
    "greedy map": fg.greedy_map,
    "hitting": lambda chain: fg.hitting(chain, 0),
    "induction score": fg.induction_score,
    "Kemeny constant": fg.kemeny_constant,
    "leading eigenvalues": fg.leading_eigenvalues,
    "limiting distribution": lambda chain: fg.limiting_distribution(chain, start=0),
    "lumping": fg.lumping,
    "mean first passage": fg.mean_first_passage,
    "memory curve": fg.memory_curve,
    "metastable sets": fg.metastable_sets,
    "minimize": fg.minimize,
    "mixing bounds": fg.mixing_bounds,
    "mixing time": fg.mixing_time,
    "reversibility": fg.reversibility,
    "reward": lambda chain: fg.reward(chain, "surprisal"),
    "spectrum": fg.spectrum,
    "stationary distribution": fg.stationary_distribution,
    "time reversal": fg.time_reversal,
    "time scales": fg.time_scales,
    "compare": lambda chain: fg.compare(chain, chain),
    "calibration": lambda chain: fg.calibration(chain, chain),
    "context distance": lambda chain: fg.context_distance(chain, chain),
    "entropy drift": lambda chain: fg.entropy_drift(chain, chain),
    "n-gram": lambda chain: fg.n_gram(chain, 1),
    "n-gram distances": lambda chain: fg.n_gram_distances(chain, chain),
}


@pytest.mark.parametrize("question", LONG_RUN)
def test_a_question_about_the_long_run_is_refused(part: Chain, question: str) -> None:
    with pytest.raises(NotDefined) as raised:
        LONG_RUN[question](part)  # type: ignore[operator]
    said = str(raised.value)
    assert said.startswith(f"{question}: this chain is a part of a larger one")
    assert "Explore on with larger limits" in said
    assert "hitting_bounds()" in said


def test_every_public_question_about_chains_was_thought_of() -> None:
    asked = {name for name, home in fg._HOME.items() if home == "fsm_gpt.markov"}
    finite = {"bounds_after", "distribution_after", "first_tokens", "hitting_bounds"}
    from_both_sides = {"always", "eventually", "reach", "until"}
    in_their_own_words = {"conditioned", "most_likely_path"}
    # These ask for an END, which is tested beside them.
    in_their_own_words |= {"length_distribution", "last_before_end", "quasi_stationary"}
    assert asked - finite - from_both_sides - in_their_own_words == {
        name.lower().replace(" ", "_").replace("-", "_") for name in LONG_RUN
    }


def test_changing_the_numbers_does_not_lose_the_mark(part: Chain) -> None:
    for changed in (part.exact(), part.floats(), part.with_decoding(TopK(1))):
        with pytest.raises(NotDefined):
            require_complete(changed, "x")


def test_an_unexplored_target_is_refused(part: Chain) -> None:
    for target in ("unexplored", 8, [0, 8]):
        with pytest.raises(InvalidArgument, match="is no context"):
            hitting_bounds(part, target)
        with pytest.raises(InvalidArgument, match="is no context"):
            bounds_after(part, 1, target, start=0)
    for target in ("ccc", 9):
        with pytest.raises(StateOutOfRange):
            hitting_bounds(part, target)
    with pytest.raises(InvalidArgument, match="the target has no state"):
        bounds_after(part, 1, [], start=0)
    with pytest.raises(InvalidArgument, match="-1 steps"):
        bounds_after(part, -1, 0, start=0)


def test_the_state_of_what_is_unexplored() -> None:
    states = SomeContexts(fg.Vocabulary.of("ab"), np.array([[-1, 0], [0, 1], [-1, -1]]))
    assert [states.label(s) for s in range(3)] == ["a", "ab", "unexplored"]
    assert states.find("unexplored") == states.unexplored == 2
    assert SomeContexts(fg.Vocabulary.of("ab"), np.array([[-1, 0]])).unexplored is None
    with pytest.raises(StateOutOfRange):
        SomeContexts(fg.Vocabulary.of("ab"), np.array([[-1, 0]])).find("unexplored")
