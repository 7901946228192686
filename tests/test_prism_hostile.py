"""Files that a stranger may have written: each is read as PRISM's, or refused in a paragraph."""

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from fsm_gpt.errors import FileProblem
from fsm_gpt.io import prism_lines, read_prism
from tests.prism import BENCHMARKS, ENDINGS, REFERENCE, TRA, TREW, WHOLE, put, whole

HOSTILE = {
    "nothing": ("tra", "", "it holds no line"),
    "comments alone": ("tra", "# Transitions\n\n", "it holds no line"),
    "bytes": ("tra", b"2 2\n0 1 1\n1 0 \xff\n", "line 3 has the byte 0xff, which is no ASCII"),
    "a pickle": ("tra", b"\x80\x04\x95", "line 1 has the byte 0x80"),
    "null bytes": ("tra", b"2 2\n0 1 1\0\n1 0 1\n", r"line 2, .* has '1\\x00' where a number"),
    "another header": ("tra", "STATES 2\nTRANSITIONS 2\n", "line 1, 'STATES 2', is not the first"),
    "Storm's own": ("tra", "dtmc\n0 0 1\n", "Storm's own files begin so"),
    "one number": ("tra", "2\n0 1 1\n1 0 1\n", "line 1, '2', is not the first line"),
    "negative": ("tra", "-2 2\n0 1 1\n1 0 1\n", "line 1, '-2 2', is not the first line"),
    "no states": ("tra", "0 0\n", "promises 0 states and 0 transitions"),
    "MDP": ("tra", "2 2 2\n0 0 1 1\n1 0 0 1\n", r"line 1, .* a decision process \(MDP\)"),
    "POMDP": ("tra", "2 2 2 2\n0 0 1 1 0\n1 0 0 1 1\n", r"partially observed process \(POMDP\)"),
    "MDP inside": ("tra", "2 2\n0 0 1 1\n1 0 0 1\n", "line 2, .* An MDP has lines of that length"),
    "kind in the header": ("tra", "# Transitions (CTMC)\n1 1\n0 0 1\n", "of kind 'CTMC'"),
    "rates": ("tra", "2 2\n0 1 1\n1 0 200\n", r"line 3, .* 200, which is above one: a rate.*CTMC"),
    "small rates": ("tra", "2 2\n0 1 0.5\n1 0 0.25\n", "line 2, .* state 0, which sums to 0.5"),
    "rows": ("tra", "2 3\n0 0.5:0 0.5:1\n1 1:0\n1 1:1\n", "line 2, .* transitions of a whole row"),
    "intervals": ("tra", "1 1\n0 0 [0.9,1]\n", r"line 2, .* It looks like an interval"),
    "a row short of one": ("tra", "2 3\n0 0 1/3\n0 1 1/3\n1 0 1\n", "line 2, .*row of state 0, "),
    "rounded": (
        "tra",
        "2 3\n0 0 0.3333333333333333\n0 1 0.6666666666666666\n1 0 1\n",
        "exactly 1 is needed. If its numbers are rounded, read them as floats with exact=False",
    ),
    "a hole": (
        "tra",
        "3 3\n0 2 1\n2 0 1/2\n2 2 1/2\n",
        "no transition leaves the state 1, one of 3",
    ),
    "more states than lines": ("tra", "9 1\n0 0 1\n", "promises 9 states and 1 transitions"),
    "a huge count": ("tra", "999999999999999 1\n0 0 1\n", "promises 999,999,999,999,999 states"),
    "huge counts": (
        "tra",
        "9" * 18 + " " + "9" * 18 + "\n0 0 1\n",
        "promises 999,999,999,999,999,999 transitions, and 1 lines follow",
    ),
    "a count without end": ("tra", "9" * 99 + " 1\n0 0 1\n", r"line 1, .* where a count is due"),
    "out of range": ("tra", "2 2\n0 2 1\n1 0 1\n", "line 2, '0 2 1', names a state 2, and there"),
    "a state below zero": ("tra", "2 2\n0 -1 1\n1 0 1\n", r"line 2, .* has '-1' where a state is"),
    "a state that is no number": (
        "tra",
        "2 2\n0 x 1\n1 0 1\n",
        r"line 2, .* has 'x' where a state",
    ),
    "twice": ("tra", "1 2\n0 0 1/2\n0 0 1/2\n", "line 3, .* second transition .* line 2 has the"),
    "below zero": ("tra", "1 2\n0 0 -1\n0 0 1\n", "line 2, .* probability -1, which is below zero"),
    "zero": ("tra", "2 3\n0 0 0\n0 1 1\n1 0 1\n", "line 2, .* the probability 0, which is zero"),
    "no number": ("tra", "1 1\n0 0 nan\n", "line 2, .* has 'nan' where a number such as"),
    "code": ("tra", "1 1\n0 0 __import__('os')\n", "line 2, .* where a number such as"),
    "division by zero": ("tra", "1 1\n0 0 1/0\n", "line 2, .* has '1/0', a division by zero"),
    "a huge exponent": ("tra", "1 1\n0 0 1e999999999\n", "line 2, .* exponent is beyond 1,000"),
    "a long number": ("tra", f"1 1\n0 0 0.{'3' * 5000}\n", "line 2, .* more than 4,000 digits"),
    "a long rational": ("tra", f"1 1\n0 0 1/{'3' * 5000}\n", "line 2, .* more than 4,000 digits"),
    "too much on a line": ("tra", "1 1\n0 0 1 a b\n", "line 2, .* is not a transition"),
    "no label": ("lab", "0: 0\n", "line 1, '0: 0', is not the first line of a file of labels"),
    "labels out of order": ("lab", '1="init"\n', "line 1, .* is not the first line"),
    "a label that is no name": ("lab", '0="in it"\n', "line 1, .* letters, digits and underscores"),
    "a label twice": ("lab", '0="a" 1="a"\n', "line 1, .* has the label 'a' twice"),
    "a label that is not there": ("lab", '0="a"\n0: 1\n', "line 2, .* names a label 1, and there"),
    "a label of nothing": ("lab", '0="a"\n9: 0\n', "line 2, .* names a state 9, and there are 6"),
    "a state again": ("lab", '0="a"\n1: 0\n1: 0\n', "line 3, .* state 1 again, after line 2"),
    "no colon": ("lab", '0="a"\n1 0\n', "line 2, '1 0', is no list of labels"),
    "nothing after the colon": ("lab", '0="a"\n1:\n', "line 2, '1:', is no list of labels"),
    "no variables": ("sta", "0:(1)\n", "line 1, .* is not the first line of a file of states"),
    "too few states": ("sta", "(x)\n0:(1)\n", "line 1, .* 1 lines after it, and the chain has 6"),
    "a state without values": (
        "sta",
        "(x)\n" + "".join(f"{i}:({i})\n" for i in range(5)) + "5:\n",
        "line 7, '5:', is no state",
    ),
    "values of another length": (
        "sta",
        "(x,y)\n" + "".join(f"{i}:({i})\n" for i in range(6)),
        "line 2, .* is no state: its number, a colon, and 2 whole numbers",
    ),
    "words as values": (
        "sta",
        "(x)\n" + "".join(f"{i}:(a{i})\n" for i in range(6)),
        "line 2, .* is no state",
    ),
    "the same values": (
        "sta",
        "(x)\n" + "".join(f"{i}:({i // 2})\n" for i in range(6)),
        "line 3, .* has the values of line 2",
    ),
    "a second line of a state": (
        "sta",
        "(x)\n" + "".join(f"{i % 5}:({i})\n" for i in range(6)),
        "line 7, .* second line of the state 0",
    ),
    "rewards of another chain": ("srew", "5 0\n", "line 1, .* in a chain of 5 states"),
    "too few rewards": ("srew", "6 2\n0 1\n", "line 1, .* promises 2 rewards"),
    "no head of rewards": ("srew", "0 1 1\n", "line 1, .* is not the first line of a file of rew"),
    "a reward too many": ("srew", "6 1\n0 1 1\n", "line 2, .* is no reward of a state"),
    "a reward twice": (
        "srew",
        "6 2\n0 1\n0 1\n",
        "line 3, .* second reward of the state 0; line 2",
    ),
    "an infinite reward": ("srew", "6 1\n0 inf\n", "line 2, .* has 'inf' where a number"),
    "a reward of nothing": ("trew", "6 1\n0 0 1\n", "line 2, .* a transition that the chain does"),
    "another name": (
        "trew",
        TREW.replace('"r"', '"q"'),
        r"x\.trew: its rewards are called 'q' and those of states 'r'",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("exact", [True, False])
def test_hostile_files(tmp_path: Path, case: str, exact: bool) -> None:
    ending, text, words = HOSTILE[case]
    if case == "rounded" and not exact:
        pytest.skip("as floats these rows do sum to one")
    paths = {**whole(tmp_path), **put(tmp_path, **{ending: text})}
    if ending == "tra":
        paths = {"tra": paths["tra"]}
    with pytest.raises(FileProblem, match=words) as refused:
        read_prism(**paths, exact=exact)
    said = str(refused.value)
    assert said.startswith(f"{paths[ending]}: ")
    assert "\n" not in said
    assert said.endswith(".")
    assert len(said) < 500 + len(str(paths[ending]))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.5", Fraction(1, 2)),  # the four of the manual
        (".5", Fraction(1, 2)),
        ("5.6e-6", Fraction(56, 10**7)),
        ("1", Fraction(1)),
        ("1/3", Fraction(1, 3)),
        ("5.", Fraction(5)),
        ("1E+2", Fraction(100)),
        ("-1/3", Fraction(-1, 3)),
        ("-.25", Fraction(-1, 4)),
    ],
)
def test_numbers(tmp_path: Path, text: str, number: Fraction) -> None:
    """Of rewards, which may have any size and sign."""
    paths = put(tmp_path, tra="1 1\n0 0 1\n", srew=f"1 1\n0 {text}\n")
    exact = read_prism(**paths).state_rewards
    floats = read_prism(**paths, exact=False).state_rewards
    assert exact is not None
    assert floats is not None
    assert (exact.tolist(), floats.tolist()) == ([number], [float(number)])


@pytest.mark.parametrize("text", ["1e999", "9" * 999 + "/1"])
def test_a_number_beyond_the_floats(tmp_path: Path, text: str) -> None:
    paths = put(tmp_path, tra="1 1\n0 0 1\n", srew=f"1 1\n0 {text}\n")
    assert read_prism(**paths).state_rewards is not None
    with pytest.raises(
        FileProblem, match=r"line 2, .* beyond the floats\. Read it with exact=True"
    ):
        read_prism(**paths, exact=False)


def test_files_that_are_not_there_or_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileProblem, match="there is no such file"):
        read_prism(tmp_path / "none.tra")
    with pytest.raises(FileProblem, match="it is a folder"):
        read_prism(tmp_path)
    monkeypatch.setattr(prism_lines, "LARGEST", 10)
    with pytest.raises(FileProblem, match="the limit here is 10"):
        read_prism(put(tmp_path, tra=TRA)["tra"])


def test_counts_take_no_memory_before_they_are_seen_to_hold(tmp_path: Path) -> None:
    """A terabyte would be needed for what this file declares."""
    import tracemalloc

    path = put(tmp_path, tra="999999999999 999999999999\n0 0 1\n")["tra"]
    tracemalloc.start()
    with pytest.raises(FileProblem):
        read_prism(path)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


def test_rows_can_be_divided_by_their_sums(tmp_path: Path) -> None:
    path = put(tmp_path, tra="2 3\n0 0 0.3\n0 1 0.6\n1 0 1\n")["tra"]
    assert read_prism(path, normalize=True).chain.matrix()[0, 0] == Fraction(1, 3)
    floats = read_prism(path, normalize=True, exact=False).chain.matrix()
    assert floats[0, 0] == pytest.approx(1 / 3)


def test_a_row_that_cannot_be_divided_by_its_sum(tmp_path: Path) -> None:
    """Half of the smallest float is no float."""
    text = "3 5\n0 0 1\n0 1 1\n0 2 5e-324\n1 0 1\n2 0 1\n"
    path = put(tmp_path, tra=text)["tra"]
    with pytest.raises(FileProblem, match=r"x\.tra: it holds no chain that can be used.*underflow"):
        read_prism(path, exact=False, normalize=True)
    assert read_prism(path, normalize=True).chain.matrix()[0, 2] > 0


@pytest.mark.parametrize("ending", sorted(WHOLE))
def test_truncation_at_every_byte_is_noticed(tmp_path: Path, ending: str) -> None:
    """All but labels that were cut off between two lines: then some are missing."""
    paths, text = whole(tmp_path), WHOLE[ending]
    option = ending.removeprefix(".")
    every = read_prism(**paths).labels
    for end in range(len(text)):
        paths[option].write_text(text[:end])
        if ending == ".lab" and text[:end].count("\n") and text[:end].endswith("\n"):
            fewer = read_prism(**paths).labels
            assert all(set(fewer[name]) <= set(every[name]) for name in every)
            assert fewer != every
            continue
        with pytest.raises(FileProblem, match=re.escape(str(paths[option]))):
            read_prism(**paths)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_truncation_at_every_tenth_of_a_benchmark(tmp_path: Path, name: str) -> None:
    text = (REFERENCE / f"{name}.tra").read_bytes()
    for tenth in range(10):
        path = put(tmp_path, tra=text[: len(text) * tenth // 10])["tra"]
        with pytest.raises(FileProblem):
            read_prism(path)


@given(
    ending=st.sampled_from(ENDINGS),
    lines=st.lists(
        st.one_of(
            st.text(alphabet='0123 ./:()"=#e-ab', max_size=12),
            st.sampled_from([line for text in WHOLE.values() for line in text.splitlines()]),
        ),
        max_size=12,
    ),
)
def test_whatever_is_written_there_is_read_or_refused(
    tmp_path_factory: Any, ending: str, lines: list[str]
) -> None:
    """In no case anything but a chain or one paragraph."""
    folder = tmp_path_factory.mktemp("any")
    paths = {"tra": put(folder, tra=TRA)["tra"], **put(folder, **{ending: "\n".join([*lines, ""])})}
    said = ""
    try:
        assert read_prism(**paths).chain.n_states > 0
    except FileProblem as refused:
        said = str(refused)
    assert "\n" not in said
