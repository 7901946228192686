"""Copying, parity and majority, taught to small GPTs, with the sources known exactly.

The next token is the one three back, the parity of the last three, or what most of them are, and
one time in ten it is the other one. Each source is a window chain itself. So what a GPT has made
of it is measured against the source and not against a text: by the KL rate, by how much of the
past it uses, and by the states that it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from analysis.commands import main
from analysis.drawing import curves, level, plain
from analysis.study import Cell, Picture, Progress, Study, Table
from analysis.subject import answer, asked, effective_states, merged, picked
from analysis.trainings import gpt_chains
from fsm_gpt.asking import Model
from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.extract import extract
from fsm_gpt.markov import (
    MetastableSets,
    compare,
    entropy_rate,
    memory_curve,
    metastable_sets,
    minimize,
    time_scales,
)
from fsm_gpt.simulate import simulate
from fsm_gpt.space import ContextSpace, Vocabulary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LOOKED_AT", "TASKS", "run", "source"]

#: A task looks at so many tokens; the GPTs see one more.
LOOKED_AT, CONTEXT = 3, 4
#: What comes next, of the last three tokens, each 0 or 1.
TASKS: dict[str, Callable[[list[int]], int]] = {
    "copy": lambda last: last[0],
    "parity": lambda last: last.count(1) & 1,
    "majority": lambda last: int(last.count(1) > 1),
}
#: The probabilities of 0 and 1 where 0, or 1, is to come.
NOISY = (("9/10", "1/10"), ("1/10", "9/10"))
#: Tokens of the texts, and how the GPTs are trained on them.
LENGTH, DRAWN, RATE, BATCH, LAYERS, WIDTH = 4000, 1, 3e-3, 128, 2, 32
#: The first seed is that of the tables; parity is tried with the others.
SEEDS = (1337, 0)
STEPS = (0, 50, 100, 200, 400, 800)
#: Bits per token within which a task is learnt, and that a merged machine may cost.
LEARNT = 0.01


def run(
    *,
    model: Chain | Model | None = None,
    text: str | None = None,
    quick: bool = False,
    steps: Sequence[int] | None = None,
    seeds: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> Study:
    """Each task's source, and GPTs that learn it.

    Parameters
    ----------
    model
        A chain over two tokens and contexts of three or more, or such a model to extract, to be
        held against the three sources in place of GPTs trained here.
    text
        What that was trained on; it is only written down.
    quick
        Fewer steps, and one seed.
    steps
        Numbers of steps to train for; the last is that of the tables.
    seeds
        Seeds; the first is that of the tables, and parity is tried with all.
    progress
        Called with how many trainings are done, of how many, and which.

    Raises
    ------
    InvalidArgument
        The model has other than two tokens, or sees fewer than three.
    """
    if model is not None:
        return of_another(model, text)
    steps = ((0, 100) if quick else STEPS) if steps is None else sorted(set(steps))
    seeds = (SEEDS[:1] if quick else SEEDS) if seeds is None else seeds
    sources = {name: source(name) for name in TASKS}
    every = [(name, seeds[0], tuple(steps)) for name in TASKS]
    every += [("parity", seed, (steps[-1],)) for seed in seeds[1:]]
    gpts: dict[tuple[str, int, int], Chain] = {}
    for place, (name, seed, looks) in enumerate(every, start=1):
        found = gpt_chains(
            simulate(sources[name], LENGTH, seed=DRAWN).text,
            context=CONTEXT,
            seed=seed,
            steps=looks,
            learning_rate=RATE,
            vocabulary="01",
            batch=BATCH,
            n_layer=LAYERS,
            n_embd=WIDTH,
        )
        gpts |= {(name, seed, n): chain for n, chain in found.items()}
        if progress is not None:
            progress(place, len(every), f"{name}, seed {seed}, {steps[-1]:,} steps")
    last = {name: gpts[name, seeds[0], steps[-1]] for name in TASKS}
    learning = by_steps(
        steps, sources, {(name, n): gpts[name, seeds[0], n] for name in TASKS for n in steps}
    )
    memory = by_memory(sources, last)
    return Study(
        name="tasks",
        question="Which tasks does a small GPT learn, how soon, and what does it remember?",
        tables={
            "tasks": facts(sources, last),
            "learning": learning,
            "memory": memory,
            "sets": slow_sets(sources, last),
            "parity": by_seed({seed: gpts["parity", seed, steps[-1]] for seed in seeds}, steps[-1]),
        },
        figures={"learning": learning_picture(learning), "memory": memory_picture(memory)},
        inputs={
            "tasks": list(TASKS),
            "tokens_looked_at": LOOKED_AT,
            "context": CONTEXT,
            "noise": NOISY[0][1],
            "tokens": LENGTH,
            "seeds": list(seeds),
            "seed_of_the_texts": DRAWN,
            "steps": list(steps),
            "learning_rate": RATE,
            "batch": BATCH,
            "layers": LAYERS,
            "width": WIDTH,
        },
    )


def of_another(model: Chain | Model, text: str | None) -> Study:
    """One chain held against the three sources."""
    chain = model if isinstance(model, Chain) else extract(model)
    context = chain.context or 0
    if chain.n_tokens != len(NOISY) or context < LOOKED_AT:
        raise InvalidArgument(
            f"tasks: the model has {chain.n_tokens} tokens and sees {context} of them. The tasks "
            f"are about two tokens, of which {LOOKED_AT} are looked at; give a model over two "
            f"tokens with a context of {LOOKED_AT} or more."
        )
    sources = {name: source(name, context, chain.vocabulary) for name in TASKS}
    models = dict.fromkeys(TASKS, chain)
    return Study(
        name="tasks",
        question="Which of the tasks is this GPT near to?",
        tables={"tasks": facts(sources, models), "memory": by_memory(sources, models)},
        figures={},
        inputs={"model": str(chain), "text": text},
    )


def source(name: str, context: int = CONTEXT, vocabulary: Vocabulary | str = "01") -> Chain:
    """The window chain of a task, with exact probabilities.

    >>> print(source("copy", 3).listing(states=["011"]))
    input [0, 1, 1] ---> [9/10, 1/10]
    """
    space = ContextSpace(Vocabulary.of(vocabulary), context)
    windows = space.contexts().tolist()
    rows = [NOISY[TASKS[name](window[-LOOKED_AT:])] for window in windows]
    return Chain([list(row) for row in rows], vocabulary=space.vocabulary)


def facts(sources: dict[str, Chain], models: dict[str, Chain]) -> Table:
    """What each source and each GPT is uncertain of, and how many states it needs."""
    rows: list[list[Cell]] = []
    for name in sources:
        for kind, chain in (("source", sources[name]), ("GPT", models[name])):
            machine = merged(chain, LEARNT)
            away = compare(sources[name], chain).kl_bits_per_token
            floats = chain.floats()
            rows.append(
                [
                    f"{name}, {kind}",
                    answer(lambda: entropy_rate(floats), lambda h: float(h.bits_per_token)),  # noqa: B023
                    away if kind == "GPT" else None,
                    answer(lambda: memory_curve(floats), lambda curve: curve.excess_bits),  # noqa: B023
                    answer(lambda: minimize(chain), lambda found: found.n_states),  # noqa: B023
                    picked(machine, lambda found: found.n_states),
                    picked(machine, lambda found: effective_states(found.chain)),
                    answer(lambda: time_scales(floats), lambda found: found.slowest_tokens),  # noqa: B023
                ]
            )
    return Table(
        "Three tasks: the source, and a GPT taught it",
        (
            "task",
            "entropy rate (bits)",
            "KL rate from the source (bits)",
            "excess entropy (bits)",
            "exact minimal machine",
            "merged machine",
            "its effective states",
            "slowest time scale (tokens)",
        ),
        rows,
        formats=dict.fromkeys(
            ("entropy rate (bits)", "KL rate from the source (bits)", "excess entropy (bits)"),
            ".4f",
        )
        | {"its effective states": ".3f", "slowest time scale (tokens)": ".1f"},
        note=f"States are merged where that costs at most {LEARNT:g} bits per token.",
    )


def by_steps(
    steps: Sequence[int], sources: dict[str, Chain], models: dict[tuple[str, int], Chain]
) -> Table:
    """How far from its source each GPT is, while it learns."""
    found = {
        name: [compare(sources[name], models[name, n]).kl_bits_per_token for n in steps]
        for name in sources
    }
    rows: list[list[Cell]] = [[str(n), *(found[name][k] for name in found)] for k, n in
                              enumerate(steps)]  # fmt: skip
    first = {
        name: next((n for n, bits in zip(steps, each, strict=True) if bits < LEARNT), None)
        for name, each in found.items()
    }
    rows.append(
        [f"steps to {LEARNT:g}", *("not reached" if n is None else str(n) for n in first.values())]
    )
    return Table(
        "KL rate from the source against training, in bits per token",
        ("steps", *found),
        rows,
        formats=dict.fromkeys(found, ".4f"),
        note="The last line is the first of these numbers of steps with a KL rate below "
        f"{LEARNT:g} bits. Each number of steps is a training by itself, with the learning rate "
        "kept to the end, so that small rates go up and down.",
    )


def by_seed(models: dict[int, Chain], steps: int) -> Table:
    """Whether parity is learnt, which depends on the seed."""
    exact = source("parity")
    rows: list[list[Cell]] = []
    for seed, chain in models.items():
        machine = merged(chain, LEARNT)
        away = compare(exact, chain).kl_bits_per_token
        rows.append(
            [
                str(seed),
                away,
                "yes" if away < LEARNT else "no",
                picked(machine, lambda found: found.n_states),
            ]
        )
    return Table(
        f"Parity after {steps:,} steps, by seed",
        ("seed", "KL rate from the source (bits)", "learnt", "merged machine"),
        rows,
        formats={"KL rate from the source (bits)": ".4f"},
        note="The source has 8 states. Parity shows nothing to who looks at fewer than three "
        "tokens, and some seeds do not find it in so many steps.",
    )


def by_memory(sources: dict[str, Chain], models: dict[str, Chain]) -> Table:
    """How much of the past each uses."""
    curves_of = {}
    for name in sources:
        for kind, chain in (("source", sources[name]), ("GPT", models[name])):
            curves_of[f"{name}, {kind}"] = asked(lambda: memory_curve(chain.floats()))  # noqa: B023
    length = max(chain.context or 0 for chain in models.values())
    rows: list[list[Cell]] = [
        [
            k,
            *(
                curve if isinstance(curve, str) else float(curve.bits_per_token[k])
                for curve in curves_of.values()
            ),
        ]
        for k in range(length + 1)
    ]
    return Table(
        "Uncertainty of the next token when the last k tokens are known, in bits",
        ("k", *curves_of),
        rows,
        formats=dict.fromkeys(curves_of, ".4f"),
        note="Of copying and of parity two tokens tell nothing, and the third all there is.",
    )


def slow_sets(sources: dict[str, Chain], models: dict[str, Chain]) -> Table:
    """What a text stays in for long."""
    rows: list[list[Cell]] = []
    for name in sources:
        for kind, chain in (("source", sources[name]), ("GPT", models[name])):
            found = asked(lambda: metastable_sets(chain))  # noqa: B023
            if isinstance(found, str):
                rows.append([f"{name}, {kind}", "none", None, None, None, None])
                continue
            rows += [[f"{name}, {kind}", *one] for one in told(found)]
    return Table(
        "Sets that a text seldom leaves",
        ("task", "set", "share", "mean stay (tokens)", "heaviest states", "left most often by"),
        rows,
        formats={"share": ".1%", "mean stay (tokens)": ".2f"},
        note="Where no time scale stands apart there are none. The split is a heuristic; shares "
        "and stays are those of the sets, exactly.",
    )


def told(found: MetastableSets) -> list[list[Cell]]:
    """What is said of each set."""
    rows: list[list[Cell]] = []
    for k in range(found.n_sets):
        moves = [move for move in found.moves if move.source == k]
        by = f"{moves[0].context_tokens[0]} after {moves[0].contexts[0]}" if moves else None
        rows.append(
            [
                str(k),
                float(found.shares[k]),
                float(found.mean_stay_tokens[k]),
                ", ".join(found.heaviest[k][:3]),
                by,
            ]
        )
    return rows


# ---- figures ----


def learning_picture(table: Table) -> Picture:
    """The KL rates while they learn."""
    title = f"How far from the source: below {LEARNT:g}, the dashes, it is learnt"
    steps = [float(str(n)) for n in table.column("steps") if str(n).isdigit()]
    series = {
        name: (steps, [bits for bits in table.column(name) if isinstance(bits, float)])
        for name in table.columns[1:]
    }

    def draw(figure: Figure) -> None:
        ax = plain(figure.add_subplot(), title, "training steps", "KL rate, bits per token")
        curves(ax, series)
        ax.set_xscale("symlog", linthresh=50)
        ax.set_xticks(steps, [f"{n:g}" for n in steps])
        ax.set_xlim(-2, max(steps) + 60)
        ax.set_yscale("log")
        ax.minorticks_off()
        level(ax, LEARNT, "")

    return Picture(title, draw)


def memory_picture(table: Table) -> Picture:
    """The memory curves, a task each."""
    title = "What the last k tokens tell of the next"

    def draw(figure: Figure) -> None:
        places = figure.subplots(1, len(TASKS), sharey=True)
        for ax, name in zip(places, TASKS, strict=True):
            plain(ax, name, "k, last tokens known", "bits per token" if ax is places[0] else "")
            series = {}
            for kind in ("source", "GPT"):
                bits = [x for x in table.column(f"{name}, {kind}") if isinstance(x, float)]
                series[kind] = (list(range(len(bits))), bits)
            curves(ax, series)
            ax.set_xticks(range(len(table.rows)))
            ax.set_ylim(bottom=0)

    return Picture(title, draw, size=(9.6, 3.4))


if __name__ == "__main__":
    main("analysis.tasks", {"tasks": run}, about=__doc__ or "")
