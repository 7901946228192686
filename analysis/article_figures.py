"""The figures of the study of the article."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from analysis.drawing import curves, level, plain, post, samples, spread
from analysis.study import Picture, Table
from analysis.subject import EPSILON, NEAR, SEED, STEPS, asked, mixed
from analysis.trainings import Trained, arrow
from fsm_gpt.chain import Chain
from fsm_gpt.markov import convergence_bound

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["convergence_picture", "seeds_picture", "steps_picture"]


def seeds_picture(
    article: Trained, others: Sequence[Trained], transitions: Sequence[tuple[str, str]]
) -> Picture:
    """One dot a seed."""
    names = [arrow(c, t) for c, t in transitions]
    values = [[one.probability(c, t) for one in others] for c, t in transitions]
    chosen = [article.probability(c, t) for c, t in transitions]
    title = f"After {STEPS} steps the probabilities depend on the seed"

    def draw(figure: Figure) -> None:
        ax = plain(figure.add_subplot(), title, "probability", "")
        spread(
            ax,
            names,
            values,
            chosen,
            chosen_name=f"the article's seed, {SEED}",
            others_name=f"{len(others)} other seeds",
        )

    return Picture(title, draw, size=(6.4, 3.4))


def steps_picture(table: Table) -> Picture:
    """Certainty grows, the loss meets its floor."""
    steps = [float(str(n)) for n in table.column("steps")]
    share, even, loss, above = (
        [float(value) for value in table.column(name) if isinstance(value, float)]
        for name in ("101 → 011", "111 → 111", "loss (bits)", "above the floor (bits)")
    )
    floor = loss[-1] - above[-1]

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        plain(left, "Certain only in the long run", "training steps", "probability")
        curves(left, {"111 → 111": (steps, even), "101 → 011": (steps, share)})
        left.yaxis.set_major_formatter("{x:.0%}")
        left.set_ylim(0.38, 1.03)
        plain(right, "The loss meets its floor", "training steps", "loss (bits per token)")
        curves(right, {"loss": (steps, loss)})
        level(right, floor, f"floor {floor:g}", above=False)
        right.set_ylim(0.45, 1.0)
        for ax in (left, right):
            ax.set_xscale("symlog", linthresh=10)
            ax.set_xticks([0, 10, 50, 200, 2000], ["0", "10", "50", "200", "2,000"])
            ax.set_xlim(-1, max(steps) + 300)
            ax.minorticks_off()
            post(ax, STEPS, "the article" if ax is right else "")

    return Picture(
        f"Probability and loss against training steps, seed {SEED}; the article stops at {STEPS}",
        draw,
        size=(8.6, 3.4),
    )


def convergence_picture(chain: Chain) -> Picture | None:
    """The true distance and the bound, where there are both."""
    true, bound = mixed(chain), asked(partial(convergence_bound, chain, epsilon=EPSILON))
    if isinstance(true, str) or isinstance(bound, str):
        return None
    times = samples(bound.steps)

    def draw(figure: Figure) -> None:
        ax = plain(
            figure.add_subplot(),
            f"To {NEAR}: {true.steps:,} tokens, where the bound asks for {bound.steps:,}",
            "tokens",
            "distance",
        )
        curves(
            ax,
            {
                "bound of Zekri et al.": (times, [bound.at(n) for n in times]),
                "true, worst start": (true.times.tolist(), true.distances.tolist()),
            },
            marks=False,
        )
        ax.set_yscale("log")
        ax.xaxis.set_major_formatter("{x:,.0f}")
        level(ax, EPSILON, NEAR, above=False)

    return Picture("The distance from the worst start, and a bound on it", draw)
