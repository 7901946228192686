"""What every page shares: the document around it, the style sheet, the security policy.

The one style sheet, and the one script where a page has one, are named by their hashes, no
other runs, and nothing is asked of the network: the content-security-policy of the page would
not let it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from fsm_gpt.report.style import DARK, LIGHT
from fsm_gpt.report.svg import style_sheet
from fsm_gpt.report.words import powers, printable

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["page_from"]


def page_from(template: str, *, scripts: Sequence[str] = (), **values: Any) -> str:
    """A page made from one of the templates, with the look that all of them share.

    ``scripts`` are the names of files beside the templates, which the page then runs as one.
    """
    from markupsafe import Markup

    style = _style()
    code = "\n".join(_read(name) for name in scripts)
    return (
        _environment()
        .get_template(template)
        .render(
            style=Markup(style),
            style_hash=_named_by_hash(style),
            script=Markup(code),
            script_hash=_named_by_hash(code),
            **values,
        )
    )


def _named_by_hash(content: str) -> str:
    """What a content-security-policy calls a style sheet or a script.

    >>> _named_by_hash("")
    'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    """
    digest = hashlib.sha256(content.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


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
