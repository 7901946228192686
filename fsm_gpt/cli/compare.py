"""``fsm-gpt compare``: how well a model predicts a reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from fsm_gpt.cli.chains import Reading, chain_options, check_text, read_to_analyse, watch_long_run
from fsm_gpt.cli.compared import Extras, Undefined, show
from fsm_gpt.cli.console import command_line, json_option, show_json, working
from fsm_gpt.cli.decoding import DecodingCommand, decoding_options
from fsm_gpt.cli.inputs import FILE, page_option, read_text, ready_for_page
from fsm_gpt.cli.show import say_where
from fsm_gpt.errors import FsmGptError

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain
    from fsm_gpt.decoding import Rule
    from fsm_gpt.markov.compare import Comparison

__all__ = ["compare"]


@click.command(
    cls=DecodingCommand,
    short_help="A model against a reference.",
    epilog="\b\nExample:\n  fsm-gpt compare --text input.txt model.safetensors\n"
    "  fsm-gpt compare one.safetensors other.safetensors --output page.html",
)
@click.argument("files", nargs=-1, type=FILE, metavar="[REFERENCE] MODEL")
@click.option(
    "--text", metavar="TEXT_OR_FILE", help="In place of REFERENCE: the chain of this text."
)
@click.option(
    "--order",
    type=click.IntRange(min=0),
    metavar="K",
    help="In place of the reference its n-gram: 0 for the unigram, 1 for the bigram.",
)
@click.option(
    "--drift",
    type=click.IntRange(min=0, max=1_000_000),
    default=32,
    show_default=True,
    metavar="N",
    help="For how many tokens the model goes on alone.",
)
@page_option
@chain_options
@decoding_options
@json_option
def compare(
    files: tuple[str, ...],
    text: str | None,
    order: int | None,
    drift: int,
    output: str | None,
    how: Reading,
    decoding: tuple[Rule, ...],
    as_json: bool,
) -> None:
    """What it costs to predict a reference by a model, in bits per token; reference first.

    REFERENCE and MODEL are chain files or checkpoints over the same vocabulary; their contexts
    may have different lengths. With --text the reference is the chain of a text, read with the
    model's context and vocabulary. Beside the cost stand how far apart the two write, how far
    both are from unigrams and bigrams, whether the model is calibrated, and how the entropy of
    its own texts drifts. With --output a page shows the two side by side. Decoding options apply
    to MODEL alone, --vocabulary and the like to whichever is a checkpoint.
    """
    _right_number(files, text)
    ready_for_page(output, *files, how.vocabulary)
    words = None if text is None else read_text(text)
    hows = _reading(files, how)
    model = read_to_analyse(files[-1], hows[-1], decoding=decoding)
    if words is None:
        reference = read_to_analyse(files[0], hows[0])
    else:
        reference = _chain_of(words, model, order)
    from fsm_gpt.markov.compare import compare as measure
    from fsm_gpt.markov.n_gram import n_gram

    with working("comparing") as note:
        if order is not None and reference.context != order:
            reference = n_gram(reference.floats(), order)
        watch_long_run(reference, note)
        found = measure(reference, model)
        watch_long_run(found.chain, note)
        extras = _extras(found, drift)
        named = {"reference": files[0] if text is None else "the text", "model": files[-1]}
        if order is not None:
            named["reference"] += f", order {order}"
        if output is not None:
            note("drawing")
            _write(found, named, output, drift)
    if as_json:
        document = {**named, **found.to_dict(), "share_by_state": _plain(found)}
        document |= {name: answer.to_dict() for name, answer in extras.named()}
        show_json(document if output is None else {**document, "report": output})
        return
    show(found, extras)
    if output is not None:
        say_where(output)


def _write(found: Comparison, named: dict[str, str], output: str, drift: int) -> None:
    """The page of the two."""
    from fsm_gpt.report.compared import compared
    from fsm_gpt.report.paper import PaperReport

    names = named["reference"], named["model"]
    known = {"command": command_line()}
    PaperReport(compared(found, names, known, drift=drift)).save(output)


def _right_number(files: tuple[str, ...], text: str | None) -> None:
    wanted = 2 if text is None else 1
    if len(files) == wanted:
        return
    if text is None:
        problem = (
            f"{len(files)} of two files named. Name the reference and then the model, or "
            f"the model alone beside --text."
        )
    else:
        problem = f"beside --text stands one file, the model; {len(files)} are named."
    raise click.UsageError(problem, click.get_current_context())


def _reading(files: tuple[str, ...], how: Reading) -> list[Reading]:
    """How each file is read: the options of checkpoints are for those that are."""
    from fsm_gpt.io.read import is_chain_file

    chains = [is_chain_file(path) for path in files]
    if all(chains):
        return [how] * len(files)  # where such an option is refused
    return [how.of_a_chain() if chain else how for chain in chains]


def _chain_of(text: str, model: Chain, order: int | None) -> Chain:
    """The chain of a text; of an n-gram the one that looks back as far, or one token."""
    from fsm_gpt.chain import Chain

    if order is None:
        check_text(text, model)
        assert model.context is not None
        order = model.context
    return Chain.from_text(text, context=max(order, 1), end="drop", vocabulary=model.vocabulary)


def _extras(found: Comparison, steps: int) -> Extras:
    """What else is told of the two; why not, where a question has no answer."""
    from fsm_gpt.markov.calibration import calibration
    from fsm_gpt.markov.context_distance import context_distance
    from fsm_gpt.markov.drift import entropy_drift
    from fsm_gpt.markov.n_gram_distances import n_gram_distances

    pair = found.reference, found.chain

    def ask(question: Callable[[], Any]) -> Any:
        try:
            return question()
        except FsmGptError as error:
            return Undefined(str(error))

    return Extras(
        context_distance=ask(lambda: context_distance(*pair)),
        n_gram_distances=ask(lambda: n_gram_distances(*pair)),
        calibration=ask(lambda: calibration(*pair)),
        drift=ask(lambda: entropy_drift(*pair, steps=steps)),
    )


def _plain(found: Comparison) -> list[float | str]:
    from fsm_gpt.result import to_json

    return list(to_json(found.share_by_state))
