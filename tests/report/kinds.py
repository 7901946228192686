"""What the tests of pages of other kinds share: a model, explorations, a reader of pages."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import MinP, TopK
from fsm_gpt.explore import Exploration, explore
from tests.report.chains import HOSTILE, windows

#: Of each window the two likeliest tokens are kept.
TWO = TopK(2)
LETTERS = "abcdefghijkl"
CHINESE = "春眠不觉花落"


def model(V: int, L: int, *, temperature: float = 3.0, seed: int = 0) -> Callable[[Any], Any]:
    """Logits that are a sum over the tokens seen, each with a matrix for its place."""
    weights = np.random.default_rng(seed).normal(size=(L, V, V)) * temperature / np.sqrt(L)

    def logits(ids: Any) -> Any:
        out = np.zeros((len(ids), V))
        for j in range(1, min(L, ids.shape[1]) + 1):
            out += weights[j - 1][ids[:, -j]]
        return out

    return logits


def explored(most: int, *, prompts: Any = ("abc", "a"), L: int = 9, rule: Any = TWO) -> Exploration:
    """A part of a model of twelve letters."""
    return explore(
        model(12, L), list(prompts), decoding=rule, vocabulary=LETTERS, context=L, max_states=most
    )


def chinese(most: int = 12, *, L: int = 8) -> Exploration:
    """A part of a model of six Chinese characters."""
    return explore(
        model(6, L, temperature=4.0),
        ["春眠不", "花落"],
        decoding=MinP(0.5),
        vocabulary=CHINESE,
        context=L,
        max_states=most,
    )


def hostile_exploration() -> Exploration:
    """A part of a model whose tokens are markup."""
    found = explore(
        model(3, 6), [[0, 2, 1]], decoding=TopK(2), vocabulary=HOSTILE, context=6, max_states=9
    )
    assert not found.complete
    return found


def with_a_loop(most: int) -> Exploration:
    """From a a text goes on to b for ever, with 3/4; or to c, and on, never to be seen again.

    The model repeats b; after a it writes b with 3/4 and c with 1/4; after c any of c, d, e.
    """
    rows = np.full((5, 5), 0.0)
    rows[0, 1], rows[0, 2] = 3, 1
    rows[1, 1] = 1
    rows[2:, 2:] = 1
    with np.errstate(divide="ignore"):
        logits = np.log(rows)
    return explore(
        lambda ids: logits[ids[:, -1]], ["a"], vocabulary="abcde", context=3, max_states=most
    )


def near(chain: Chain, *, seed: int = 7, share: float = 0.2) -> Chain:
    """A chain not far from another."""
    other = windows(chain.n_tokens, chain.context or 1, seed=seed).next_token
    rows = (1 - share) * np.asarray(chain.next_token, dtype=float) + share * other
    return Chain(rows, vocabulary=chain.vocabulary, normalize=True)


def cells(page: str, caption: str) -> list[list[str]]:
    """The rows of the table with this caption, as text."""
    (table,) = re.findall(
        rf"<table[^>]*>\s*<caption>{re.escape(html.escape(caption))}</caption>.*?</table>",
        page,
        re.DOTALL,
    )
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    return [
        [
            html.unescape(re.sub(r"<[^>]+>", "", cell)).strip()
            for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        ]
        for row in rows
    ]


def card(page: str, name: str) -> str:
    """The value of one of the cards at the top, its unit with it."""
    (value,) = re.findall(
        rf"<dt>{re.escape(html.escape(name))}</dt><dd[^>]*>(.*?)</dd>", page, re.DOTALL
    )
    return html.unescape(re.sub(r"<[^>]+>", "", value)).strip()
