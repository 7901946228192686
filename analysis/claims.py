"""What the article says, beside what comes out.

A claim is kept as it is printed. Its verdict is decided by comparing that with the number
computed here, written with as many digits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from analysis.study import Table
from analysis.trainings import probability
from fsm_gpt.chain import Chain
from fsm_gpt.counts import context_coverage
from fsm_gpt.extract import extract
from fsm_gpt.markov import communicating_classes

if TYPE_CHECKING:
    from torch import nn

    from fsm_gpt.gpt import TrainingRun

__all__ = ["COLUMNS", "HOLDS", "experiment_claims", "judged"]

COLUMNS = ("claim", "as printed", "computed", "verdict")
HOLDS = "holds"


def judged(claim: str, printed: str, computed: str, *, remark: str = "") -> tuple[str, ...]:
    """A row of the table: whether what is printed is what is computed, and what to know.

    >>> judged("the die's mean", "3.5", "3.5", remark="for a fair die")
    ("the die's mean", '3.5', '3.5', 'holds; for a fair die')
    """
    verdict = HOLDS if printed == computed else "does not hold"
    return claim, printed, computed, f"{verdict}; {remark}" if remark else verdict


def experiment_claims(
    run: TrainingRun,
    chain: Chain,
    seeds: Mapping[str, Sequence[float]],
    longer: Mapping[int, float],
) -> Table:
    """What the article says of its experiment.

    Parameters
    ----------
    run, chain
        The article's training and its chain.
    seeds
        For each transition its probability with other seeds.
    longer
        P(1 | 101) by the number of training steps.
    """
    every = extract(run.model, short_contexts=True)
    classes = communicating_classes(every)
    before = extract(run.untrained)
    unseen = context_coverage(run.text, context=run.config.context).unseen
    most = max(longer)

    def over_seeds(transition: str) -> str:
        some = seeds[transition]
        return f"over {len(some)} seeds it goes from {min(some):.1%} to {max(some):.1%}"

    def share(context: str, token: str) -> str:
        return f"{probability(chain, context, token):.0%}"

    rows = [
        judged("states, as contexts of three tokens", "8", str(chain.n_states)),
        judged(
            'states "in reality", with shorter contexts',
            "14",
            str(every.n_states),
            remark=f"the {len(classes.transient)} shorter ones are transient, and the empty "
            f"context is not counted",
        ),
        judged(
            "parameters",
            "12,656",
            f"{run.model.n_parameters:,}",
            remark=f"{_fixed(run):,} of them do not start at random: they are the same for any "
            f"seed",
        ),
        judged(
            "101 → 011 after 50 steps", "79%", share("101", "1"), remark=over_seeds("101 → 011")
        ),
        (
            "it is not 100% because training stopped early",
            "–",
            f"{longer[most]:.1%} after {most:,} steps",
            HOLDS if longer[most] == max(longer.values()) else "does not hold",
        ),
        judged(
            "111 → 111 after 50 steps", "45%", share("111", "1"), remark=over_seeds("111 → 111")
        ),
        judged(
            "111 → 110 after 50 steps", "55%", share("111", "0"), remark=over_seeds("111 → 110")
        ),
        judged(
            '000 → 001 after 50 steps, "the inductive bias" of the Transformer',
            "73%",
            share("000", "1"),
            remark=f"for this seed alone: {over_seeds('000 → 001')}",
        ),
        judged(
            "P(0), P(1) after 010",
            "20%, 80%",
            f"{share('010', '0')}, {share('010', '1')}",
            remark=f"an illustration; before training it is "
            f"{probability(before, '010', '0'):.1%}, {probability(before, '010', '1'):.1%}",
        ),
        (
            "contexts that training never shows",
            "–",
            ", ".join(unseen),
            "their rows are whatever the weights imply",
        ),
    ]
    return Table(
        "The article's claims",
        COLUMNS,
        rows,
        note="Printed: the article of 2023 about A. Karpathy's baby GPT notebook. A claim holds "
        "if the computed number, written with as many digits, is the printed one.",
    )


def _fixed(run: TrainingRun) -> int:
    """How many parameters start at the same value with another seed."""
    from analysis.subject import baby

    other = baby(seed=run.seed + 1, steps=0)
    return [a == b for a, b in zip(_flat(run.untrained), _flat(other.model), strict=True)].count(
        True
    )


def _flat(model: nn.Module) -> list[float]:
    return [value for group in model.parameters() for value in group.flatten().tolist()]
