"""A chain in the explicit files of PRISM, written and read.

Examples and benchmark chains are PRISM's own (tests/prism.py). What is refused when it is read is
in tests/test_prism_hostile.py.
"""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.compound import Pairs, WithEnd
from fsm_gpt.errors import FileProblem, InvalidArgument, InvalidChain, StateOutOfRange
from fsm_gpt.io import export, read_prism
from fsm_gpt.io.prism import companions
from fsm_gpt.io.prism_rewards import surprisal
from fsm_gpt.space import NamedStates, SomeContexts, Vocabulary
from tests.prism import BENCHMARKS, ENDINGS, REFERENCE, TRA, put, whole
from tests.strategies import chains


@pytest.mark.parametrize("exact", [True, False])
def test_the_examples_of_the_manual(tmp_path: Path, exact: bool) -> None:
    model = read_prism(**whole(tmp_path), exact=exact)
    half, quarter = Fraction(1, 2), Fraction(1, 4)
    P = np.zeros((6, 6), dtype=object if exact else float)
    P[0, 1] = P[0, 3] = P[1, 0] = half
    P[1, 2] = P[1, 4] = quarter
    P[2, 5] = P[3, 3] = P[4, 4] = P[5, 2] = 1
    assert model.chain.kind == ("rational" if exact else "float")
    assert (model.chain.matrix() == P).all()
    assert model.labels == {
        "init": (0,),
        "deadlock": (),
        "heads": (2,),
        "tails": (3,),
        "end": (2, 3),
    }
    assert model.initial == (0,)
    assert model.chain.labels()[:2] == ["(1,0,0,0)", "(1,0,0,1)"]
    assert model.reward == "r"
    assert model.state_rewards is not None
    assert model.transition_rewards is not None
    assert model.state_rewards.tolist() == [2, 0, 0, 0, 1, 1]
    edges = model.chain.edges()
    paid = zip(edges.source, edges.target, model.transition_rewards, strict=True)
    assert {(int(s), int(t)): r for s, t, r in paid if r} == {
        (1, 0): 1,
        (1, 2): 1,
        (1, 4): 1,
        (2, 5): 2,
    }
    assert str(model).endswith(
        "  reward r: 3 states pay 1 to 2\n  reward r: 4 transitions pay 1 to 2"
    )
    assert model.to_dict()["labels"]["end"] == [2, 3]


def test_a_chain_alone_begins_in_0_and_its_states_are_numbers(tmp_path: Path) -> None:
    model = read_prism(put(tmp_path, tra=TRA)["tra"])
    assert (model.labels, model.initial, model.reward) == ({}, (0,), "")
    assert model.state_rewards is None
    assert model.transition_rewards is None
    assert model.chain.labels() == ["0", "1", "2", "3", "4", "5"]
    # Token k is the k-th successor: 1 goes to 0, 2 and 4.
    assert model.chain.successors()[1].tolist() == [0, 2, 4]
    assert any("successors" in note for note in model.chain.notes)


def test_order_comments_and_actions(tmp_path: Path) -> None:
    lines = ["# Transitions (DTMC)", "", "2 4", "1 1 1/3 b", "# half", "1 0 1/3", "1 1 1/3 a"]
    model = read_prism(put(tmp_path, tra="\r\n".join([*lines, "0 0 1e0", ""]))["tra"])
    assert model.chain.successors().tolist() == [[0, -1, -1], [0, 1, 1]]
    assert (model.chain.matrix()[1] == [Fraction(1, 3), Fraction(2, 3)]).all()
    assert any("actions" in note for note in model.chain.notes)


# ---- what is written ----


def written(folder: Path, chain: Chain, **options: Any) -> dict[str, str]:
    export(chain, folder / "x.tra", **options)
    return {ending: (folder / f"x.{ending}").read_text("ascii") for ending in ENDINGS}


def test_every_file_of_a_chain_with_an_end(tmp_path: Path) -> None:
    """Contexts of one token, and END; by hand, as the manual has it."""
    chain = Chain([["1/2", "1/2"], ["1/4", "3/4"]], vocabulary="ab").with_stop("b")
    files = written(tmp_path, chain, labels={"go": ["a", "END"]}, start="b")
    bits, log = files["trew"].split("1 2 ")
    assert float(log) == pytest.approx(np.log2(4 / 3), rel=1e-15)
    assert {**files, "trew": bits} == {
        "tra": "3 5\n0 0 1/2\n0 2 1/2\n1 0 1/4\n1 2 3/4\n2 2 1\n",
        "sta": "(t1,end)\n0:(0,false)\n1:(1,false)\n2:(-1,true)\n",
        "lab": '0="init" 1="deadlock" 2="end" 3="go"\n0: 3\n1: 0\n2: 2 3\n',
        "srew": '# Reward structure "bits"\n# State rewards\n3 0\n',
        "trew": '# Reward structure "bits"\n# Transition rewards\n3 4\n0 0 1.0\n0 2 1.0\n1 0 2.0\n',
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"x.{e}" for e in sorted(ENDINGS)]


def test_tokens_that_lead_to_one_state_are_added_up(tmp_path: Path) -> None:
    """From 0: a and b to 1 with 1/3 and 1/6, c to 0 with 1/2; their mean pays (2 + 8) / 3."""
    chain = Chain.from_edges(
        [0, 0, 0, 1], [0, 1, 2, 0], [1, 1, 0, 1], ["1/3", "1/6", "1/2", 1], vocabulary="abc"
    )
    files = written(tmp_path, chain, rewards={"cost": [[1, 8, 3], [0, 0, 0]]})
    assert files["tra"] == "2 3\n0 0 1/2\n0 1 1/2\n1 1 1\n"
    assert files["trew"].endswith('"cost"\n# Transition rewards\n2 2\n0 0 3\n0 1 10/3\n')
    thirds = np.array([Fraction(1, 3), Fraction(0)])
    files = written(tmp_path, chain, rewards={"cost": thirds})
    assert files["srew"].endswith('"cost"\n# State rewards\n2 1\n0 1/3\n')
    files = written(tmp_path, chain, rewards={"cost": np.array([0.25, 0.0])})
    assert files["srew"].endswith('"cost"\n# State rewards\n2 1\n0 0.25\n')
    assert files["trew"].endswith("2 0\n")
    expected = Fraction(1, 3) * Fraction(np.log2(3)) + Fraction(1, 6) * Fraction(np.log2(6))
    written(tmp_path, chain)
    bits = read_prism(tmp_path / "x.tra", trew=tmp_path / "x.trew")
    assert bits.transition_rewards is not None
    assert float(bits.transition_rewards[1]) == pytest.approx(float(expected * 2), rel=1e-15)


def test_the_bits_average_to_the_entropy_rate(tmp_path: Path) -> None:
    """sum_i pi_i sum_j P_ij r_ij, of what was read back, is the entropy rate."""
    chain = Chain.from_edges(
        [0, 0, 0, 1, 1], [0, 1, 2, 0, 1], [1, 1, 0, 0, 1], [0.3, 0.2, 0.5, 0.9, 0.1]
    )
    export(chain, tmp_path / "x.tra")
    model = read_prism(tmp_path / "x.tra", trew=tmp_path / "x.trew", exact=False)
    edges = model.chain.edges()
    pi = fg.stationary_distribution(model.chain).pi
    rate = (pi[edges.source] * edges.probability * model.transition_rewards).sum()
    assert rate == pytest.approx(fg.entropy_rate(chain).bits_per_token, rel=1e-14)


@pytest.mark.parametrize(
    ("p", "bits"),
    [
        (Fraction(1, 8), 3.0),
        (1 - Fraction(1, 2**60), 2.0**-60 / np.log(2)),
        (Fraction(1, 10**400), 400 * np.log2(10)),
        (Fraction(1), 0.0),
    ],
)
def test_surprisal(p: Fraction, bits: float) -> None:
    """-log2 p; near one it is (1 - p) / ln 2."""
    (found,) = surprisal(np.array([p], dtype=object))
    assert found == pytest.approx(bits, rel=1e-14)
    assert np.copysign(1, found) == 1


STATES = {
    "names": (NamedStates(("x", "y")), {"s": [0, 1]}),
    "contexts": (
        SomeContexts(Vocabulary.of("ab"), np.array([[-1, 1], [0, 1]])),
        {"t1": [-1, 0], "t2": [1, 1]},
    ),
    "with end": (WithEnd(NamedStates(("x",)), (0,)), {"s": [0, -1], "end": [False, True]}),
    "pairs": (
        Pairs(NamedStates(("x", "y")), ("in", "out"), np.array([1, 0]), np.array([0, 1])),
        {"s": [1, 0], "beside": [0, 1]},
    ),
    "pairs of pairs": (
        Pairs(
            Pairs(NamedStates(("x",)), ("u", "v"), np.array([0, 0]), np.array([0, 1])),
            ("in", "out"),
            np.array([1, 1]),
            np.array([0, 1]),
        ),
        {"s": [0, 0], "beside": [1, 1], "beside2": [0, 1]},
    ),
}


@pytest.mark.parametrize("case", STATES)
def test_states_of_every_kind_have_variables(tmp_path: Path, case: str) -> None:
    states, columns = STATES[case]
    chain = Chain.from_edges([0, 1], [0, 0], [1, 0], ["1", "1"], states=states)
    head, *lines = written(tmp_path, chain)["sta"].splitlines()
    assert head == f"({','.join(columns)})"
    rows = zip(*columns.values(), strict=True)
    assert lines == [f"{i}:({','.join(str(v).lower() for v in row)})" for i, row in enumerate(rows)]
    model = read_prism(tmp_path / "x.tra", sta=tmp_path / "x.sta")
    assert model.chain.labels() == [line.partition(":")[2] for line in lines]


def test_an_unexplored_part_has_its_label(tmp_path: Path) -> None:
    states = SomeContexts(Vocabulary.of("ab"), np.array([[0], [-1]]))
    chain = Chain.from_edges([0, 1], [1, 0], [1, 1], [1, 1], vocabulary="ab", states=states)
    assert chain.unexplored == 1
    assert written(tmp_path, chain)["lab"] == ('0="init" 1="deadlock" 2="unexplored"\n0: 0\n1: 2\n')


# ---- there and back ----


@given(chain=chains())
@settings(max_examples=30)
def test_rationals_come_back_exactly(tmp_path_factory: Any, chain: Chain) -> None:
    folder = tmp_path_factory.mktemp("there-and-back")
    export(chain, folder / "x.tra", labels={"a": [0]})
    back = read_prism(folder / "x.tra", folder / "x.lab", folder / "x.sta").chain
    assert back.kind == "rational"
    assert (back.matrix() == chain.matrix()).all()


@given(chain=chains(floats=True))
@settings(max_examples=30)
def test_floats_come_back_to_the_last_bit(tmp_path_factory: Any, chain: Chain) -> None:
    folder = tmp_path_factory.mktemp("there-and-back")
    export(chain, folder / "x.tra")
    model = read_prism(folder / "x.tra", exact=False)
    raw = model.chain.raw_edges()
    P = np.zeros((chain.n_states, chain.n_states))
    P[raw.source, raw.target] = raw.probability
    assert P == pytest.approx(chain.matrix(), rel=2.0**-52)
    assert ((P == 0) == (chain.matrix() == 0)).all()


def test_float32_and_rows_that_miss_one_are_divided(tmp_path: Path) -> None:
    chain = Chain(np.array([[0.1, 0.9], [0.3, 0.7]], dtype=np.float32))
    export(chain, tmp_path / "x.tra")
    back = read_prism(tmp_path / "x.tra", exact=False).chain
    assert back.matrix() == pytest.approx(chain.matrix(), rel=1e-15)


# ---- PRISM's benchmark chains ----


@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmark_chains_exactly(name: str) -> None:
    """P=? [ F "target" ] of brp and crowds, against Storm's rationals."""
    expected = BENCHMARKS[name]
    model = read_prism(REFERENCE / f"{name}.tra", REFERENCE / f"{name}.lab")
    assert model.chain.n_states == expected["states"]
    assert model.chain.n_edges == expected["transitions"]
    assert model.initial == (expected["initial"],)
    found = fg.hitting(model.chain, list(model.labels["target"]))
    (start,) = model.initial
    exact = Fraction(expected["exact"])
    assert found.error_bound == 0
    assert found.probabilities[start] == exact
    assert float(exact) == expected["exact_float"]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmark_chains_in_floats(name: str) -> None:
    expected = BENCHMARKS[name]
    paths = REFERENCE / f"{name}.tra", REFERENCE / f"{name}.lab"
    model = read_prism(*paths, exact=False)
    answer = fg.hitting(model.chain, list(model.labels["target"]))
    found, exact = answer.probabilities[0], Fraction(expected["exact"])
    assert abs(Fraction(found) - exact) <= 1e-12 * exact
    assert answer.certified
    assert abs(Fraction(found) - exact) <= answer.error_bound
    assert found == pytest.approx(expected["published"], rel=1e-8)  # PRISM's own, from iteration


@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmark_chains_are_written_as_they_are(tmp_path: Path, name: str) -> None:
    model = read_prism(REFERENCE / f"{name}.tra", REFERENCE / f"{name}.lab")
    export(model.chain, tmp_path / "x.tra", labels={"target": model.labels["target"]})
    theirs = (REFERENCE / f"{name}.tra").read_text().splitlines()
    ours = (tmp_path / "x.tra").read_text().splitlines()
    as_numbers = [[Fraction(x) for x in line.split()] for line in theirs]
    assert [[Fraction(x) for x in line.split()] for line in ours] == as_numbers
    again = read_prism(tmp_path / "x.tra", tmp_path / "x.lab")
    assert again.labels == {**model.labels, "deadlock": ()}


# ---- what is refused on the way out ----


def coin() -> Chain:
    return Chain([[0.5, 0.5], [0.5, 0.5]], vocabulary="ab")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"labels": {"two words": "a"}}, "'two words' is no name of a label"),
        ({"labels": {"": "a"}}, "'' is no name of a label"),
        ({"labels": {"init": "a"}}, "label 'init' has its own meaning .* as start"),
        ({"labels": {"deadlock": "a"}}, "label 'deadlock' has its own meaning"),
        ({"start": []}, "start names no state"),
        ({"rewards": {}}, "0 reward structures"),
        ({"rewards": {"x": [1, 2], "y": [1, 2]}}, "2 reward structures"),
        ({"rewards": {"1": [1, 2]}}, "'1' is no name of a reward structure"),
        ({"rewards": {"x": [1, 2, 3]}}, r"shape \(3,\)\. Give one for each state, shape \(2,\)"),
        ({"rewards": {"x": [1.0, float("nan")]}}, "no finite number"),
        ({"rewards": {"x": ["a", "b"]}}, "no finite number"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        export(coin(), tmp_path / "x.tra", **options)
    assert list(tmp_path.iterdir()) == []


def test_other_things_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StateOutOfRange, match="no state 'c'"):
        export(coin(), tmp_path / "x.tra", labels={"x": "c"})
    with pytest.raises(InvalidArgument, match=r"x\.sta ends like one of the files"):
        export(coin(), tmp_path / "x.sta", format="prism")
    with pytest.raises(InvalidArgument, match="labels have a place in the files of PRISM alone"):
        export(coin(), tmp_path / "x.csv", labels={"x": "a"})
    ended = coin().with_stop("a")
    with pytest.raises(InvalidArgument, match="'end' has its own meaning"):
        export(ended, tmp_path / "x.tra", labels={"end": "b"})
    tiny = Fraction(1, 10**5000)
    with pytest.raises(InvalidChain, match="more than 4,000 digits"):
        export(Chain([[tiny, 1 - tiny], [1, 0]]), tmp_path / "x.tra")
    with pytest.raises(FileProblem, match="a device or a pipe"):
        export(coin(), "/dev/null", format="prism")
    assert list(tmp_path.iterdir()) == []


def test_a_rational_too_small_for_a_float_is_written_and_read(tmp_path: Path) -> None:
    tiny = Fraction(1, 10**400)
    export(Chain([[tiny, 1 - tiny], [1, 0]]), tmp_path / "x.tra")
    assert read_prism(tmp_path / "x.tra").chain.matrix()[0, 0] == tiny
    with pytest.raises(FileProblem, match=r"line 2, .* which is zero, .* exact=True"):
        read_prism(tmp_path / "x.tra", exact=False)


def test_the_files_are_beside_the_transitions() -> None:
    assert [str(path) for path in companions("a.b/model.v2")] == [
        "a.b/model.v2",
        *(f"a.b/model{ending}" for ending in (".sta", ".lab", ".srew", ".trew")),
    ]
