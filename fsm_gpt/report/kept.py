"""The section on what merging states keeps of a chain, and what it loses."""

from __future__ import annotations

from typing import Any

from fsm_gpt.markov.lumping import Lumping, Violation
from fsm_gpt.markov.minimal_machine import MinimalMachine
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.merged_facts import BOUND_TOKENS, Merged
from fsm_gpt.report.paper import Part
from fsm_gpt.report.tables import Table
from fsm_gpt.report.words import count, listed, number, printable
from fsm_gpt.result import UNCERTIFIED, format_number

__all__ = ["kept_and_lost"]


def kept_and_lost(facts: Merged) -> Part:
    """What is the same in both, and what is not."""
    found = facts.found
    said, rows = _lumped(facts, found) if isinstance(found, Lumping) else _machine(facts, found)
    return Part(
        name="kept",
        nav="Kept and lost",
        title="What is kept, and what is lost",
        sentences=tuple(said),
        wide=(
            Table(
                caption="Numbers of the chain and of the machine",
                heads=("quantity", "chain", "machine", "error"),
                rows=tuple(rows),
                words=(0, 3),
            ),
        ),
    )


def _machine(facts: Merged, found: MinimalMachine) -> tuple[list[str], list[Any]]:
    rows = _both(facts)
    if found.is_exact:
        said = [
            "The machine writes every text with the probability that the chain gives it, so all "
            "that "
            "can be asked of texts is kept: entropy rate, memory, lengths, patterns, distances to "
            "other chains. Lost is which of the merged contexts a text is in, which nothing that "
            "follows can tell.",
        ]
        if found.n_states == facts.original.n_states:
            said = [
                "All states can be told apart by their texts, so nothing is merged: the machine is "
                "the chain."
            ]
        return said, rows
    bound = found.error_sentence
    rows.append(("KL rate, bits per token", "0", number(found.kl_bits_per_token), bound))
    distance = "uncertified"
    if found.distance_error != UNCERTIFIED:
        distance = f"absolute error at most {float(found.distance_error):.1e}, proven"
    rows.append(
        (
            "total variation of the next token, in the mean",
            "0",
            number(found.mean_total_variation),
            distance,
        )
    )
    certified = UNCERTIFIED not in (found.error_bound, found.distance_error)
    for n in BOUND_TOKENS:
        most = found.total_variation_bound(n)
        rows.append(
            (
                f"total variation of texts of {count(n, 'token')}, at most",
                "0",
                number(most),
                "a bound" if certified else "uncertified",
            )
        )
    said = [
        "Kept is the share of time of each set of merged states, and with it the law of a token by "
        "itself: the row of a merged state is the mean of the rows of its contexts, weighted by "
        "time.",
        f"Lost is what tells the merged contexts apart. It costs {number(found.kl_bits_per_token)} "
        "bits on each token, as the KL rate of the chain from the machine; the laws of longer "
        "texts "
        "differ by more, up to the bounds below. The search for machines is greedy: a better "
        f"one of so many states may exist.",
    ]
    return said, rows


def _lumped(facts: Merged, found: Lumping) -> tuple[list[str], list[Any]]:
    said = []
    if found.violation is not None:
        said.append(_violated(found.violation))
    said += [
        "Kept is where the chain is, as far as the blocks tell: from any start, the probability of "
        "each block after any number of steps, the time until a block is reached, and the share of "
        "time in it are those of the lumped chain.",
        "Lost is which state of its block the chain is in, and which tokens are written: the "
        "tokens "
        "of the lumped chain are its blocks. The machine that writes the same texts is minimize().",
    ]
    return said, _both(facts)


def _violated(violation: Violation) -> str:
    """Two states that show that a parting is not lumpable."""
    v = violation
    into = listed([printable(name) for name in v.into], 4)
    p, q = format_number(v.probability), format_number(v.other_probability)
    if p == q:  # floats that are a rounding apart
        p, q = f"{v.probability:.17g}", f"{v.other_probability:.17g}"
    return (
        f"The blocks that were given are not lumpable: into {{{into}}} goes {printable(v.state)} "
        f"with probability {p} and {printable(v.other)}, of the same block, with {q}."
    )


def _both(facts: Merged) -> list[Any]:
    """States, transitions and entropy rates of the two."""
    chain, machine = facts.original, facts.chain
    rows: list[Any] = [
        ("states", f"{chain.n_states:,}", f"{machine.n_states:,}", "exact"),
        ("transitions", f"{chain.n_edges:,}", f"{machine.n_edges:,}", "exact"),
    ]
    symbolic = "symbolic" in (chain.kind, machine.kind)
    if symbolic or any(isinstance(rate, Absent) for rate in facts.rates):
        return rows
    ours, theirs = facts.rates
    assert not isinstance(ours, Absent)
    assert not isinstance(theirs, Absent)
    if isinstance(facts.found, Lumping):
        rows.append(
            (
                "entropy rate of the states, bits per step",
                number(float(ours.state_bits_per_step)),
                number(float(theirs.state_bits_per_step)),
                theirs.error_sentence,
            )
        )
        return rows
    rows.append(
        (
            "entropy rate, bits per token",
            number(float(ours.bits_per_token)),
            number(float(theirs.bits_per_token)),
            theirs.error_sentence,
        )
    )
    return rows
