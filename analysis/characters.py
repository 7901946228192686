"""How much of a character GPT do its last few characters know? Its cuts, and the whole.

A GPT of the project's own: thirty characters, a context of 16, so 30^16 windows. It was trained by
:func:`trained` on the short tales in ``analysis/tales``, written for it, and its weights are
there too. Cut to its last k characters it is a chain that is solved exactly; of the whole
the entropy rate is known by sampling, with an interval. With ``--model`` any other model is asked.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from analysis.commands import main
from analysis.drawing import curves, level, plain
from analysis.large import first_tokens, loops, position, trained_here
from analysis.study import Cell, Picture, Progress, Study, Table
from analysis.subject import answer
from fsm_gpt.asking import Model
from fsm_gpt.chain import Chain
from fsm_gpt.cutting import cutting_loss, largest_cut
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.explore import greedy_cycles
from fsm_gpt.extract import extract
from fsm_gpt.markov import entropy_rate
from fsm_gpt.sampling import SampledEntropyRate, sample_entropy_rate
from fsm_gpt.simulate import simulate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fsm_gpt.gpt import GPT, TrainingRun

__all__ = ["FOLDER", "own_model", "run", "tales", "trained"]

#: The tales, and the weights that were trained on them.
FOLDER = Path(__file__).parent.joinpath("tales")
#: The training: context, updates, windows in each, rate, seed.
CONTEXT, STEPS, BATCH, LEARNING_RATE, SEED = 16, 1500, 64, 3e-3, 1337
#: Beginnings whose loops are followed.
PROMPTS = ("the ", "a man ", "there was ", "who is ", "and so ", "in the ", "what ", "once ")


def tales() -> str:
    """The text that it was trained on."""
    return FOLDER.joinpath("tales.txt").read_text(encoding="utf-8")


def trained(*, steps: int = STEPS, progress: Progress | None = None) -> TrainingRun:
    """Train the character GPT anew, as its weights were; a minute or two."""
    from fsm_gpt.gpt import train

    def tick(step: int, loss: float) -> None:
        if progress is not None:
            progress(step, steps, f"loss {loss:.3f}")

    return train(
        tales(),
        context=CONTEXT,
        steps=steps,
        seed=SEED,
        batch=BATCH,
        learning_rate=LEARNING_RATE,
        n_layer=3,
        n_head=4,
        n_embd=48,
        loss_on="all",
        progress=tick,
    )


def own_model() -> GPT:
    """The character GPT with the weights in ``analysis/tales``."""
    return trained_here(FOLDER)


def run(
    *,
    model: Chain | Model | None = None,
    text: str | None = None,
    quick: bool = False,
    most: int | None = None,
    progress: Progress | None = None,
) -> Study:
    """Its cuts solved exactly beside the sampled whole, its loops, and what a cut says.

    Parameters
    ----------
    model
        A model too large to enumerate; the project's character GPT where none is given.
    text
        What another model was trained on, to tell how well a cut predicts it.
    quick
        Cuts of one and two tokens, and fewer tokens drawn.
    most
        The longest cut; the longest that fits where it is not given.
    progress
        Called with how many steps are done, of how many, and the step.
    """
    if isinstance(model, Chain):
        raise InvalidArgument(
            "characters: the subject is a chain, all of whose states are known. Give a model."
        )
    own = model is None
    asked = own_model() if model is None else model
    data = tales() if own else text
    V, L = len(asked.vocabulary), int(asked.context)  # type: ignore[attr-defined]
    fits = 2 if quick else largest_cut(V, L)
    longest = max(1, min(fits, L - 1, fits if most is None else most))
    steps = longest + 2
    rows: list[list[Cell]] = []
    words: list[list[Cell]] = []
    for k in range(1, longest + 1):
        chain = extract(asked, truncate_to=k)
        rows.append(_cut(asked, chain, k, data))
        words.append([k, simulate(chain, 120, seed=SEED).text])
        if progress is not None:
            progress(k, steps, f"cut to {k}")
    sampled = sample_entropy_rate(asked, streams=32, n_tokens=200 if quick else 2000)
    if progress is not None:
        progress(longest + 1, steps, "sampled")
    found = greedy_cycles(asked, list(PROMPTS) if own else first_tokens(V))
    rows.append(_whole(asked, sampled, longest, data))
    if progress is not None:
        progress(steps, steps, "followed to loops")
    return Study(
        name="characters",
        question="How much of a character GPT do its last few characters know?",
        tables={
            "cuts": Table(
                f"Cut to its last tokens, and whole ({V} tokens, a context of {L})",
                (
                    "sees",
                    "states",
                    "entropy rate (bits per token)",
                    "low",
                    "high",
                    "error",
                    "bits per token of the text",
                ),
                rows,
                note="A cut model is another model: its entropy rate is no bound on that of the "
                "whole one. Rates of cuts are exact to the error beside them, relative and proven.",
            ),
            "loops": loops(found),
            "says": Table("What a cut says", ("sees", "text"), words),
        },
        figures={
            "cuts": _picture(rows, sampled),
            "position": position(
                sampled.curve.positions.tolist(),
                sampled.curve.running_mean_bits.tolist(),
                sampled.bits_per_token,
                streams=sampled.streams,
            ),
        },
        inputs={
            "model": dict(getattr(asked, "provenance", {})),
            "prompts": list(PROMPTS) if own else first_tokens(V),
            "longest_cut": longest,
        },
    )


def _cut(model: Model, chain: Chain, k: int, data: str | None) -> list[Cell]:
    """A row of a cut: its exact rate, and how well it predicts the text."""
    rate = entropy_rate(chain)
    bits = float(rate.bits_per_token)
    error = rate.error_bound if isinstance(rate.error_bound, str) else float(rate.error_bound)
    loss = answer(
        lambda: None if data is None else cutting_loss(model, data, truncate_to=k),
        lambda found: None if found is None else found.cut_bits_per_token,
    )
    return [f"its last {k}", chain.n_states, bits, None, None, error, loss]


def _whole(model: Model, sampled: SampledEntropyRate, k: int, data: str | None) -> list[Cell]:
    """A row of the whole model: the interval."""
    loss = None if data is None else cutting_loss(model, data, truncate_to=k).whole_bits_per_token
    L = model.context  # type: ignore[attr-defined]
    return [
        f"all {L}, by sampling",
        None,
        sampled.bits_per_token,
        sampled.low,
        sampled.high,
        str(sampled.error_bound),
        loss,
    ]


def _picture(rows: list[list[Cell]], sampled: SampledEntropyRate) -> Picture:
    """The exact rates of cuts, beside the sampled one of the whole."""
    title = "What is known by the last tokens"
    cuts = list(range(1, len(rows)))
    rates = [float(str(row[2])) for row in rows[:-1]]
    losses = [row[6] for row in rows[:-1]]

    def draw(figure: Figure) -> None:
        ax = plain(figure.add_subplot(), title, "tokens that it sees", "bits per token")
        series = {"its own entropy rate, exact": (cuts, rates)}
        if None not in losses:
            series["predicting the text"] = (cuts, [float(str(loss)) for loss in losses])
        curves(ax, series)
        level(ax, sampled.low, f"whole model, {sampled.low:.3f} to {sampled.high:.3f}", above=False)
        level(ax, sampled.high, "")
        ax.set_xticks(cuts)
        ax.set_ylim(bottom=0)

    return Picture(f"{title}: cuts exactly, the whole by sampling", draw)


if __name__ == "__main__":
    main("analysis.characters", {"characters": run}, about=__doc__ or "")
