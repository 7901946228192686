"""Reading a chain from the explicit files of the model checker PRISM.

The files are described in :mod:`fsm_gpt.io.prism`. They have no tokens: a transition leads from a
state to a state. A chain's token has to decide the successor, so token k of a state is its k-th
transition, ordered by the number of the successor; that of token 3 in one state and in another
have nothing in common.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fsm_gpt.chain import Chain
from fsm_gpt.errors import FileProblem, InvalidChain
from fsm_gpt.files import Pathlike, shown
from fsm_gpt.io.prism_lines import read_lines
from fsm_gpt.io.prism_names import labels_of, names_of
from fsm_gpt.io.prism_rewards import name_of, state_rewards, transition_rewards
from fsm_gpt.io.prism_table import Table, table_of
from fsm_gpt.result import Result, format_number, read_only
from fsm_gpt.rows import Numbers

__all__ = ["PrismModel", "read_prism"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class PrismModel(Result):
    """What PRISM's files say of a Markov chain."""

    chain: Chain = field(repr=False)
    """Token k of a state is its k-th transition, by the number of the successor."""
    labels: dict[str, tuple[int, ...]]
    """The states of each label; empty without a file of labels."""
    initial: tuple[int, ...]
    """The states to begin in: those of the label "init", or 0 without a file of labels."""
    reward: str
    """The name of the reward structure; empty where there is none or it has no name."""
    state_rewards: Numbers | None
    """What is paid for being in each state, shape (N,)."""
    transition_rewards: Numbers | None
    """What each transition pays, in the order of ``chain.edges()``."""

    def __str__(self) -> str:
        lines = [f"{self.chain}, from PRISM's files"]
        for name, states in self.labels.items():
            some = ", ".join(self.chain.labels(states[:8]))
            more = f" and {len(states) - 8:,} more" if len(states) > 8 else ""
            lines.append(f"  {name}: {some}{more}" if states else f"  {name}: no state")
        for what, values in (
            ("states", self.state_rewards),
            ("transitions", self.transition_rewards),
        ):
            if values is not None and len(paid := values[values != 0]):
                least, most = format_number(float(min(paid))), format_number(float(max(paid)))
                lines.append(
                    f"  reward {self.reward or 'without a name'}: {len(paid):,} {what} pay "
                    f"{least} to {most}"
                )
        return "\n".join(lines)


def read_prism(
    tra: Pathlike,
    lab: Pathlike | None = None,
    sta: Pathlike | None = None,
    srew: Pathlike | None = None,
    trew: Pathlike | None = None,
    *,
    exact: bool = True,
    normalize: bool = False,
) -> PrismModel:
    """A discrete-time Markov chain from the explicit files of the model checker PRISM.

    The files are checked as if a stranger had written them. One that was cut short is noticed,
    with one exception: nothing tells of labels that were cut off between two lines.

    Parameters
    ----------
    tra
        The transitions; ``fg.export(chain, "chain.tra")`` writes such files.
    lab, sta, srew, trew
        Labels, values of variables, state rewards and transition rewards, where they are wanted.
        The values of a state's variables become its name, "(1,0)"; without them it is its number.
    exact
        Take every number as the rational that is written: 1/3 is a third and 0.1 a tenth. Rows
        have to sum to one exactly. Without it numbers are floats, and rows may miss one by 1e-12.
    normalize
        Divide each row by its sum.

    Raises
    ------
    FileProblem
        A file cannot be read, holds another kind of model (MDP, CTMC), has a row that does not sum
        to one or a state without transitions, or does not fit the others. The line is named.

    References
    ----------
    PRISM manual, appendix "Explicit Model Files".

    Examples
    --------
    >>> import tempfile, fsm_gpt as fg
    >>> walk = Chain.from_matrix([[1, 0, 0], ["1/3", 0, "2/3"], [0, 0, 1]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fg.export(walk, f"{folder}/walk.tra", labels={"home": 0}, start=1)
    ...     model = read_prism(f"{folder}/walk.tra", f"{folder}/walk.lab")
    >>> print(model)
    Chain: 3 states over 2 tokens, 4 transitions, rational, from PRISM's files
      init: 1
      deadlock: no state
      home: 0
    >>> fg.hitting(model.chain, model.labels["home"]).probabilities[1]
    Fraction(1, 3)
    """
    table = table_of(read_lines(tra), exact=exact, normalize=normalize)
    N = table.n_states
    labels = {} if lab is None else labels_of(read_lines(lab), N)
    names = None if sta is None else names_of(read_lines(sta), N)
    named: dict[str, str] = {}
    of_states = of_transitions = None
    if srew is not None:
        said = read_lines(srew)
        named["state"] = name_of(said)
        of_states = read_only(state_rewards(said, N, exact=exact))
    if trew is not None:
        said = read_lines(trew)
        named["transition"] = name_of(said)
        of_transitions = read_only(transition_rewards(said, table, exact=exact))
    if len(set(named.values())) > 1:
        raise FileProblem(
            f"{shown(trew or '')}: its rewards are called {named['transition']!r} and those of "
            f"states {named['state']!r}, and both together are one reward structure. Read them one "
            f"after the other."
        )
    return PrismModel(
        chain=_chain(tra, table, names, normalize=normalize),
        labels=labels,
        initial=labels.get("init", ()) if lab is not None else (0,),
        reward=next(iter(named.values()), ""),
        state_rewards=of_states,
        transition_rewards=of_transitions,
    )


def _chain(tra: Pathlike, table: Table, names: list[str] | None, *, normalize: bool) -> Chain:
    notes = ["the tokens are the successors of each state in the order of their numbers"]
    if table.actions:
        notes.append("actions that the file names are left out")
    try:
        return Chain.from_edges(
            table.source,
            table.token,
            table.target,
            table.values,
            n_states=table.n_states,
            states=names,
            normalize=normalize,
            notes=notes,
        )
    except InvalidChain as error:  # rows that cannot be divided by their sums
        raise FileProblem(f"{shown(tra)}: it holds no chain that can be used. {error}") from None
