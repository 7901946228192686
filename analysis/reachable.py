"""What can a model say that is too large to enumerate? Its machine, its loops, its entropy.

A word-level GPT of the project's own: 28 words, a context of 8, so 28^8 windows. It was trained by
:func:`trained` on the short sentences in ``analysis/words``, written for it, and its weights are
there too. From a few prompts under a decoding rule it comes to few of its windows; these are
found one by one. With ``--model`` any other model is asked, from prompts of one token.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.commands import main
from analysis.large import first_tokens, loops, position, trained_here
from analysis.study import Cell, Progress, Study, Table
from analysis.subject import answer
from fsm_gpt.asking import Model
from fsm_gpt.chain import Chain
from fsm_gpt.cutting import cutting_loss
from fsm_gpt.decoding import Greedy, MinP, Rule, TopK, TopP
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.explore import Exploration, explore, greedy_cycles
from fsm_gpt.extract import extract
from fsm_gpt.markov import communicating_classes, entropy_rate
from fsm_gpt.sampling import SampledEntropyRate, sample_entropy_rate
from fsm_gpt.simulate import simulate

if TYPE_CHECKING:
    from fsm_gpt.gpt import GPT, TrainingRun

__all__ = ["FOLDER", "own_model", "run", "sentences", "trained"]

#: The sentences, and the weights that were trained on them.
FOLDER = Path(__file__).parent.joinpath("words")
#: The article's way of training, on words: context, updates, seed.
CONTEXT, STEPS, SEED = 8, 100, 1337

RULES: tuple[Rule, ...] = (Greedy(), MinP(0.7), TopK(2), TopP(0.9))
PROMPTS = ("the cat", "a bird sings", "the old dog")


def sentences() -> list[str]:
    """The words of all sentences, one after another."""
    return FOLDER.joinpath("sentences.txt").read_text(encoding="utf-8").split()


def trained(*, steps: int = STEPS, progress: Progress | None = None) -> TrainingRun:
    """Train the word-level GPT anew, as its weights were; some seconds."""
    from fsm_gpt.gpt import train

    def tick(step: int, loss: float) -> None:
        if progress is not None:
            progress(step, steps, f"loss {loss:.3f}")

    return train(
        sentences(),
        context=CONTEXT,
        steps=steps,
        seed=SEED,
        n_layer=2,
        n_head=2,
        n_embd=32,
        loss_on="all",
        progress=tick,
    )


def own_model() -> GPT:
    """The word-level GPT with the weights in ``analysis/words``."""
    return trained_here(FOLDER)


def run(
    *,
    model: Chain | Model | None = None,
    text: str | None = None,
    quick: bool = False,
    rules: Sequence[Rule] | None = None,
    prompts: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Study:
    """The machine under each rule, the loops, the entropy rate, and some sentences.

    Parameters
    ----------
    model
        A model too large to enumerate; the project's word-level GPT where none is given.
    text
        What another model was trained on, to tell what a cut costs.
    quick
        Fewer rules, states and tokens.
    rules
        The decoding rules to explore under.
    prompts
        Where texts begin; some beginnings of sentences, or for another model its first tokens.
    progress
        Called with how many steps are done, of how many, and the step.
    """
    if isinstance(model, Chain):
        raise InvalidArgument(
            "reachable: the subject is a chain, all of whose states are known. Give a model."
        )
    own = model is None
    asked = own_model() if model is None else model
    data: object = sentences() if own else text
    starts: list[Any] = _prompts(asked, own) if prompts is None else list(prompts)
    rules = (RULES[:2] if quick else RULES) if rules is None else rules
    most = 2_000 if quick else 20_000
    steps = len(rules) + 3
    machines: dict[str, Exploration] = {}
    for place, rule in enumerate(rules, start=1):
        machines[str(rule)] = explore(asked, starts, decoding=rule, max_states=most)
        if progress is not None:
            progress(place, steps, f"explored under {rule}")
    cycles = greedy_cycles(asked, starts, temperatures=(1.0, 0.5, 0.2))
    if progress is not None:
        progress(steps - 2, steps, "followed to loops")
    sampled = sample_entropy_rate(asked, streams=32, n_tokens=200 if quick else 2000)
    if progress is not None:
        progress(steps - 1, steps, "sampled")
    tables = {
        "machines": Table(
            f"What {len(starts)} prompts lead to",
            (
                "rule",
                "states",
                "transitions",
                "complete",
                "closed classes",
                "states of the largest",
                "entropy rate (bits per token)",
            ),
            [_machine(name, found) for name, found in machines.items()],
            note=f"Exploring ends at {most:,} states; a part has no long run.",
        ),
        "loops": loops(cycles),
        "entropy": _entropy(asked, sampled, data),
    }
    texts = _sentences(machines)
    if texts:
        tables["sentences"] = Table("What it says", ("rule", "from", "text"), texts)
    if progress is not None:
        progress(steps, steps, "told")
    return Study(
        name="reachable",
        question="What can a model say that is too large to enumerate?",
        tables=tables,
        figures={
            "position": position(
                sampled.curve.positions.tolist(),
                sampled.curve.running_mean_bits.tolist(),
                sampled.bits_per_token,
                streams=sampled.streams,
            )
        },
        inputs={
            "prompts": starts,
            "rules": [str(rule) for rule in rules],
            "max_states": most,
            "model": dict(getattr(asked, "provenance", {})),
        },
    )


def _prompts(model: Model, own: bool) -> list[Any]:
    if own:
        return list(PROMPTS)
    return list(first_tokens(len(getattr(model, "vocabulary", "12345678"))))


def _machine(name: str, found: Exploration) -> list[Cell]:
    chain = found.chain
    if not found.complete:
        part = "no: more than that"
        return [name, found.n_explored, chain.n_edges, part, None, None, None]
    classes = communicating_classes(chain)
    return [
        name,
        found.n_explored,
        chain.n_edges,
        "yes",
        len(classes.closed),
        max(len(states) for states in classes.closed),
        answer(lambda: entropy_rate(chain), lambda rate: float(rate.bits_per_token)),
    ]


def _entropy(model: Model, sampled: SampledEntropyRate, data: object) -> Table:
    rows: list[list[Cell]] = [
        [
            "the whole model, by sampling",
            sampled.bits_per_token,
            sampled.low,
            sampled.high,
            None,
        ]
    ]
    for k in (1, 2):
        exact = entropy_rate(extract(model, truncate_to=k))
        loss = None
        if data is not None:
            loss = cutting_loss(model, data, truncate_to=k).loss_bits_per_token  # type: ignore[arg-type]
        bits = float(exact.bits_per_token)
        rows.append([f"cut to its last {k}, exactly", bits, bits, bits, loss])
    return Table(
        "Entropy rate",
        ("model", "bits per token", "low", "high", "what the cut costs on the text (bits)"),
        rows,
        note="A cut model is another model: its entropy rate is no bound on that of the whole one.",
    )


def _sentences(machines: dict[str, Exploration]) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for name, found in machines.items():
        if found.complete:
            chain = found.chain
            for start in range(min(3, len(found.prompts))):
                label = chain.label(start)
                rows.append([name, label, simulate(chain, 24, start=start, seed=start).text])
    return rows


if __name__ == "__main__":
    main("analysis.reachable", {"reachable": run}, about=__doc__ or "")
