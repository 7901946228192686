"""What will the model say? Twelve questions of its chain, each checked by drawing texts.

The project's word-level GPT under top-2 sampling: from one prompt it comes to some ten thousand
of its windows before the full stop, and these are its machine. Each question has an exact answer,
or one with a proven error; beside it stands what thousands of texts drawn from the same chain
show, and how many standard errors lie between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.commands import main
from analysis.drawing import curves, plain
from analysis.reachable import own_model
from analysis.study import Cell, Picture, Progress, Study, Table
from fsm_gpt.asking import Model
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import TopK
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.explore import explore
from fsm_gpt.markov import (
    expected_visits,
    length_distribution,
    most_likely_path,
    reach,
    reward,
)
from fsm_gpt.patterns import pattern
from fsm_gpt.sampling import SampledTexts, sample_texts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PROMPT", "Question", "endless", "questions", "run", "sentence"]

PROMPT = "the cat"
#: The longest sentence of the figure.
SHOWN = 20
#: Tokens of an endless text that are looked at.
LONG = 200

Text = tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """A question in words, its answer, and how a text shows it."""

    words: str
    answer: float
    seen: Callable[[Text], Any]
    """Of a text, a number or a truth value whose mean is asked for."""
    of_sentences: bool = True
    """Whether texts end; otherwise they are LONG words of an endless one."""


def endless() -> Chain:
    """Everything that the model comes to from the prompt under top-2 sampling."""
    found = explore(own_model(), [PROMPT], decoding=TopK(2), max_states=100_000)
    assert found.complete
    return found.chain


def sentence(chain: Chain) -> Chain:
    """The same until the full stop."""
    return chain.with_stop(".")


def first(text: Text, phrase: Sequence[str]) -> int | None:
    """How many tokens a text has when a phrase first ends in it; None if it never does."""
    size = len(phrase)
    ends = (k for k in range(size, len(text) + 1) if list(text[k - size : k]) == list(phrase))
    return next(ends, None)


def occurrences(text: Text, phrase: Sequence[str]) -> int:
    """How often a phrase stands in a text."""
    size = len(phrase)
    return [list(text[k : k + size]) for k in range(len(text))].count(list(phrase))


def before(text: Text, one: str, other: str) -> bool:
    """Whether a word comes in a text, and comes before another."""
    found = [word for word in text if word in (one, other)]
    return found[:1] == [one]


def questions(machine: Chain, chain: Chain) -> list[Question]:
    """The questions: of sentences and of an endless text."""
    start = machine.state(PROMPT)
    lengths = length_distribution(machine, start=start)
    path = most_likely_path(machine, start, "END")
    likeliest = path.text.split()[:-1]  # without the full stop
    last_waits = pattern(machine, ".*<waits>", by="token", anchored=True, start=start)
    seen_dog = pattern(machine, "<sees> (<a>|<the>) <dog>", by="token", start=start)
    letters = reward(machine, lambda state, token: token.isalpha() and len(token), start=start)
    assert letters.until_end is not None
    the_old = pattern(chain, "<the> <old>", by="token", start=start, within=LONG)
    return [
        Question("Will the sentence end?", lengths.probability_of_ending, lambda text: True),
        Question("How many words will it have?", lengths.mean_tokens, len),
        Question("Will it have more than ten?", lengths.survival(10), lambda text: len(text) > 10),
        Question(
            "Will its last word be 'waits'?",
            last_waits.probability_whole,
            lambda text: text[-1:] == ("waits",),
        ),
        Question(
            "Will it come to a river within five words?",
            reach(machine, "river", within=5, start=start).probability,
            lambda text: "river" in text[:5],
        ),
        Question(
            "Will there be a dog, and no river before it?",
            reach(machine, "dog", avoid="river", start=start).probability,
            lambda text: before(text, "dog", "river"),
        ),
        Question(
            "How often will it say 'and'?",
            expected_visits(machine, "and", start=start).mean,
            lambda text: text.count("and"),
        ),
        Question(
            f"Will it say just: {' '.join(likeliest)}?",
            path.probability,
            lambda text: list(text) == likeliest,
        ),
        Question(
            "Will somebody see a dog, or the dog?",
            seen_dog.probability,
            lambda text: any(first(text, ("sees", one, "dog")) for one in ("a", "the")),
        ),
        Question(
            "How many letters will it have?",
            letters.until_end.mean,
            lambda text: len("".join(text)),
        ),
        Question(
            f"In an endless text, how often in {LONG} words is it 'the old'?",
            the_old.expected_ends,
            lambda text: occurrences(text, ("the", "old")),
            of_sentences=False,
        ),
        Question(
            f"Will 'the old' come within {LONG} words?",
            the_old.probability_within,
            lambda text: first(text, ("the", "old")) is not None,
            of_sentences=False,
        ),
    ]


def run(
    *,
    model: Chain | Model | None = None,
    text: str | None = None,
    quick: bool = False,
    samples: int | None = None,
    long_samples: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Study:
    """Ask, draw, compare.

    Parameters
    ----------
    model, text
        None: the questions are about the words of the project's own model.
    quick
        Fewer texts.
    samples, long_samples
        How many sentences are drawn, and how many endless texts.
    seed
        Of the texts.
    progress
        Called with how many steps are done, of how many, and the step.
    """
    if model is not None or text is not None:
        raise InvalidArgument(
            "asked: its questions are about the words of the project's own model. Leave --model "
            "and --text out, and ask a model of yours with fsm-gpt ask."
        )
    n, n_long = (2_000, 200) if quick else (100_000, 10_000)
    n, n_long = samples or n, long_samples or n_long
    told = progress or (lambda done, steps, what: None)
    chain = endless()
    told(1, 3, "explored")
    machine = sentence(chain)
    asked = questions(machine, chain)
    told(2, 3, "answered")
    drawn = {
        True: sample_texts(machine, n, start=PROMPT, seed=seed),
        False: sample_texts(chain, n_long, start=PROMPT, most_tokens=LONG, seed=seed),
    }
    rows = [_row(question, drawn[question.of_sentences]) for question in asked]
    told(3, 3, "drawn")
    return Study(
        name="asked",
        question="What will the model say?",
        tables={
            "answers": Table(
                f"Asked of {machine.n_states:,} states, and seen in texts",
                ("question", "answer", "seen", "low", "high", "standard errors apart"),
                rows,
                note=f"Seen in {drawn[True].samples:,} sentences and {drawn[False].samples:,} "
                f"endless texts; low and high are a 95% interval.",
            )
        },
        figures={"lengths": _lengths(machine, drawn[True])},
        inputs={"prompt": PROMPT, "rule": "top-k 2", "samples": n, "seed": seed},
    )


def _lengths(machine: Chain, texts: SampledTexts) -> Picture:
    """How long sentences are: what is worked out, and what is seen."""
    pmf = length_distribution(machine, start=PROMPT).pmf[: SHOWN + 1].tolist()
    lengths = list(range(SHOWN + 1))
    seen = [texts.mean(_of_length(length)).mean for length in lengths]

    def draw(figure: Figure) -> None:
        title = "Words in a sentence after 'the cat'"
        ax = plain(figure.add_subplot(), title, "words before the full stop", "probability")
        curves(ax, {"worked out": (lengths, pmf), "seen": (lengths, seen)})
        ax.set_xlim(0, SHOWN)
        ax.set_xticks(range(0, SHOWN + 1, 5))
        ax.set_ylim(bottom=0)

    return Picture("The distribution of the length, worked out and seen in texts", draw)


def _of_length(length: int) -> Callable[[Text], bool]:
    return lambda text: len(text) == length


def _row(question: Question, texts: SampledTexts) -> list[Cell]:
    seen = texts.mean(question.seen)
    answer = float(question.answer)
    return [
        question.words,
        answer,
        seen.mean,
        seen.low,
        seen.high,
        seen.standard_errors_from(answer),
    ]


if __name__ == "__main__":
    main("analysis.asked", {"asked": run}, about=__doc__ or "")
