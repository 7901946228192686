"""What every page shares: the document around it, the style sheet, the security policy.

The one style sheet is named by its hash, and so is the one script, on the pages that have one; no
other runs. Nothing is asked of the network: the content-security-policy of the page would not let
it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from fsm_gpt.report.style import DARK, LIGHT
from fsm_gpt.report.svg import style_sheet
from fsm_gpt.report.words import powers, printable

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["page_from"]


def page_from(template: str, *, script: str = "", **values: Any) -> str:
    """A page made from one of the templates, with the look that all of them share.

    ``script`` names a file of this folder that is put into the page.
    """
    from markupsafe import Markup

    style = _style()
    code = _read(script) if script else ""
    return (
        _environment()
        .get_template(template)
        .render(
            style=Markup(style),
            style_hash=_hash(style),
            script=Markup(code),
            script_hash=_hash(code) if code else "",
            **values,
        )
    )


def _hash(text: str) -> str:
    """As a content-security-policy names it."""
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"sha256-{digest}"


def _read(name: str) -> str:
    return (files("fsm_gpt.report") / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_read),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["powers"] = powers
    environment.filters["plain"] = printable
    return environment


@cache
def _style() -> str:
    """Both palettes as variables, then the rules."""

    def variables(colours: Mapping[str, str]) -> str:
        return "".join(f"--{name}:{value};" for name, value in colours.items())

    inks = "\n".join(
        f".c-{name}{{color:var(--{name})}}"
        for name in LIGHT.named()
        if name.startswith("token-ink")
    )
    dark = f"@media screen and (prefers-color-scheme:dark){{:root{{{variables(DARK.named())}}}}}"
    light = f":root{{{variables(LIGHT.named())}}}"
    return f"{light}\n{dark}\n{style_sheet()}\n{inks}\n{_read('page.css')}"
