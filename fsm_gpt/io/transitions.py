"""A chain as the two lists that other programs want: its states and its transitions."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import in_words
from fsm_gpt.errors import InvalidChain

__all__ = ["Transitions", "about", "require_numbers", "transitions"]


@dataclass(frozen=True, eq=False)
class Transitions:
    """States by their number, and an entry for each transition of non-zero probability."""

    labels: list[str]
    """The printable name of each state."""
    contexts: list[list[int]] | None
    """The token ids of each state, oldest first; None where states are no contexts."""
    tokens: tuple[str, ...]
    """The printable name of each token."""
    source: list[int]
    token: list[int]
    target: list[int]
    probability: list[float]
    """Divided by the sum of the row, as everywhere."""
    exact: list[str] | None
    """The probabilities as rationals, "1/3"; None for a chain of floats."""


def transitions(chain: Chain) -> Transitions:
    """The lists of a chain, in the order of states and tokens.

    Raises
    ------
    InvalidChain
        The rows hold symbols, or a rational too small for a float.

    >>> some = transitions(Chain([[0.5, 0.5], [0.0, 1.0]], vocabulary="ab"))
    >>> some.labels, some.contexts, some.source, some.probability
    (['a', 'b'], [[0], [1]], [0, 0, 1], [0.5, 0.5, 1.0])
    """
    require_numbers(chain)
    edges = chain.edges()
    floats = edges.probability.astype(np.float64)
    if (floats == 0).any():
        raise InvalidChain(
            f"export: {int((floats == 0).sum()):,} probabilities are below 1e-323 and would become "
            f"zero in floats by underflow, so that transitions would be lost. save() keeps "
            f"rationals as they are."
        )
    table = chain.states.contexts()
    return Transitions(
        labels=chain.labels(),
        contexts=None if table is None else [[t for t in row if t >= 0] for row in table.tolist()],
        tokens=chain.vocabulary.shown,
        source=edges.source.tolist(),
        token=edges.token.tolist(),
        target=edges.target.tolist(),
        probability=floats.tolist(),
        exact=[str(p) for p in edges.probability] if chain.kind == "rational" else None,
    )


def require_numbers(chain: Chain) -> None:
    """Refuse a chain of symbols.

    Raises
    ------
    InvalidChain
        The rows hold symbols.
    """
    if chain.kind == "symbolic":
        raise InvalidChain(
            "export: the rows hold symbols, and these formats hold numbers. Put numbers in for "
            "the symbols first, for instance with row.subs({a: 0.3}) in each row."
        )


def about(chain: Chain) -> dict[str, str]:
    r"""What a file says of the chain as a whole: texts of printable ASCII.

    Whatever came from a model is JSON, in which a null byte is ``\u0000``; so nothing of it
    can break a file that has no such sign, such as XML.

    >>> about(Chain([[0.5, 0.5], [0.25, 0.75]], vocabulary=['"', "\0"]))["vocabulary"]
    '["\\"", "\\u0000"]'
    """
    return {
        "description": str(chain),
        "vocabulary": json.dumps(list(chain.vocabulary)),
        "context": "" if chain.context is None else str(chain.context),
        "decoding": in_words(chain.decoding),
        "notes": json.dumps(list(chain.notes)),
        "provenance": json.dumps(dict(chain.provenance)),
    }
