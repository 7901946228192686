"""What a script needs to walk the chain on the page: rows, names, and words for each rule.

All mathematics is done here: the script looks rows up, draws from them, and adds up surprises. What
is embedded is safe inside a page: it is ASCII without the signs ``<``, ``>`` and ``&``, and names
of tokens and states are their printable forms.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import FsmGptError
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.report.absent import COSTLY_LIMIT, Absent, ask
from fsm_gpt.report.facts import Facts, RuleFacts
from fsm_gpt.report.sections import shown_states
from fsm_gpt.report.style import token_colours
from fsm_gpt.report.walk_rows import (
    STEPS,
    Coding,
    Ids,
    chosen_states,
    coded,
    entries_of,
    packed,
    rows_in_base64,
)
from fsm_gpt.report.words import count, listed, number, powers

__all__ = ["embedded_json", "rule_sentences", "walk_document"]

#: Draws begin from here, so that they are the same each time the page is opened.
SEED = 1337
#: More states than this are not thought of when those to embed are chosen.
MOST_STATES = 2**18
#: The closed classes of a rule are embedded first where they are a small part of all states and
#: have up to so many together.
MOST_RECURRENT = 4096


def walk_document(facts: Facts) -> dict[str, Any] | None:
    """What the script needs; None where the rows hold symbols, which cannot be drawn from."""
    if not facts.rules:
        return None
    chain = facts.rules[0].chain
    chains = [rule.chain for rule in facts.rules]
    states, coding = chosen_states(chains, _by_weight(facts), beside=_beside(facts))
    own = entries_of(chain, states)
    document: dict[str, Any] = {
        "n": chain.n_states,
        "tokens": list(chain.vocabulary.shown),
        "hues": token_colours(facts.chain),
        "between": _between(chain),
        "seed": SEED,
        "coding": coding,
        "steps": STEPS,
        "start": _start(facts, states),
        "ends": _ends(chain),
        "embedded": _embedded(facts, states, coding),
        "rules": [_rule(rule, facts, states, coding) for rule in facts.rules],
    }
    if len(states) < chain.n_states:
        document["ids"] = packed(states.astype("<u4"))
    if chain.is_window:
        document["context"] = chain.context
    else:
        document["labels"] = chain.labels(states)
        document["targets"] = packed(own.target.astype("<u4"))
    return document


def embedded_json(document: dict[str, Any]) -> str:
    r"""JSON that can stand inside a script element.

    >>> embedded_json({"token": "</script><!--"})
    '{"token":"\\u003c/script\\u003e\\u003c!--"}'
    """
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _by_weight(facts: Facts) -> Ids:
    """States to embed, those that matter most first: cycles of every rule, then by mass."""
    n = facts.chain.n_states
    if n > MOST_STATES or facts.pi is None:
        heavy = np.array(shown_states(facts, min(n, MOST_STATES)), dtype=np.int64)
    else:
        heavy = np.argsort(-facts.pi, kind="stable")
    first = [heavy[:1]]
    for rule in reversed(facts.rules):
        if n - len(rule.classes.transient) <= min(MOST_RECURRENT, n // 4):
            first.extend(rule.classes.closed)
    every = np.concatenate([*first, heavy])
    _, place = np.unique(every, return_index=True)
    return np.asarray(every[np.sort(place)])


def _beside(facts: Facts) -> int:
    """Bytes of a state beside its rows: its id, its class under each rule, its masses."""
    masses = 1 if facts.chain.n_states > COSTLY_LIMIT else len(facts.rules)
    classes = [1 if len(rule.classes.closed) <= 255 else 4 for rule in facts.rules]
    return 4 + sum(classes) + 2 * masses


def _start(facts: Facts, states: Ids) -> int:
    """Where a walk begins: at the beginning of the text, or where most time is spent."""
    chain = facts.chain
    if facts.text is not None and chain.context is not None:
        try:
            ids = chain.vocabulary.encode(facts.text)[: chain.context]
            first = chain.state(ids.tolist())
        except FsmGptError:
            pass
        else:
            if np.isin(first, states):
                return int(first)
    heaviest = shown_states(facts, 1)[0] if facts.pi is None else int(facts.pi.argmax())
    return heaviest if np.isin(heaviest, states) else int(states[0])


def _between(chain: Chain) -> str:
    """What stands between the tokens of a label."""
    return "" if all(len(token) == 1 for token in chain.vocabulary.shown) else " "


def _ends(chain: Chain) -> dict[str, str]:
    """States in which a walk is over, and why."""
    ends = {}
    if chain.end is not None:
        ends[str(chain.end)] = "The text has ended."
    if chain.unexplored is not None:
        ends[str(chain.unexplored)] = (
            "This state stands for all contexts that the search did not look at: what comes next "
            "is not known here."
        )
    return ends


def _embedded(facts: Facts, states: Ids, coding: Coding) -> str:
    """What this page holds, in words."""
    n, rules = facts.chain.n_states, count(len(facts.rules), "rule")
    if len(states) == n:
        which = f"This page holds the row of every state under {rules}"
    else:
        which = f"This page holds the rows of {len(states):,} of {n:,} states under {rules}"
        if facts.pi is not None:
            share = min(float(facts.pi[states].sum()), 1.0)
            which += f": those where {_share(share)} of the time is spent"
    how = (
        "with all digits"
        if coding == "float64"
        else f"each surprise to 1/{2 * STEPS:,} bit, so that a probability is off by 0.07% of "
        f"itself at most"
    )
    return f"{which}, {how}."


def _share(share: float) -> str:
    """A share of the time that is not rounded up to all of it.

    >>> _share(0.999999), _share(0.84239)
    ('more than 99.9%', '84.2%')
    """
    return f"{share:.1%}" if share < 0.999 else "more than 99.9%"


def _rule(rule: RuleFacts, facts: Facts, states: Ids, coding: Coding) -> dict[str, Any]:
    chain, classes = rule.chain, rule.classes
    member = np.zeros(chain.n_states, dtype=np.int64)
    for c, closed in enumerate(classes.closed):
        member[closed] = c + 1
    rate = rule.entropy_rate
    absent = isinstance(rate, Absent)
    mass = _mass(rule, facts)
    return {
        "name": rule.name,
        "words": [powers(words) for words in rule_sentences(rule, facts.rules[0].chain.n_edges)],
        "rate": None if isinstance(rate, Absent) else float(rate.bits_per_token),
        "no_rate": powers(rate) if absent else "",
        "n_classes": len(classes.closed),
        "classes": packed(member[states].astype("<u4" if len(classes.closed) > 255 else "<u1")),
        "mass": None if mass is None else packed(coded(mass[states], coding)),
        **rows_in_base64(entries_of(chain, states), chain.n_tokens, coding),
    }


def _mass(rule: RuleFacts, facts: Facts) -> Any:
    """The stationary probability of each state within its closed class, where it is known."""
    if rule.chain is facts.rules[0].chain:
        found = facts.stationary
        if isinstance(found, Absent):
            return None
    elif rule.chain.n_states > COSTLY_LIMIT:
        return None
    else:
        found = ask(lambda: stationary_distribution(rule.chain))
        if isinstance(found, Absent):
            return None
    mass = np.zeros(rule.chain.n_states)
    for states, probabilities in found.classes:
        mass[states] = np.asarray(probabilities, dtype=np.float64)
    return mass


def rule_sentences(rule: RuleFacts, n_transitions: int) -> list[str]:
    """The structure under one rule, as a person would say it."""
    classes, chain = rule.classes, rule.chain
    n, left = len(classes.closed), chain.n_edges
    periods = sorted(set(classes.periods))
    closed = "; ".join(rule.in_words[:4]) + (f"; and {n - 4:,} more" if n > 4 else "")
    several = "; each class has its own" if n > 1 and len(periods) > 1 else ""
    absorbing = chain.labels(classes.absorbing[:12])
    transient = len(classes.transient)
    return [
        f"{count(n, 'closed class', 'closed classes')}: {closed}.",
        "Period 1, which is none."
        if periods == [1]
        else f"Period {listed([str(p) for p in periods], 4)}{several}.",
        f"Absorbing: {listed(absorbing, 4)}." if absorbing else "No state is absorbing.",
        f"{count(transient, 'state is', 'states are')} transient."
        if transient
        else "No state is transient.",
        "All transitions are left."
        if left == n_transitions
        else f"{left:,} of {n_transitions:,} transitions are left.",
        *(
            [f"In the long run {number(float(rule.entropy_rate.bits_per_token))} bits per token."]
            if not isinstance(rule.entropy_rate, Absent)
            else []
        ),
    ]
