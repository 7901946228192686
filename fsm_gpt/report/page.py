"""The report: one HTML file that opens offline, in light and dark.

Nothing in it asks the network for anything, and its content-security-policy would not
let it: no script runs, the one style sheet is named by its hash, pictures are inline.
"""

from __future__ import annotations

import base64
import hashlib
import html
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from fsm_gpt.chain import Chain
from fsm_gpt.files import atomic_write
from fsm_gpt.report.contexts import TABLE_LIMIT, context_table
from fsm_gpt.report.curves import loss_plot, memory_plot, mixing_plot, spectrum_plot
from fsm_gpt.report.facts import Absent, Facts, gather
from fsm_gpt.report.graph import GRAPH_LIMIT, state_graph
from fsm_gpt.report.sections import sections
from fsm_gpt.report.style import DARK, LIGHT, quiet_fonts, token_colours
from fsm_gpt.report.svg import inline_svg, style_sheet
from fsm_gpt.report.words import count, number, powers

__all__ = ["Report", "report"]


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """A finished page, with the numbers that it shows."""

    html: str
    """The page, complete in itself."""
    facts: Facts

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page; whole, or not at all. Returns the path.

        Raises
        ------
        FileProblem
            The file cannot be written.
        """
        with atomic_write(path) as file:
            file.write(self.html.encode("utf-8"))
        return Path(path)

    def __repr__(self) -> str:
        size = len(self.html.encode("utf-8")) / 1000
        return f"Report: {size:,.0f} kB of HTML about {self.facts.chain!r}; save(path) writes it"

    def _repr_html_(self) -> str:
        page = html.escape(self.html, quote=True)
        return (
            f'<iframe srcdoc="{page}" sandbox="" title="fsm_gpt report" width="100%" '
            f'height="640" frameborder="0"></iframe>'
        )


def report(
    chain: Chain,
    *,
    before: Chain | None = None,
    data: Chain | None = None,
    text: str | None = None,
    losses: Sequence[float] = (),
    title: str | None = None,
    provenance: Mapping[str, str] | None = None,
    facts: Facts | None = None,
) -> Report:
    """One page about a chain: what it is, what it does, how that is known.

    Parameters
    ----------
    before
        The chain of the untrained model, to be shown beside it.
    data
        The data's own chain, the reference for KL and cross-entropy.
    text
        The training text: it is shown, with the contexts that it lacks; where ``data``
        is not given, its own chain is the reference.
    losses
        The training loss at each step, in nats.
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
    >>> page.html.startswith("<!doctype html>"), "<script" in page.html
    (True, False)
    """
    if facts is None:
        facts = gather(
            chain, before=before, data=data, text=text, losses=losses, provenance=provenance
        )
    hues = token_colours(facts.chain)
    page = sections(facts, title=title, hues=hues)
    with quiet_fonts():
        _add_figures(page, facts)
    page["contents"] = _contents(page)
    return Report(_render(page), facts)


def _add_figures(page: dict[str, Any], facts: Facts) -> None:
    """Draw each figure once; where there is none, its reason."""
    chain, before = facts.chain, facts.before
    page["graphs"], page["no_graph"] = [], ""
    if chain.n_states <= GRAPH_LIMIT:
        if before is not None and before.n_states <= GRAPH_LIMIT:
            page["graphs"].append(_graph(before, "Before training", None))
        page["graphs"].append(_graph(chain, "After training", facts))
    else:
        page["no_graph"] = (
            f"{chain.n_states:,} states are too many for a graph that can be read; the table of "
            f"contexts shows them all."
        )
    page["table_first"] = chain.n_states > GRAPH_LIMIT
    page["table_figure"] = ""
    L = chain.context
    if L is not None and L > 1 and 4 < chain.n_tokens**L <= TABLE_LIMIT:
        if chain.kind != "symbolic":
            page["table_figure"] = inline_svg(
                context_table(chain),
                label=f"Table of all contexts of {L} tokens with their most probable next token",
                prefix="table",
            )
    elif page["no_graph"]:
        page["no_graph"] = page["no_graph"].partition(";")[0] + "."
    if facts.losses and page["training"]:
        page["training"]["loss_figure"] = inline_svg(
            loss_plot(facts.losses), label="Training loss at each step", prefix="loss"
        )
    page["memory"], page["mixing"], page["spectrum"] = _memory(facts), _mixing(facts), _eigen(facts)


def _graph(chain: Chain, name: str, facts: Facts | None) -> dict[str, Any]:
    ax = state_graph(chain, pi=None if facts is None else facts.pi)
    label = (
        f"State graph, {name.lower()}: {count(chain.n_states, 'state')}, "
        f"{count(chain.n_edges, 'transition')}. The tables of this page hold its numbers."
    )
    return {"name": name, "svg": inline_svg(ax, label=label, prefix=name.split()[0].lower())}


def _memory(facts: Facts) -> dict[str, str]:
    curve = facts.memory_curve
    if isinstance(curve, Absent):
        return {"svg": "", "caption": str(curve)}
    h = [float(value) for value in curve.bits_per_token]
    caption = (
        f"Uncertainty of the next token when the last k are known: {number(h[0])} bits with none, "
        f"{number(h[-1])} with {len(h) - 1}. Excess entropy {number(curve.excess_bits)} bits."
    )
    svg = inline_svg(memory_plot(curve), label=f"Memory curve. {caption}", prefix="memory")
    return {"svg": svg, "caption": caption}


def _mixing(facts: Facts) -> dict[str, str]:
    found = facts.mixing_time
    if isinstance(found, Absent):
        return {"svg": "", "caption": str(found)}
    caption = (
        f"Total variation distance to the stationary distribution from the worst start: at most "
        f"{found.epsilon:g} after {count(found.steps, 'token')}."
    )
    svg = inline_svg(mixing_plot(found), label=f"Mixing. {caption}", prefix="mixing")
    return {"svg": svg, "caption": caption}


def _eigen(facts: Facts) -> dict[str, str]:
    found = facts.spectrum
    if isinstance(found, Absent):
        return {"svg": "", "caption": str(found)}
    second = (
        ""
        if len(found.eigenvalues) < 2
        else (f" The second is {number(float(abs(found.eigenvalues[1])))} away from the centre.")
    )
    hollow = " Hollow ones cannot be told from zero." if found.uncertain.any() else ""
    caption = f"The eigenvalues in the unit circle.{second}{hollow}"
    svg = inline_svg(spectrum_plot(found), label=caption, prefix="spectrum")
    return {"svg": svg, "caption": caption}


def _contents(page: dict[str, Any]) -> list[tuple[str, str]]:
    """The sections that this page has, in order."""
    table = page["table_figure"]
    named = [
        ("summary", "Summary", True),
        ("contexts", "Contexts", table and page["table_first"]),
        ("training", "Training", page["training"]),
        ("graph", "Graph", True),
        ("listing", "Listing", True),
        ("stationary", "Stationary", True),
        ("structure", "Structure", True),
        ("memory", "Memory", True),
        ("data", "Data", page["comparison"]),
        ("methods", "Methods", True),
        ("provenance", "Provenance", True),
    ]
    return [(name, words) for name, words, there in named if there]


def _style() -> str:
    """The style sheet: both palettes as variables, then the rules."""

    def variables(colours: Mapping[str, str]) -> str:
        return "".join(f"--{name}:{value};" for name, value in colours.items())

    inks = "\n".join(
        f".c-{name}{{color:var(--{name})}}"
        for name in LIGHT.named()
        if name.startswith("token-ink")
    )
    dark = f"@media screen and (prefers-color-scheme:dark){{:root{{{variables(DARK.named())}}}}}"
    css = (files("fsm_gpt.report") / "page.css").read_text(encoding="utf-8")
    return f":root{{{variables(LIGHT.named())}}}\n{dark}\n{style_sheet()}\n{inks}\n{css}"


def _render(page: dict[str, Any]) -> str:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    template = (files("fsm_gpt.report") / "template.html.j2").read_text(encoding="utf-8")
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    for holder in (*page["graphs"], page["memory"], page["mixing"], page["spectrum"]):
        holder["svg"] = Markup(holder["svg"])
        if "caption" in holder:
            holder["caption"] = powers(holder["caption"])
    page["table_figure"] = Markup(page["table_figure"])
    if page["training"]:
        page["training"]["loss_figure"] = Markup(page["training"]["loss_figure"])
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    environment.filters["powers"] = powers
    return environment.from_string(template).render(
        page=page, style=Markup(style), style_hash=f"sha256-{digest}"
    )
