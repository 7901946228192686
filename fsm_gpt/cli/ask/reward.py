"""``fsm-gpt ask reward``: what a chain earns, per token and in all."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from fsm_gpt.cli.ask.machine import machine_options, start_option
from fsm_gpt.cli.console import json_option, show_json
from fsm_gpt.cli.decoding import DecodingCommand
from fsm_gpt.cli.inputs import FILE, Choice
from fsm_gpt.errors import FileProblem
from fsm_gpt.files import read_limited, shown

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain

__all__ = ["reward"]

#: Larger files of values are refused.
LARGEST = 2**28


@click.command(
    cls=DecodingCommand,
    short_help="A reward's mean, variance and total.",
    epilog="\b\nExample:\n  fsm-gpt ask reward chain.safetensors --values surprisal --within 20",
)
@machine_options
@click.option(
    "--values",
    type=FILE,
    required=True,
    metavar="surprisal|FILE.json",
    help="What is earned: -log2 p of each token, or a JSON file.",
)
@click.option(
    "--of",
    type=Choice(["state", "token"]),
    help="What a list is of, where there are as many states as tokens.",
)
@click.option(
    "--within", type=click.IntRange(0), metavar="N", help="Also the total over so many tokens."
)
@click.option(
    "--distribution", is_flag=True, help="Also how likely each total over --within tokens is."
)
@start_option
@json_option
def reward(
    machine: Callable[[], Chain],
    values: str,
    of: Any,
    within: int | None,
    distribution: bool,
    start: str | None,
    as_json: bool,
) -> None:
    """What a reward comes to, per token in the long run and in all.

    CHAIN_OR_CHECKPOINT is a chain file or a model. --values names the surprisal, whose mean is the
    entropy rate and whose variance is the varentropy, or a JSON file: a list with a number for each
    token or for each state, a list of such lists, one a state, or an object {"token": number}, in
    which tokens left out earn nothing. Fractions are written as "1/3".

    The variance is that of the central limit theorem: over n tokens the total varies by n times as
    much. With --stop and --from, the total until the end is told too.
    """
    if distribution and within is None:
        raise click.UsageError(
            "--distribution is that of the total over some tokens. Say how many with --within.",
            click.get_current_context(),
        )
    given = values if values == "surprisal" else _read(values)
    chain = machine()
    if isinstance(given, dict):
        given, of = _of_tokens(chain, given, values), "token"
    from fsm_gpt.markov.reward import reward as ask

    found = ask(chain, given, start=start, n=within, of=of)
    totals = found.total.distribution() if distribution and found.total is not None else None
    if as_json:
        listed = {} if totals is None else {"distribution": totals.to_dict()}
        show_json({**found.to_dict(), **listed})
        return
    click.echo(str(found))
    if totals is not None:
        click.echo(str(totals))


def _read(path: str) -> Any:
    """Values from a JSON file."""
    data = read_limited(path, LARGEST)
    try:
        return json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise FileProblem(
            f"{shown(path)}: it is no JSON that can be read here ({error}). Write a list of "
            f"numbers, a list of lists, or an object of tokens and numbers; or name the reward "
            f"surprisal."
        ) from None


def _of_tokens(chain: Chain, given: dict[str, Any], path: str) -> list[Any]:
    """The value of every token, from an object with some of them."""
    known = chain.vocabulary
    names = {**dict(zip(known.shown, known.tokens, strict=True)), **{t: t for t in known.tokens}}
    strange = [token for token in given if token not in names]
    if strange:
        some = " ".join(known.shown[:20]) + (" ..." if len(known) > 20 else "")
        raise FileProblem(
            f"{shown(path)}: {strange[0]!r} is no token of this chain, whose {len(known):,} tokens "
            f"are {some}. Name its tokens, or give a list with a number for each."
        )
    by_token = {names[token]: value for token, value in given.items()}
    return [by_token.get(token, 0) for token in known.tokens]
