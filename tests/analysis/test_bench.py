"""The benchmark: its arithmetic, its processes, its targets, and a tiny run of every group.

Nothing here asserts how long anything takes.
"""

import json
import math
import os
import time
from collections.abc import Callable
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.bench import (
    GROUPS,
    __main__ as program,
    certificate,
    figures,
    machine,
    stationary,
    tables,
    tasks,
)
from analysis.bench.judging import Target, get, judge, of, worst
from analysis.bench.measure import Spread, alternating, held, peak, ratios
from analysis.bench.oracle import exact, extended
from analysis.bench.results import Found, Part, Point, Results, Row
from analysis.bench.targets import TARGETS
from analysis.bench.tasks import Task, alone, here
from analysis.families import HARD, hard_rows
from fsm_gpt.chain import Chain
from fsm_gpt.errors import FileProblem, NotDefined
from fsm_gpt.markov import entropy_rate, stationary_distribution
from fsm_gpt.report.style import save_figure

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tiny() -> Results:
    """Every group on the smallest chains, in this process."""
    return Results(parts={group: program.measure(group, "tiny", here) for group in GROUPS})


def part(*rows: Row, points: tuple[Point, ...] = ()) -> Part:
    return Part(date="2000-01-01", size="tiny", seconds=1.0, machine={}, rows=rows, points=points)


# ---- arithmetic ----


def test_times_and_ratios_are_those_of_the_clock() -> None:
    now = 0.0
    order: list[str] = []

    def lasting(name: str, seconds: list[float]) -> Callable[[], None]:
        steps = iter(seconds)

        def work() -> None:
            nonlocal now
            order.append(name)
            now += next(steps)

        return work

    works = {"a": lasting("a", [9, 2, 4, 6]), "b": lasting("b", [9, 1, 1, 2])}
    seconds = alternating(works, rounds=3, clock=lambda: now)
    assert seconds == {"a": [2, 4, 6], "b": [1, 1, 2]}  # the first run warms up
    assert "".join(order) == "ab" + "ab" + "ba" + "ab"
    assert ratios(seconds["a"], seconds["b"]) == Spread(median=3, low=2, high=4, runs=3)
    row = ratios(seconds["a"], seconds["b"]).row("x", unit="times")
    assert (row.value, row.low, row.high, row.runs) == (3, 2, 4, 3)


def test_bandwidth_counts_the_bytes_of_the_faster_loop() -> None:
    stream = machine.Stream(1000)
    assert stream.per_second({"triad": [1.0, 1.0], "copy": [1.0, 0.5]}) == [24_000, 32_000]
    stream.triad()
    assert (stream.a == 4).all()
    stream.copy()
    assert (stream.a == 1).all()


def test_memory_is_that_of_the_arrays() -> None:
    assert 8 * 10**6 <= held(lambda: np.zeros(10**6)) < 8.1 * 10**6
    assert held(lambda: np.zeros(10**6).sum()) < 10**6
    _, most = peak(lambda: np.ones(2**23).sum())
    if Path("/proc/self/clear_refs").exists():
        assert most.extra > 60 * 10**6
        assert peak(lambda: np.ones(2**10).sum())[1].extra < 30 * 10**6  # the high one is forgotten
    assert most.whole > most.extra


# ---- references ----


@pytest.mark.parametrize("name", HARD)
def test_both_references_agree(name: str) -> None:
    rows = hard_rows(name, 2, 4)
    edges = Chain(rows).raw_edges()
    P = [[Fraction(0)] * 16 for _ in range(16)]
    for i, _, j, p in zip(*(column.tolist() for column in edges), strict=True):
        P[i][j] += Fraction(p)
    P = [[p / sum(row) for p in row] for row in P]
    truth = exact(P)
    for j in range(16):
        assert sum(truth[i] * P[i][j] for i in range(16)) == truth[j]
    sums = np.array([math.fsum(row) for row in rows])
    x = extended(edges.source, edges.target, edges.probability / sums[edges.source], 16)
    for near, true in zip(x, truth, strict=True):
        assert abs(Fraction(*near.as_integer_ratio()) / true - 1) < Fraction(1, 10**13)


def test_a_bound_that_does_not_hold_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    (row,) = certificate.broken(30)
    assert isinstance(row, Row)
    assert row.value == 0
    monkeypatch.setattr(certificate, "certify", lambda *given: (1e-30, ""))
    (row,) = certificate.broken(30)
    assert isinstance(row, Row)
    assert row.value is not None
    assert 60 <= row.value <= 90


def test_the_entropy_rate_without_proof_is_the_proven_one(tiny: Results) -> None:
    error = tiny.rows["entropy/error"].value
    assert error is not None
    assert error < 1e-10
    bound = entropy_rate(Chain(hard_rows("random", 2, 9))).error_bound
    assert tiny.rows["entropy/bound"].value == bound


# ---- processes ----


def some_rows(n: int) -> list[Found]:
    point = Point(peer="a", family="b", n_states=n, seconds=None)
    return [Row(key="threads", value=float(os.environ["NUMBA_NUM_THREADS"])), point]


def hangs() -> list[Found]:
    tasks.stop_after(1000)  # which must not end it before its own time
    time.sleep(1000)
    return []


def works_too_long() -> list[Found]:
    tasks.stop_after(0.01)
    while True:
        pass


def refuses() -> list[Found]:
    raise NotDefined("there is no answer.")


def breaks() -> list[Found]:
    raise ZeroDivisionError("by nothing")


def too_large() -> list[Found]:
    return [Row(key="x", value=float(np.ones(2**50).sum()))]


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a fresh process import the functions above, however pytest has named this file."""
    for function in (some_rows, hangs, works_too_long, refuses, breaks, too_large):
        monkeypatch.setattr(function, "__module__", "tests.analysis.test_bench")


@pytest.mark.usefixtures("importable")
def test_a_task_runs_in_a_process_of_its_own() -> None:
    found = alone(Task("x", some_rows, {"n": 7}, threads=2))
    point = Point(peer="a", family="b", n_states=7, seconds=None)
    assert found == [Row(key="threads", value=2.0), point]


@pytest.mark.usefixtures("importable")
@pytest.mark.parametrize(
    ("function", "limit", "why"),
    [
        (hangs, 0.5, "over 0.5 s"),
        (works_too_long, 60, "over its time"),
        (refuses, 60, "there is no answer."),
        (breaks, 60, "ZeroDivisionError: by nothing"),
        (too_large, 60, "85% of the machine's memory"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_task_that_fails_says_why(function: Any, limit: float, why: str) -> None:
    (row,) = alone(Task("some/key", function, limit=limit))
    assert isinstance(row, Row)
    assert (row.key, row.value) == ("some/key", None)
    assert row.note.endswith(why)


def test_a_limit_is_for_processes_of_one_task() -> None:
    tasks.stop_after(1e-6)
    time.sleep(0.01)
    (row,) = here(Task("key", refuses))
    assert isinstance(row, Row)
    assert row.note == "there is no answer."


@pytest.mark.parametrize("group", ["structure", "entropy", "hitting", "peers"])
def test_an_absent_peer_is_left_out_with_a_sentence(
    group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> Any:
        if name.split(".")[0] in ("stormpy", "quantecon"):
            raise ImportError(name)
        return import_module(name)

    monkeypatch.setattr(tasks, "import_module", absent)
    found = program.measure(group, "tiny", here)
    said = [row.note for row in found.rows] + [point.problem for point in found.points]
    assert any("is not installed, so it was not measured. Install" in note for note in said)
    there = [row for row in found.rows if row.value is not None]
    assert there or any(point.seconds is not None for point in found.points)


# ---- what is found ----


def test_every_group_measures_something(tiny: Results) -> None:
    assert tuple(tiny.parts) == GROUPS
    keys = [row.key for found in tiny.parts.values() for row in found.rows]
    assert len(keys) == len(set(keys))
    for group, found in tiny.parts.items():
        assert found.rows
        assert all(row.key.split("/")[0] == group for row in found.rows)
        assert {row.key for row in found.rows if row.value is None and not row.note} == set()
    absent = ("stormpy", "quantecon", "numpy's long double", "pydtmc", "deeptime", "emic")
    strange = [r for r in tiny.rows.values() if r.value is None and not r.note.startswith(absent)]
    # A chain with three closed classes has no answer that is a number.
    assert [row.key for row in strange if not row.key.startswith("small/three classes/")] == []


def test_answers_are_right_where_they_are_held_against_a_reference(tiny: Results) -> None:
    for key, row in tiny.rows.items():
        if row.value is None:
            continue
        if key.startswith("stationary/entries/") and key.endswith("/error"):
            bound = get(tiny.rows, key.replace("/error", "/bound")).value
            assert bound is not None
            assert row.value <= bound < 1e-10
        if key.endswith("/residual"):
            assert row.value < 1e-12
        if key == "extraction/16/difference":
            assert row.value < 1e-5
    ours = [point for point in tiny.points if point.peer == "fsm_gpt"]
    for point in ours:
        chain = Chain(hard_rows(point.family, 2, point.n_states.bit_length() - 1))
        assert point.error == stationary_distribution(chain, accuracy=1e-10).error_bound
    for point in tiny.points:
        assert point.error is None or point.error < 1e-5  # random rows: every method serves


def test_a_method_that_was_too_slow_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def call(task: Task) -> list[Found]:
        if "peer" not in task.arguments:
            return here(task)
        asked.append((task.arguments["peer"], task.arguments["bits"]))
        slow = task.arguments["peer"] == "ARPACK"
        return task.failed("over its time") if slow else here(task)

    found = program.measure("peers", "tiny", call)
    (stopped,) = [point for point in found.points if point.peer == "ARPACK"]
    assert (stopped.seconds, stopped.problem) == (None, "over 60 s")
    assert [bits for peer, bits in asked if peer == "ARPACK"] == [6]
    assert [bits for peer, bits in asked if peer == "sparse LU"] == [6, 8]


def test_results_survive_their_file(tiny: Results, tmp_path: Path) -> None:
    path = tiny.save(tmp_path / "bench.json")
    document = json.loads(path.read_text())
    assert set(document) == {"schema", "command", "groups"}
    assert set(document["groups"]) == set(GROUPS)
    for found in document["groups"].values():
        assert set(found) == {"date", "size", "seconds", "machine", "rows", "points"}
        assert {"processor", "cores", "memory_gib", "python", "versions"} <= set(found["machine"])
    assert Results.load(path) == Results(
        parts={
            name: Part(**{**vars(found), "machine": dict(found.machine)})
            for name, found in tiny.parts.items()
        }
    )
    assert Results.load(tmp_path / "nothing.json") == Results()


def test_a_group_measured_anew_leaves_the_others(tmp_path: Path) -> None:
    both = Results(parts={"a": part(Row(key="a/x", value=1)), "b": part(Row(key="b/x", value=2))})
    new = both.with_part("b", part(Row(key="b/y", value=math.inf)))
    assert list(new.rows) == ["a/x", "b/y"]
    again = Results.load(new.save(tmp_path / "bench.json"))
    assert again.rows["b/y"].value is None  # JSON has no infinity
    assert again.rows["a/x"] == both.rows["a/x"]


@pytest.mark.parametrize("text", ["{}", "[]", '{"schema": 99, "groups": {}}', "no json"])
def test_another_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_text(text)
    with pytest.raises(FileProblem, match=r"is not a bench\.json of this version"):
        Results.load(path)


# ---- targets ----


class _Asked(dict[str, Row]):
    """Remembers which keys were looked for."""

    def __init__(self, rows: dict[str, Row]) -> None:
        super().__init__(rows)
        self.keys_asked: set[str] = set()

    def __contains__(self, key: object) -> bool:
        self.keys_asked.add(str(key))
        return super().__contains__(key)


def planned() -> dict[str, Row]:
    """The keys of every task of a full run, none of which is run."""
    found: list[Found] = []
    for group in GROUPS:
        found += import_module(f"analysis.bench.{group}").run(lambda t: t.failed("skipped"), "full")
    return {row.key: row for row in found if isinstance(row, Row)}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.what}, {target.at}")
def test_a_full_run_measures_every_target(target: Target, tiny: Results) -> None:
    rows = _Asked(planned())
    judged = judge(target, rows)
    assert judged.reached is None
    assert judged.row.note == "skipped"
    kinds = {(key.split("/")[0], key.split("/")[-1]) for key in tiny.rows}
    for key in rows.keys_asked - planned().keys():
        if not key.startswith("entropy/storm"):
            assert (key.split("/")[0], key.split("/")[-1]) in kinds


def test_a_quick_run_decides_nothing(tiny: Results) -> None:
    assert {judge(target, tiny.rows).reached for target in TARGETS} == {None}
    words = tables.reached_in_words(tiny)
    assert words.startswith(f"0 of {len(TARGETS)} targets were reached, 0 were not, and ")


@pytest.mark.parametrize(
    ("sense", "value", "reached"),
    [
        ("at least", 2.5, True),
        ("at least", 2.49, False),
        ("at most", 2.5, True),
        ("at most", 2.51, False),
        ("at most", None, None),
    ],
)
def test_a_target_is_reached_or_not(sense: Any, value: float | None, reached: bool | None) -> None:
    target = Target("it", of("x"), sense, 2.5, "s", "2^20 states")
    row = Row(key="x", value=value, at="2^20 states, random", unit="s")
    assert judge(target, {"x": row}).reached is reached
    elsewhere = Row(key="x", value=value, at="2^18 states")
    assert judge(target, {"x": elsewhere}).reached is None


def test_the_worst_of_several_decides() -> None:
    rows = {f"a/{n}/s": Row(key=f"a/{n}/s", value=v) for n, v in (("sharp", 3.0), ("sticky", 1.0))}
    assert worst(rows, "at most")(rows).value == 3
    assert worst(rows, "at most")(rows).note == "the worst of 2: sharp"
    assert worst(rows, "at least")(rows).value == 1
    missing = {**rows, "a/random": Row(key="a/random", value=None, note="over 5 s")}
    found = worst([*rows, "a/random/s"], "at most")(missing)
    assert (found.value, found.note) == (None, "over 5 s (random)")
    assert worst([*rows, "b/random/s"], "at most")(rows).note == "not measured (random)"


def watched(*residuals: float) -> stationary._Watch:
    """A watch that saw one class, products first."""
    watch = stationary._Watch()
    for count, residual in enumerate(residuals):
        watch(count, 1.0, residual)
    return watch


def test_cycles_are_counted_to_the_residual() -> None:
    assert watched(1e-3, 1e-8, 1e-13, 1e-15).reached()[0] == 2
    assert watched(1e-3, 1e-8).reached() is None


def test_products_count_only_where_they_were_enough() -> None:
    assert watched(1e-16).reached()[0] == 0
    assert watched(1e-16, 1e-3, 1e-14).reached()[0] == 2


def test_the_slowest_class_counts() -> None:
    watch = watched(1e-3, 1e-13)
    for count, residual in enumerate((1e-2, 1e-4, 1e-6, 1e-13)):
        watch(count, 1.0, residual)
    assert (watch.reached()[0], watch.cycles) == (3, 3)


# ---- what a person sees ----


def test_tables_show_what_was_measured(tiny: Results) -> None:
    every = tables.targets(tiny)
    assert len(every.rows) == len(TARGETS)
    assert set(every.column("reached")) == {None}
    assert len(tables.kernels(tiny).rows) == 4 * (len({1, machine.cores()}) + 1)
    assert set(tables.families(tiny).column("family")) == {"random", "sharp", "period 4"}
    assert tables.comparisons(tiny).rows
    assert {"fsm_gpt", "sparse LU", "ARPACK"} <= set(tables.peers(tiny).column("method"))
    assert "Python" in tables.machine_in_words(tiny)
    for table in (every, tables.peers(tiny), tables.faster(tiny)):
        assert str(table)


def test_nothing_measured_is_shown_as_such() -> None:
    nothing = Results()
    assert set(tables.targets(nothing).column("note")) == {"not measured"}
    for table in (tables.kernels, tables.families, tables.comparisons, tables.peers, tables.faster):
        assert list(table(nothing).rows) == []
    assert tables.machine_in_words(nothing) == "Nothing has been measured yet."


def test_the_faster_method_must_be_right() -> None:
    common: dict[str, Any] = {"family": "random", "n_states": 1024}
    points = (
        Point(peer="fsm_gpt", seconds=1.0, error=1e-9, **common),
        Point(peer="wrong", seconds=0.1, error=1e-3, **common),
        Point(peer="right", seconds=0.5, error=1e-7, **common),
        Point(peer="slow", seconds=2.0, error=1e-15, **common),
    )
    (row,) = tables.faster(Results(parts={"peers": part(points=points)})).rows
    assert row == ["random", "2^10 states", "1 s", "0.5 s", "right", "2 times"]


def test_figures_draw_every_method(tiny: Results, tmp_path: Path) -> None:
    drawn = figures.sheet(tiny).figure()
    assert len(drawn.axes) == 3
    lines = {line.get_label() for line in drawn.axes[0].get_lines()}
    assert lines == {point.peer for point in tiny.points if point.seconds is not None}
    save_figure(drawn, tmp_path / "bench.svg")
    for quantity in figures.QUANTITIES:
        assert figures.picture(tiny, quantity).figure().axes
        assert figures.picture(Results(), quantity).figure().axes


def test_the_command_writes_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "alone", here)
    typed = ["--quick", "--only", "certificate", "--output", str(tmp_path / "here")]
    with pytest.raises(SystemExit) as ended:
        program.main(typed)
    assert ended.value.code == 0
    said = capsys.readouterr()
    assert "Numbers to reach" in said.out
    assert "certificate/broken" in said.err
    found = Results.load(tmp_path / "here" / "bench.json")
    assert list(found.parts) == ["certificate"]
    assert found.parts["certificate"].size == "quick"


def test_the_command_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(["--only", "speed"])
    assert ended.value.code == 2
    assert "speed" in capsys.readouterr().err


def test_the_makefile_and_the_page_know_it() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "\nbench: $(READY_BENCH) ## " in makefile
    page = (ROOT / "docs" / "concepts" / "large-chains.md").read_text(encoding="utf-8")
    assert "make bench\n" in page
    assert "GB/s" not in page, "a measured number is typed by hand"
