"""What is asked for, checked before anything is drawn, and what the streams begin with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.prompts import Prompts, read_prompts
from fsm_gpt.space import Vocabulary

__all__ = ["WHERE", "refuse_for_chains", "refuse_numbers", "states_to_begin", "tokens_to_begin"]

#: The function that asks, for its errors.
WHERE = "sample_entropy_rate"
#: Fewer streams do not tell reliably that they disagree.
FEWEST_STREAMS = 8
#: Fewer tokens make batches of less than five.
FEWEST_TOKENS = 100
#: Tokens of all streams together; what is kept of each takes 40 bytes.
MOST_TOKENS = 2**26


def refuse_numbers(streams: int, n_tokens: int, confidence: float, seed: int) -> None:
    """Refuse numbers that are out of range."""
    for value, least, what in (
        (streams, FEWEST_STREAMS, "streams"),
        (n_tokens, FEWEST_TOKENS, "n_tokens"),
        (seed, 0, "seed"),
    ):
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not whole or value < least:
            raise InvalidArgument(
                f"{WHERE}: {what} is {value!r}. Give a whole number of {least} or more."
            )
    if streams * n_tokens > MOST_TOKENS:
        raise InvalidArgument(
            f"{WHERE}: {streams:,} streams of {n_tokens:,} tokens are {streams * n_tokens:,} "
            f"tokens, above the limit of {MOST_TOKENS:,}. Draw fewer; the interval narrows only "
            f"with the square root of their number."
        )
    if not (isinstance(confidence, (int, float, np.floating)) and 0 < confidence < 1):
        raise InvalidArgument(
            f"{WHERE}: confidence is {confidence!r}. Give a number between 0 and 1, such as 0.95."
        )


def refuse_for_chains(*options: object) -> None:
    """Refuse what only a model can be asked with: vocabulary, context, truncate_to, device."""
    names = ("vocabulary", "context", "truncate_to", "device")
    for name, value in zip(names, options, strict=True):
        if value is not None:
            raise InvalidArgument(
                f"{WHERE}: {name} is {value!r}, and the subject is a chain, which has its own "
                f"tokens and states. Leave {name} out."
            )


def states_to_begin(
    chain: Chain,
    prompts: Prompts | Sequence[int] | None,
    streams: int,
    generator: np.random.Generator,
) -> npt.NDArray[np.int64]:
    """The state that each stream begins in."""
    if prompts is None:
        return generator.integers(chain.n_states, size=streams)
    named = [prompts] if isinstance(prompts, (str, int, np.integer)) else list(prompts)
    _refuse_prompts(len(named), streams)
    states = [chain.state(name) for name in named]  # type: ignore[arg-type]
    return np.array([states[k % len(states)] for k in range(streams)], dtype=np.int64)


def tokens_to_begin(
    prompts: Prompts | Sequence[int] | None,
    vocabulary: Vocabulary,
    length: int,
    streams: int,
    generator: np.random.Generator,
) -> list[tuple[int, ...]]:
    """The tokens that each stream begins with."""
    if prompts is None:
        first = generator.integers(len(vocabulary), size=streams).tolist()
        return [(token,) for token in first]
    read = read_prompts(prompts, vocabulary, length, where=WHERE)  # type: ignore[arg-type]
    _refuse_prompts(len(read), streams)
    return [read[k % len(read)] for k in range(streams)]


def _refuse_prompts(given: int, streams: int) -> None:
    if not 1 <= given <= streams:
        raise InvalidArgument(
            f"{WHERE}: there are {given:,} prompts and {streams:,} streams. Give at least one "
            f"prompt, and as many streams as prompts or more."
        )
