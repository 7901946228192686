"""A model that loops alone and mixes in company, and the other way round.

A model under greedy decoding goes round a loop for ever. Behind a channel that replaces one token
in a hundred it comes to every context. A model that draws its tokens forgets where it began;
with a tool that answers each of them alike, or that writes what it likes whatever is said, it comes
to a cycle. The subjects are the article's baby GPT and the project's word-level GPT that sees its
last two words; ``--model`` asks about another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.commands import main
from analysis.drawing import curves, plain
from analysis.reachable import own_model
from analysis.study import Cell, Picture, Progress, Study, Table
from analysis.subject import NEAR, answer, mixed, picked, subject
from fsm_gpt.asking import Model
from fsm_gpt.chain import Chain
from fsm_gpt.couple import couple
from fsm_gpt.decoding import Greedy
from fsm_gpt.environment import Environment
from fsm_gpt.errors import InvalidArgument, StateOutOfRange
from fsm_gpt.extract import extract
from fsm_gpt.markov import Reward, communicating_classes, entropy_rate, reward
from fsm_gpt.report.facts import class_in_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["RATES", "environments", "run"]

#: Of the noise: how many tokens are replaced by one drawn evenly.
RATES = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
#: The words that the word-level GPT sees here, by how they are told.
WORDS, FEWER = ("last two words", 2), ("last word", 1)
#: Longer cycles are not told state by state.
TOLD = 12


def run(
    *,
    model: Chain | Model | None = None,
    text: str | None = None,
    quick: bool = False,
    rates: Sequence[float] | None = None,
    progress: Progress | None = None,
) -> Study:
    """A looping model behind noise, and a mixing one with tools that answer.

    Parameters
    ----------
    model
        A chain, or a model to extract; the article's baby GPT where none is given, and the
        word-level GPT beside it.
    text
        What another model was trained on; it is only written down.
    quick
        Fewer rates of noise, and fewer words to see.
    rates
        The rates of noise to ask about.
    progress
        Called with how many models are done, of how many, and the model.
    """
    about = subject(model, text=text)
    rates = ((0.0, 0.01, 1.0) if quick else RATES) if rates is None else rates
    models = {about.name: about.chain}
    if model is None:
        words, seen = FEWER if quick else WORDS
        models[f"word-level GPT, its {words}"] = extract(own_model(), truncate_to=seen)
    noise: list[list[Cell]] = []
    answers: list[list[Cell]] = []
    for place, (name, chain) in enumerate(models.items(), start=1):
        greedy = chain.with_decoding(Greedy())
        for rate in rates:
            found = together(greedy, Environment.noise(chain.vocabulary, rate))
            noise.append([name, rate, *facts(found)])
        answers.append([name, "nobody", *facts(chain)])
        for words, environment in environments(chain).items():
            answers.append([name, words, *facts(together(chain, environment))])
        if progress is not None:
            progress(place, len(models), name)
    return Study(
        name="environment",
        question="When does an environment make a looping model mix, and a mixing one loop?",
        tables={
            "noise": Table(
                "A greedy model behind noise",
                ("model", "tokens replaced", *COLUMNS),
                noise,
                formats=FORMATS | {"tokens replaced": "g"},
                note=NOTE,
            ),
            "answers": Table(
                "A model that draws its tokens, and who answers it",
                ("model", "who answers", *COLUMNS),
                answers,
                formats=FORMATS,
                note=NOTE,
            ),
        },
        figures={"noise": picture(noise)},
        inputs=about.inputs() | {"rates": list(rates)},
    )


COLUMNS = (
    "states",
    "closed classes",
    "periods",
    "entropy rate (bits)",
    "varentropy (bits squared)",
    f"tokens to {NEAR}",
    "cycle",
)
FORMATS = {"entropy rate (bits)": ".4f", "varentropy (bits squared)": ".4f"}
NOTE = (
    "States are those of the model and its environment together. A chain with a period, or with "
    "several closed classes, never forgets its start, so that there is no time to do so. Rates "
    "are per token of the text, whoever wrote it; varentropy is the variance of the "
    "log-likelihood per token in the long run."
)


def environments(chain: Chain) -> dict[str, Environment]:
    """Who answers: a tool after one token, a tool after every token, one who dictates."""
    tokens = chain.vocabulary.tokens
    whole = [tokens[0] for _ in range(chain.context or 1)]
    first, last = tokens[0], tokens[-1]
    dictated = [("first", token, first, "last", 1) for token in tokens]
    dictated += [("last", token, last, "first", 1) for token in tokens]
    return {
        "a tool, after one token": Environment.replies(chain.vocabulary, {last: whole}),
        "a tool, after every token": Environment.replies(
            chain.vocabulary, dict.fromkeys(tokens, whole)
        ),
        "one who dictates": Environment.of_moves(chain.vocabulary, ("first", "last"), dictated),
    }


def together(chain: Chain, environment: Environment) -> Chain | str:
    """The model and its environment, or in a few words why there is no chain of both."""
    try:
        return couple(chain, environment)
    except StateOutOfRange:
        return "not followed"
    except InvalidArgument:
        return "not defined"


def facts(chain: Chain | str) -> list[Cell]:
    """What one chain is made of, and how it fluctuates."""
    if isinstance(chain, str):
        return [chain, *(None for _ in COLUMNS[1:])]
    found = communicating_classes(chain)
    some = list(zip(found.closed, found.periods, strict=True))
    cycles = [
        class_in_words(chain, states, period)
        for states, period in some
        if len(states) == period <= TOLD
    ]
    return [
        chain.n_states,
        len(found.closed),
        ", ".join(str(period) for period in sorted(set(found.periods))),
        answer(lambda: entropy_rate(chain), lambda rate: float(rate.bits_per_token)),
        answer(lambda: reward(chain, "surprisal"), varentropy),
        picked(mixed(chain), lambda time: time.steps),
        "; ".join(cycles) or None,
    ]


def varentropy(found: Reward) -> Cell:
    """The variance constant of the surprisal, where it was found."""
    return None if found.variance_per_token is None else float(found.variance_per_token)


def picture(rows: list[list[Cell]]) -> Picture:
    """The entropy rate of a greedy model, by how much noise there is."""
    title = "A greedy model behind noise"
    series: dict[str, tuple[list[float], list[float]]] = {}
    for name, rate, _, _, _, bits, *_ in rows:
        if isinstance(rate, float) and isinstance(bits, float):
            x, y = series.setdefault(str(name), ([], []))
            x.append(rate)
            y.append(bits)

    def draw(figure: Figure) -> None:
        ax = plain(figure.add_subplot(), title, "share of tokens replaced", "bits per token")
        curves(ax, series)
        ax.set_xscale("symlog", linthresh=0.001)
        ax.set_xticks([0, 0.001, 0.01, 0.1, 1], ["0", "0.001", "0.01", "0.1", "1"])
        ax.set_xlim(0, 1.2)
        ax.minorticks_off()
        ax.set_ylim(bottom=0)

    return Picture("The entropy rate of a greedy model behind noise, by its rate", draw)


if __name__ == "__main__":
    main("analysis.environment", {"environment": run}, about=__doc__ or "")
