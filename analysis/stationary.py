"""Where the chain is in the long run: before training, after it, and in the data.

Every number comes with its proven bound, and where the chain is small the same question is
asked in exact rationals, so that the bound can be seen to hold.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING

from analysis.commands import main
from analysis.drawing import bars, plain
from analysis.study import Cell, Picture, Progress, Study, Table
from analysis.subject import Subject, answer, subject
from fsm_gpt.asking import Model
from fsm_gpt.chain import Chain
from fsm_gpt.markov import StationaryDistribution, compare, stationary_distribution

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["run"]

#: Contexts in the table and in the figure; of more, the most visited.
LISTED, DRAWN = 64, 16
#: A chain of more states is not asked in rationals, whose digits grow with every state.
EXACT_STATES = 32


def run(
    *,
    model: Chain | Model | None = None,
    text: str | None = None,
    quick: bool = False,
    progress: Progress | None = None,
) -> Study:
    """Stationary distributions, their bounds, and the distance to the data's own chain.

    Parameters
    ----------
    model
        A chain, or a model to extract; the article's baby GPT where none is given.
    text
        What another model was trained on.
    quick
        Changes nothing: the study is quick.
    progress
        Called with how many chains are done, of how many, and a word on them.
    """
    about = subject(model, text=text)
    found: dict[str, StationaryDistribution] = {}
    chains = about.chains() | ({} if about.data is None else {"data": about.data})
    for place, (name, chain) in enumerate(chains.items(), start=1):
        found[name] = stationary_distribution(chain)
        if progress is not None:
            progress(place, len(chains), name)
    tables = {"chains": summary(about, found)}
    figures = {}
    unique = {name: one for name, one in found.items() if len(one.classes) == 1}
    last = list(about.chains())[-1]
    if last in unique:
        shares = shares_by_context(unique)
        order = sorted(shares, key=lambda context: -float(shares[context].get(last, 0)))
        tables["contexts"] = by_context(shares, order, unique)
        figures["contexts"] = contexts_picture(shares, order[:DRAWN], unique)
    if about.chain.n_states <= EXACT_STATES:
        tables["exact"] = exactly(about)
    return Study(
        name="stationary",
        question="Where is the chain in the long run, before training, after it, and in the data?",
        tables=tables,
        figures=figures,
        inputs=about.inputs(),
    )


def summary(about: Subject, found: dict[str, StationaryDistribution]) -> Table:
    """A row for each chain: how spread out it is, how sure that is, how far from the data."""
    rows: list[list[Cell]] = []
    for name, one in found.items():
        kl: Cell = None
        cross: Cell = None
        if about.data is not None and name != "data":
            against = partial(compare, about.data, one.chain)
            kl = answer(against, lambda it: it.kl_bits_per_token)
            cross = answer(against, lambda it: it.cross_entropy_bits_per_token)
        rows.append(
            [
                name,
                one.chain.n_states,
                len(one.classes),
                answer(partial(attrgetter("effective_states"), one), float),
                one.error_bound,
                kl,
                cross,
            ]
        )
    return Table(
        "Each chain in the long run",
        (
            "chain",
            "states",
            "closed classes",
            "effective states",
            "error bound",
            "KL rate from the data (bits)",
            "cross-entropy (bits)",
        ),
        rows,
        formats={"error bound": ".1e"},
        note="Effective states: two to the entropy of the stationary distribution. The error "
        "bound is a proven one on the relative error of every probability; 0 is exact.",
    )


def shares_by_context(
    found: dict[str, StationaryDistribution],
) -> dict[str, dict[str, float | Fraction]]:
    """For each context its stationary probability in each chain that has it."""
    shares: dict[str, dict[str, float | Fraction]] = {}
    for name, one in found.items():
        for label, share in zip(one.chain.labels(), one.pi.tolist(), strict=True):
            shares.setdefault(label, {})[name] = share
    return shares


def by_context(
    shares: dict[str, dict[str, float | Fraction]],
    order: list[str],
    found: dict[str, StationaryDistribution],
) -> Table:
    """The stationary distributions, side by side; of many contexts the most visited."""
    whole = len(order) <= LISTED
    listed = list(shares) if whole else order[:LISTED]
    return Table(
        "Stationary distribution",
        ("context", *found),
        [
            [context, *(shares[context].get(name, Fraction(0)) for name in found)]
            for context in listed
        ],
        formats=dict.fromkeys(found, ".6f"),
        note="" if whole else f"The {LISTED} most visited of {len(order):,} contexts.",
    )


def exactly(about: Subject) -> Table:
    """Floats beside exact rationals: the difference, and what was promised."""
    rows: list[list[Cell]] = []
    for name, chain in about.chains().items():
        floats, exact = stationary_distribution(chain), stationary_distribution(chain, exact=True)
        if len(floats.classes) > 1:
            continue
        for label, near, true in zip(
            chain.labels(), floats.pi.tolist(), exact.pi.tolist(), strict=True
        ):
            rows.append(
                [
                    name,
                    label,
                    near,
                    len(str(true.denominator)),
                    float(abs(Fraction(near) - true)),
                    floats.error_bound,
                ]
            )
    return Table(
        "Floats beside exact rationals",
        ("chain", "context", "float", "digits of the exact denominator", "difference", "bound"),
        rows,
        formats={"float": ".16f", "difference": ".1e", "bound": ".1e"},
        note="The exact answer takes the binary value of every float row, divided by the row's "
        "exact sum. The bound is on the relative error, and so on the difference too: no "
        "probability is more than 1.",
    )


def contexts_picture(
    shares: dict[str, dict[str, float | Fraction]],
    contexts: list[str],
    found: dict[str, StationaryDistribution],
) -> Picture:
    """Bars side by side, a group for each context."""
    drawn = [context for context in shares if context in contexts]
    series = {name: [float(shares[context].get(name, 0)) for context in drawn] for name in found}
    title = "Share of time in each context, in the long run"

    def draw(figure: Figure) -> None:
        ax = plain(figure.add_subplot(), title, "context", "probability")
        bars(ax, drawn, series)

    return Picture(title, draw, size=(7.2, 3.6))


if __name__ == "__main__":
    main("analysis.stationary", {"stationary": run}, about=__doc__ or "")
