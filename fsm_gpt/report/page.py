"""The report: one HTML file that opens offline, in light and dark; or Markdown, or JSON.

Nothing in the page asks the network for anything, and its content-security-policy would
not let it: the one style sheet and the one script are named by their hashes, pictures are inline.
Everything is there without the script, which adds a walk through the chain, a slider over the steps
of a training, and the numbers of what is pointed at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

from fsm_gpt.chain import Chain
from fsm_gpt.explore.machine import Exploration
from fsm_gpt.learning.watched import Watched
from fsm_gpt.markov.compare import Comparison
from fsm_gpt.markov.lumping import Lumping
from fsm_gpt.markov.minimal_machine import MinimalMachine
from fsm_gpt.report.facts import Facts, gather
from fsm_gpt.report.kinds import (
    Reported,
    complete_facts,
    refuse_a_part,
    refuse_options,
    report_of,
)
from fsm_gpt.report.paper import PaperReport
from fsm_gpt.report.shortened import json_text
from fsm_gpt.report.written import Written, report_format

__all__ = ["Report", "report", "report_format"]

#: Sections that are there where they have something to say.
TOLD = ("context_use", "machine", "slow", "sensitivity")


@dataclass(frozen=True, eq=False, repr=False)
class Report(Written):
    """The numbers of a chain, and the page, the Markdown and the JSON that show them.

    Each is made when it is first asked for.
    """

    facts: Facts
    title: str | None = None

    @cached_property
    def html(self) -> str:
        """The page, complete in itself."""
        return _page(self.facts, self.title)

    @cached_property
    def markdown(self) -> str:
        """The same numbers in tables of Markdown, without the figures."""
        from fsm_gpt.report.markdown import markdown

        return markdown(self.facts, title=self.title)

    @cached_property
    def json(self) -> str:
        """All numbers as one JSON document."""
        document = self.facts.to_dict()
        return json_text(document, indent=2) + "\n"

    def __repr__(self) -> str:
        size = len(self.html.encode("utf-8")) / 1000
        return f"Report: {size:,.0f} kB of HTML about {self.facts.chain}; save(path) writes it"


@overload
def report(
    chain: Chain,
    *,
    before: Chain | None = None,
    data: Chain | None = None,
    text: str | None = None,
    stop: Sequence[int | str] = (),
    losses: Sequence[float] = (),
    watched: Watched | None = None,
    title: str | None = None,
    provenance: Mapping[str, str] | None = None,
    facts: Facts | None = None,
) -> Report: ...


@overload
def report(
    chain: Exploration,
    *,
    text: str | None = None,
    stop: Sequence[int | str] = (),
    title: str | None = None,
    provenance: Mapping[str, str] | None = None,
) -> Report | PaperReport: ...


@overload
def report(
    chain: MinimalMachine | Lumping | Comparison,
    *,
    title: str | None = None,
    names: tuple[str, str] | None = None,
    provenance: Mapping[str, str] | None = None,
) -> PaperReport: ...


def report(
    chain: Chain | Reported,
    *,
    before: Chain | None = None,
    data: Chain | None = None,
    text: str | None = None,
    stop: Sequence[int | str] = (),
    losses: Sequence[float] = (),
    watched: Watched | None = None,
    title: str | None = None,
    names: tuple[str, str] | None = None,
    provenance: Mapping[str, str] | None = None,
    facts: Facts | None = None,
) -> Report | PaperReport:
    """One page about a chain: what it is, what it does, how that is known.

    Parameters
    ----------
    chain
        A chain; or an exploration, complete or not, a minimal machine, a lumping or a comparison,
        each of which has a page of its own kind. For these only ``title`` and ``provenance`` are
        used, and ``names`` of a comparison; and ``text`` and ``stop`` of a complete exploration.
    before
        The chain of the untrained model, to be shown beside it.
    data
        The data's own chain, the reference for KL and cross-entropy.
    text
        The training text: it is shown, with the contexts that it lacks; where ``data``
        is not given, its own chain is the reference.
    stop
        Tokens that end a text: the page says how long texts are, and where they end. All else
        is about the chain that goes on.
    losses
        The training loss at each step, in nats.
    names
        What the reference and the model of a comparison are called.
    watched
        What :func:`fsm_gpt.watch` saw of the training, with its chains: the page then has a slider
        over its steps, for graphs of up to 32 states.
    provenance
        Further lines for the last section: the command, the seed, a hash.
    facts
        The numbers, where they were gathered before; then only ``title`` is still used.

    Raises
    ------
    FsmGptError
        A quantity that a chain lacks is a sentence on the page, not an error; errors
        come from chains and texts that do not fit each other.

    >>> page = report(Chain([[0.5, 0.5], [0.25, 0.75]]), title="Two states")
    >>> page.html.startswith("<!doctype html>"), "http-equiv" in page.html
    (True, True)
    """
    if not isinstance(chain, Chain):
        return _of_another_kind(
            chain,
            text=text,
            stop=tuple(stop),
            title=title,
            names=names,
            provenance=provenance,
            others=(before, data, losses or None, watched, facts),
        )
    refuse_a_part(chain)
    if facts is None:
        facts = gather(
            chain,
            before=before,
            data=data,
            text=text,
            stop=stop,
            losses=losses,
            watched=watched,
            provenance=provenance,
        )
    return Report(facts, title)


def _of_another_kind(
    found: Reported,
    *,
    text: str | None,
    stop: tuple[int | str, ...],
    title: str | None,
    names: tuple[str, str] | None,
    provenance: Mapping[str, str] | None,
    others: tuple[object, ...],
) -> Report | PaperReport:
    """The report of what is no chain."""
    refuse_options(
        **dict(zip(("before", "data", "losses", "watched", "facts"), others, strict=True)),
        **({} if isinstance(found, Comparison) else {"names": names}),
    )
    if isinstance(found, Exploration) and found.complete:
        facts = complete_facts(found, text=text, stop=stop, provenance=provenance)
        return Report(facts, title)
    refuse_options(text=text, stop=stop)
    return report_of(found, title=title, names=names, provenance=provenance)


def _page(facts: Facts, title: str | None) -> str:
    from markupsafe import Markup

    from fsm_gpt.report.downloads import downloads
    from fsm_gpt.report.fonts import browser_fonts
    from fsm_gpt.report.page_figures import add_figures
    from fsm_gpt.report.sections import sections
    from fsm_gpt.report.shell import page_from
    from fsm_gpt.report.style import quiet_fonts, token_colours
    from fsm_gpt.report.walk_section import walk_section

    page = sections(facts, title=title)
    page["hues"] = token_colours(facts.chain)
    with quiet_fonts(), browser_fonts():
        add_figures(page, facts)
    page["downloads"] = downloads(facts)
    page["walk"], data = walk_section(facts, page)
    page["contents"] = _contents(page)
    for holder in (
        *page["graphs"],
        *page["atlas"],
        page["memory"],
        page["mixing"],
        page["spectrum"],
        *(page[name] for name in TOLD if page[name]),
    ):
        holder["svg"] = Markup(holder["svg"])
    page["table_figure"] = Markup(page["table_figure"])
    if page["training"]:
        page["training"]["loss_figure"] = Markup(page["training"]["loss_figure"])
    scripts = ["walk_data.js", "walk_panel.js", "walk_figures.js", "movie.js"] if data else []
    return page_from("template.html.j2", scripts=scripts, page=page, data=Markup(data))


def _contents(page: dict[str, Any]) -> list[tuple[str, str]]:
    """The sections that this page has, in order."""
    table, own = page["table_figure"], page["walk"] and not page["graphs"]
    others = enumerate(page["beside"])
    named = [
        ("summary", "Summary", True),
        *((f"beside-{i}" if i else "beside", one["name"], True) for i, one in others),
        ("walking", "Walk", own),
        ("contexts", "Contexts", table and page["table_first"]),
        ("atlas", "Atlas", page["atlas"]),
        ("training", "Training", page["training"]),
        ("graph", "Graph", page["graphs"] or not page["atlas"]),
        ("listing", "Listing", True),
        ("stationary", "Stationary", True),
        ("structure", "Structure", True),
        ("ending", "Ending", page["ending"]),
        ("memory", "Memory", True),
        ("context-use", "Context", page["context_use"]),
        ("machine", "Machine", page["machine"]),
        ("mixing", "Mixing", True),
        ("spectrum", "Spectrum", True),
        ("slow", "Slow structure", page["slow"]),
        ("sensitivity", "Sensitivity", page["sensitivity"]),
        ("passage", "Passage", True),
        ("capacity", "Capacity", True),
        ("data", "Data", page["comparison"]),
        ("downloads", "Downloads", True),
        ("methods", "Methods", True),
        ("provenance", "Provenance", True),
    ]
    return [(name, words) for name, words, there in named if there]
