"""The fewest states that write the same texts: against texts, naive refinement, known machines."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import sympy
from hypothesis import assume, given, settings, strategies as st

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotDefined
from fsm_gpt.markov import refinement
from tests.strategies import chains


def law(chain: Chain, state: int, n: int) -> dict[tuple[int, ...], object]:
    """The probability of every text of n tokens from a state."""
    edges = chain.edges()
    moves: dict[int, list[tuple[int, int, object]]] = {}
    for source, token, target, p in zip(*(column.tolist() for column in edges), strict=True):
        moves.setdefault(source, []).append((token, target, p))
    found: dict[tuple[int, ...], tuple[int, object]] = {(): (state, Fraction(1))}
    for _ in range(n):
        found = {
            (*text, token): (target, q * p)
            for text, (s, q) in found.items()
            for token, target, p in moves[s]
        }
    return {text: q for text, (_, q) in found.items()}


def alike(chain: Chain) -> list[list[bool]]:
    """By Moore's table: pairs that a row tells apart, then pairs that lead to such pairs."""
    N, rows, successor = chain.n_states, chain.next_token.tolist(), chain.successors()
    same = [[rows[i] == rows[j] for j in range(N)] for i in range(N)]
    while True:
        finer = [
            [
                same[i][j]
                and all(
                    same[a][b] for a, b in zip(successor[i], successor[j], strict=True) if a >= 0
                )
                for j in range(N)
            ]
            for i in range(N)
        ]
        if finer == same:
            return same
        same = finer


def numbered_from(chain: Chain, root: int) -> list[tuple[object, ...]]:
    """Rows and successors with states numbered as a search from a root meets them."""
    successor, number, order = chain.successors().tolist(), {root: 0}, [root]
    for state in order:  # which grows while it is read
        for target in successor[state]:
            if target >= 0 and target not in number:
                number[target] = len(number)
                order.append(target)
    rows = chain.next_token.tolist()
    return [(*rows[s], *(number.get(t, -1) for t in successor[s])) for s in order]


def isomorphic(one: Chain, other: Chain) -> bool:
    """Whether machines whose states can all be reached from the first are alike up to names."""
    form = numbered_from(one, 0)
    assert len(form) == one.n_states
    return form in [numbered_from(other, root) for root in range(other.n_states)]


@given(chains())
def test_blocks_are_those_of_moores_table(chain: Chain) -> None:
    found = fg.minimize(chain)
    same = alike(chain)
    for i, j in product(range(chain.n_states), repeat=2):
        assert (found.block[i] == found.block[j]) == same[i][j]


@settings(max_examples=15)
@given(chains())
def test_texts_keep_their_probabilities(chain: Chain) -> None:
    found = fg.minimize(chain)
    for state in range(min(chain.n_states, 4)):
        assert law(found.chain, int(found.block[state]), 3) == law(chain, state, 3)
    assert fg.minimize(found.chain).n_states == found.n_states


@st.composite
def definite_machines(draw: st.DrawFn) -> tuple[int, int, np.ndarray]:
    """Rows for windows of k tokens, few different ones, so that states merge."""
    V, k = draw(st.sampled_from([(2, 1), (2, 2), (2, 3), (3, 1), (3, 2)]))
    palette = draw(st.integers(1, 4))
    rows = []
    for c in range(palette):
        weights = [Fraction(1 + ((c + 1) * (t + 1)) % 5) for t in range(V)]
        rows.append([w / sum(weights) for w in weights])
    chosen = draw(st.lists(st.integers(0, palette - 1), min_size=V**k, max_size=V**k))
    return V, k, np.array([rows[c] for c in chosen], dtype=object)


@given(definite_machines(), st.integers(1, 2))
def test_a_machine_that_words_synchronise_comes_back(
    made: tuple[int, int, np.ndarray], more: int
) -> None:
    """Each word of k tokens leads to one state; unrolled to longer windows it is the same."""
    V, k, rows = made
    short = Chain(rows, vocabulary=V, context=k)
    long = Chain(np.tile(rows, (V**more, 1)), vocabulary=V, context=k + more)
    found = fg.minimize(long)
    assert isomorphic(fg.minimize(short).chain, found.chain)
    assert found.n_states <= found.tree_contexts


@st.composite
def synchronised_machines(
    draw: st.DrawFn,
) -> tuple[int, int, list[list[int]], list[list[Fraction]]]:
    """V, L, and the next states and rows of a machine that every word of L tokens synchronises.

    Windows of L tokens are such a machine; merging two of its states with all that must be merged
    then leaves one. Rows may have zeros.
    """
    V, L = draw(st.sampled_from([(2, 1), (2, 2), (2, 3), (3, 1), (3, 2)]))
    N = V**L
    home = list(range(N))
    while len(set(home)) > 6 or (len(set(home)) > 1 and draw(st.booleans())):
        left = [draw(st.sampled_from(sorted(set(home)))) for _ in range(2)]
        pairs = [(left[0], left[1])]
        while pairs:
            a, b = (home[s] for s in pairs.pop())
            if a == b:
                continue
            home = [min(a, b) if h in (a, b) else h for h in home]
            members = [s for s in range(N) if home[s] == min(a, b)]
            for t in range(V):
                after = [home[s % (N // V) * V + t] for s in members]
                pairs += [(after[0], other) for other in after[1:]]
    roots = sorted(set(home))
    to = [[roots.index(home[s % (N // V) * V + t]) for t in range(V)] for s in roots]
    weights = st.lists(st.sampled_from([0, 1, 2, 3]), min_size=V, max_size=V).filter(any)
    rows = [[Fraction(w, sum(ws)) for w in ws] for ws in (draw(weights) for _ in roots)]
    return V, L, to, rows


@settings(max_examples=200)
@given(synchronised_machines(), st.integers(0, 2))
def test_a_minimal_machine_comes_back_from_its_windows(
    made: tuple[int, int, list[list[int]], list[list[Fraction]]], more: int
) -> None:
    """Up to six states, zeros among the probabilities; the map of states is checked as a whole."""
    V, L, to, rows = made
    source, token = np.divmod(np.arange(len(to) * V), V)
    flat = np.array([p for row in rows for p in row], dtype=object)
    machine = Chain.from_edges(
        source, token, np.array(to).ravel(), flat, n_states=len(to), vocabulary=V
    )
    same = alike(machine)
    assume(sum(map(sum, same)) == len(to))  # it is minimal
    state_of = []
    for window in product(range(V), repeat=L + more):
        states = set(range(len(to)))
        for t in window:
            states = {to[s][t] for s in states}
        assert len(states) == 1
        state_of.append(states.pop())
    unrolled = Chain(
        np.array([rows[s] for s in state_of], dtype=object), vocabulary=V, context=L + more
    )
    found = fg.minimize(unrolled)
    name = {int(b): s for b, s in zip(found.block, state_of, strict=True)}
    assert [name[int(b)] for b in found.block] == state_of  # blocks are states of the machine
    assert len(set(name.values())) == len(name) == len(set(state_of)) == found.n_states
    after = found.chain.successors()
    for b, s in name.items():
        assert found.chain.next_token[b].tolist() == rows[s]
        assert [name.get(int(c), -1) for c in after[b]] == [
            n if p else -1 for n, p in zip(to[s], rows[s], strict=True)
        ]


def leaves(rows: list[object], V: int, L: int) -> int:
    """The smallest tree of suffixes, leaf by leaf: deepen until rows and next leaves are known."""
    words = {k: list(product(range(V), repeat=k)) for k in range(L + 1)}
    row = {window: rows[i] for i, window in enumerate(words[L])}
    depth = dict.fromkeys(words[L], 0)

    def ending(suffix: tuple[int, ...]) -> list[tuple[int, ...]]:
        return [w for w in words[L] if w[L - len(suffix) :] == suffix]

    while True:
        before = dict(depth)
        for window in words[L]:
            suffix = window[L - depth[window] :]
            mates = ending(suffix)
            wanted = depth[window]
            if len({str(row[mate]) for mate in mates}) > 1:
                wanted += 1
            for mate in mates:
                wanted = max(wanted, depth[mate])
                for token in range(V):
                    wanted = max(wanted, depth[(*mate, token)[1:]] - 1)
            depth[window] = min(wanted, L)
        if depth == before:
            return len({window[L - depth[window] :] for window in words[L]})


@given(definite_machines())
def test_the_tree_of_suffixes(made: tuple[int, int, np.ndarray]) -> None:
    V, k, rows = made
    found = fg.minimize(Chain(rows, vocabulary=V, context=k))
    assert found.tree_contexts == leaves([tuple(row) for row in rows], V, k)


def test_a_block_need_not_end_alike() -> None:
    """001, 011 and 111 have one row, 101 another, and 010 is like 110.

    The windows 001, 011, 111 are one state. A tree of suffixes (Bühlmann & Wyner 1999) has to part
    101 from 001 and so goes on beyond the suffix 01, and cannot put 001 and the suffix 11 together.
    """
    names = {"000": 3, "001": 5, "010": 7, "011": 5, "100": 11, "101": 13, "110": 7, "111": 5}
    chain = Chain([[Fraction(1, n), Fraction(n - 1, n)] for n in names.values()])
    found = fg.minimize(chain)
    assert found.members(int(found.block[1])).tolist() == [1, 3, 7]
    assert (found.n_states, found.tree_contexts) == (5, 6)
    assert "alike: 001, 011, 111" in str(found)
    assert found.chain.label(1) == "…11 +1"


def test_the_even_process() -> None:
    """Ones in blocks of even length: two states (Shalizi & Crutchfield 2001)."""
    even = Chain.from_edges([0, 0, 1], [0, 1, 1], [0, 1, 0], ["1/2", "1/2", 1])
    twice = Chain.from_edges(
        [0, 0, 1, 2, 2, 3],
        [0, 1, 1, 0, 1, 1],
        [2, 1, 2, 0, 3, 0],
        ["1/2", "1/2", 1, "1/2", "1/2", 1],
    )
    found = fg.minimize(twice)
    assert isomorphic(found.chain, even)
    assert found.tree_contexts is None


def test_impossible_tokens_tell_nothing_apart() -> None:
    rows = [[1, 0], [0, 1]] * 2  # 00 and 10 say 0, 01 and 11 say 1
    assert fg.minimize(Chain(rows)).n_states == 2
    greedy = Chain(np.tile([0.75, 0.25], (8, 1))).with_decoding(fg.Greedy())
    assert fg.minimize(greedy).n_states == 1


def test_symbols_and_one_token() -> None:
    a = sympy.Symbol("a", positive=True)
    assert fg.minimize(Chain([[a, 1 - a]] * 4)).n_states == 1
    one = fg.minimize(Chain([[1.0]], context=3))
    assert (one.n_states, one.tree_contexts) == (1, 1)


def test_a_chain_without_doubles_is_its_own_machine() -> None:
    chain = Chain(np.random.default_rng(0).dirichlet([1, 1], 2**12))
    found = fg.minimize(chain)
    assert found.chain is chain
    assert (found.n_states, found.tree_contexts) == (2**12, 2**12)


def test_many_blocks_are_named_by_their_first() -> None:
    rows = np.tile(np.random.default_rng(0).dirichlet([1, 1], 2**11), (2, 1))
    found = fg.minimize(Chain(rows))
    assert (found.n_states, found.chain.label(3)) == (2**11, "000000000011")


@pytest.mark.parametrize("kind", ["whole", "float"])
def test_the_compiled_numbering_is_the_sorted_one(kind: str, monkeypatch) -> None:
    rng = np.random.default_rng(1)
    values = rng.integers(-5, 2**60, 3000) // 2**50 * (2**50 if kind == "whole" else 1)
    values = values if kind == "whole" else np.where(values < 9, -0.0, np.sqrt(np.abs(values)))
    plain = refinement.numbered(values)
    monkeypatch.setattr(refinement, "COMPILED_FROM", 0)
    assert refinement.numbered(values).tolist() == plain.tolist()
    assert len(set(plain.tolist())) == len(set(values.tolist()))
    assert refinement.numbered(values[:0]).tolist() == []


def test_a_part_is_refused() -> None:
    found = fg.explore(
        lambda ids: np.zeros((len(ids), 2)), ["a"], vocabulary="ab", context=5, max_states=3
    )
    with pytest.raises(NotDefined):
        fg.minimize(found.chain)
