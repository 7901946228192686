"""What the page has for walking the chain: words, a graph for each rule, and the data."""

from __future__ import annotations

from typing import Any

from fsm_gpt.report.atlas import map_depth
from fsm_gpt.report.facts import Facts
from fsm_gpt.report.graph import GRAPH_LIMIT
from fsm_gpt.report.icicle import suffix_blocks
from fsm_gpt.report.reel import reel
from fsm_gpt.report.style import percent, quiet_fonts
from fsm_gpt.report.svg import inline_svg
from fsm_gpt.report.walk import embedded_json, walk_document
from fsm_gpt.report.words import count

__all__ = ["walk_section"]


def walk_section(facts: Facts, page: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """What the template shows, and the data for the script; nothing where rows hold symbols."""
    from markupsafe import Markup

    document = walk_document(facts)
    if document is None:
        return None, ""
    chain = facts.chain
    pictures = {one["prefix"] for one in page["atlas"]}
    if "mass" in pictures:
        document["map_depth"] = map_depth(chain)
    if "icicle" in pictures:
        document["suffixes"] = _suffixes(facts)
    small = chain.n_states <= GRAPH_LIMIT
    contexts = chain.context is not None
    single = any(len(token) == 1 for token in chain.vocabulary.shown)
    pointed = "In the figures below, point at a part that has numbers,"
    if small:
        pointed = (
            "What cannot happen under the chosen rule has no arrow. Point at a state or an arrow,"
        )
    section = {
        "embedded": document["embedded"],
        "frames": [Markup(svg) for svg in _graphs(facts)] if small else [],
        "pictures": (
            f"{pointed} or reach it by the arrow keys: its numbers stand at the foot of the "
            "window. Enter or a click goes there; Escape leaves. A ring or a frame marks where the "
            "walk is."
        ),
        "where": "Context" if contexts else "State",
        "find": "Find a context by its last tokens" if contexts else "Find a state",
        "by_keys": (
            "With the keyboard: Tab and Enter, or type the sign of a token; the backspace key goes "
            "back."
            if single
            else "With the keyboard: Tab and Enter; the backspace key goes back."
        ),
    }
    return section, embedded_json(document)


def _graphs(facts: Facts) -> list[str]:
    """The state graph under each rule, every state in one place in all of them."""
    rules = facts.rules
    with quiet_fonts():
        frames = reel([rule.chain for rule in rules], [""] * len(rules))
        return [
            inline_svg(
                frames.frame(i),
                label=f"State graph, {rule.name}: {count(rule.chain.n_states, 'state')}, "
                f"{count(rule.chain.n_edges, 'transition')}. The table of the structure under each "
                f"decoding rule says more.",
                prefix=f"rule-{i}",
                parts=True,
            )
            for i, rule in enumerate(rules)
        ]


def _suffixes(facts: Facts) -> dict[str, str]:
    """What is known of each suffix that the icicle draws, by the name of its part."""
    names = facts.chain.vocabulary.shown
    return {
        f"suffix-{block.suffix[0]}-{block.suffix[1]}": (
            f"Texts end in {block.label} {percent(block.mass)} of the time; most probable next: "
            f"{names[block.token]}, {percent(block.probability)}."
        )
        for row in suffix_blocks(facts.chain, facts.pi)
        for block in row
    }
