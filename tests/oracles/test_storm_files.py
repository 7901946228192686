"""What is exported in PRISM's format is the chain that Storm had, and Storm can read it."""

import math
import re
from fractions import Fraction
from pathlib import Path

import numpy as np

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from tests.oracles.machines import machines
from tests.storm import ask, storm, storm_model, storm_of


def as_the_manual_says(folder: Path) -> tuple[int, dict[tuple[int, int], Fraction], dict]:
    """States, matrix and labels of PRISM's files, read by a few lines that share nothing."""
    head, *lines = (folder / "x.tra").read_text().splitlines()
    N, M = map(int, head.split())
    entries = {}
    for line in lines:
        i, j, p = line.split()
        entries[int(i), int(j)] = Fraction(p)
    assert len(entries) == M
    head, *lines = (folder / "x.lab").read_text().splitlines()
    names = [name for _, name in re.findall(r'(\d+)="(\w+)"', head)]
    labels = {name: [] for name in names}
    for line in lines:
        state, _, numbers = line.partition(":")
        for number in numbers.split():
            labels[names[int(number)]].append(int(state))
    return N, entries, labels


def test_what_is_exported_is_the_chain_that_storm_had(tmp_path: Path) -> None:
    for machine in machines(60, seed=6):
        model = storm_model(machine.chain, machine.labels)
        fg.export(machine.chain, tmp_path / "x.tra", labels=machine.labels)
        N, entries, labels = as_the_manual_says(tmp_path)
        assert labels.pop("init") == [0]
        again = storm_of(N, entries, labels, exact=True)
        for question in ('P=? [F "a"]', 'P=? ["a" U "b"]', 'LRA=? ["b"]'):
            assert list(map(str, ask(again, question))) == list(map(str, ask(model, question)))


def test_storm_reads_the_files_itself(tmp_path: Path) -> None:
    """Its reader takes decimals, a first line of its own, and labels in another form."""
    stormpy = storm()
    for machine in machines(20, seed=7):
        fg.export(machine.floats, tmp_path / "x.tra", labels=machine.labels)
        _, entries, labels = as_the_manual_says(tmp_path)
        lines = (tmp_path / "x.tra").read_text().splitlines()[1:]
        (tmp_path / "storm.tra").write_text("\n".join(["dtmc", *lines, ""]))
        of_state = {state: [] for states in labels.values() for state in states}
        for name, states in labels.items():
            for state in states:
                of_state[state].append(name)
        marks = [f"{state} {' '.join(of_state[state])}" for state in sorted(of_state)]
        said = ["#DECLARATION", " ".join(labels), "#END", *marks, ""]
        (tmp_path / "storm.lab").write_text("\n".join(said))
        # Where all is certain nothing is paid, and Storm opens no empty file.
        rewards = (tmp_path / "x.trew").read_text().splitlines()[3:]
        (tmp_path / "storm.trew").write_text("\n".join([*rewards, ""]))
        read = stormpy.build_model_from_explicit(
            tmp_path / "storm.tra",
            tmp_path / "storm.lab",
            transition_rewards=(tmp_path / "storm.trew") if rewards else None,
        )
        assert (read.nr_states, read.nr_transitions) == (machine.chain.n_states, len(entries))
        found = fg.hitting(machine.floats, np.flatnonzero(machine.a)).probabilities
        # In floats Storm iterates, by default to a relative 1e-6.
        assert np.allclose(ask(read, 'P=? [F "a"]'), found, rtol=1e-5, atol=0)
        if rewards:
            bits = bits_of(machine.floats, 3)
            assert np.allclose(ask(read, "R=? [C<=3]"), bits, rtol=1e-12, atol=1e-15)


def bits_of(chain: Chain, n: int):
    """Expected surprisal of n tokens from each state: the entropies of the rows on the way."""
    entropy = [-sum(p * math.log2(p) for p in row if p) for row in chain.next_token]
    return [
        sum(fg.distribution_after(chain, t, start=s).probabilities @ entropy for t in range(n))
        for s in range(chain.n_states)
    ]
