"""Pages made from the code itself: the command line, every public name, the figures' colours.

A page says ``<!-- generated: NAME -->`` and gets what the function of that name below writes.
A verb without a description or an example, or a public name without a page, is an error. So is
a reference to a name that the package does not have.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from pkgutil import resolve_name
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click

import fsm_gpt
from fsm_gpt import errors, plot
from fsm_gpt.cli import main
from fsm_gpt.report.style import DARK, LIGHT, Palette
from fsm_gpt.report.svg import style_sheet

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

_PLACE = re.compile(r"^<!-- generated: (\S+)(?: (.*))? -->$", re.MULTILINE)

#: Where each public name and each module has its page, in the order of the pages.
PAGES: dict[str, tuple[str, ...]] = {
    "chain": ("chain", "space", "decoding", "counts", "couple", "environment", "simulate", "io"),
    "models": (
        "gpt",
        "extract",
        "extract_to_store",
        "explore",
        "cutting",
        "sensitivity",
        "watch",
        "learning",
    ),
    "analyses": ("markov", "patterns", "sampling", "series"),
    "capacity": ("capacity", "report.capacity_report"),
    "reports": ("report", "progress"),
}
TITLES = {
    "chain": "The chain",
    "models": "Models",
    "analyses": "Analyses",
    "capacity": "Capacity",
    "reports": "Reports and figures",
}


# ---- the command line ----


def verbs(_: str = "") -> str:
    """Every verb, and every question of ask: what it does, an example, arguments and options."""
    context = click.Context(main, info_name="fsm-gpt", **main.context_settings)
    names = main.list_commands(context)
    return "\n\n".join(verb(name, main.get_command(context, name), context) for name in names)


def verb(name: str, command: click.Command | None, parent: click.Context) -> str:
    """The section of one verb, or of one question below its verb."""
    if command is None:
        raise ValueError(f"fsm-gpt {name}: the program lists this verb and does not have it.")
    context = click.Context(command, info_name=name, parent=parent)
    about, example = inspect.cleandoc(command.help or ""), _example(command)
    if not about or not example:
        missing = "description" if not about else "example in its epilog"
        raise ValueError(f"fsm-gpt {name}: it has no {missing}, and its page needs one.")
    path = context.command_path.split()[1:]
    usage = " ".join(["fsm-gpt", *path, *command.collect_usage_pieces(context)])
    parts = [
        f"(verb-{'-'.join(path)})=\n{'#' * (len(path) + 1)} `fsm-gpt {' '.join(path)}`",
        _markdown(about),
        f"```sh\n{example}\n```",
        f"Usage: `{usage}`",
        _options(command, context),
    ]
    if isinstance(command, click.Group):
        questions = command.list_commands(context)
        parts += [verb(each, command.get_command(context, each), context) for each in questions]
    return "\n\n".join(part for part in parts if part)


def _example(command: click.Command) -> str:
    lines = inspect.cleandoc((command.epilog or "").replace("\b", "")).splitlines()
    return "\n".join(line.strip() for line in lines if line.strip().startswith("fsm-gpt "))


def _markdown(help_text: str) -> str:
    """Help as Markdown: verbatim paragraphs of click become code, the rest is escaped."""
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", help_text.replace("\f", "")):
        if paragraph.startswith("\b"):
            paragraphs.append(f"```text\n{paragraph.removeprefix(chr(8)).strip(chr(10))}\n```")
        else:
            paragraphs.append(_escaped(" ".join(paragraph.split())))
    return "\n\n".join(paragraphs)


def _escaped(text: str) -> str:
    return re.sub(r"([*_\[\]<>|`$])", r"\\\1", text)


def _options(command: click.Command, context: click.Context) -> str:
    """A table of options, without --help, which every verb has."""
    rows = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is None or not isinstance(parameter, click.Option) or "--help" in parameter.opts:
            continue
        names, meaning = record
        rows.append(f"| `{names.replace('|', chr(92) + '|')}` | {_escaped(meaning)} |")
    return "\n".join(["| option | meaning |", "| --- | --- |", *rows]) if rows else ""


def exit_codes(_: str = "") -> str:
    """Exit codes, as the errors carry them."""
    kinds: dict[int, list[str]] = {}
    for name in errors.__all__:
        kinds.setdefault(getattr(errors, name).exit_code, []).append(name)
    listed = " ".join((errors.__doc__ or "").partition("Exit codes:")[2].split())
    meanings = dict(re.findall(r"(\d+) ([^,.]+)", listed))
    rows = [
        f"| {code} | {meaning} | "
        f"{', '.join(f'{{py:class}}`~fsm_gpt.errors.{k}`' for k in kinds.get(int(code), []))} |"
        for code, meaning in meanings.items()
    ]
    return "\n".join(["| code | meaning | errors |", "| ---: | --- | --- |", *rows])


# ---- public names ----


def page_of(name: str) -> str:
    """The page on which a public name stands."""
    home = fsm_gpt._HOME[name].removeprefix("fsm_gpt.")
    for page, rooms in PAGES.items():
        if home in rooms:
            return page
    for page, rooms in PAGES.items():
        if home.split(".")[0] in rooms:
            return page
    raise ValueError(f"fsm_gpt.{name} is in {home}, which PAGES in {__name__} does not place.")


def names(_: str = "") -> str:
    """A table of all public names, with the first line of each docstring."""
    parts = []
    for page in PAGES:
        here = sorted((n for n in fsm_gpt._HOME if page_of(n) == page), key=str.lower)
        table = "\n".join(
            ["```{eval-rst}", ".. autosummary::", "", *(f"   fsm_gpt.{n}" for n in here), "```"]
        )
        parts.append(f"## [{TITLES[page]}](api/{page}.md)\n\n{table}")
    return "\n\n".join(parts)


def room(page: str) -> str:
    """The modules of a page: what each says of itself, then its names."""
    mine = [module for room in PAGES[page] for module in _modules(f"fsm_gpt.{room}")]
    others = {f"fsm_gpt.{r}" for p, rooms in PAGES.items() if p != page for r in rooms}
    offered = {name for room in PAGES[page] for name in _offered(f"fsm_gpt.{room}")}
    public: list[str] = []
    inner: list[str] = []
    for module in mine:
        if module.__name__ in others:
            continue
        described = list(_described(module, offered))
        if described:
            title = module.__name__
            # A function of the same name as its module keeps the name for itself.
            taken = title.removeprefix("fsm_gpt.") in fsm_gpt._HOME
            lines = [f".. automodule:: {title}", "   :no-members:"]
            lines += ["   :no-index:", ""] if taken else [""]
            text = "\n".join([f"`{title}`", "", "```{eval-rst}", *lines, *described, "```"])
            is_public = any(home == title for home in fsm_gpt._HOME.values()) or any(
                name in fsm_gpt._HOME for name in module.__all__
            )
            (public if is_public else inner).append(text)
    parts = [f"## {text}" for text in public]
    if inner:
        parts += ["## Inside", *(f"### {text}" for text in inner)]
    return "\n\n".join(parts)


def _offered(room: str) -> Iterator[str]:
    """The names of a room that are for others: its own list, but all of markov is to be read."""
    whole = room == "fsm_gpt.markov"
    for module in _modules(room) if whole else [importlib.import_module(room)]:
        yield from module.__all__


def _modules(name: str) -> Iterator[ModuleType]:
    module = importlib.import_module(name)
    yield module
    for found in pkgutil.iter_modules(getattr(module, "__path__", []), f"{name}."):
        yield importlib.import_module(found.name)


def _described(module: ModuleType, offered: set[str]) -> Iterator[str]:
    """Directives for the names that a module defines, public ones under their public name."""
    for name in getattr(module, "__all__", []):
        thing = getattr(module, name)
        if getattr(thing, "__module__", None) != module.__name__ or not thing.__doc__:
            continue
        # Another room may use a public name for a thing of its own.
        public = name in fsm_gpt._HOME and getattr(fsm_gpt, name) is thing
        if name not in offered and not public:
            continue
        full = f"fsm_gpt.{name}" if public else f"{module.__name__}.{name}"
        if inspect.isclass(thing):
            options = ":members:", ":undoc-members:", ":show-inheritance:"
            yield "\n   ".join([f".. autoclass:: {full}", *options]) + "\n"
        elif callable(thing):
            yield f".. autofunction:: {full}\n"


def pictures(_: str = "") -> str:
    """A table of the functions of ``fsm_gpt.plot``, each with the first line of its docstring."""
    rows = []
    for name in plot._HOME:
        function = getattr(plot, name)
        first = inspect.cleandoc(function.__doc__ or "").splitlines()[0]
        home = "fsm_gpt" if function.__name__ in fsm_gpt._HOME else function.__module__
        target = f"{home}.{function.__name__}"
        rows.append(f"| {{py:func}}`fg.plot.{name} <{target}>` | {_escaped(first)} |")
    return "\n".join(["| function | what it does |", "| --- | --- |", *rows])


# ---- the colours of figures ----


def colours() -> str:
    """A style sheet with the report's colours by name, in light and in dark."""

    def named(palette: Palette) -> str:
        return "".join(f"--{name}:{value};" for name, value in palette.named().items())

    dark = f"{{{named(DARK)}}}"
    return (
        f"body{{{named(LIGHT)}}}\n"
        f'body[data-theme="dark"]{dark}\n'
        f'@media (prefers-color-scheme: dark){{body:not([data-theme="light"]){dark}}}\n'
        f"@media print{{body:not(.x){{{named(LIGHT)}}}}}\n"
        f"{style_sheet()}\n"
    )


def _write_colours(app: Sphinx, failed: Exception | None) -> None:
    if failed is None and app.builder.format == "html":
        (app.outdir / "_static" / "colours.css").write_text(colours(), encoding="utf-8")


# ---- where they go ----

WRITERS: dict[str, Callable[[str], str]] = {
    "verbs": verbs,
    "exit-codes": exit_codes,
    "names": names,
    "room": room,
    "pictures": pictures,
}


def fill(text: str) -> str:
    """A page with every placeholder replaced."""
    return _PLACE.sub(lambda found: WRITERS[found[1]](found[2] or ""), text)


def _on_read(app: Sphinx, docname: str, source: list[str]) -> None:
    source[0] = fill(source[0])


def _without_page(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, shown: nodes.TextElement
) -> nodes.TextElement | None:
    """A name that the package has but no page describes is shown without a link."""
    try:
        resolve_name(str(node.get("reftarget")))
    except (ImportError, AttributeError, ValueError):
        return None
    return shown if str(node.get("reftarget")).startswith("fsm_gpt.") else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Listen for pages, and for names that have none."""
    app.connect("source-read", _on_read)
    app.connect("missing-reference", _without_page)
    app.connect("build-finished", _write_colours)
    app.add_css_file("colours.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
