"""Which weights make the loop, and what a bonus for entropy rate does to it.

A GPT with four tokens of context learns the article's text, 11110 again and again, and then writes
hardly anything else: the five windows of the text are its loop. How long it stays there, from
its most visited window on, is a mean hitting time of the chain; that has a derivative with
respect to each weight, and so the heads and networks that hold it there have names. Beside what
the gradient predicts for a part that is made smaller by a little stands what then happens.

A gradient is about small changes: how far it carries is seen by a larger one beside it.

The gradient also serves in training: the entropy rate, times a weight, is taken off the loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.commands import main
from analysis.drawing import curves, plain
from analysis.study import Cell, Picture, Progress, Study, Table
from analysis.subject import SEED, TEXT
from fsm_gpt.asking import Model
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy, TopP
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.extract import extract
from fsm_gpt.markov import (
    HittingTime,
    TokenEntropy,
    communicating_classes,
    compare,
    entropy_rate,
    row_sensitivity,
)
from fsm_gpt.report.style import palette
from fsm_gpt.sensitivity import Penalty, sensitivity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fsm_gpt.gpt import GPT

__all__ = ["LOOP", "leaving", "run", "trained"]

CONTEXT = 4
#: The windows of 11110 repeated.
LOOP = ("1111", "1110", "1101", "1011", "0111")
START = "1111"
#: A part is made smaller by a thousandth, which the gradient foresees, and by a hundredth.
NEAR, FAR = 0.999, 0.99
#: Bits of entropy rate are paid with so many nats each.
WEIGHTS = (0.0, 0.1, 0.2, 0.4)
#: The rule under which the loop is looked for.
MASS = 0.9


def leaving(chain: Chain) -> HittingTime:
    """The mean number of tokens until a window is not of the loop."""
    outside = tuple(label for label in chain.labels() if label not in LOOP)
    return HittingTime(outside, START)


def trained(*, weight: float = 0.0, steps: int = 300, seed: int = SEED) -> GPT:
    """A GPT of four tokens of context, with a bonus of ``weight`` nats for each bit."""
    from fsm_gpt.gpt import train

    penalty = Penalty(TokenEntropy(), -weight, "01") if weight else None
    return train(TEXT, context=CONTEXT, steps=steps, seed=seed, penalty=penalty).model


def run(
    *,
    model: Chain | Model | None = None,
    text: str | None = None,
    quick: bool = False,
    weights: Sequence[float] | None = None,
    steps: int | None = None,
    seed: int = SEED,
    progress: Progress | None = None,
) -> Study:
    """What holds the model in its loop, and what a bonus does to it.

    Parameters
    ----------
    model, text
        None: the study trains its own.
    quick
        Fewer steps and weights.
    weights
        Of the bonus, in nats for each bit per token.
    steps
        Of training.
    seed
        Of the initial weights.
    progress
        Called with how many trainings are done, of how many, and the weight.
    """
    if model is not None or text is not None:
        raise InvalidArgument(
            "loop: it trains GPTs of its own, with and without the bonus. Leave --model and --text "
            "out; fsm-gpt sensitivity asks a model of yours."
        )
    steps = steps or (100 if quick else 300)
    weights = weights or (WEIGHTS[::3] if quick else WEIGHTS)
    rows: list[list[Cell]] = []
    plain_model = trained(steps=steps, seed=seed)
    for place, weight in enumerate(weights, start=1):
        made = trained(weight=weight, steps=steps, seed=seed) if weight else plain_model
        rows.append(_row(weight, extract(made)))
        if progress is not None:
            progress(place, len(weights), f"{weight:g} nats for each bit")
    bonus = Table(
        "A bonus for entropy rate, while training",
        (
            "nats for each bit",
            "bits per token",
            "KL from the text (bits)",
            "tokens in the loop",
            f"closed classes, top-p {MASS:g}",
            f"largest, top-p {MASS:g}",
            "greedy loop",
        ),
        rows,
        note=f"Tokens in the loop: the mean number from {START} until a window that is not of the "
        f"text. The loop itself writes 0 bits per token.",
    )
    return Study(
        name="loop",
        question="Which weights make the loop, and does a bonus for entropy rate dissolve it?",
        tables={"parts": _parts(plain_model), "rows": _rows(plain_model), "bonus": bonus},
        figures={"bonus": _picture(bonus)},
        inputs={"text": TEXT, "context": CONTEXT, "steps": steps, "seed": seed},
    )


def _row(weight: float, chain: Chain) -> list[Cell]:
    """What a training came to."""
    likely = communicating_classes(chain.with_decoding(TopP(MASS)))
    greedy = communicating_classes(chain.with_decoding(Greedy()))
    looping = [set(chain.labels(states)) == set(LOOP) for states in greedy.closed]
    data = Chain.from_text(TEXT, context=CONTEXT, end="wrap")
    return [
        weight,
        float(entropy_rate(chain).bits_per_token),
        compare(data, chain).kl_bits_per_token,
        leaving(chain).derivative(chain).value,
        len(likely.closed),
        max(len(states) for states in likely.closed),
        "there" if any(looping) else "gone",
    ]


def _parts(model: GPT) -> Table:
    """The parts of the model, what the gradient says of them, and what happens."""
    chain = extract(model)
    found = sensitivity(model, leaving(chain))
    rows: list[list[Cell]] = []
    for part in found.parts[:10]:
        seen = [
            row_sensitivity(extract(model.scaled(part.name, factor)), leaving(chain)).value
            for factor in (NEAR, FAR)
        ]
        predicted = found.value + part.predicted(NEAR)
        rows.append([part.name, part.n_weights, part.share, predicted, *seen])
    return Table(
        f"What holds it in the loop for {found.value:.1f} tokens",
        ("part", "weights", "share", "predicted", "a thousandth less", "a hundredth less"),
        rows,
        formats={
            "share": ".2%",
            "predicted": ".3f",
            "a thousandth less": ".3f",
            "a hundredth less": ".3f",
        },
        note="Share: of the squared gradient. Then tokens in the loop if all weights of the part "
        "were smaller: a thousandth, as the gradient predicts and as it is in a model where "
        "they are; and a hundredth, which may be too far for a gradient.",
    )


def _rows(model: GPT) -> Table:
    """The contexts whose rows matter most."""
    chain = extract(model)
    found = row_sensitivity(chain, leaving(chain))
    return Table(
        "Which contexts decide how long it stays",
        ("context", "tokens for each nat of its logits"),
        found.top(6),
    )


def _picture(bonus: Table) -> Picture:
    """Time in the loop and entropy rate against the bonus."""
    weights = [float(str(x)) for x in bonus.column("nats for each bit")]
    stay = [float(str(x)) for x in bonus.column("tokens in the loop")]
    bits = [float(str(x)) for x in bonus.column("bits per token")]

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        ax = plain(left, "Tokens in the loop", "nats for each bit", "tokens")
        curves(ax, {"": (weights, stay)})
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter("{x:,.0f}")
        ax.minorticks_off()
        ax = plain(right, "Entropy rate", "nats for each bit", "bits per token")
        curves(ax, {"": (weights, bits)})
        ax.set_ylim(0, 1)
        figure.set_facecolor(palette(dark=False).paper)

    title = "The larger the bonus, the sooner the model leaves its loop and the more bits it writes"
    return Picture(title, draw, size=(7.6, 3.4))


if __name__ == "__main__":
    main("analysis.loop", {"loop": run}, about=__doc__ or "")
