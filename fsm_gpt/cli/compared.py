"""What ``fsm-gpt compare`` shows in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from fsm_gpt.markov.calibration import Calibration
    from fsm_gpt.markov.compare import Comparison
    from fsm_gpt.markov.context_distance import ContextDistance
    from fsm_gpt.markov.drift import EntropyDrift
    from fsm_gpt.markov.n_gram_distances import NGramDistances

__all__ = ["MOST_ROWS", "Extras", "Undefined", "show", "spark"]

#: The table has this many contexts, those that cost most.
MOST_ROWS = 16

#: Steps of a drift that are drawn at most.
_DRAWN = 33

_BARS = "▁▂▃▄▅▆▇█"


class Undefined(NamedTuple):
    """Why a question has no answer."""

    reason: str

    def to_dict(self) -> dict[str, Any]:
        """The reason, for JSON."""
        return {"not_defined": self.reason}


class Extras(NamedTuple):
    """What is told of two chains beside the KL rate."""

    context_distance: ContextDistance | Undefined
    n_gram_distances: NGramDistances | Undefined
    calibration: Calibration | Undefined
    drift: EntropyDrift | Undefined

    def named(self) -> Iterator[tuple[str, Any]]:
        """Each answer with its name."""
        return iter(self._asdict().items())


def show(found: Comparison, extras: Extras) -> None:
    """Numbers first, then distances to n-grams, the drift, and the contexts that cost most."""
    from fsm_gpt.result import format_number

    for name, value in (
        ("KL(reference || model)", found.kl_bits_per_token),
        ("cross-entropy", found.cross_entropy_bits_per_token),
        ("reference's entropy rate", found.reference_bits_per_token),
    ):
        _line(name, f"{format_number(value)} bits per token")
    _line("error", found.error_sentence)
    _distance(extras.context_distance)
    _calibration(extras.calibration)
    _n_grams(extras.n_gram_distances)
    _drift(extras.drift)
    _contexts(found)


def spark(values: Sequence[float]) -> str:
    """A row of bars, the lowest value the lowest bar.

    >>> spark([0.0, 0.5, 1.0]), spark([2.0, 2.0])
    ('▁▅█', '▁▁')
    """
    low, high = min(values), max(values)
    if high == low:
        return _BARS[0] * len(values)
    top = len(_BARS) - 1
    return "".join(_BARS[round((v - low) / (high - low) * top + 1e-9)] for v in values)


def _line(name: str, value: str) -> None:
    click.echo(f"{name:<26}{value}")


def _undefined(name: str, why: Undefined) -> None:
    _line(name, f"not defined. {why.reason}")


def _distance(answer: ContextDistance | Undefined) -> None:
    from fsm_gpt.result import format_number

    if isinstance(answer, Undefined):
        return _undefined("total variation", answer)
    tokens = "single tokens" if answer.n_tokens == 1 else f"{answer.n_tokens} tokens in a row"
    _line("total variation", f"{format_number(answer.total_variation)} between laws of {tokens}")
    return None


def _calibration(answer: Calibration | Undefined) -> None:
    from fsm_gpt.result import format_number

    if isinstance(answer, Undefined):
        return _undefined("calibration error", answer)
    _line(
        "calibration error",
        f"{format_number(answer.binned)} in {len(answer.bin_mass)} bins of confidence, "
        f"{format_number(answer.by_state)} state by state",
    )
    return None


def _n_grams(answer: NGramDistances | Undefined) -> None:
    from fsm_gpt.result import format_number

    if isinstance(answer, Undefined):
        return _undefined("n-grams", answer)
    names = {0: "unigram", 1: "bigram"}
    rows = {
        "reference || its own": answer.reference_to_its_own_bits,
        "model || its own": answer.model_to_its_own_bits,
        "reference's || model": answer.reference_n_gram_to_model_bits,
        "model || reference's": answer.model_to_reference_n_gram_bits,
    }
    heads = [names.get(k, f"order {k}") for k in answer.orders]
    table = _table("KL to n-grams, in bits", *heads)
    for name, values in rows.items():
        table.add_row(name, *(format_number(x) for x in values))
    _print(table)
    return None


def _drift(answer: EntropyDrift | Undefined) -> None:
    from fsm_gpt.result import format_number

    if isinstance(answer, Undefined):
        return _undefined("the model's own texts", answer)
    bits, steps = answer.bits_by_step.tolist(), answer.steps
    drawn = sorted({round(i * steps / (_DRAWN - 1)) for i in range(_DRAWN)})
    tokens = f"{steps:,} token{'' if steps == 1 else 's'}"
    _line("the model's own texts", f"{spark([bits[t] for t in drawn])}  entropy of each token")
    _line("  after the reference", f"{format_number(bits[0])} bits per token")
    _line(f"  after {tokens}", f"{format_number(bits[-1])}")
    against = format_number(answer.cross_entropy_bits_per_token)
    long_run = format_number(answer.long_run_bits_per_token)
    _line("  in the long run", f"{long_run}, where a calibrated model has {against}")
    return None


def _contexts(found: Comparison) -> None:
    from rich.text import Text

    from fsm_gpt.result import format_number

    share = found.share_by_state
    order = found.worst(MOST_ROWS)
    table = _table("context", "π in the reference", "KL in bits", "π · KL")
    for i in order:
        numbers = (found.pi[i], found.kl_by_state[i], share[i])
        table.add_row(Text(found.label(i)), *(format_number(x, 4) for x in numbers))
    _print(table)
    if len(share) > len(order):
        click.echo(f"... and {len(share) - len(order):,} contexts that cost less")
    if found.missing:
        named = ", ".join(found.missing[:8])
        more = f" and {len(found.missing) - 8:,} more" if len(found.missing) > 8 else ""
        click.echo(f"ruled out by the model, yet it happens after: {named}{more}")


def _table(first: str, *heads: str) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold")
    for head in heads:
        table.add_column(head, justify="right")
    return table


def _print(table: Any) -> None:
    from rich.console import Console

    Console(highlight=False).print(table)
