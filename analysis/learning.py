"""When a GPT learns the chain of its text, over many seeds.

Two texts are learned. The article's has period five, and knowing its last token says little: what
is to come is decided by all three. The other is drawn from a source in which the last token tells
much, and the two before it the rest; there a model has something to gain at each order. At each
step the chain that the model is by then is extracted and held against the text's n-grams: its
unigram, its bigram, and its own chain. What is asked is in which order a model comes near to them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from analysis.commands import main
from analysis.study import Cell, Picture, Progress, Study, Table
from analysis.subject import SEED, TEXT
from fsm_gpt.asking import Model
from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.learning import Watched
from fsm_gpt.report.learning_curves import learning_panels, learning_plot
from fsm_gpt.simulate import simulate
from fsm_gpt.watch import watch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SOURCE", "run", "watched_texts"]

CONTEXT = 3
#: The article's text is watched over eight times its 50 steps, the other until it is learned.
STEPS: dict[str, Sequence[int]] = {
    "article": tuple(range(0, 401, 10)),
    "source": tuple(range(0, 301, 10)),
}
SEEDS = 12
#: The steps of the tables.
TOLD = (0, 10, 20, 30, 40, 50, 60, 80, 100, 150, 200, 300, 400)
#: Those of a quick run.
QUICK = (0, 20, 40, 60, 80, 100, 150)
#: P(1) after 000, 001, ..., 111: 3/4 or 1/4, mostly the token that the last was not; a fifth more
#: where the two before that are alike, else a fifth less.
SOURCE = ("19/20", "9/20", "11/20", "1/20", "11/20", "1/20", "19/20", "9/20")
LENGTH, DRAWN = 200, 1
#: Numbers of the tables, and what heads their columns.
TABLE = {
    "loss": "loss (nats)",
    "kl_unigram": "KL from the unigram (bits)",
    "kl_bigram": "KL from the bigram (bits)",
    "kl_text": "KL from the text (bits)",
    "nearest_order": "nearest order",
    "entropy_rate": "entropy rate (bits)",
    "second_eigenvalue": "second eigenvalue",
}
DISTANCES = ("kl_unigram", "kl_bigram", "kl_text")


def source() -> Chain:
    """What the second text is drawn from."""
    return Chain([[1 - p, p] for p in map(Fraction, SOURCE)], vocabulary="01")


def watched_texts(
    *,
    seeds: Sequence[int],
    steps: Mapping[str, Sequence[int]],
    progress: Progress | None = None,
) -> dict[str, Watched]:
    """Both trainings, watched."""
    texts = {"article": TEXT, "source": simulate(source(), LENGTH, seed=DRAWN).text}
    found = {}
    for name, text in texts.items():
        tick = None
        if progress is not None:

            def tick(done: int, of: int, words: str, name: str = name) -> None:
                progress(done, of, f"{name}, {words}")

        found[name] = watch(
            text, context=CONTEXT, steps=steps[name], seeds=seeds, keep_chains=False, progress=tick
        )
    return found


def run(
    *,
    model: Chain | Model | None = None,
    text: str | None = None,
    quick: bool = False,
    seeds: Sequence[int] | None = None,
    steps: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> Study:
    """In which order a model comes near to the n-grams of its text.

    Parameters
    ----------
    model, text
        None: the study trains its own, on its own texts.
    quick
        Two seeds, and few steps.
    seeds
        Of the trainings.
    steps
        At which to look, for both texts.
    progress
        Called with how many updates are done, of how many, and where it is.

    Raises
    ------
    InvalidArgument
        A model or a text is given.
    """
    if model is not None or text is not None:
        raise InvalidArgument(
            "learning: it trains GPTs of its own on two texts. Leave --model and --text out; "
            "fsm-gpt watch watches a training on a text of yours."
        )
    seeds = seeds or tuple(range(SEED, SEED + (2 if quick else SEEDS)))
    looked: dict[str, Sequence[int]] = dict(STEPS)
    if steps is not None or quick:
        looked = dict.fromkeys(STEPS, QUICK if steps is None else tuple(steps))
    found = watched_texts(seeds=seeds, steps=looked, progress=progress)
    names = {"article": "the article's text", "source": "a text of the second source"}
    tables = {f"steps_{name}": _steps(one, names[name]) for name, one in found.items()}
    return Study(
        name="learning",
        question="When does a GPT learn the chain of its text?",
        tables={**tables, "moments": _moments(found, names)},
        figures={
            "distances": Picture(
                "How far the model is from the text's unigram, its bigram and its own chain",
                lambda figure: _distances(figure, found, names),
                size=(8.4, 3.6),
            ),
            "numbers": Picture(
                "Numbers of the chain of a model that learns the article's text",
                lambda figure: learning_panels(figure, found["article"]),
                size=(9.6, 5.2),
            ),
        },
        inputs={
            "texts": {"article": TEXT, "source": simulate(source(), LENGTH, seed=DRAWN).text},
            "context": CONTEXT,
            "seeds": list(seeds),
            "steps": {name: list(one.steps) for name, one in found.items()},
        },
    )


def _steps(watched: Watched, name: str) -> Table:
    """Medians at some steps, with the band of the entropy rate."""
    bands = [watched.band(measure) for measure in TABLE]
    rate = watched.band("entropy_rate")
    rows: list[list[Cell]] = []
    for place, step in enumerate(watched.steps):
        if step in TOLD:
            cells = [float(band.median[place]) for band in bands]
            rows.append([step, *cells, float(rate.low[place]), float(rate.high[place])])
    return Table(
        f"The chain of {name} while it is learned, {len(watched.runs)} seeds",
        ("step", *TABLE.values(), "entropy rate, low", "entropy rate, high"),
        rows,
        formats=dict.fromkeys([*TABLE.values(), "entropy rate, low", "entropy rate, high"], ".4f")
        | {"nearest order": "g"},
        note="Medians over the seeds; low and high are the quantiles 0.1 and 0.9. KL from: of the "
        "text's n-gram to the model.",
    )


def _moments(found: dict[str, Watched], names: dict[str, str]) -> Table:
    """When each seed comes near to what."""
    rows: list[list[Cell]] = []
    for name, watched in found.items():
        moments = watched.moments()
        for place, seed in enumerate(watched.runs):
            orders = moments.first_of_order[place]
            rows.append(
                [names[name], seed, moments.bigram_step[place], moments.text_step[place], *orders]
            )
    return Table(
        "When structure appears",
        (
            "text",
            "seed",
            "nearer to the bigram",
            "nearer to the text",
            *(f"nearest is order {k}" for k in range(CONTEXT + 1)),
        ),
        rows,
        note="The first watched step: nearer to the text's bigram than to its unigram; nearer to "
        "its own chain than to its bigram; at which the n-gram of this order is nearest of all.",
    )


def _distances(figure: Figure, found: dict[str, Watched], names: dict[str, str]) -> None:
    """The two texts side by side."""
    axes = figure.subplots(1, len(found))
    for ax, (name, watched) in zip(axes, found.items(), strict=True):
        title = names[name][:1].upper() + names[name][1:]
        learning_plot(watched, DISTANCES, ax=ax, title=title)


if __name__ == "__main__":
    main("analysis.learning", {"learning": run}, about=__doc__ or "")
