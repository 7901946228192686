"""The reachable machine against the full enumeration, its limits, and its refusals."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Full, Greedy, MinP, Rule, Temperature, TopK, TopP
from fsm_gpt.errors import InvalidArgument, InvalidChain, InvalidText, StateSpaceTooLarge
from fsm_gpt.explore import Exploration, explore
from fsm_gpt.explore.windows import Index, Windows
from fsm_gpt.extract import extract
from tests.explore.models import counting, random_model

RULES: dict[str, list[Rule]] = {
    "full": [],
    "greedy": [Greedy()],
    "top-k 2": [TopK(2)],
    "top-p 0.7": [TopP(0.7)],
    "min-p 0.3": [MinP(0.3)],
    "temperature 0.5, then top-k 2": [Temperature(0.5), TopK(2)],
}


def reached(full: Chain, starts: list[int]) -> list[int]:
    """What a chain can come to from some states, by a search that knows nothing of batches."""
    to = full.successors()
    seen, waiting = dict.fromkeys(starts), list(starts)
    while waiting:
        state = waiting.pop(0)
        for target in to[state]:
            if target >= 0 and int(target) not in seen:
                seen[int(target)] = None
                waiting.append(int(target))
    return list(seen)


def named_edges(chain: Chain, states: set[str] | None = None) -> dict[tuple[str, str, str], float]:
    """Transitions by their names."""
    source, token, target, probability = chain.edges()
    names = [chain.states.contexts()[s] for s in range(chain.n_states)]  # type: ignore[index]
    keys = [" ".join(str(t) for t in row if t >= 0) for row in names]
    return {
        (keys[s], str(t), keys[e]): float(p)
        for s, t, e, p in zip(source, token, target, probability, strict=True)
        if states is None or keys[s] in states
    }


def names(chain: Chain) -> list[str]:
    table = chain.states.contexts()
    assert table is not None
    return [" ".join(str(t) for t in row if t >= 0) for row in table]


prompts_of = st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=5), min_size=1, max_size=4)


@given(
    shape=st.sampled_from([(2, 1), (2, 4), (3, 3), (4, 2)]),
    rule=st.sampled_from(list(RULES)),
    seed=st.integers(0, 2**32 - 1),
    prompts=prompts_of,
    batch=st.integers(1, 9),
)
def test_it_is_the_reachable_part_of_the_full_enumeration(
    shape: tuple[int, int], rule: str, seed: int, prompts: list[list[int]], batch: int
) -> None:
    V, L = shape
    model = random_model(V, L, seed)
    found = explore(model, prompts, decoding=RULES[rule], vocabulary=V, context=L, batch=batch)
    full = extract(model, vocabulary=V, context=L, short_contexts=True, decoding=RULES[rule])
    starts = list(dict.fromkeys(full.state(prompt[-L:]) for prompt in prompts))
    part = reached(full, starts)
    keys = names(full)
    assert found.complete
    assert found.stopped_by == ()
    assert found.frontier == 0
    assert found.chain.unexplored is None
    assert sorted(names(found.chain)) == sorted(keys[s] for s in part)
    mine, theirs = named_edges(found.chain), named_edges(full, {keys[s] for s in part})
    assert mine.keys() == theirs.keys()
    for edge, p in mine.items():
        assert p == pytest.approx(theirs[edge], rel=1e-12, abs=0)
    # The depth is the distance from the nearest prompt.
    graph_depth = distances(full, starts)
    for state, name in enumerate(names(found.chain)):
        assert found.depth[state] == graph_depth[keys.index(name)]
    # Long-run answers are those of the full chain from the same start.
    mine_classes = fg.communicating_classes(found.chain).closed
    their_classes = fg.communicating_classes(full).closed
    of_part = [c for c in their_classes if set(c.tolist()) <= set(part)]
    as_names = {frozenset(names(found.chain)[s] for s in c) for c in mine_classes}
    assert as_names == {frozenset(keys[s] for s in c) for c in of_part}


def distances(full: Chain, starts: list[int]) -> dict[int, int]:
    to = full.successors()
    found, layer, d = dict.fromkeys(starts, 0), list(starts), 0
    while layer:
        d += 1
        following = [int(t) for s in layer for t in to[s] if t >= 0 and int(t) not in found]
        layer = list(dict.fromkeys(following))
        found |= dict.fromkeys(layer, d)
    return found


def best_paths(full: Chain, starts: list[int], most: int | None) -> dict[int, float]:
    """The probability of the best path of fewer than so many tokens to each state, naively."""
    to, rows = full.successors(), full.next_token
    best = dict.fromkeys(starts, 1.0)
    for _ in range(full.n_states if most is None else most - 1):
        following = dict(best)
        for s, b in best.items():
            for t, target in enumerate(to[s]):
                if target >= 0 and b * rows[s, t] > following.get(int(target), 0.0):
                    following[int(target)] = b * rows[s, t]
        best = following
    return best


@given(
    shape=st.sampled_from([(2, 4), (3, 3), (4, 2)]),
    rule=st.sampled_from(list(RULES)),
    seed=st.integers(0, 2**32 - 1),
    prompts=prompts_of,
    probability=st.sampled_from([0.5, 0.1, 0.02, 1e-3]),
    depth=st.one_of(st.none(), st.integers(1, 7)),
    batch=st.integers(1, 9),
)
def test_limits_on_depth_and_probability_mean_what_they_say(
    shape: tuple[int, int],
    rule: str,
    seed: int,
    prompts: list[list[int]],
    probability: float,
    depth: int | None,
    batch: int,
) -> None:
    V, L = shape
    model = random_model(V, L, seed)
    found = explore(
        model,
        prompts,
        decoding=RULES[rule],
        vocabulary=V,
        context=L,
        batch=batch,
        min_probability=probability,
        max_depth=depth,
    )
    full = extract(model, vocabulary=V, context=L, short_contexts=True, decoding=RULES[rule])
    starts = list(dict.fromkeys(full.state(prompt[-L:]) for prompt in prompts))
    keys = names(full)
    likely = {keys[s] for s, b in best_paths(full, starts, depth).items() if b >= probability}
    explored = names(found.chain)[: found.n_explored]
    assert set(explored) == likely
    everything = {keys[s] for s in reached(full, starts)}
    assert found.complete == (likely == everything)
    assert bool(found.stopped_by) == (not found.complete)
    outside = {e for s, _, e in named_edges(full, likely) if e not in likely}
    assert found.frontier == len(outside)


@given(
    shape=st.sampled_from([(2, 4), (3, 3)]),
    rule=st.sampled_from(list(RULES)),
    seed=st.integers(0, 2**32 - 1),
    prompts=prompts_of,
    most=st.integers(1, 12),
)
def test_a_limit_on_states_keeps_the_first(
    shape: tuple[int, int], rule: str, seed: int, prompts: list[list[int]], most: int
) -> None:
    V, L = shape
    model = random_model(V, L, seed)
    options: dict[str, Any] = {"decoding": RULES[rule], "vocabulary": V, "context": L}
    whole = explore(model, prompts, **options)
    part = explore(model, prompts, max_states=most, **options)
    assert names(part.chain)[: part.n_explored] == names(whole.chain)[:most]
    assert part.complete == (whole.n_explored <= most)
    if not part.complete:
        assert part.stopped_by == ("max_states",)
        rest = part.chain.unexplored
        assert rest == part.n_explored == most
        last = part.chain.edges()
        assert last.source[-1] == last.target[-1] == rest
        assert last.probability[-1] == 1.0
        assert last.token[-1] == V
        assert part.chain.label(rest) == "unexplored"
        assert part.chain.state("unexplored") == rest


def test_the_token_of_what_is_unexplored_is_none_of_the_models() -> None:
    model = random_model(3, 2, 1)
    found = explore(model, [[0]], vocabulary=["…", "a", "……"], context=2, max_states=2)
    assert found.chain.vocabulary.tokens == ("…", "a", "……", "………")


def test_a_summary_of_a_deep_machine_does_not_take_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def model(ids: Any) -> Any:  # 50 tokens that turn round
        return np.eye(2)[ids[:, 0]]

    prompt = [0] * 49 + [1]
    found = explore(model, [prompt], decoding=Greedy(), vocabulary=2, context=50, max_states=40)
    assert found.horizon == 40
    assert "a text of 40 tokens is there with probability 1" in str(found)
    monkeypatch.setattr(sys.modules["fsm_gpt.explore.machine"], "MOST_WORK", 41 * 7)
    assert found.horizon == 7
    assert "a text of 7 tokens is there with probability 0" in str(found)


def test_the_first_tokens_are_known_without_a_gap() -> None:
    model = random_model(3, 3, 5)
    found = explore(model, [[0]], decoding=TopK(2), vocabulary=3, context=3, max_depth=4)
    assert [found.unexplored_after(n) for n in range(4)] == [0.0, 0.0, 0.0, 0.0]
    assert found.unexplored_after(4) > 0
    assert found.stopped_by == ("max_depth",)


def test_prompts_in_every_form_and_of_every_length() -> None:
    model = random_model(3, 3, 8)
    options: dict[str, Any] = {"decoding": TopK(2), "vocabulary": "abc", "context": 3}
    texts = explore(model, ["ab", "cabbb", "ab"], **options)
    ids = explore(model, [[0, 1], (1, 1, 1), np.array([2, 0, 0, 1])[2:]], **options)
    tokens = explore(model, [["a", "b"], list("cabbb"), ["a", "b"]], **options)
    assert texts.prompts == ids.prompts == tokens.prompts == ((0, 1), (1, 1, 1), (0, 1))
    assert names(texts.chain) == names(ids.chain) == names(tokens.chain)
    # Two of three prompts are "ab".
    assert texts.start[texts.chain.state("ab")] == pytest.approx(2 / 3, abs=1e-15)
    assert texts.start[texts.chain.state("bbb")] == pytest.approx(1 / 3, abs=1e-15)
    one = explore(model, "ab", **options)
    assert one.prompts == ((0, 1),)


def test_prompts_beyond_the_limit_start_unexplored() -> None:
    model = random_model(2, 3, 1)
    found = explore(model, ["000", "111", "010"], vocabulary=2, context=3, max_states=1)
    assert found.chain.unexplored == 1
    assert found.start.tolist() == pytest.approx([1 / 3, 2 / 3], abs=1e-15)
    assert found.unexplored_after(0) == pytest.approx(2 / 3, abs=1e-15)


def test_the_exploration_says_what_it_is() -> None:
    model = random_model(2, 3, 1)
    found = explore(model, "0", vocabulary=2, context=3, max_states=4)
    assert "stopped by the limit on states" in str(found)
    assert f"{found.frontier:,} more states are known to follow" in str(found)
    as_dict = found.to_dict()
    assert as_dict["stopped_by"] == ["max_states"]
    assert "chain" not in as_dict
    assert "_facts" not in as_dict
    whole = explore(model, "0", vocabulary=2, context=3)
    assert "complete: nothing else can be reached" in str(whole)
    assert whole.n_explored == 2**3 + 2 + 1  # from "0": "0", "00", "01", and all 8 windows


def test_progress_counts_up_to_the_end() -> None:
    model = random_model(3, 3, 2)
    said: list[tuple[int, int, float]] = []
    found = explore(
        model, "0", vocabulary=3, context=3, batch=2, progress=lambda *now: said.append(now)
    )
    assert [now[0] for now in said] == sorted(now[0] for now in said)
    assert said[-1][0] == found.n_explored
    assert said[-1][1:] == (0, 0.0)
    assert all(0 <= mass <= 1 for _, _, mass in said)


def test_memory_is_a_limit_too() -> None:
    model = random_model(3, 3, 2)
    options: dict[str, Any] = {"vocabulary": 3, "context": 3}
    whole = explore(model, "0", **options)
    each = 200 + 3 * 8 + 12 * 3
    room = (whole.chain.n_edges / 2 * each) / 2**30
    part = explore(model, "0", max_memory_gib=room, **options)
    assert part.stopped_by == ("max_memory_gib",)
    assert 0 < part.n_explored < whole.n_explored
    assert names(part.chain)[:-1] == names(whole.chain)[: part.n_explored]
    with pytest.raises(StateSpaceTooLarge, match="do not fit into 1e-09 GiB"):
        explore(model, "0", max_memory_gib=1e-9, **options)


def test_what_the_model_does_is_noted() -> None:
    def model(ids: Any) -> Any:
        return np.array([[0.0, -np.inf, -800.0]] * len(ids))

    found = explore(model, "a", vocabulary="abc", context=2)
    assert found.n_explored == 2
    assert found.chain.notes == extract_notes(model)
    tied = explore(
        lambda ids: np.zeros((len(ids), 3)), "a", decoding=Greedy(), vocabulary="abc", context=2
    )
    assert tied.chain.tied.tolist() == list(range(tied.n_explored))


def extract_notes(model: Any) -> tuple[str, ...]:
    """Notes of two windows, a and aa, of which each has one masked and one lost probability."""
    one = extract(model, vocabulary="abc", context=1)  # three windows
    return tuple(note.replace("3 prob", "2 prob") for note in one.notes)


def test_a_cut_context_is_noted() -> None:
    class Model:
        vocabulary, context = "ab", 3

        def __call__(self, ids: Any) -> Any:
            return np.zeros((len(ids), 2))

    found = explore(Model(), "abab", context=2)
    assert found.prompts == ((0, 1),)
    assert "given the last 2 only" in found.chain.notes[0]


@pytest.mark.parametrize(
    ("prompts", "error", "words"),
    [
        ([], InvalidArgument, "there is no prompt"),
        (None, InvalidArgument, "there is no prompt"),
        ([""], InvalidArgument, "prompt 1 is empty"),
        (["a", []], InvalidArgument, "prompt 2 is empty"),
        (["a", "ax"], InvalidText, "explore: prompt 2: the word 'ax' cannot be read, 'x'"),
        ([["a", "dog"]], InvalidText, "prompt 1: 'dog' at position 1 is not in the vocabulary"),
        ([[0, 3]], InvalidArgument, "prompt 1 has the entry 3"),
        ([[0, -1]], InvalidArgument, "has the entry -1"),
        ([[0.5]], InvalidArgument, "has the entry 0.5"),
        ([[True]], InvalidArgument, "has the entry True"),
        ([0, 1], InvalidArgument, "prompt 1 is 0, and a prompt is a text"),
    ],
)
def test_bad_prompts(prompts: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as raised:
        explore(random_model(3, 2, 0), prompts, vocabulary="abc", context=2)
    assert words in str(raised.value)


def test_a_prompt_of_blanks_alone_has_no_word() -> None:
    with pytest.raises(InvalidArgument, match="has no token"):
        explore(random_model(2, 2, 0), ["  "], vocabulary=["to", "be"], context=2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_states": 0}, "max_states is 0"),
        ({"max_states": -3}, "max_states is -3"),
        ({"max_states": None}, "max_states is None"),
        ({"max_states": 2.5}, "max_states is 2.5"),
        ({"max_depth": 0}, "max_depth is 0"),
        ({"min_probability": 1.5}, "min_probability is 1.5"),
        ({"min_probability": math.nan}, "min_probability is nan"),
        ({"batch": 0}, "batch is 0"),
        ({"max_memory_gib": 0}, "max_memory_gib is 0"),
        ({"decoding": "greedy"}, "no rule"),
        ({"device": "cuda"}, "no PyTorch module"),
        ({"context": 0}, "context is 0"),
    ],
)
def test_bad_options(options: dict[str, Any], words: str) -> None:
    given_options = {"vocabulary": "abc", "context": 2, **options}
    with pytest.raises(InvalidArgument) as raised:
        explore(random_model(3, 2, 0), "a", **given_options)
    assert words in str(raised.value)
    assert "extract" not in str(raised.value)


def test_a_model_that_fails_is_explained() -> None:
    def nan(ids: Any) -> Any:
        return np.full((len(ids), 2), math.nan)

    with pytest.raises(InvalidChain, match=r"^explore: after the context a the model gives"):
        explore(nan, "a", vocabulary="ab", context=2)
    with pytest.raises(InvalidArgument, match=r"^explore: "):
        explore(lambda ids: 1 / 0, "a", vocabulary="ab", context=2)


def test_long_windows_have_keys_of_bytes() -> None:
    # 3**50 is no 63-bit number; a model that copies the oldest of its 50 tokens turns round.
    def model(ids: Any) -> Any:
        return 100.0 * np.eye(2)[ids[:, 0]]

    prompt = [0] * 49 + [1]
    found = explore(model, [prompt], decoding=Greedy(), vocabulary=2, context=50)
    assert found.n_explored == 50
    assert found.complete
    assert fg.communicating_classes(found.chain).periods == (50,)


@given(
    V=st.sampled_from([2, 200, 70_000]),
    L=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
)
def test_keys_are_equal_only_where_windows_are(V: int, L: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    contexts = [tuple(rng.choice([0, 1, V - 1], size=rng.integers(1, L + 1))) for _ in range(40)]
    contexts = list(dict.fromkeys(contexts))
    windows = Windows(V, L)
    keys = windows.keys(windows.table(contexts))
    assert len(np.unique(keys)) == len(contexts)
    index = Index()
    for k in range(0, len(keys), 3):
        index.add(keys[k : k + 3], np.arange(k, min(k + 3, len(keys))))
    assert index.find(keys).tolist() == list(range(len(keys)))
    other = windows.keys(windows.table([(V - 1,) * L]))
    expected = contexts.index((V - 1,) * L) if (V - 1,) * L in contexts else -1
    assert index.find(other).tolist() == [expected]


def test_nothing_is_asked_twice() -> None:
    model, asked = counting(random_model(3, 4, 3))
    found = explore(model, ["0", "12", "0"], vocabulary=3, context=4, batch=7)
    assert sum(asked) <= found.n_explored + 1  # and one to see what the model takes
    assert max(asked) <= 7


def test_the_published_model_reaches_what_a_plain_search_does(shared_model: Any) -> None:
    vocabulary = shared_model("gpt_by_hand/vocabulary.json")
    model = fg.load_model(
        shared_model("gpt_by_hand/nanogpt.pt"), vocabulary=str(vocabulary)
    ).double()
    found = explore(model, ["to be"], decoding=TopK(2))
    assert found.complete
    # The same machine by asking one window after the other.
    from fsm_gpt.asking import asking

    L = model.context
    seen: dict[tuple[int, ...], int] = {}
    waiting = [tuple(model.vocabulary.encode("to be").tolist())]
    edges = {}
    with asking(model, model.vocabulary) as rows_of:
        while waiting:
            window = waiting.pop(0)
            if window in seen:
                continue
            seen[window] = len(seen)
            row = TopK(2)(rows_of(np.array([window])).probabilities).rows[0]
            for token in np.flatnonzero(row):
                target = (*window, int(token))[-L:]
                edges[window, int(token), target] = row[token]
                waiting.append(target)
    table = found.chain.states.contexts()
    assert table is not None
    as_tuples = [tuple(row[row >= 0].tolist()) for row in table]
    assert set(as_tuples) == set(seen)
    mine = {
        (as_tuples[s], int(t), as_tuples[e]): p
        for s, t, e, p in zip(*found.chain.edges(), strict=True)
    }
    assert mine.keys() == edges.keys()
    for edge, p in mine.items():
        assert p == pytest.approx(edges[edge], rel=1e-12)


def test_an_exploration_is_a_result() -> None:
    found = explore(random_model(2, 2, 0), "0", vocabulary=2, context=2, decoding=Full())
    assert isinstance(found, Exploration)
    assert repr(found) == str(found)
    assert not found.start.flags.writeable
