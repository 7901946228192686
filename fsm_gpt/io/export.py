"""A chain in the formats of other programs. Only :mod:`fsm_gpt.io.write` keeps all of it."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Callable, Mapping
from io import TextIOWrapper
from os import fspath
from pathlib import PurePath
from typing import Any, BinaryIO, Literal, TypeAlias, get_args

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.files import Pathlike, atomic_write, shown
from fsm_gpt.io.graphs import write_dot, write_graphml, write_json
from fsm_gpt.io.prism import Asked, write_prism
from fsm_gpt.io.transitions import transitions

__all__ = ["FORMATS", "Format", "export", "format_of"]

Format: TypeAlias = Literal["dot", "graphml", "json", "npz", "csv", "prism"]
FORMATS: tuple[Format, ...] = get_args(Format)

#: What the ending of a file says. A file that ends in .prism is a program in PRISM's language.
_ENDINGS: dict[str, Format] = {
    **{known: known for known in FORMATS if known != "prism"},
    "tra": "prism",
    "gv": "dot",
}


def export(
    chain: Chain,
    path: Pathlike,
    *,
    format: Format | None = None,
    labels: Mapping[str, Asked] | None = None,
    start: Asked | None = None,
    rewards: Mapping[str, Any] | None = None,
) -> None:
    """Write a chain for another program, whole or not at all.

    ===========  ======================================================================
    format       what it holds
    ===========  ======================================================================
    ``dot``      the graph for graphviz; each edge has its token and probability
    ``graphml``  the same for yEd, Gephi, Cytoscape; also vocabulary, decoding, notes
    ``json``     the same as node-link JSON, which networkx and d3 read
    ``npz``      the transition matrix alone, for ``scipy.sparse.load_npz``; tokens that
                 lead to one state are added up
    ``csv``      a line for each transition: ids, probability, labels
    ``prism``    five files for the model checkers: transitions, variables, labels and
                 rewards of PRISM's explicit models; see :mod:`fsm_gpt.io.prism`
    ===========  ======================================================================

    States are the numbers 0 to N - 1. Labels are the printable ones of ``chain.labels()``,
    in which control characters are escaped; the tokens as they are stand in ``vocabulary``.
    A rational chain's probabilities are floats, with the rational beside them as ``exact``.
    In CSV a label of several characters that begins with ``=``, ``+``, ``-`` or ``@`` has
    an apostrophe before it, so that no spreadsheet takes it for a formula. PRISM's files hold the
    rationals themselves; ``path`` is that of the transitions, ``.tra``, and the others are written
    beside it, all or none. :func:`fsm_gpt.read_prism` reads them.

    Parameters
    ----------
    format
        Without it the ending of ``path`` decides; ``.gv`` is DOT too, and ``.tra`` is PRISM's.
    labels
        Sets of states, each under a name, for PRISM. The label "init" is on ``start``, and "end"
        and "unexplored" on the states of that name, where there are any.
    start
        The state or states to begin in, for PRISM; without it the state 0.
    rewards
        One reward structure for PRISM, {name: values}: numbers of shape (N,), paid in a state, or
        (N, V), paid for a token in a state. Without it each token pays its surprisal in ``bits``.

    Raises
    ------
    InvalidArgument
        The ending names no format, or an option is not for this format or makes no sense.
    InvalidChain
        The rows hold symbols.
    StateSpaceTooLarge
        GraphML and JSON hold half a million transitions at most.
    FileProblem
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export(Chain([[0.5, 0.5], [0.0, 1.0]], vocabulary="ab"), folder + "/chain.csv")
    ...     print(Path(folder + "/chain.csv").read_text().strip())
    source,token,target,probability,source_label,token_label,target_label
    0,0,0,0.5,a,a,a
    0,1,1,0.5,a,b,b
    1,1,1,1.0,b,b,b
    """
    chosen = format_of(path, format)
    if chosen == "prism":
        write_prism(chain, path, labels=labels, start=start, rewards=rewards)
        return
    for name, given in (("labels", labels), ("start", start), ("rewards", rewards)):
        if given is not None:
            raise InvalidArgument(
                f"export: {name} have a place in the files of PRISM alone, and this is {chosen}. "
                f"Write format='prism', or leave them out."
            )
    write = _WRITERS[chosen]
    with atomic_write(path) as file:
        write(chain, file)


def format_of(path: Pathlike, format: str | None = None) -> Format:
    """The format that was asked for, or that the ending of a path means.

    >>> format_of("x.GV"), format_of("x.txt", "csv"), format_of("x.tra")
    ('dot', 'csv', 'prism')
    """
    ending = PurePath(fspath(path)).suffix.lower().removeprefix(".")
    asked = ending if format is None else format
    known: dict[str, Format] = _ENDINGS
    if format is not None:
        known = {name: name for name in FORMATS}
    if asked in known:
        return known[asked]
    near = difflib.get_close_matches(asked, known, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else ""
    if format is not None:
        raise InvalidArgument(
            f"export: there is no format {format!r} among {', '.join(FORMATS)}. "
            f"{hint or 'Name one of these.'}"
        )
    raise InvalidArgument(
        f"export: {shown(path)} ends in none of .{', .'.join(list(_ENDINGS)[:-1])}, and its "
        f"ending says what to write. {hint or 'Use one of these endings, or name the format.'}"
    )


def write_npz(chain: Chain, file: BinaryIO) -> None:
    """The transition matrix, for ``scipy.sparse.load_npz``."""
    from scipy.sparse import save_npz

    save_npz(file, chain.sparse())


def write_csv(chain: Chain, file: BinaryIO) -> None:
    """A line for each transition, as in RFC 4180 and in UTF-8."""
    some = transitions(chain)
    states, tokens = [_cell(x) for x in some.labels], [_cell(x) for x in some.tokens]
    exact = [] if some.exact is None else ["exact"]
    text = TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    lines = csv.writer(text)
    labels = ["source_label", "token_label", "target_label"]
    lines.writerow(["source", "token", "target", "probability", *exact, *labels])
    columns = zip(some.source, some.token, some.target, some.probability, strict=True)
    for i, (source, token, target, probability) in enumerate(columns):
        more = [] if some.exact is None else [some.exact[i]]
        names = (states[source], tokens[token], states[target])
        lines.writerow([source, token, target, repr(probability), *more, *names])
    text.detach()


def _cell(label: str) -> str:
    return f"'{label}" if len(label) > 1 and label[0] in "=+-@" else label


_WRITERS: dict[Format, Callable[[Chain, BinaryIO], None]] = {
    "dot": write_dot,
    "graphml": write_graphml,
    "json": write_json,
    "npz": write_npz,
    "csv": write_csv,
}
