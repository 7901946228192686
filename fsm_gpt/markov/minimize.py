"""The minimal machine, and smaller ones with a price.

Two states are *equivalent* if every text has the same probability from both. Emitting a token
decides the next state, so this is so exactly if their rows are equal and each possible token
leads to equivalent states; the coarsest such partition is found by refining that by rows until
no token tells two states of a block apart (:mod:`fsm_gpt.markov.refinement`; Hopcroft & Ullman
1979, section 3.4). The blocks are the states of the minimal machine: the coarsest token-labelled
machine with the behaviour of the chain, and the unique one (of a stationary process that is known
from its past, its causal states: Shalizi & Crutchfield 2001).

Rows are compared as they are, bit by bit where they are floats. Training leaves hardly two rows
exactly alike; decoding does, and so do texts. Rows that are only nearly alike are merged at a
price, the KL rate of the chain against the machine in bits per token
(:mod:`fsm_gpt.markov.merged_rows`), and :mod:`fsm_gpt.markov.pareto` looks for machines that are
worth theirs.

On windows another coarsening is in use: forget the oldest tokens of a context where they do
not matter, but keep so many that the next context is still known (a variable-length Markov
chain: Bühlmann & Wyner 1999; :mod:`fsm_gpt.markov.suffix_tree`). A leaf of its tree is a set of
windows that end alike, a block any set of windows, so the minimal machine has at most as many
states.

References
----------
Hopcroft & Ullman (1979), Introduction to Automata Theory, section 3.4. Shalizi & Crutchfield
(2001), J. Stat. Phys. 104, 817-879. Bühlmann & Wyner (1999), Annals of Statistics 27, 480-513.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.markov.algebra import conversion_error
from fsm_gpt.markov.block_names import names_of_blocks
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.entropy import long_run
from fsm_gpt.markov.merged_rows import in_the_long_run, mean_rows, price
from fsm_gpt.markov.minimal_machine import MinimalMachine
from fsm_gpt.markov.pareto import Candidate, ParetoCurve, pareto_curve
from fsm_gpt.markov.refinement import exact_blocks, numbered_rows
from fsm_gpt.markov.suffix_tree import closed_under_shift, leaf_of_windows, tree_of_rows
from fsm_gpt.result import UNCERTIFIED, read_only

__all__ = ["minimize"]

Ids = npt.NDArray[np.int64]

#: Up to so many states the mean rows of rationals are rationals.
EXACT_MEANS = 64


def minimize(
    chain: Chain, *, max_states: int | None = None, max_kl_rate: float | None = None
) -> MinimalMachine:
    """The fewest states that write the same texts, or fewer at a stated price.

    Without options the machine is exact. With one of them states are merged whose next tokens
    differ, and what that costs is ``kl_bits_per_token``: the bits that are lost on each token by
    predicting the chain by the machine. The price is exact to its error bound; the search for
    machines is greedy, so that a better one may exist. ``.pareto()`` is the table that both
    options choose from.

    The price counts the long run alone. States that are left for ever cost nothing, whatever
    their rows; of a text that ends, the long run is END.

    Parameters
    ----------
    max_states
        So many states at most, for the least price that was found. 1 is the machine that draws
        each token by itself.
    max_kl_rate
        So many bits per token at most, for the fewest states that were found.

    Raises
    ------
    InvalidArgument
        An option is out of its range, ``max_kl_rate`` would merge everything into one state, or
        no machine that was found keeps to both.
    NotDefined
        A part of the chain is unexplored.
    NotUnique
        With an option: the chain has several closed classes.
    InvalidChain
        With an option: the rows hold symbols.

    References
    ----------
    Hopcroft & Ullman (1979), section 3.4. Bühlmann & Wyner (1999).

    Examples
    --------
    The golden mean process, no two zeros in a row, written as a chain of three tokens' context:

    >>> zero, one = ["0", "1"], ["1/2", "1/2"]
    >>> golden = Chain([one, zero, one, zero, one, zero, one, zero][::-1])
    >>> found = minimize(golden)
    >>> found.n_states, found.tree_contexts
    (2, 2)
    >>> print(found.chain.listing())
    input […0] ---> [0, 1]
    input […1] ---> [1/2, 1/2]
    >>> coin = minimize(golden, max_states=1)
    >>> print(coin.chain.listing(), f"{coin.kl_bits_per_token:.6f}")
    input […] ---> [1/3, 2/3] 0.251629
    """
    require_complete(chain, "minimize")
    _refuse_options(max_states, max_kl_rate)
    exact = _exact(chain)
    if max_states is None and max_kl_rate is None:
        return exact
    curve = pareto_curve(chain)
    if max_kl_rate is not None and max_states != 1:
        _refuse_everything(curve, max_kl_rate)
    return _chosen(exact, curve, max_states, max_kl_rate)


def _refuse_options(max_states: Any, max_kl_rate: Any) -> None:
    whole = isinstance(max_states, (int, np.integer)) and not isinstance(max_states, bool)
    if max_states is not None and not (whole and max_states >= 1):
        raise InvalidArgument(
            f"minimize: max_states is {max_states!r}, and a machine has at least one state. Give "
            f"a whole number from 1 on."
        )
    if max_kl_rate is None:
        return
    number = isinstance(max_kl_rate, Real) and not isinstance(max_kl_rate, bool)
    if not (number and float(max_kl_rate) >= 0):
        raise InvalidArgument(
            f"minimize: max_kl_rate is {max_kl_rate!r}, and a price is a number of bits per token "
            f"from 0 on. Give one below that of a single state, which .pareto() begins with."
        )


def _refuse_everything(curve: ParetoCurve, max_kl_rate: float) -> None:
    dearest = curve.machines[0]
    if len(curve.machines) > 1 and float(max_kl_rate) < dearest.kl_bits:
        return
    if dearest.found_by == "exact":  # one state from the start: nothing is lost
        return
    raise InvalidArgument(
        f"minimize: max_kl_rate={float(max_kl_rate):g} merges everything into one state, which "
        f"costs h_0 - h = {dearest.kl_bits:.6g} bits per token: the entropy of a token by itself, "
        f"less that of a token after its past. Nothing of the chain's memory is left then. Give "
        f"less than that (minimize(chain).pareto() shows what is to be had), or max_states=1 if "
        f"that machine is meant."
    )


def _chosen(
    exact: MinimalMachine, curve: ParetoCurve, max_states: int | None, max_kl_rate: float | None
) -> MinimalMachine:
    """The machine of the curve that keeps to the options."""
    most = math.inf if max_states is None else int(max_states)
    dear = math.inf if max_kl_rate is None else float(max_kl_rate)
    fitting = [one for one in curve.machines if one.n_states <= most]
    if max_kl_rate is None:
        fitting.reverse()  # the cheapest first
    for one in fitting:
        if one.kl_bits > dear:
            continue
        machine = exact if one.found_by == "exact" else _approximate(exact, one)
        if machine.kl_bits_per_token <= dear:
            return machine
    enough = next(one for one in curve.machines if one.kl_bits <= dear)
    raise InvalidArgument(
        f"minimize: no machine was found with at most {most:,} states and at most {dear:g} bits "
        f"per token. {fitting[-1].n_states:,} states cost {fitting[-1].kl_bits:.6g}, and that "
        f"price needs {enough.n_states:,} states. Give one of the two options alone, or more of "
        f"one."
    )


def _exact(chain: Chain) -> MinimalMachine:
    block, rounds = exact_blocks(chain)
    V = chain.n_tokens
    tree = None
    if chain.is_window:
        tree = leaf_of_windows(closed_under_shift(tree_of_rows(numbered_rows(chain), V), V), V)[1]
    return MinimalMachine(
        original=chain,
        chain=_of_first_members(chain, block),
        block=read_only(block),
        rounds=rounds,
        tree_contexts=tree,
        exact_states=int(block.max()) + 1,
        method=f"partition refinement, {rounds} rounds",
        error_bound=0.0,
    )


def _of_first_members(chain: Chain, block: Ids) -> Chain:
    """The chain of blocks of equal states; each has the transitions of its first member."""
    K = int(block.max()) + 1
    if K == chain.n_states:
        return chain
    first = np.unique(block, return_index=True)[1]
    chosen = np.zeros(chain.n_states, dtype=bool)
    chosen[first] = True
    edges = chain.raw_edges()  # the rows as they are, to the last bit
    on = chosen[edges.source]
    merged = Chain.from_edges(
        block[edges.source[on]],
        edges.token[on],
        block[edges.target[on]],
        edges.probability[on],
        n_states=K,
        vocabulary=chain.vocabulary,
        states=names_of_blocks(chain, block),
        notes=chain.notes,
        provenance=chain.provenance,
    )
    return merged._with(decoding=chain.decoding, tied=read_only(np.unique(block[chain.tied])))


def _approximate(exact: MinimalMachine, one: Candidate) -> MinimalMachine:
    """The machine of a candidate, with its price and the error of that."""
    chain = exact.original
    floats, pi, error, reason = in_the_long_run(chain)
    block = one.make()
    if chain.kind == "rational" and chain.n_states <= EXACT_MEANS:
        true_pi = long_run(chain, None, "minimize")[0]
        rows = mean_rows(chain, true_pi, block)
        machine_rows = rows._replace(probability=rows.probability.astype(np.float64))
    else:
        rows = machine_rows = mean_rows(floats, pi, block)
    cost = price(floats, pi, block, machine_rows, error=error)
    kl_error, distance_error = cost.kl_error, cost.distance_error
    if kl_error != UNCERTIFIED and distance_error != UNCERTIFIED:
        converted = conversion_error(chain)
        # Rows move by that much at most too, and sum_t |P log2(P / Q)| is at most K + 3.
        kl_error = kl_error + converted * (2 * cost.kl_bits + 5)
        distance_error = distance_error + 2 * converted
    machine = Chain.from_edges(
        *rows,
        n_states=one.n_states,
        vocabulary=chain.vocabulary,
        states=names_of_blocks(chain, block),
        notes=(
            *chain.notes,
            f"a machine of {one.n_states:,} states for {chain.n_states:,}, at a KL rate of "
            f"{cost.kl_bits:.6g} bits per token",
        ),
        provenance=chain.provenance,
    )
    return MinimalMachine(
        original=chain,
        chain=machine,
        block=read_only(block),
        rounds=exact.rounds,
        tree_contexts=exact.tree_contexts,
        exact_states=exact.exact_states,
        kl_bits_per_token=cost.kl_bits,
        mean_total_variation=cost.distance,
        distance_error=distance_error,
        method=f"found by {one.found_by}; greedy search",
        error_bound=kl_error,
        uncertified_because=reason,
    )
