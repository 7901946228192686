"""Which states can be left, and which cannot: under every decoding rule and temperature.

A softmax is never exactly zero, so the model's own chain can go anywhere. Absorbing states and
periods come from the rule that draws the next token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.commands import main
from analysis.drawing import whole
from analysis.study import Cell, Picture, Progress, Study, Table
from analysis.subject import answer, subject
from fsm_gpt.asking import Model
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Full, Greedy, MinP, Rule, Temperature, TopK, TopP
from fsm_gpt.markov import communicating_classes, entropy_rate
from fsm_gpt.report.facts import class_in_words
from fsm_gpt.report.graph import GRAPH_LIMIT, state_graph

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["RULES", "run"]

RULES: tuple[Rule, ...] = (
    Full(),
    Temperature(2),
    Temperature(1),
    Temperature(0.5),
    Temperature(0.2),
    Temperature(0),
    Greedy(),
    TopK(1),
    TopK(2),
    TopP(0.5),
    TopP(0.75),
    TopP(0.9),
    MinP(0.25),
    MinP(0.3),
    MinP(0.5),
)
#: Rules in the figures.
DRAWN: dict[str, Rule] = {"full": Full(), "top_p": TopP(0.75), "greedy": Greedy()}

#: Closed classes told in words, for a chain with many.
TOLD = 6


def run(
    *,
    model: Chain | Model | None = None,
    text: str | None = None,
    quick: bool = False,
    rules: Sequence[Rule] | None = None,
    progress: Progress | None = None,
) -> Study:
    """Classes, absorbing states and periods under each rule.

    Parameters
    ----------
    model
        A chain, or a model to extract; the article's baby GPT where none is given.
    text
        What another model was trained on: its own chain gets a row.
    quick
        Every third rule.
    rules
        The rules to ask about.
    progress
        Called with how many rules are done, of how many, and the rule.
    """
    about = subject(model, text=text)
    rules = (RULES[::3] if quick else RULES) if rules is None else rules
    tables = {}
    for name, chain in about.chains().items():
        rows: list[list[Cell]] = []
        for place, rule in enumerate(rules, start=1):
            rows.append(row(str(rule), chain.with_decoding(rule)))
            if progress is not None:
                progress(place, len(rules), f"{name}: {rule}")
        if about.data is not None and name == list(about.chains())[-1]:
            rows.append(row("the data itself", about.data))
        tables[name.replace(" ", "_")] = Table(f"Structure, {name}", COLUMNS, rows, note=NOTE)
    figures = {}
    if about.chain.n_states <= GRAPH_LIMIT:
        figures = {f"graph_{name}": graph(about.chain, rule) for name, rule in DRAWN.items()}
    return Study(
        name="structure",
        question="Which states can be left, under which decoding rule?",
        tables=tables,
        figures=figures,
        inputs=about.inputs() | {"rules": [str(rule) for rule in rules]},
    )


COLUMNS = (
    "rule",
    "transitions",
    "closed classes",
    "transient states",
    "absorbing states",
    "periods",
    "closed classes in words",
    "entropy rate (bits)",
    "notes",
)
NOTE = (
    "A cycle is told state by state, as it is visited; a period is that of a closed class. Zero "
    "is exactly zero: a state that is kept with probability 0.99999 is not absorbing."
)


def row(name: str, chain: Chain) -> list[Cell]:
    """What one chain is made of."""
    found = communicating_classes(chain)
    some = list(zip(found.closed, found.periods, strict=True))
    words = [class_in_words(chain, states, period) for states, period in some[:TOLD]]
    more = [f"and {len(some) - TOLD:,} more"] if len(some) > TOLD else []
    periods = sorted(set(found.periods))
    notes = [f"{len(chain.tied):,} ties"] if len(chain.tied) else []
    notes += ["underflow" for note in chain.notes if "underflow" in note]
    absorbing = [chain.label(int(state)) for state in found.absorbing[:TOLD]]
    return [
        name,
        chain.n_edges,
        len(found.closed),
        len(found.transient),
        ", ".join(absorbing) or "none",
        ", ".join(str(period) for period in periods),
        "; ".join(words + more),
        answer(lambda: entropy_rate(chain), lambda rate: float(rate.bits_per_token)),
        ", ".join(notes) or None,
    ]


def graph(chain: Chain, rule: Rule) -> Picture:
    """The state graph under a rule."""
    title = f"The state graph, decoding: {rule}"

    def draw(figure: Figure) -> None:
        state_graph(chain.with_decoding(rule), ax=whole(figure), title=title)

    return Picture(title, draw, size=(7.2, 5.0))


if __name__ == "__main__":
    main("analysis.structure", {"structure": run}, about=__doc__ or "")
