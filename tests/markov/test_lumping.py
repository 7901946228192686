"""Strong lumping: Kemeny & Snell's example and conditions, all partitions, floats and symbols."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from importlib import import_module

import numpy as np
import pytest
import sympy
from hypothesis import given, settings, strategies as st

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined, StateOutOfRange
from tests.strategies import chains, structured_chains

OZ = Chain.from_matrix(
    [["1/2", "1/4", "1/4"], ["1/2", 0, "1/2"], ["1/4", "1/4", "1/2"]],
    vocabulary=["rain", "nice", "snow"],
)


def test_the_land_of_oz() -> None:
    """Kemeny & Snell (1976), section 6.3: good weather and bad are a chain again."""
    found = fg.lumping(OZ, blocks=[["nice"], ["rain", "snow"]])
    assert (found.lumpable, found.violation, found.n_blocks) == (True, None, 2)
    nice, bad = found.block[1], found.block[0]
    P = found.chain.matrix()
    assert [P[nice, bad], P[bad, nice], P[bad, bad]] == [1, Fraction(1, 4), Fraction(3, 4)]
    assert P[nice, nice] == 0
    assert found.error_sentence == "exact"
    assert found.members("nice").tolist() == [1]


def test_a_violation_is_named() -> None:
    """{rain}, {nice, snow}: into rain go nice with 1/2 and snow with 1/4."""
    found = fg.lumping(OZ, blocks=[["rain"], ["nice", "snow"]])
    assert not found.lumpable
    assert found.violation == ("nice", "snow", ("rain",), Fraction(1, 2), Fraction(1, 4), 1)
    assert found.n_blocks == 3
    assert "into {rain} goes nice with 1/2 and snow with 1/4" in str(found)


def condition(P: np.ndarray, block: np.ndarray) -> bool:
    """Kemeny & Snell, section 6.3: V U P V = P V, with V the blocks and U their plain means."""
    K = int(block.max()) + 1
    V = np.array([[Fraction(int(b == k)) for k in range(K)] for b in block], dtype=object)
    U = V.T / np.array([[Fraction(int((block == k).sum()))] for k in range(K)], dtype=object)
    PV = P.dot(V)
    return bool((V.dot(U).dot(PV) == PV).all())


@st.composite
def parted(draw: st.DrawFn) -> tuple[Chain, np.ndarray]:
    """A chain and a partition of its states, in the order of first states."""
    chain = draw(st.one_of(chains(), lumpable_chains()))
    raw = draw(st.lists(st.integers(0, 2), min_size=chain.n_states, max_size=chain.n_states))
    order = list(dict.fromkeys(raw))
    return chain, np.array([order.index(b) for b in raw])


@st.composite
def lumpable_chains(draw: st.DrawFn) -> Chain:
    """States of two or three kinds, whose probability into each kind is that of their own."""
    K = draw(st.integers(2, 3))
    kind = [*range(K), *draw(st.lists(st.integers(0, K - 1), min_size=1, max_size=3))]
    N = len(kind)
    rows = []
    sums = [draw(st.lists(st.integers(0, 3), min_size=K, max_size=K).filter(any)) for _ in range(K)]
    for s in range(N):
        row = [Fraction(0)] * N
        for k in range(K):
            members = [i for i in range(N) if kind[i] == k]
            share = draw(
                st.lists(st.integers(0, 2), min_size=len(members), max_size=len(members)).filter(
                    any
                )
            )
            for i, w in zip(members, share, strict=True):
                row[i] = Fraction(w, sum(share)) * Fraction(sums[kind[s]][k], sum(sums[kind[s]]))
        rows.append(row)
    return Chain.from_matrix(rows)


def rational_matrix(chain: Chain) -> np.ndarray:
    return np.array([[Fraction(x) for x in row] for row in chain.matrix()], dtype=object)


@given(parted())
def test_kemeny_and_snells_condition(drawn: tuple[Chain, np.ndarray]) -> None:
    chain, given_blocks = drawn
    found = fg.lumping(chain, blocks=given_blocks)
    P = rational_matrix(chain)
    assert found.lumpable == condition(P, given_blocks)
    assert found.lumpable == (found.violation is None) == (found.n_blocks == given_blocks.max() + 1)
    assert condition(P, found.block)
    if found.violation is not None:
        one, other, into, p, q, n = found.violation
        s, t = chain.state(one), chain.state(other)
        assert given_blocks[s] == given_blocks[t]
        members = [chain.state(name) for name in into]
        whole = np.flatnonzero(given_blocks == given_blocks[members[0]])
        assert (len(members), n) == (min(len(whole), 8), len(whole))
        assert (P[s, whole].sum(), P[t, whole].sum()) == (p, q)
        assert p != q


@given(parted())
def test_the_lumped_chain_moves_as_the_blocks_do(drawn: tuple[Chain, np.ndarray]) -> None:
    """P V = V P^ and so for every power."""
    chain, given_blocks = drawn
    found = fg.lumping(chain, blocks=given_blocks)
    V = np.array([[int(b == k) for k in range(found.n_blocks)] for b in found.block], dtype=object)
    P, lumped = rational_matrix(chain), rational_matrix(found.chain)
    assert (P.dot(V) == V.dot(lumped)).all()
    assert (P.dot(P).dot(V) == V.dot(lumped).dot(lumped)).all()


def partitions(n: int) -> Iterator[np.ndarray]:
    for code in itertools.product(range(n), repeat=n):
        if all(c <= max(code[:i], default=-1) + 1 for i, c in enumerate(code)):
            yield np.array(code)


@settings(max_examples=30)
@given(
    st.one_of(lumpable_chains(), structured_chains(class_size=2, transient=(0, 1))).filter(
        lambda chain: chain.n_states <= 5
    ),
    st.integers(0, 31),
)
def test_it_is_the_coarsest_refinement(chain: Chain, code: int) -> None:
    raw = np.array([code >> s & 1 for s in range(chain.n_states)])
    given_blocks = np.where(raw == raw[0], 0, 1)
    found = fg.lumping(chain, blocks=given_blocks)
    P = rational_matrix(chain)
    finest = found.n_blocks
    for block in partitions(chain.n_states):
        refines = all(len(set(given_blocks[block == b])) == 1 for b in set(block))
        if refines and condition(P, block):
            assert block.max() + 1 >= finest
            if block.max() + 1 == finest:
                assert block.tolist() == found.block.tolist()


def test_by_the_newest_token() -> None:
    """Without blocks: rows that look at the newest token alone lump to it; others split."""
    short = [["1/2", "1/2"], ["1/4", "3/4"]]
    found = fg.lumping(Chain(short * 2))
    assert found.lumpable
    assert found.chain.next_token.tolist() == [[Fraction(x) for x in row] for row in short]
    assert found.chain.labels() == ["…0", "…1"]
    assert not fg.lumping(Chain([*short, *short[::-1]])).lumpable


def test_floats_are_their_binary_values() -> None:
    """0.1 + 0.2 is not 0.3 in binary (Goldberg 1991), and 1/10 + 2/10 is 3/10."""
    rows = [["1/10", "2/10", "7/10"], ["3/10", 0, "7/10"], [0, 0, 1]]
    blocks = [[0, 1], [2]]
    assert fg.lumping(Chain.from_matrix(rows), blocks=blocks).lumpable
    floats = Chain.from_matrix([[0.1, 0.2, 0.7], [0.3, 0.0, 0.7], [0.0, 0.0, 1.0]])
    found = fg.lumping(floats, blocks=blocks)
    assert not found.lumpable
    assert found.violation is not None
    assert abs(found.violation.probability - found.violation.other_probability) < 1e-15
    assert found.method == "exact sums"
    assert "goes 0 with 0.30000000000000004 and 1 with 0.29999999999999999" in str(found)
    assert 0 < found.error_bound < 1e-15
    dyadic = Chain.from_matrix([[0.125, 0.125, 0.75], [0.25, 0.0, 0.75], [0.0, 0.0, 1.0]])
    assert fg.lumping(dyadic, blocks=blocks).lumpable


@settings(max_examples=40)
@given(parted())
def test_many_floats_are_held_equal_within_their_roundings(
    drawn: tuple[Chain, np.ndarray],
) -> None:
    """What floats of a lumpable chain say: at least as coarse, and each member within the bound."""
    exact_chain, given_blocks = drawn
    chain = exact_chain.floats()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("fsm_gpt.markov.lumping"), "EXACT_EDGES", 0)
        found = fg.lumping(chain, blocks=given_blocks)
    assert found.method.startswith("sums in floats")
    assert 0 < found.error_bound < 1e-13
    rational = fg.lumping(exact_chain, blocks=given_blocks)
    assert found.n_blocks <= rational.n_blocks
    P, lumped = rational_matrix(chain.exact()), rational_matrix(found.chain.exact())
    for s in range(chain.n_states):
        for b in range(found.n_blocks):
            into = P[s, np.flatnonzero(found.block == b)].sum()
            assert abs(into - lumped[found.block[s], b]) <= found.error_bound


def test_symbols() -> None:
    a, b = sympy.symbols("a b", positive=True)
    chain = Chain.from_matrix([[a, b, 1 - a - b], [b, a, 1 - a - b], [a / 2, a / 2, 1 - a]])
    found = fg.lumping(chain, blocks=[[0, 1], [2]])
    assert found.lumpable
    assert sympy.simplify(found.chain.next_token[0, 0] - a - b) == 0
    assert not fg.lumping(chain, blocks=[[0], [1, 2]]).lumpable


@pytest.mark.parametrize(
    ("chain", "blocks", "error", "words"),
    [
        (OZ, None, InvalidArgument, "each state is one token"),
        (
            Chain.from_edges([0, 1], [0, 0], [1, 0], [1.0, 1.0]),
            None,
            InvalidArgument,
            "plain names",
        ),
        (OZ, [["nice"]], InvalidArgument, "2 of 3 states stand in no block: rain, snow"),
        (OZ, [["nice", "rain"], ["rain", "snow"]], InvalidArgument, "'rain' stands in block 0 and"),
        (OZ, [["nice"], ["rain", "snow"], []], InvalidArgument, "block 2 is"),
        (OZ, ["nice", "rain"], InvalidArgument, "block 0 is 'nice'"),
        (OZ, np.array([0, 1]), InvalidArgument, "shape .2,. and type int64"),
        (OZ, np.array([0.0, 1.0, 1.0]), InvalidArgument, "type float64"),
        (OZ, [["hail"], ["rain", "snow", "nice"]], StateOutOfRange, "hail"),
    ],
)
def test_what_is_refused(chain: Chain, blocks: object, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        fg.lumping(chain, blocks=blocks)  # type: ignore[arg-type]


def test_a_part_is_refused() -> None:
    found = fg.explore(
        lambda ids: np.zeros((len(ids), 2)), ["a"], vocabulary="ab", context=5, max_states=3
    )
    with pytest.raises(NotDefined):
        fg.lumping(found.chain)


def test_many_states_in_words() -> None:
    chain = Chain([["1/2", "1/2"]] * 16)
    found = fg.lumping(chain)
    assert found.lumpable
    assert "…0: 0000, 0010, 0100, 0110, 1000, 1010, 1100, 1110" in str(found)
    split = fg.lumping(Chain(np.random.default_rng(0).dirichlet([1, 1], 16)))
    assert "... and 8 more blocks" in str(split)
    assert split.to_dict()["violation"][0] == "0000"
    long = Chain(np.random.default_rng(0).dirichlet([1, 1], 32))
    assert "01110, ...} goes" in str(fg.lumping(long))
