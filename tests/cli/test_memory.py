"""--max-memory: what would take more is refused before it is begun."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.cli import chains, console
from fsm_gpt.cutting import analysis_bytes
from fsm_gpt.io import load, save
from tests.families import hard_rows

READING = {
    "extract": [],
    "analyze": [],
    "report": [],
    "plot": [],
    "simulate": [],
    "compare": ["--text", "0110110"],
    "minimize": ["--max-states", "2"],
    "slow": [],
    "export": ["-o", "x.csv"],
}


@pytest.mark.parametrize("verb", READING)
def test_a_checkpoint(fsm_gpt, made: Path, verb: str) -> None:
    said = fsm_gpt(verb, str(made / "model"), *READING[verb], "--max-memory", "1e-9")
    assert (said.code, said.out) == (5, "")
    assert "8 states" in said.error
    assert "limit of 1e-09 GiB" in said.error
    assert "--truncate-to" in said.error
    assert "--max-memory" in said.error
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("verb", list(READING)[1:])
def test_a_chain_file_is_not_even_read(
    fsm_gpt, made: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fsm_gpt.io.read.load", lambda path: pytest.fail("it was read"))
    said = fsm_gpt(verb, str(made / "chain"), *READING[verb], "--max-memory", "1e-9")
    assert (said.code, said.out) == (5, "")
    size = (made / "chain").stat().st_size * chains.LOADING / 2**30
    assert f"reading it takes about {size:.1g} GiB, above the limit of 1e-09 GiB" in said.error
    assert "--max-memory" in said.error


@pytest.mark.parametrize("verb", ["analyze", "report", "compare", "minimize", "slow"])
def test_an_analysis_needs_more_than_its_chain(fsm_gpt, folder: Path, verb: str) -> None:
    rows = np.random.default_rng(0).dirichlet(np.ones(2), size=2**12)
    save(Chain(rows), folder / "c")
    between = (chains.LOADING * (folder / "c").stat().st_size + 1) / 2**30
    assert between < analysis_bytes(2**12, 2**13) / 2**30
    said = fsm_gpt(verb, "c", *READING[verb], "--max-memory", str(between))
    assert (said.code, said.out) == (5, "")
    assert "analysing 4,096 states and 8,192 transitions takes about 0.003 GiB" in said.error
    assert fsm_gpt("export", "c", "-o", "x.npz", "--max-memory", str(between)).code == 0


def test_what_fits_is_done(fsm_gpt, made: Path) -> None:
    for name in ("model", "chain", "rational"):
        assert fsm_gpt("analyze", str(made / name), "--max-memory", "0.01").code == 0


def test_long_work_gives_a_sign_of_life(
    fsm_gpt, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fsm_gpt("analyze", str(made / "chain")).err == ""
    monkeypatch.setattr(console, "QUIET_SECONDS", 0.001)
    said = fsm_gpt("analyze", str(made / "chain"))
    assert said.code == 0
    assert said.err.splitlines()[0] == "analysing: 0 s"
    assert "analysing" not in said.out


@pytest.mark.parametrize("verb", ["analyze", "report", "compare", "minimize"])
def test_a_long_solution_says_how_far_it_is(
    fsm_gpt, folder: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "QUIET_SECONDS", 0.001)
    save(Chain(hard_rows("sharp", 2, 12)), folder / "c")  # too slow for products alone
    more = {"compare": ["c"], "minimize": ["--pareto"]}
    said = fsm_gpt(verb, "c", *more.get(verb, []))
    assert said.code == 0
    assert re.search(
        r"^\w.*\(stationary distribution, cycle \d+, last change \de-\d\d\): \d+ s$",
        said.err,
        flags=re.MULTILINE,
    )


def test_narrower_floats(fsm_gpt, made: Path) -> None:
    """Half the memory, and the same chain to the precision of float32."""
    wide, narrow = (
        json.loads(fsm_gpt("analyze", str(made / "model"), "--dtype", dtype, "--json").out)
        for dtype in ("float64", "float32")
    )
    rates = [found["entropy_rate"]["bits_per_token"] for found in (wide, narrow)]
    assert rates[0] != rates[1]
    assert rates[0] == pytest.approx(rates[1], rel=1e-6)
    assert fsm_gpt("extract", str(made / "model"), "--dtype", "float32").code == 0
    assert load("chain.safetensors").dtype == np.float32
    said = fsm_gpt("extract", str(made / "model"), "--max-memory", "1e-9")
    assert "--dtype float32" in said.error
    assert "--top-k 40" in said.error
    said = fsm_gpt("analyze", "chain.safetensors", "--dtype", "float32")
    assert (said.code, "--dtype" in said.err) == (2, True)
