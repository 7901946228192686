"""A GPT taught a source of period five, with a context that is too short and one that is not.

The article's text is 11110 over and over. After 111 comes 1 or 0, and three tokens do not say
which; four do. So at context 3 the best model is at a loss at two tokens in five, and at context 4
there is nothing to be uncertain of: a machine of five states writes the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.commands import main
from analysis.drawing import curves, level, plain, whole
from analysis.study import Cell, Picture, Progress, Study, Table
from analysis.subject import answer, asked, data_chain, effective_states, merged, picked
from analysis.trainings import gpt_chains
from fsm_gpt.asking import Model
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy
from fsm_gpt.extract import extract
from fsm_gpt.markov import (
    MinimalMachine,
    causal_states,
    communicating_classes,
    compare,
    entropy_rate,
    memory_curve,
    minimize,
    time_scales,
)
from fsm_gpt.report.facts import class_in_words
from fsm_gpt.report.graph import state_graph

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CONTEXTS", "PERIOD", "SOURCE", "run"]

#: The text, and what is repeated in it.
PERIOD, SOURCE = "11110", "111101111011110111101111011110"
CONTEXTS = (3, 4)
#: Of the trainings: the first seed is looked at closely, for the last number of steps.
SEEDS, STEPS, RATE = (1337, 0, 1, 2), (0, 25, 50, 100, 200, 300), 3e-3
#: Bits per token that a merged machine may cost, the first of them the small price of the text.
PRICES = (0.01, 0.3, 0.1, 1e-3, 1e-4)
SMALL = PRICES[0]


def run(
    *,
    model: Chain | Model | None = None,
    text: str | None = None,
    quick: bool = False,
    seeds: Sequence[int] | None = None,
    steps: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> Study:
    """What is left of the source in GPTs that see three and four of its tokens.

    Parameters
    ----------
    model
        A chain, or a model to extract, to be asked the same in place of GPTs trained here.
    text
        What that was trained on.
    quick
        One seed, and fewer numbers of steps.
    seeds, steps
        Seeds to train from, and numbers of steps, the last of which is that of the tables.
    progress
        Called with how many trainings are done, of how many, and which.
    """
    if model is not None:
        return of_another(model, text)
    seeds = (SEEDS[:1] if quick else SEEDS) if seeds is None else seeds
    steps = ((0, 200) if quick else STEPS) if steps is None else steps
    steps = sorted(set(steps))
    trained: dict[tuple[int, int, int], Chain] = {}
    every = [(context, seed) for context in CONTEXTS for seed in seeds]
    for place, (context, seed) in enumerate(every, start=1):
        looks = tuple(steps) if seed == seeds[0] else (steps[-1],)
        found = gpt_chains(SOURCE, context=context, seed=seed, steps=looks, learning_rate=RATE)
        trained |= {(context, seed, n): chain for n, chain in found.items()}
        if progress is not None:
            progress(place, len(every), f"context {context}, seed {seed}, {steps[-1]:,} steps")
    sources = {context: source(context) for context in CONTEXTS}
    gpts = {context: trained[context, seeds[0], steps[-1]] for context in CONTEXTS}
    beside = {
        f"{kind}, context {context}": some[context]
        for context in CONTEXTS
        for kind, some in (("the text", sources), ("GPT", gpts))
    }
    tables = {
        "contexts": facts(beside),
        "remembered": remembered(beside),
        "cycles": cycles(beside),
        "prices": prices({f"context {context}": gpts[context] for context in CONTEXTS}),
        "seeds": by_seed(
            {(context, seed): trained[context, seed, steps[-1]] for context in CONTEXTS
             for seed in seeds},
            sources,
        ),
        "training": by_steps(
            steps, {(c, n): trained[c, seeds[0], n] for c in CONTEXTS for n in steps}
        ),
    }  # fmt: skip
    return Study(
        name="period_five",
        question="What does a GPT make of a source of period five?",
        tables=tables,
        figures={
            "training": training_picture(tables["training"], sources),
            "machine": machine_picture(gpts[CONTEXTS[-1]]),
        },
        inputs={
            "text": SOURCE,
            "contexts": list(CONTEXTS),
            "seeds": list(seeds),
            "steps": list(steps),
            "learning_rate": RATE,
            "price": SMALL,
        },
    )


def of_another(model: Chain | Model, text: str | None) -> Study:
    """The same questions of one chain."""
    chain = model if isinstance(model, Chain) else extract(model)
    beside = {"model": chain}
    if text is not None:
        beside = {"the text": data_chain(text, chain)} | beside
    return Study(
        name="period_five",
        question="What does this GPT make of its source?",
        tables={
            "contexts": facts(beside),
            "remembered": remembered(beside),
            "cycles": cycles(beside),
            "prices": prices(beside),
        },
        figures={},
        inputs={"model": str(chain), "text": text, "price": SMALL},
    )


def source(context: int) -> Chain:
    """The text's own chain, read as a circle, with exact probabilities."""
    return Chain.from_text(SOURCE, context=context, end="wrap")


def greedy_class(chain: Chain) -> tuple[int | str, str]:
    """States of the closed class of the greedy chain, and the class in words."""
    greedy = chain.with_decoding(Greedy())
    found = communicating_classes(greedy)
    if len(found.closed) > 1:
        return f"{len(found.closed)} classes", ""
    states, period = found.closed[0], found.periods[0]
    return len(states), class_in_words(greedy, states, period)


COLUMNS = (
    "chain",
    "entropy rate (bits)",
    "excess entropy (bits)",
    "states",
    "exact minimal machine",
    "merged machine",
    "its price (bits per token)",
    "its effective states",
    "greedy closed class",
    "greedy closed class in words",
)


def facts(chains: dict[str, Chain]) -> Table:
    """What each chain is uncertain of, and how many states it needs."""
    rows: list[list[Cell]] = []
    for name, chain in chains.items():
        machine = merged(chain, SMALL)
        size, words = greedy_class(chain)
        rows.append(
            [
                name,
                answer(lambda: entropy_rate(chain.floats()), lambda h: float(h.bits_per_token)),  # noqa: B023
                answer(lambda: memory_curve(chain), lambda curve: curve.excess_bits),  # noqa: B023
                chain.n_states,
                answer(lambda: minimize(chain), lambda found: found.n_states),  # noqa: B023
                picked(machine, lambda found: found.n_states),
                picked(machine, lambda found: float(found.kl_bits_per_token)),
                picked(machine, lambda found: effective_states(found.chain)),
                size,
                words,
            ]
        )
    return Table(
        "The source, and GPTs that see three and four of its tokens",
        COLUMNS,
        rows,
        formats={
            "entropy rate (bits)": ".4f",
            "excess entropy (bits)": ".4f",
            "its price (bits per token)": ".1e",
            "its effective states": ".4f",
        },
        note=f"States are merged where that costs at most {SMALL:g} bits per token. Effective "
        "states are two to the power of the entropy of the machine's state. Where no fourth token "
        "is seen, the text goes on with 1 after 111 as often as with 0, and greedy decoding takes "
        "the first of the two.",
    )


def remembered(chains: dict[str, Chain]) -> Table:
    """Causal states and their bits, of each chain and of what is made of it."""
    rows: list[list[Cell]] = []
    for name, chain in chains.items():
        machine = merged(chain, SMALL)
        made: dict[str, Chain | str] = {name: chain}
        if not name.startswith("the text"):
            made[f"{name}, merged"] = machine if isinstance(machine, str) else machine.chain
            made[f"{name}, greedy"] = chain.with_decoding(Greedy())
        for what, one in made.items():
            found = one if isinstance(one, str) else asked(lambda: causal_states(one))  # noqa: B023
            rows.append(
                [
                    what,
                    picked(found, lambda states: states.n_states),
                    picked(found, lambda states: states.statistical_complexity_bits),
                    picked(found, lambda states: states.excess_entropy_bits),
                    picked(found, lambda states: states.entropy_rate_bits_per_token),
                    picked(found, lambda states: states.markov_order),
                ]
            )
    return Table(
        "Causal states: what has to be remembered",
        (
            "chain",
            "causal states",
            "statistical complexity (bits)",
            "excess entropy (bits)",
            "entropy rate (bits)",
            "Markov order",
        ),
        rows,
        formats={
            "statistical complexity (bits)": ".4f",
            "excess entropy (bits)": ".4f",
            "entropy rate (bits)": ".4f",
        },
        note="Statistical complexity is the entropy of the causal state, and five that are visited "
        "equally often have log2 5 bits. That is what the text has once four of its tokens are "
        f"seen. Merged is the machine that costs at most {SMALL:g} bits per token.",
    )


def cycles(chains: dict[str, Chain]) -> Table:
    """How long each chain keeps the beat."""
    rows: list[list[Cell]] = []
    for name, chain in chains.items():
        found = asked(lambda: time_scales(chain).cycles)  # noqa: B023
        if isinstance(found, str):
            rows.append([name, found, None, None])
            continue
        rows += [
            [name, f"{mode.turn_tokens:.3f}", mode.tokens, mode.at_least_tokens]
            for mode in found[:2]
        ]
        if not found:
            rows.append([name, "none", None, None])
    return Table(
        "Cycles: how long the beat is kept",
        ("chain", "tokens a round", "tokens until 1/e is left", "proven to be at least"),
        rows,
        note="A cycle is what goes round at least once before it fades. A source of period five "
        "has rounds of 5 and of 5/2 tokens, the second its overtone, and keeps them for ever.",
    )


def prices(chains: dict[str, Chain]) -> Table:
    """The states that are left at each price."""
    rows: list[list[Cell]] = []
    for price in sorted(PRICES, reverse=True):
        found = [merged(chain, price) for chain in chains.values()]
        rows.append([price, *(picked(machine, lambda one: one.n_states) for machine in found)])
    return Table(
        "States of the merged machine, by price",
        ("at most so many bits per token", *chains),
        rows,
        formats={"at most so many bits per token": "g"},
        note="The price is the KL rate of the chain against its machine.",
    )


def complexity(machine: MinimalMachine | str) -> Cell:
    """The statistical complexity of a merged machine in bits, or why there is none."""
    if isinstance(machine, str):
        return machine
    return answer(
        lambda: causal_states(machine.chain), lambda found: found.statistical_complexity_bits
    )


def by_seed(chains: dict[tuple[int, int], Chain], sources: dict[int, Chain]) -> Table:
    """Whether every seed comes to the same."""
    rows: list[list[Cell]] = []
    for (context, seed), chain in chains.items():
        machine = merged(chain, SMALL)
        found = compare(data_chain(SOURCE, chain), chain)
        rows.append(
            [
                context,
                seed,
                float(entropy_rate(chain).bits_per_token),
                float(entropy_rate(sources[context]).bits_per_token),
                found.kl_bits_per_token,
                greedy_class(chain)[0],
                picked(machine, lambda one: one.n_states),
                complexity(machine),
            ]
        )
    return Table(
        "Every seed",
        (
            "context",
            "seed",
            "entropy rate (bits)",
            "the text's (bits)",
            "KL rate from the text (bits)",
            "greedy closed class",
            "merged machine",
            "its statistical complexity (bits)",
        ),
        rows,
        formats={
            "seed": "d",
            "entropy rate (bits)": ".4f",
            "KL rate from the text (bits)": ".4f",
            "its statistical complexity (bits)": ".4f",
        },
    )


def by_steps(steps: Sequence[int], chains: dict[tuple[int, int], Chain]) -> Table:
    """The entropy rate while they learn."""
    rows: list[list[Cell]] = [
        [n, *(float(entropy_rate(chains[context, n]).bits_per_token) for context in CONTEXTS)]
        for n in steps
    ]
    return Table(
        "Entropy rate against training, in bits per token",
        ("steps", *(f"context {context}" for context in CONTEXTS)),
        rows,
        formats={f"context {context}": ".4f" for context in CONTEXTS},
    )


def training_picture(table: Table, sources: dict[int, Chain]) -> Picture:
    """The entropy rates while they learn, above what is left to learn."""
    title = "Uncertainty while the source is learnt"
    steps = [float(n) for n in table.column("steps") if isinstance(n, int)]
    least = [float(entropy_rate(sources[context]).bits_per_token) for context in CONTEXTS]
    series = {
        name: (
            steps, [float(bits) for bits in table.column(name) if isinstance(bits, float)]
        )
        for name, floor in zip(table.columns[1:], least, strict=True)
    }  # fmt: skip

    def draw(figure: Figure) -> None:
        ax = plain(figure.add_subplot(), title, "training steps", "bits per token")
        curves(ax, series)
        for context, floor in zip(CONTEXTS, least, strict=True):
            if floor:
                level(ax, floor, f"the text itself at context {context}: {floor:g}", above=False)
        ax.set_ylim(bottom=0)

    return Picture(f"{title}: the text has {least[0]:g} and {least[1]:g} bits per token", draw)


def machine_picture(chain: Chain) -> Picture:
    """The merged machine of the GPT that sees enough."""
    machine = merged(chain, SMALL)
    drawn = chain if isinstance(machine, str) else machine.chain
    title = f"The machine of the GPT with context {CONTEXTS[-1]}, states merged"

    def draw(figure: Figure) -> None:
        state_graph(drawn, ax=whole(figure), title=title)

    return Picture(title, draw, size=(7.2, 5.0))


if __name__ == "__main__":
    main("analysis.period_five", {"period_five": run}, about=__doc__ or "")
