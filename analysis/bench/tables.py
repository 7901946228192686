"""The results as tables: what a terminal prints, and what the page on large chains shows."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.bench.chains import in_words
from analysis.bench.judging import Judged, get, judge
from analysis.bench.numbers import number, spread
from analysis.bench.results import Point, Results
from analysis.bench.targets import TARGETS
from analysis.families import HARD, TRAINED, ZEROS
from analysis.study import Cell, Table

__all__ = [
    "comparisons",
    "families",
    "faster",
    "kernels",
    "machine_in_words",
    "peers",
    "reached_in_words",
    "targets",
]

#: A reason of so many letters can stand in a number's place.
_SHORT = 16
#: The relative error of an answer that is of use.
SIX_DIGITS = 1e-6


def _goal(judged: Judged) -> str:
    target = judged.target
    unit = "share" if judged.row.unit == "share" else target.unit
    sign = "≥" if target.sense == "at least" else "≤"
    return f"{sign} {number(target.goal, unit)}"


def targets(results: Results, *, notes: bool = True) -> Table:
    """Every number to reach, what was measured, and whether it was reached.

    Without notes, what was measured on another chain is left out too.
    """
    judged = [judge(target, results.rows) for target in TARGETS]
    words = {True: "yes", False: "no", None: None}
    rows: list[list[Cell]] = []
    for one in judged:
        elsewhere = one.row.value is not None and one.reached is None
        note = f"measured at {one.row.at} only" if elsewhere else one.row.note
        measured = number(one.row.value, one.row.unit)
        if not notes and (elsewhere or one.row.value is None):
            measured = "not measured" if elsewhere or len(note) > _SHORT else note
        rows.append(
            [
                one.target.what,
                one.target.at,
                _goal(one),
                measured,
                "" if elsewhere and not notes else spread(one.row),
                words[one.reached],
                *([note] if notes else []),
            ]
        )
    return Table(
        "Numbers to reach",
        ("what", "chain", "target", "measured", "spread", "reached", *(["note"] if notes else [])),
        rows,
        note="Measured is the median of the runs, spread their smallest and largest.",
    )


def reached_in_words(results: Results) -> str:
    """How many targets were reached, in a sentence."""
    found = [judge(target, results.rows).reached for target in TARGETS]
    missed, unknown = found.count(False), found.count(None)
    verb = "was" if missed == 1 else "were"
    words = f"{found.count(True)} of {len(found)} targets were reached, {missed} {verb} not"
    return f"{words}, and {unknown} were not measured." if unknown else f"{words}."


def kernels(results: Results) -> Table:
    """Each product: its speed, its share of the bandwidth, and how it stands to scipy."""
    shares = [
        row
        for key, row in results.rows.items()
        if key.startswith("products/") and key.endswith("/share")
    ]
    rows: list[list[Cell]] = []
    for share in shares:
        stem = share.key.removesuffix("/share")
        _, product, _, dtype, _ = stem.split("/")
        speed, ratio = (get(results.rows, f"{stem}/{name}") for name in ("speed", "ratio"))
        rows.append(
            [
                "x P" if product == "push" else "P f",
                share.at,
                dtype,
                number(speed.value, "GB/s"),
                number(share.value, "share"),
                number(ratio.value, "times"),
                spread(ratio),
            ]
        )
    return Table(
        "Products",
        ("product", "chain", "rows", "speed", "of the bandwidth", "faster than scipy", "spread"),
        rows,
        note="Bytes are those that any product with these rows has to move. scipy's CSR holds "
        "float64 and uses one thread.",
    )


def families(results: Results) -> Table:
    """The hard suite, a row for each family."""
    bits = sorted(
        {int(key.split("/")[1][2:]) for key in results.rows if key.startswith("stationary/2^")}
    )
    large = [b for b in bits if b <= 20]
    last = large[-1] if large else 20
    columns = ("cycles", "seconds", "seconds to proof", "bound", "extra memory")
    rows: list[list[Cell]] = []
    for name in (*HARD, *ZEROS, *TRAINED):
        error, bound = (
            get(results.rows, f"stationary/entries/{name}/{what}") for what in ("error", "bound")
        )
        cells = [get(results.rows, f"stationary/2^{last}/{name}/{what}") for what in columns]
        if error.value is None and bound.value is None and cells[0].value is None:
            continue
        size = bound.at.removesuffix(" states")
        rows.append(
            [
                name,
                size,
                number(error.value),
                number(bound.value),
                *(number(cell.value, _bare(cell.unit)) for cell in cells),
            ]
        )
    heads = (
        f"cycles to the residual at 2^{last}",
        "time to the residual",
        "time to the proof",
        "bound",
        "extra memory",
    )
    return Table(
        "The hard suite",
        ("family", "states", "error", "proven", *heads),
        rows,
        note="Error: the largest of any entry, against elimination in extended precision, and "
        f"what is proven of it. The columns to their right are about 2^{last} states: cycles and "
        "time until the residual, sum |x P - x|, is 1e-12 at most, and time to the proof.",
    )


#: Keys of a comparison: what is asked, of whom, our time, their time.
_COMPARED = (
    ("classes and period", "scipy (classes only)", "structure/scipy/random", "theirs", "ours"),
    ("classes and period", "scipy (classes only)", "structure/scipy/min-p 0.3", "theirs", "ours"),
    ("classes and period", "QuantEcon", "structure/QuantEcon/random", "theirs", "ours"),
    ("classes and period", "QuantEcon", "structure/QuantEcon/min-p 0.3", "theirs", "ours"),
    ("classes", "networkx", "structure/networkx/random", "theirs", "ours"),
    ("classes", "networkx", "structure/networkx/min-p 0.3", "theirs", "ours"),
    ("entropy rate, no proof", "Storm", "entropy/storm", "seconds", "../ours"),
    ("mean time to reach a state", "Storm", "hitting/storm", "seconds", "../seconds"),
    ("extraction", "batched forwards", "extraction/16", "forward", "ours"),
    ("extraction", "batched forwards", "extraction/64", "forward", "ours"),
)


def _bare(unit: str) -> str:
    """Where the head of the column says what is counted."""
    return "" if unit == "cycles" else unit


def comparisons(results: Results) -> Table:
    """Other questions beside other tools: seconds of each, and the peer's error."""
    rows: list[list[Cell]] = []
    for question, peer, stem, their_name, our_name in _COMPARED:
        up = our_name.startswith("../")
        our_key = f"{stem.rsplit('/', 1)[0] if up else stem}/{our_name.removeprefix('../')}"
        ours, theirs = get(results.rows, our_key), get(results.rows, f"{stem}/{their_name}")
        if ours.value is None and theirs.value is None:
            continue
        error = get(results.rows, f"{stem}/error")
        their_time = theirs.note if theirs.value is None else number(theirs.value, "s")
        rows.append(
            [
                question,
                ours.at or theirs.at,
                number(ours.value, "s"),
                peer,
                their_time,
                number(error.value),
            ]
        )
    return Table(
        "Beside other tools",
        ("question", "chain", "fsm_gpt", "peer", "its time", "its error"),
        rows,
        note="Storm's model is built before its clock starts. Its error is the largest relative "
        "error against our proven answer.",
    )


def peers(results: Results) -> Table:
    """How far each method gets, and how wrong it is on the way."""
    together: dict[tuple[str, str], list[Point]] = {}
    for point in results.points:
        together.setdefault((point.family, point.peer), []).append(point)
    rows: list[list[Cell]] = [[*pair, *_reach(points)] for pair, points in together.items()]
    return Table(
        "Stationary distribution, by method",
        ("family", "method", "largest chain", "its time", "memory", "worst error", "then"),
        rows,
        note="Worst error: the largest relative error of any entry on any chain up to that size, "
        "against our proven answer; for fsm_gpt the largest bound that it proved.",
    )


def faster(results: Results) -> Table:
    """Where another method is faster than ours, and right to six digits."""
    rows: list[list[Cell]] = []
    sizes = {(p.family, p.n_states): p for p in results.points if p.peer == "fsm_gpt"}
    for (family, n_states), ours in sizes.items():
        right = [
            point
            for point in results.points
            if (point.family, point.n_states) == (family, n_states)
            and point.seconds is not None
            and point.error is not None
            and point.error <= SIX_DIGITS
        ]
        best = min(right, key=lambda point: point.seconds or 0.0, default=ours)
        if ours.seconds is None or best.seconds is None or best.seconds >= ours.seconds:
            continue
        times = number(ours.seconds / best.seconds, "times")
        seconds = (number(one.seconds, "s") for one in (ours, best))
        rows.append([family, in_words(n_states), *seconds, best.peer, times])
    return Table(
        "Where another method is faster",
        ("family", "chain", "fsm_gpt", "fastest", "which", "faster"),
        rows,
        note="The fastest method whose every entry is right to six digits. It gives no bound; ours "
        "is timed with its proof.",
    )


def _reach(points: Sequence[Point]) -> list[Cell]:
    done = [point for point in points if point.seconds is not None]
    stopped = [point for point in points if point.seconds is None]
    errors = [point.error for point in done]
    worst = None if not errors or None in errors else max(e for e in errors if e is not None)
    why = f"{stopped[0].problem} at {in_words(stopped[0].n_states)}" if stopped else ""
    if not done:
        return ["–", "–", "–", "–", why]
    last = max(done, key=lambda point: point.n_states)
    memory = None if last.peak_bytes is None else last.peak_bytes / 1e6
    unproven = next((point.problem for point in done if point.error is None), "")
    return [
        in_words(last.n_states),
        number(last.seconds, "s"),
        number(memory, "MB"),
        unproven or number(worst),
        why,
    ]


def machine_in_words(results: Results) -> str:
    """Where and when it was measured, in a sentence or two."""
    if not results.parts:
        return "Nothing has been measured yet."
    parts = list(results.parts.values())
    about = parts[-1].machine
    dates = sorted({part.date for part in parts})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    bandwidths = [
        f"{number(row.value, row.unit)} with {row.at}"
        for key, row in results.rows.items()
        if key.startswith("machine/bandwidth/") and row.value is not None
    ]
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    return (
        f"Measured {when} on {about['processor']}, {about['cores']} cores, "
        f"{about['memory_gib']:g} GiB of memory"
        f"{' that moves ' + ' and '.join(bandwidths) if bandwidths else ''}; "
        f"Python {about['python']}, {versions}. One thread unless stated. All of it took "
        f"{sum(part.seconds for part in parts) / 60:.0f} minutes."
    )
