"""Nothing grows in a process that goes on and on, and readers do not disturb each other.

``make soak`` does a hundred rounds; see tests/soak.py.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import fsm_gpt as fg
from tests import soak


def test_a_short_soak() -> None:
    """So few rounds see large leaks alone: megabytes a round, or some hundred kB of Python."""
    found = soak.soak(6, warm=5)
    assert not found.growing(process=4000.0, python=300.0), str(found)


def test_a_leak_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bytes] = []
    monkeypatch.setattr(soak, "one_round", lambda *_: kept.append(b"x" * 2**23))
    assert len(soak.soak(8, warm=2).growing(process=4000.0, python=300.0)) == 2


def test_a_figure_that_is_left_open_would_be_seen() -> None:
    assert soak.Soak([1.0] * 4, [1.0] * 4, figures=2).growing() == ["2 figures are left open"]


READ = """
import sys, hashlib
import fsm_gpt as fg
for _ in range(3):
    chain = fg.load(sys.argv[1])
    pi = fg.stationary_distribution(chain).pi
    print(hashlib.sha256(chain.next_token.tobytes() + pi.tobytes()).hexdigest(), flush=True)
"""


def answer(path: Path) -> str:
    chain = fg.load(path)
    pi = fg.stationary_distribution(chain).pi
    return hashlib.sha256(chain.next_token.tobytes() + pi.tobytes()).hexdigest()


@pytest.mark.parametrize("name", ["x.safetensors", "x.zarr"])
def test_many_read_one_chain(tmp_path: Path, name: str) -> None:
    """Threads and processes at the same time: each gets the same bytes and the same answer."""
    rows = np.random.default_rng(0).dirichlet(np.ones(3), 3**6)
    fg.save(fg.Chain(rows, context=6, normalize=True), tmp_path / name)
    right = answer(tmp_path / name)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    others = [
        subprocess.Popen(
            [sys.executable, "-c", READ, str(tmp_path / name)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(answer, [tmp_path / name] * 40))
    for other in others:
        out, _ = other.communicate(timeout=120)
        assert other.returncode == 0
        found |= set(out.split())
    assert found == {right}
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
