"""The section on the model against the data's own chain."""

from __future__ import annotations

from typing import Any

import numpy as np

from fsm_gpt.report.absent import Absent
from fsm_gpt.report.against import beside_the_data
from fsm_gpt.report.facts import Facts
from fsm_gpt.report.words import decimal, listed, next_tokens, number

__all__ = ["comparison"]

Section = dict[str, Any]

#: The table has at most so many contexts.
MOST_ROWS = 50


def comparison(facts: Facts) -> Section | None:
    """The model against the data's own chain."""
    answer, data, before = facts.comparison, facts.data, facts.comparison_before
    if answer is None or data is None:
        return None
    if isinstance(answer, Absent):
        return {"absent": str(answer)}
    was = ""
    if before is not None and not isinstance(before, Absent):
        was = f" Before training it was {number(before.kl_bits_per_token)} bits."
    share = np.asarray(answer.share_by_state, dtype=float)
    total = max(float(share[np.isfinite(share)].sum()), 1e-300)
    order = np.argsort(-share, kind="stable")[:MOST_ROWS].tolist()
    found = {name: s for s, name in enumerate(data.labels())}
    contexts = data.states.contexts()
    rows = []
    for i in order:
        name = answer.states[i]
        s = found[name]
        tokens = [] if contexts is None else [int(t) for t in contexts[s] if t >= 0]
        of_total = 1.0 if not np.isfinite(share[i]) else float(share[i]) / total
        rows.append(
            {
                "label": name,
                "pi": decimal(answer.pi[i]),
                "data": next_tokens(data, s),
                "model": next_tokens(facts.chain, facts.chain.states.find(tokens)),
                "kl": decimal(answer.kl_by_state[i]),
                "share": of_total,
                "percent": f"{of_total:.0%}",
            }
        )
    more = f" The {len(rows)} of greatest share." if len(answer.states) > len(rows) else ""
    return {
        "absent": "",
        "rows": rows,
        "caption": f"The costliest contexts first.{more}",
        "missing": listed(answer.missing),
        "beside": beside_the_data(facts),
        "sentence": (
            f"Predicting the data with the model costs "
            f"{number(answer.cross_entropy_bits_per_token)} bits per token, where the data’s own "
            f"chain needs {number(answer.reference_bits_per_token)}: "
            f"{number(answer.kl_bits_per_token)} bits per token are wasted (the KL rate; "
            f"{answer.error_sentence}).{was}"
        ),
    }
