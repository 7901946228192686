"""What a report says of a whole model where its chain is that of fewer tokens.

The chain of the last k tokens can be enumerated; the windows of the whole model cannot. Of the
whole model are told: the loops of greedy decoding, the entropy rate by sampling, how often its
tokens come beside what the cut chain says of that, and, where a text is given, how much worse
the cut model predicts it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fsm_gpt.cli.chains import (
    Reading,
    extracted,
    read_model,
    read_to_analyse,
    refuse_neither,
    refuse_to_analyse,
)
from fsm_gpt.cli.console import say
from fsm_gpt.errors import FsmGptError, NotConverged

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain
    from fsm_gpt.decoding import Rule
    from fsm_gpt.gpt.load import LoadedModel
    from fsm_gpt.report.beside import Beside

__all__ = ["read_or_cut", "whole_model"]

#: Streams, and tokens of each, that the whole model's entropy rate is sampled from.
STREAMS, TOKENS = 32, 500
#: Loops and tokens that a table lists.
MOST_ROWS = 12
#: Prompts whose loops are followed, of one token each.
MOST_PROMPTS = 64


def read_or_cut(
    path: str, how: Reading, *, decoding: Sequence[Rule] = ()
) -> tuple[Chain, LoadedModel | None]:
    """The chain to report, and the model that it is made of, where it is made of one.

    A model that does not fit is cut as little as possible, where no cut was asked for.
    """
    from fsm_gpt.cutting import largest_cut
    from fsm_gpt.io.read import is_chain_file

    if is_chain_file(path):
        return read_to_analyse(path, how, decoding=decoding), None
    refuse_neither(path)
    model = read_model(path, how, where="report")
    V, L = len(model.vocabulary), model.context
    if how.truncate_to is not None:
        k = how.truncate_to
    else:
        cut = largest_cut(V, L, max_memory_gib=how.max_memory, dtype=how.dtype)
        k = L if how.short_contexts else cut
    if k == 0:  # not even one token fits: the error says so, and what to do
        k = L
    elif k < L and how.truncate_to is None:
        say(
            f"{V}**{L} contexts do not fit: the report is about the model cut to its last {k} "
            f"tokens, with the loops and the sampled entropy rate of the whole model beside it."
        )
    asked_for = how.truncate_to if how.truncate_to is not None or k == L else k
    chain = extracted(model, replace(how, truncate_to=asked_for), decoding)
    refuse_to_analyse(chain, how)
    return chain, model


def whole_model(
    model: LoadedModel,
    cut: Chain,
    *,
    decoding: Sequence[Rule],
    text: str | None,
    device: str | None,
    note: Callable[[str], None],
) -> Beside:
    """Everything that is said of the whole model beside the chain of its last tokens."""
    from fsm_gpt.report.beside import Beside
    from fsm_gpt.report.tables import Table

    V, L, k = len(model.vocabulary), model.context, cut.context
    assert k is not None
    sentences = [
        f"The chain of this report is that of the model cut to its last {k} of {L:,} tokens, which "
        f"it sees at its positions 0 to {k - 1}: {cut.n_states:,} states. The whole model has "
        f"{V}^{L} windows, about 10^{L * math.log10(V):.0f}. The cut model is another model, and "
        f"its stationary distribution is not the law of {k} tokens in the texts of the whole one. "
        f"What follows is about the whole model."
    ]
    tables: list[Table] = []
    numbers: dict[str, Any] = {"context": L, "truncate_to": k}
    for name, part in (
        ("loops", _loops(model, device, note)),
        ("sampled", _sampled(model, cut, decoding, device, note)),
        ("cutting_loss", _loss(model, text, k, device, note)),
    ):
        said, some, number = part
        sentences += said
        tables += some
        numbers[name] = number
    return Beside(
        heading=f"The whole model, all {L:,} tokens of context",
        sentences=tuple(sentences),
        tables=tuple(tables),
        numbers=numbers,
    )


_Part = tuple[list[str], list[Any], Any]


def _loops(model: LoadedModel, device: str | None, note: Callable[[str], None]) -> _Part:
    """Greedy decoding from single tokens."""
    import numpy as np

    from fsm_gpt.explore import greedy_cycles
    from fsm_gpt.report.tables import Table

    note("loops of greedy decoding")
    V = len(model.vocabulary)
    tokens = np.unique(np.linspace(0, V - 1, min(V, MOST_PROMPTS)).round().astype(int))
    found = greedy_cycles(model, [[int(t)] for t in tokens], max_steps=2000, device=device)
    which = f"each of the {V} tokens" if len(tokens) == V else f"{len(tokens)} of the {V:,} tokens"
    closed = len(tokens) - len(found.not_closed)
    said = [
        f"Greedy decoding from {which} alone: {closed} of {len(tokens)} texts were seen to "
        f"end in one of {len(found.cycles)} loops."
    ]
    rows = tuple(
        (
            model.vocabulary.label(cycle.tokens[:24].tolist()),
            f"{len(cycle.tokens):,}",
            f"{cycle.share:.1%}",
        )
        for cycle in found.cycles[:MOST_ROWS]
    )
    table = Table(
        caption="Loops of greedy decoding",
        heads=("text of the loop", "tokens", "share of the prompts"),
        rows=rows,
        words=(0,),
    )
    return said, [table] if rows else [], found.to_dict()


def _sampled(
    model: LoadedModel,
    cut: Chain,
    decoding: Sequence[Rule],
    device: str | None,
    note: Callable[[str], None],
) -> _Part:
    """The entropy rate and the law of one token, by sampling."""
    import numpy as np

    from fsm_gpt.markov.memory import token_law
    from fsm_gpt.markov.mixing import total_variation
    from fsm_gpt.report.tables import Table
    from fsm_gpt.sampling import sample_entropy_rate

    note("sampling the whole model")
    try:
        found = sample_entropy_rate(
            model,
            streams=STREAMS,
            n_tokens=TOKENS,
            decoding=tuple(decoding) or None,
            device=device,
            progress=lambda done, total: note(f"sampling the whole model, {done:,} of {total:,}"),
        )
    except NotConverged as problem:
        return [f"Its entropy rate is not known by sampling. {problem}"], [], None
    said = [
        f"Its entropy rate, by sampling: {found.bits_per_token:.4f} bits per token, "
        f"{100 * found.confidence:g}% interval {found.low:.4f} to {found.high:.4f} "
        f"({found.method}; {found.error_sentence})."
    ]
    try:
        law = np.asarray(token_law(cut), dtype=np.float64)
    except FsmGptError:
        return said, [], found.to_dict()
    order = np.argsort(-found.token_frequencies, kind="stable")[:MOST_ROWS]
    shown = cut.vocabulary.shown
    table = Table(
        caption="How often tokens come: the whole model by sampling, the cut one by π",
        heads=("token", "whole model", "standard error", "cut model"),
        rows=tuple(
            (
                shown[t],
                f"{found.token_frequencies[t]:.4f}",
                f"{found.token_standard_errors[t]:.4f}",
                f"{law[t]:.4f}",
            )
            for t in order.tolist()
        ),
        words=(0,),
        note=(
            f"Total variation distance of the two laws of one token: "
            f"{float(total_variation(law, found.token_frequencies)):.3f}, some of it the noise of "
            f"the sample."
        ),
    )
    return said, [table], found.to_dict()


def _loss(
    model: LoadedModel,
    text: str | None,
    k: int,
    device: str | None,
    note: Callable[[str], None],
) -> _Part:
    """What the cut costs on a text."""
    if text is None:
        return [], [], None
    from fsm_gpt.cutting import cutting_loss

    note("predicting the text with both")
    try:
        found = cutting_loss(model, text, truncate_to=k, device=device)
    except FsmGptError as problem:
        return [f"What the cut costs on the text is not known. {problem}"], [], None
    said = str(found)
    return [said[0].upper() + said[1:] + "."], [], found.to_dict()
