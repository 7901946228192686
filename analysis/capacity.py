"""How large the state of a GPT is: of the baby, of real models, and by the article.

The capacity is log2(V) L bits: what it takes to say which window of L tokens the model looks
at. It is an upper bound on state and not the knowledge stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.commands import main
from analysis.drawing import ladder
from analysis.study import Cell, Picture, Progress, Study, Table
from analysis.subject import subject
from fsm_gpt.asking import Model
from fsm_gpt.capacity import UPPER_BOUND, Capacity, Memory, NoCapacity, capacity
from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotDefined
from fsm_gpt.report.capacity_figure import capacity_plot
from fsm_gpt.report.capacity_report import CapacityReport, capacity_report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["run"]

#: Models and memories in the figure, smallest first as they stand in the table.
DRAWN = (
    "baby GPT",
    "GPT-1",
    "gpt2",
    "gpt-3",
    "GPT-4 8k",
    "GPT-4-32k",
    "llama-2-7b",
    "llama-3-8b",
)


def run(
    *,
    model: Chain | Model | None = None,
    text: str | None = None,
    quick: bool = False,
    progress: Progress | None = None,
) -> Study:
    """The capacity of every model in the table, and the article's claims beside the truth.

    Parameters
    ----------
    model
        A chain over contexts, or a model to extract, which gets a row of its own.
    text
        Changes nothing: a state space has no text.
    quick
        Changes nothing: the study is quick.
    progress
        Called with how many models are done, of how many, and a word on them.
    """
    report = capacity_report()
    tables = {
        "models": models(report),
        "without_a_figure": without(report),
        "memories": memories(report),
        "claims": claims(report),
    }
    inputs: dict[str, object] = {"models": len(report.rows)}
    if model is not None:
        about = subject(model)
        inputs |= about.inputs()
        tables = {"model": own(about.chain, about.name), **tables}
    if progress is not None:
        progress(len(report.rows), len(report.rows), "models")
    return Study(
        name="capacity",
        question="How many bits does it take to say which state a GPT is in?",
        tables=tables,
        figures={"years": years_picture(report), "ladder": ladder_picture(report)},
        inputs=inputs,
    )


def own(chain: Chain, name: str) -> Table:
    """The figure of the model that was given."""
    if chain.context is None:
        raise NotDefined(
            "capacity: the states of this chain are plain names and not contexts, so it has no "
            "window of tokens to measure. Give a checkpoint, or a chain over contexts."
        )
    found = capacity(vocabulary=chain.n_tokens, context=chain.context)
    return Table(
        "The model given",
        ("model", "V", "L", "bits", "bytes", "decimal digits of V^L"),
        [[name, found.vocabulary, found.context, found.bits, found.bytes, found.digits_of_windows]],
        formats={"bits": ",.3f", "bytes": ",.3f"},
        note=UPPER_BOUND,
    )


def models(report: CapacityReport) -> Table:
    """Every model with a figure."""
    rows: list[list[Cell]] = [
        [
            row.name,
            row.organisation,
            row.year,
            row.vocabulary,
            row.embedding_rows,
            row.context,
            row.bits,
            row.bytes,
            row.digits_of_windows,
            row.parameters_as_stated or None,
            row.bits_per_parameter,
            row.cache_bytes,
            row.verified,
        ]
        for row in report.rows
        if isinstance(row, Capacity)
    ]
    return Table(
        "Bits of state",
        (
            "model",
            "by",
            "year",
            "V",
            "embedding rows",
            "L",
            "bits",
            "bytes",
            "decimal digits of V^L",
            "parameters",
            "bits per parameter",
            "bytes of key-value cache",
            "how seen",
        ),
        rows,
        formats={"year": "d", "bits": ",.3f", "bytes": ",.3f", "bits per parameter": ".3g"},
        note=f"{UPPER_BOUND} The key-value cache is that of a full context in 16-bit numbers; it "
        f"can be made anew from the window, so it is no state beyond it.",
    )


def without(report: CapacityReport) -> Table:
    """Every model without a figure, and why."""
    return Table(
        "Models without a figure",
        ("model", "by", "L", "why"),
        [
            [row.name, row.organisation, row.context, row.reason]
            for row in report.rows
            if isinstance(row, NoCapacity)
        ],
    )


def memories(report: CapacityReport) -> Table:
    """Historic memories, for scale."""
    return Table(
        "Historic memories",
        ("memory", "year", "bytes", "source"),
        [[memory.name, memory.year, memory.bytes, memory.source] for memory in report.memories],
        formats={"year": "d"},
    )


def claims(report: CapacityReport) -> Table:
    """What the article says, beside what is true."""
    return Table(
        "The article's claims on capacity",
        ("about", "the article", "verdict", "computed"),
        [[one.about, one.article, one.verdict, one.corrected] for one in report.claims],
        note="The article of 2023 about A. Karpathy's baby GPT notebook, in English.",
    )


def years_picture(report: CapacityReport) -> Picture:
    """Every model by its year, with the memories as lines."""

    def draw(figure: Figure) -> None:
        capacity_plot(report, ax=figure.add_subplot())

    return Picture("Bits of state over the years", draw, size=(9.6, 5.8))


def ladder_picture(report: CapacityReport) -> Picture:
    """Models beside old computers, by bytes."""
    some = [capacity(name) for name in DRAWN]
    old: tuple[Memory, ...] = report.memories

    def draw(figure: Figure) -> None:
        ladder(
            figure.add_subplot(),
            {one.name: one.bytes for one in some},
            {f"{one.name} ({one.year})": float(one.bytes) for one in old},
            "Bytes of state, beside the memory of old computers",
        )

    return Picture("Bytes of state of GPTs beside historic memories", draw, size=(8.4, 5.6))


if __name__ == "__main__":
    main("analysis.capacity", {"capacity": run}, about=__doc__ or "")
