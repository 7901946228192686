"""Which page a thing has: an exploration, a machine of merged states, or a comparison has its own.

An exploration that is complete is a chain like any other, and has the report of one, with a section
on the exploration in front.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined
from fsm_gpt.explore.machine import Exploration
from fsm_gpt.markov.compare import Comparison
from fsm_gpt.markov.lumping import Lumping
from fsm_gpt.markov.minimal_machine import MinimalMachine
from fsm_gpt.report.beside import Beside
from fsm_gpt.report.brief import briefly
from fsm_gpt.report.compared import NAMES, compared
from fsm_gpt.report.explored import about, explored, prompts_and_depths
from fsm_gpt.report.facts import Facts, gather
from fsm_gpt.report.merged import merged
from fsm_gpt.report.paper import PaperReport
from fsm_gpt.report.words import count

__all__ = ["Reported", "complete_facts", "refuse_a_part", "refuse_options", "report_of"]

#: What has a page of its own beside a chain.
Reported: TypeAlias = Exploration | MinimalMachine | Lumping | Comparison


def report_of(
    found: Reported,
    *,
    title: str | None = None,
    names: tuple[str, str] | None = None,
    provenance: Mapping[str, str] | None = None,
) -> PaperReport:
    """The report of something that has a page of its own.

    >>> from fsm_gpt.markov.minimize import minimize
    >>> report_of(minimize(Chain([[0.5, 0.5], [0.25, 0.75]]))).html.startswith("<!doctype html>")
    True
    """
    known = dict(provenance or {})
    if isinstance(found, Exploration):
        return PaperReport(explored(found, known), title)
    if isinstance(found, (MinimalMachine, Lumping)):
        return PaperReport(merged(found, known), title)
    return PaperReport(compared(found, names or NAMES, known), title)


def complete_facts(
    found: Exploration,
    *,
    text: str | None = None,
    stop: tuple[int | str, ...] = (),
    beside: tuple[Beside, ...] = (),
    provenance: Mapping[str, str] | None = None,
) -> Facts:
    """The numbers of a whole machine that was explored, with a section on how it was found.

    Long contexts have short names: their newest tokens.
    """
    chain = briefly(found.chain)
    facts = gather(
        chain, text=text, stop=stop, beside=[_section(found), *beside], provenance=provenance
    )
    return replace(facts, exploration=about(found))


def _section(found: Exploration) -> Beside:
    prompts = count(len(found.prompts), "prompt")
    deepest = int(found.depth.max())
    return Beside(
        name="Exploration",
        heading="What was explored",
        sentences=(
            f"From {prompts}, {count(found.n_explored, 'state')} can be reached, all within "
            f"{count(deepest, 'token')}, and nothing else: the exploration is complete. So this "
            "machine is a chain like any other, and what follows is true of every text that "
            f"begins with one of the prompts.",
        ),
        tables=prompts_and_depths(found),
        numbers=about(found),
    )


def refuse_a_part(chain: Chain) -> None:
    """Refuse a part of a chain without what is known of how it was explored.

    >>> refuse_a_part(Chain([[0.5, 0.5], [0.25, 0.75]]))
    """
    if chain.unexplored is None:
        return
    raise NotDefined(
        "report: this chain is the explored part of a larger one, and where its prompts begin is "
        "not in it. Give the exploration itself: report(exploration), or load_exploration(file) "
        "where it is in a file."
    )


def refuse_options(**given: object) -> None:
    """Refuse what belongs to the report of a chain alone.

    >>> refuse_options(text=None, stop=())
    """
    used = [name for name, value in given.items() if value is not None and value != ()]
    if used:
        raise InvalidArgument(
            f"report: {', '.join(used)} belong{'s' * (len(used) == 1)} to the report of a chain, "
            f"and this is one of another kind. Leave it out, or give the chain."
        )
