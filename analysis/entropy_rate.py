"""How uncertain the next token is: by memory, by temperature, by training.

The entropy rate is the uncertainty that is left when everything before is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from analysis.commands import main
from analysis.drawing import Curve, curves, level, log_counts, plain, post
from analysis.study import Cell, Picture, Progress, Study, Table
from analysis.subject import (
    SEED,
    STEPS,
    Subject,
    answer,
    asked,
    effective_states,
    mixed,
    picked,
    subject,
)
from analysis.trainings import train_all
from fsm_gpt.asking import Model
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Temperature
from fsm_gpt.markov import (
    TimeScales,
    compare,
    entropy_rate,
    memory_curve,
    time_scales,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["run"]

TEMPERATURES = (0, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5)
LENGTHS = (0, 10, 20, 30, 40, 50, 70, 100, 200, 500)


def run(
    *,
    model: Chain | Model | None = None,
    text: str | None = None,
    quick: bool = False,
    temperatures: Sequence[float] | None = None,
    steps: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> Study:
    """Entropy rate, memory curve, and both against temperature and training.

    Parameters
    ----------
    model
        A chain, or a model to extract; the article's baby GPT where none is given. Against
        training steps only the baby GPT is shown.
    text
        What another model was trained on.
    quick
        Three temperatures and up to 50 steps.
    temperatures, steps
        The temperatures to sample at, and the numbers of steps to train for.
    progress
        Called with how much is done, of how much, and a word on it.
    """
    about = subject(model, text=text)
    if temperatures is None:
        temperatures = (0.2, 1, 2) if quick else TEMPERATURES
    if steps is None:
        steps = (0, 20, 50) if quick else LENGTHS
    chains = about.chains() | ({} if about.data is None else {"data": about.data})
    tables = {
        "rates": rates(chains),
        "memory": memory(chains),
        "temperature": by_temperature(about, temperatures, progress),
    }
    figures = {
        "memory": memory_picture(tables["memory"]),
        "temperature": temperature_picture(tables["temperature"]),
    }
    if about.run is not None:
        tables["training"] = by_steps(about, steps, progress)
        figures["training"] = training_picture(about, tables["training"])
    return Study(
        name="entropy_rate",
        question="How uncertain is the next token, and how much does the past say of it?",
        tables=tables,
        figures={name: one for name, one in figures.items() if one is not None},
        inputs=about.inputs() | {"temperatures": list(temperatures), "all_steps": list(steps)},
    )


def rates(chains: dict[str, Chain]) -> Table:
    """The entropy rate of each chain, and its bound."""
    rows: list[list[Cell]] = []
    for name, chain in chains.items():
        rate = partial(entropy_rate, chain.floats())
        rows.append(
            [
                name,
                answer(rate, lambda found: float(found.bits_per_token)),
                answer(rate, lambda found: found.perplexity),
                answer(rate, lambda found: found.error_bound),
            ]
        )
    return Table(
        "Entropy rate",
        ("chain", "bits per token", "perplexity", "error bound"),
        rows,
        formats={"bits per token": ".6f", "perplexity": ".6f", "error bound": ".1e"},
        note="Perplexity: the size of a fair die that is as uncertain. The bound is a proven one "
        "on the relative error.",
    )


def memory(chains: dict[str, Chain]) -> Table:
    """The memory curve of each chain, and its excess entropy in the last row."""
    found = {name: asked(partial(memory_curve, chain)) for name, chain in chains.items()}
    longest = max((chain.context or 0) for chain in chains.values())
    rows: list[list[Cell]] = []
    for k in range(longest + 1):
        known = [x if isinstance(x, str) else float(x.bits_per_token[k]) for x in found.values()]
        rows.append([str(k), *known])
    rows.append(
        ["excess entropy", *(x if isinstance(x, str) else x.excess_bits for x in found.values())]
    )
    return Table(
        "Uncertainty of the next token when the last k tokens are known, in bits",
        ("k", *found),
        rows,
        formats=dict.fromkeys(found, ".4f"),
        note="The excess entropy is what the past tells of the future, in bits.",
    )


def by_temperature(
    about: Subject, temperatures: Sequence[float], progress: Progress | None
) -> Table:
    """Every number of the chain at each temperature."""
    rows: list[list[Cell]] = []
    for place, T in enumerate(temperatures, start=1):
        decoded = about.chain.with_decoding(Temperature(T))
        time = mixed(decoded)
        scales = asked(partial(time_scales, decoded))
        away = None if about.data is None else asked(partial(compare, about.data, decoded))
        rows.append(
            [
                T,
                answer(partial(entropy_rate, decoded), lambda rate: float(rate.bits_per_token)),
                answer(partial(memory_curve, decoded), lambda curve: curve.excess_bits),
                effective_states(decoded),
                None if away is None else picked(away, lambda found: found.kl_bits_per_token),
                picked(time, lambda found: found.steps),
                picked(time, lambda found: found.average_steps),
                picked(scales, lambda found: found.slowest_tokens),
                picked(scales, longest_cycle),
            ]
        )
        if progress is not None:
            progress(place, len(temperatures), f"temperature {T:g}")
    return Table(
        "Against temperature",
        (
            "temperature",
            "entropy rate (bits)",
            "excess entropy (bits)",
            "effective states",
            "KL rate from the data (bits)",
            "tokens to 1e-6",
            "tokens to 1e-6, mean over starts",
            "slowest time scale (tokens)",
            "longest cycle (tokens it lasts)",
        ),
        rows,
        formats={"temperature": "g"}
        | dict.fromkeys(
            ("entropy rate (bits)", "excess entropy (bits)", "KL rate from the data (bits)"), ".4f"
        )
        | dict.fromkeys(
            (
                "effective states",
                "slowest time scale (tokens)",
                "longest cycle (tokens it lasts)",
            ),
            ".2f",
        ),
        note="Tokens until the distribution of the state is within 1e-6 of the stationary one in "
        "total variation, from the worst start and averaged over starts. Temperature 0 is greedy: "
        "a chain that goes round a cycle, or has several closed classes, never settles. Effective "
        "states are two to the power of the entropy of the stationary distribution. A time scale "
        "is when 1/e is left of what fades; a cycle goes round at least once before that.",
    )


def longest_cycle(scales: TimeScales) -> Cell:
    """How long the longest-lived cycle lasts, where there is one."""
    return scales.cycles[0].tokens if scales.cycles else None


def by_steps(about: Subject, steps: Sequence[int], progress: Progress | None) -> Table:
    """The entropy rate of the model while it learns, and its distance from the data."""
    assert about.data is not None
    rows: list[list[Cell]] = []
    for one in train_all([(SEED, n) for n in steps], progress):
        against = compare(about.data, one.chain)
        rows.append(
            [
                one.run.steps,
                float(entropy_rate(one.chain).bits_per_token),
                against.cross_entropy_bits_per_token,
                against.kl_bits_per_token,
            ]
        )
    return Table(
        f"Against training, seed {SEED}",
        ("steps", "entropy rate (bits)", "cross-entropy (bits)", "KL rate from the data (bits)"),
        rows,
        formats=dict.fromkeys(
            ("entropy rate (bits)", "cross-entropy (bits)", "KL rate from the data (bits)"), ".4f"
        ),
        note="Cross-entropy and KL rate are those of the model under the data's own chain.",
    )


# ---- figures ----


def numbers(table: Table, x: str, y: str) -> Curve:
    """Two columns as a curve, without the rows that have no number."""
    pairs = [
        (float(a), float(b))
        for a, b in zip(table.column(x), table.column(y), strict=True)
        if isinstance(a, int | float) and isinstance(b, int | float)
    ]
    return [a for a, _ in pairs], [b for _, b in pairs]


def memory_picture(table: Table) -> Picture | None:
    """The memory curves."""
    lengths = [k for k in table.column("k") if str(k).isdigit()]
    series: dict[str, Curve] = {}
    for name in table.columns[1:]:
        bits = [value for value in table.column(name)[: len(lengths)] if isinstance(value, float)]
        if bits:
            series[name] = (list(range(len(bits))), bits)
    if not series:
        return None
    title = "What the last k tokens tell of the next"

    def draw(figure: Figure) -> None:
        ax = plain(figure.add_subplot(), title, "k, last tokens known", "bits per token")
        curves(ax, series)
        ax.set_xticks(range(len(lengths)))
        ax.set_ylim(bottom=0)

    return Picture(title, draw)


def temperature_picture(table: Table) -> Picture | None:
    """Entropy rate and mixing time against temperature."""
    rate = numbers(table, "temperature", "entropy rate (bits)")
    time = numbers(table, "temperature", "tokens to 1e-6")
    if not rate[0] or not time[0]:
        return None

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        plain(left, "Entropy rate", "temperature", "bits per token")
        curves(left, {"": rate})
        left.set_ylim(bottom=0)
        plain(right, "Time to forget the start", "temperature", "tokens to 1e-6")
        curves(right, {"": time})
        right.set_xlim(left.get_xlim())
        log_counts(right)

    return Picture("Entropy rate and mixing time against temperature", draw, size=(8.6, 3.4))


def training_picture(about: Subject, table: Table) -> Picture:
    """Uncertainty while the model learns."""
    assert about.data is not None
    least = float(entropy_rate(about.data).bits_per_token)
    title = f"Uncertainty against training steps, seed {SEED}; the article stops at {STEPS}"
    own = numbers(table, "steps", "entropy rate (bits)")
    cross = numbers(table, "steps", "cross-entropy (bits)")

    def draw(figure: Figure) -> None:
        ax = plain(
            figure.add_subplot(), "Uncertainty while it learns", "training steps", "bits per token"
        )
        curves(ax, {"entropy rate of the model": own, "cross-entropy under the data": cross})
        level(ax, least, f"entropy rate of the data, {least:g}", above=False)
        ax.set_xscale("symlog", linthresh=10)
        ax.set_xticks([0, 10, 50, 100, 500], ["0", "10", "50", "100", "500"])
        ax.set_xlim(-1, max(own[0]) + 50)
        ax.set_ylim(bottom=0)
        ax.minorticks_off()
        post(ax, STEPS, "the article")

    return Picture(title, draw)


if __name__ == "__main__":
    main("analysis.entropy_rate", {"entropy_rate": run}, about=__doc__ or "")
