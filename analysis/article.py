"""The article's experiment, done again: which numbers are right, and which are one seed's.

A GPT of two tokens and a context of three is trained for 50 steps on 111101111011110, and
its eight rows are printed before and after. Three questions follow. Do the printed numbers come
out? Which of them are facts about the model, and which about the one seed that was used? And
is 79% where certainty was learned a limit of the model, or of the 50 steps?

Sources: A. Karpathy, "baby GPT" notebook, April 2023, and the article of 2023 that tells of it.
The convergence bound is that of Zekri et al. (2024), arXiv 2410.02724, section 3.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from fractions import Fraction
from functools import partial

from analysis.article_figures import convergence_picture, seeds_picture, steps_picture
from analysis.claims import experiment_claims
from analysis.commands import main
from analysis.study import Cell, Picture, Progress, Study, Table
from analysis.subject import (
    EPSILON,
    NEAR,
    SEED,
    STEPS,
    Subject,
    answer,
    asked,
    mixed,
    picked,
    subject,
)
from analysis.trainings import Trained, arrow, train_all, window_bits, window_floor
from fsm_gpt.asking import Model
from fsm_gpt.chain import Chain
from fsm_gpt.counts import context_coverage
from fsm_gpt.extract import extract
from fsm_gpt.markov import (
    communicating_classes,
    compare,
    convergence_bound,
    entropy_rate,
)
from fsm_gpt.space import ContextSpace

__all__ = ["TRANSITIONS", "run"]

#: The transitions that the article names: a context and the token that follows.
TRANSITIONS = (("000", "1"), ("101", "1"), ("111", "1"), ("111", "0"))

SEEDS = range(20)
LENGTHS = (0, 10, 20, 30, 40, 50, 100, 200, 500, 2000)

#: A chain of more states is not listed whole.
LISTED = 64


def run(
    *,
    model: Chain | Model | None = None,
    text: str | None = None,
    quick: bool = False,
    seeds: Sequence[int] | None = None,
    steps: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> Study:
    """Do the experiment, and do it again with other seeds and for longer.

    Parameters
    ----------
    model
        A chain, or a model to extract; the article's baby GPT where none is given. Seeds,
        steps and the article's claims are about the baby GPT: for another model they are
        left out.
    text
        What another model was trained on.
    quick
        Three seeds and up to 100 steps.
    seeds, steps
        The seeds to train with, and the numbers of steps to train for.
    progress
        Called with how many trainings are done, of how many, and a word on them.
    """
    about = subject(model, text=text)
    seeds = (range(3) if quick else SEEDS) if seeds is None else seeds
    steps = (LENGTHS[:7:2] if quick else LENGTHS) if steps is None else steps
    tables = {"listing": listing(about), "states": states(about, model)}
    figures: dict[str, Picture] = {}
    inputs = about.inputs()
    if about.run is not None:
        n = len(seeds) + len(steps)
        others = train_all([(seed, STEPS) for seed in seeds], progress, of=n)
        longer = train_all([(SEED, n) for n in steps], progress, done=len(seeds), of=n)
        article = Trained(about.run, about.chain)
        tables["claims"] = experiment_claims(
            article.run,
            article.chain,
            {arrow(c, t): [run.probability(c, t) for run in others] for c, t in TRANSITIONS},
            {run.run.steps: run.probability("101", "1") for run in longer},
        )
        tables["seeds"] = seed_ranges(article, others)
        tables["every_seed"] = every_seed(others)
        tables["steps"] = by_steps(about, longer)
        figures["seeds"] = seeds_picture(article, others, TRANSITIONS)
        figures["steps"] = steps_picture(tables["steps"])
        inputs |= {"seeds": list(seeds), "all_steps": list(steps)}
    tables["convergence"] = convergence(about)
    times = convergence_picture(about.chain)
    if times is not None:
        figures["convergence"] = times
    return Study(
        name="article",
        question="Do the article's numbers come out, and which of them are facts of one seed?",
        tables=tables,
        figures=figures,
        inputs=inputs,
    )


# ---- tables ----


def listing(about: Subject) -> Table:
    """Every row, before and after training, and whether training showed its context."""
    chains = about.chains()
    N, V = min(about.chain.n_states, LISTED), about.chain.n_tokens
    tokens = about.chain.vocabulary.shown
    unseen = None
    if about.text is not None and about.chain.context is not None:
        unseen = context_coverage(
            about.text, context=about.chain.context, vocabulary=about.chain.vocabulary
        ).unseen
    columns = ["context"]
    for name in chains:
        columns += [f"P({t}) {name}" for t in tokens] if V <= 8 else [f"most probable, {name}", "P"]
    rows: list[list[Cell]] = []
    for state in range(N):
        row: list[Cell] = [about.chain.label(state)]
        for chain in chains.values():
            p = [float(value) for value in chain.next_token[state]]
            best = p.index(max(p))
            row += p if V <= 8 else [tokens[best], p[best]]
        rows.append(row)
        if unseen is not None:
            row.append("no" if row[0] in unseen else "yes")
    if unseen is not None:
        columns.append("seen in training")
    return Table(
        "Every context and what follows it",
        columns,
        rows,
        formats=dict.fromkeys(columns[1:], ".4f"),
        note=f"The first {N:,} of {about.chain.n_states:,} contexts."
        if about.chain.n_states > N
        else "",
    )


def states(about: Subject, model: Chain | Model | None) -> Table:
    """How many states there are, and how many transitions."""
    rows: list[list[Cell]] = [["full windows, V^L", about.chain.n_states]]
    chain = about.chain
    asked = about.run.model if about.run is not None else model
    if isinstance(chain.states, ContextSpace):
        space = ContextSpace(chain.vocabulary, chain.states.length, shortest=1)
        rows[0][1] = space.n_windows
        rows.append(["contexts of 1 to L tokens, V + V^2 + ... + V^L", space.size])
        if asked is not None and not isinstance(asked, Chain) and space.size <= 4096:
            chain = extract(asked, short_contexts=True)
    found = communicating_classes(chain)
    recurrent = set(range(chain.n_states)).difference(found.transient.tolist())
    P = answer(chain.matrix, lambda P: int(P.size))
    moves = set(zip(chain.edges().source.tolist(), chain.edges().target.tolist(), strict=True))
    rows += [
        ["recurrent states", len(recurrent)],
        ["transient states", len(found.transient)],
        ["transitions", chain.n_edges],
        ["share of all pairs of states", Fraction(len(moves), P) if isinstance(P, int) else P],
    ]
    return Table(
        "The state space",
        ("what", "how many"),
        rows,
        note=f"The last four rows are of the chain with {chain.n_states:,} states. The empty "
        f"context is not counted.",
    )


def seed_ranges(article: Trained, others: Sequence[Trained]) -> Table:
    """Where the article's probabilities lie among those of other seeds."""
    rows: list[list[Cell]] = []
    for context, token in TRANSITIONS:
        some = [one.probability(context, token) for one in others]
        quarters = statistics.quantiles(some, n=4, method="inclusive")
        rows.append(
            [
                arrow(context, token),
                article.probability(context, token),
                statistics.fmean(some),
                min(some),
                *quarters,
                max(some),
            ]
        )
    columns = (
        "transition",
        f"seed {SEED}",
        "mean",
        "least",
        "lower quartile",
        "median",
        "upper quartile",
        "greatest",
    )
    return Table(
        f"Probabilities after {STEPS} steps over {len(others)} seeds",
        columns,
        rows,
        formats=dict.fromkeys(columns[1:], ".1%"),
        note=f"Seeds {others[0].run.seed} to {others[-1].run.seed}; {SEED} is the article's.",
    )


def every_seed(others: Sequence[Trained]) -> Table:
    """The same, seed by seed."""
    columns = ("seed", *(arrow(c, t) for c, t in TRANSITIONS), "loss (nats)", "entropy rate (bits)")
    return Table(
        f"Every seed after {STEPS} steps",
        columns,
        [
            [
                one.run.seed,
                *(one.probability(c, t) for c, t in TRANSITIONS),
                one.run.final_loss,
                float(entropy_rate(one.chain).bits_per_token),
            ]
            for one in others
        ],
        formats={"seed": "d", **dict.fromkeys(columns[1:], ".4f")},
    )


def by_steps(about: Subject, longer: Sequence[Trained]) -> Table:
    """What more training does."""
    assert about.data is not None
    floor = window_floor(about.data)
    rows: list[list[Cell]] = []
    for one in longer:
        found = compare(about.data, one.chain)
        bits = window_bits(one.chain)
        rows.append(
            [
                one.run.steps,
                *(one.probability(c, t) for c, t in (("101", "1"), ("111", "1"), ("000", "1"))),
                one.run.final_loss,
                bits,
                bits - floor,
                found.kl_bits_per_token,
            ]
        )
    columns = (
        "steps",
        *(arrow(c, t) for c, t in (("101", "1"), ("111", "1"), ("000", "1"))),
        "loss (nats)",
        "loss (bits)",
        "above the floor (bits)",
        "KL rate from the data (bits)",
    )
    return Table(
        f"More training, seed {SEED}",
        columns,
        rows,
        formats={
            **dict.fromkeys(columns[1:3], ".2%"),
            columns[3]: ".2%",
            **dict.fromkeys(columns[4:], ".4f"),
        },
        note=f"The floor is {floor:.4f} bits: no model that sees three tokens has a smaller loss "
        f"on these windows, because what follows 111 cannot be told.",
    )


def convergence(about: Subject) -> Table:
    """The time to forget the start, and what a bound from the literature makes of it."""
    rows = [_times(name, chain) for name, chain in about.chains().items()]
    return Table(
        f"Tokens until every start is within {NEAR} of the stationary distribution",
        ("chain", "true", "true, mean over starts", "least entry of P^L", "bound"),
        rows,
        note="Total variation. The bound is (1 - 2 eps)^(floor(n/L) - 1) of Zekri et al. (2024), "
        "with eps the least entry of P^L.",
    )


def _times(name: str, chain: Chain) -> list[Cell]:
    true = mixed(chain)
    bound = asked(partial(convergence_bound, chain, epsilon=EPSILON))
    return [
        name,
        picked(true, lambda found: found.steps),
        picked(true, lambda found: found.average_steps),
        picked(bound, lambda found: found.smallest),
        picked(bound, lambda found: found.steps),
    ]


if __name__ == "__main__":
    main("analysis.article", {"article": run}, about=__doc__ or "")
