"""A language model as a finite Markov chain with labelled transitions.

State s emits token t with probability next_token[s, t] and moves to successor(s, t):
a chain whose state is known once its token is known. :class:`Chain` is that object,
and every analysis takes one. It is checked once, when it is made, and never changes.

Where float rows do not sum to exactly one, the chain meant is each row divided by its
sum; see :mod:`fsm_gpt.rows`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.build import edge_list, edges_of_rows, ids, names_of, space_for, window_rows
from fsm_gpt.compound import WithEnd
from fsm_gpt.decoding import Rule, in_words, underflow_note
from fsm_gpt.errors import InvalidArgument, InvalidChain, StateOutOfRange, StateSpaceTooLarge
from fsm_gpt.listing import chain_as_html, chain_in_full, listing_line, states_in_words
from fsm_gpt.result import read_only
from fsm_gpt.rows import Kind, Numbers, as_floats, as_numbers, kind_of, to_rationals
from fsm_gpt.space import ContextSpace, SomeContexts, States, Vocabulary
from fsm_gpt.storage import EdgeList, Edges, Storage, WindowRows
from fsm_gpt.streamed import StreamedRows

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["DENSE_LIMIT", "Chain"]

Ids = npt.NDArray[np.int64]
VocabularyLike = Vocabulary | str | int | Sequence[str]

#: Dense (N, N) methods refuse chains with more states than this.
DENSE_LIMIT = 4096


@dataclass(frozen=True, eq=False, repr=False)
class _Parts:
    """What a chain is made of."""

    storage: Storage
    states: States
    vocabulary: Vocabulary
    decoding: tuple[Rule, ...] = ()
    tied: Ids = field(default_factory=lambda: read_only([], np.int64))
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def _parts_of_rows(
    numbers: Numbers,
    space: ContextSpace,
    normalize: bool,
    notes: Sequence[str],
    provenance: Mapping[str, str] | None,
) -> _Parts:
    if space.shortest < space.length and space.length > 1:
        storage: Storage = edges_of_rows(numbers, space, normalize=normalize)
    else:
        storage = window_rows(numbers, space, normalize=normalize)
    return _Parts(
        storage,
        space,
        space.vocabulary,
        notes=tuple(notes),
        provenance=MappingProxyType(dict(provenance or {})),
    )


class Chain:
    """A finite Markov chain with labelled transitions.

    Parameters
    ----------
    rows
        Next-token probabilities, shape (V**L, V): row s belongs to the window whose
        base-V number is s, oldest token first. Floats, Fractions, strings such as
        "1/3", or sympy expressions with symbols in (0, 1).
    vocabulary
        The V tokens: a string of characters, a sequence of strings, or nothing for
        "0", "1" and so on.
    context
        L, where it does not follow from the shape (V = 1), or to check it.
    short_contexts
        The rows are those of every context of 1 to L tokens, shortest first:
        shape (V (V**L - 1) / (V - 1), V).
    normalize
        Divide each row by its sum.
    notes, provenance
        What a reader should know of the rows, and where they come from.

    Raises
    ------
    InvalidChain
        A row has a negative or non-finite entry or does not sum to one, or the shape
        is not that of a window chain.

    Examples
    --------
    >>> chain = Chain([[0.5, 0.5], [0.25, 0.75]], vocabulary="ab")
    >>> chain
    Chain: 2 states (every window of 1 token over 2), 4 transitions
      tokens: a, b
      input [a] ---> [0.500, 0.500]
      input [b] ---> [0.250, 0.750]
    >>> print(chain)
    Chain: 2 states (every window of 1 token over 2), 4 transitions
    >>> chain.push(np.array([1.0, 0.0]))
    array([0.5, 0.5])
    """

    def __init__(
        self,
        rows: Any,
        *,
        vocabulary: VocabularyLike | None = None,
        context: int | None = None,
        short_contexts: bool = False,
        normalize: bool = False,
        notes: Sequence[str] = (),
        provenance: Mapping[str, str] | None = None,
    ) -> None:
        numbers = as_numbers(rows)
        if numbers.ndim != 2 or numbers.shape[1] == 0:
            raise InvalidChain(
                f"rows: their shape is {numbers.shape}. A window chain has one row for each of "
                f"its V**L contexts and one column for each of its V tokens."
            )
        N, V = numbers.shape
        named = Vocabulary.of(V if vocabulary is None else vocabulary)
        if len(named) != V:
            raise InvalidChain(
                f"rows: they have {V} columns and the vocabulary has {len(named)} tokens. "
                f"Each row needs one probability a token."
            )
        space = space_for(N, named, context, short_contexts)
        self._parts = _parts_of_rows(numbers, space, normalize, notes, provenance)

    # ---- other ways to make one ----

    @classmethod
    def _of(cls, parts: _Parts) -> Chain:
        chain = object.__new__(cls)
        chain._parts = parts
        return chain

    @classmethod
    def _of_own_rows(
        cls,
        rows: Numbers,
        space: ContextSpace,
        *,
        notes: Sequence[str],
        provenance: Mapping[str, str],
    ) -> Chain:
        """The chain of rows that nobody else holds: checked as any others, and not copied."""
        return cls._of(_parts_of_rows(rows, space, False, notes, provenance))

    @classmethod
    def _of_storage(
        cls,
        storage: Storage,
        space: ContextSpace,
        *,
        notes: Sequence[str],
        provenance: Mapping[str, str],
    ) -> Chain:
        """The chain of rows that are checked when they are read."""
        about = MappingProxyType(dict(provenance))
        return cls._of(
            _Parts(storage, space, space.vocabulary, notes=tuple(notes), provenance=about)
        )

    def _with(self, **changes: Any) -> Chain:
        return Chain._of(replace(self._parts, **changes))

    @classmethod
    def from_matrix(
        cls, P: Any, *, vocabulary: VocabularyLike | None = None, normalize: bool = False
    ) -> Chain:
        """A chain from a stochastic matrix, dense or scipy sparse: its states are its tokens.

        Emitting token j is moving to state j, so this is a window chain with L = 1.

        >>> print(Chain.from_matrix([["1/2", "1/2"], [1, 0]], vocabulary=["sun", "rain"]))
        Chain: 2 states (every window of 1 token over 2), 3 transitions, rational
        """
        if hasattr(P, "tocoo"):
            return _from_sparse(P, vocabulary, normalize=normalize)
        numbers = as_numbers(P, where="matrix")
        if numbers.ndim != 2 or numbers.shape[0] != numbers.shape[1]:
            raise InvalidChain(
                f"matrix: its shape is {numbers.shape}, and a transition matrix is square. "
                f"For rows over a vocabulary use Chain(rows)."
            )
        return cls(numbers, vocabulary=vocabulary, context=1, normalize=normalize)

    @classmethod
    def from_edges(
        cls,
        source: npt.ArrayLike,
        token: npt.ArrayLike,
        target: npt.ArrayLike,
        probability: Any,
        *,
        n_states: int | None = None,
        vocabulary: VocabularyLike | None = None,
        states: States | Sequence[str] | None = None,
        normalize: bool = False,
        notes: Sequence[str] = (),
        provenance: Mapping[str, str] | None = None,
    ) -> Chain:
        """A chain from its transitions: four arrays of one length.

        A state and a token decide the next state, so no two transitions may share
        both. Transitions of probability zero are dropped.

        >>> even = Chain.from_edges([0, 0, 1], [0, 1, 1], [0, 1, 0], [0.5, 0.5, 1.0])
        >>> even.n_states, even.successors().tolist()
        (2, [[0, 1], [-1, 0]])
        """
        numbers = as_numbers(probability, where="edges").ravel()
        columns = [ids(a, n) for a, n in ((source, "source"), (token, "token"), (target, "target"))]
        if len({len(column) for column in columns} | {len(numbers)}) != 1 or len(numbers) == 0:
            raise InvalidChain(
                f"edges: source, token, target and probability have "
                f"{', '.join(str(len(c)) for c in columns)} and {len(numbers)} entries. "
                f"They need one entry for each transition, and at least one transition."
            )
        highest = int(max(columns[0].max(), columns[2].max())) + 1
        names = names_of(states, highest if n_states is None else n_states)
        if n_states is not None and len(names) != n_states:
            raise InvalidChain(
                f"edges: states has {len(names)} names and n_states is {n_states}. Give each state "
                f"a name, or leave one of the two out."
            )
        named = Vocabulary.of(int(columns[1].max()) + 1 if vocabulary is None else vocabulary)
        edges = Edges(columns[0], columns[1], columns[2], numbers)
        storage = edge_list(edges, names, named, normalize=normalize)
        return cls._of(
            _Parts(
                storage,
                names,
                named,
                notes=tuple(notes),
                provenance=MappingProxyType(dict(provenance or {})),
            )
        )

    @classmethod
    def from_counts(
        cls, counts: Any, *, vocabulary: VocabularyLike | None = None, end: str | None = None
    ) -> Chain:
        """The chain of observed counts, in exact rationals.

        Parameters
        ----------
        counts
            How often each token followed each context: an array of shape (V**L, V), or
            a mapping {context: {token: count}}. Contexts never seen are left out.
        vocabulary
            The tokens; needed for a mapping with words, else taken from the counts.
        end
            What to do where a context is entered that never goes on: "drop" leaves out
            the transitions into it; without it that is an error.

        >>> chain = Chain.from_counts({"a": {"b": 2}, "b": {"a": 1, "b": 1}})
        >>> print(chain.listing())
        input [a] ---> [0, 1]
        input [b] ---> [1/2, 1/2]
        """
        from fsm_gpt.counts import chain_from_counts

        return chain_from_counts(counts, vocabulary=vocabulary, end=end)

    @classmethod
    def from_text(
        cls,
        text: str | Sequence[str],
        *,
        context: int,
        end: str | None = None,
        vocabulary: VocabularyLike | None = None,
    ) -> Chain:
        """The data's own chain: how often each token followed each context, exactly.

        Parameters
        ----------
        text
            The text, or its tokens.
        context
            L, the number of tokens in a state.
        end
            The last context of a text may never have gone on. "drop" leaves out the
            transitions into it, "wrap" reads the text as a circle; without either that
            is an error.
        vocabulary
            The tokens; the distinct characters of the text, sorted, if not given.

        >>> chain = Chain.from_text("111101111011110", context=3)
        >>> chain.labels(), chain.next_token[3].tolist()
        (['011', '101', '110', '111'], [Fraction(1, 2), Fraction(1, 2)])
        """
        from fsm_gpt.counts import chain_from_text

        return chain_from_text(text, context=context, end=end, vocabulary=vocabulary)

    # ---- what it is ----

    @property
    def n_states(self) -> int:
        """N."""
        return self._parts.storage.n_states

    @property
    def n_tokens(self) -> int:
        """V."""
        return self._parts.storage.n_tokens

    @property
    def n_edges(self) -> int:
        """The number of transitions of non-zero probability."""
        storage = self._parts.storage
        if isinstance(storage, EdgeList):
            return len(storage.target)
        if isinstance(storage, StreamedRows):
            return storage.survey.count
        return int(np.count_nonzero(self.next_token))

    @property
    def least_probability(self) -> float:
        """The smallest probability above zero as given, of a chain of floats.

        >>> Chain([[0.5, 0.5], [0.0, 1.0]]).least_probability
        0.5
        """
        storage = self._parts.storage
        if isinstance(storage, StreamedRows):
            return storage.survey.least
        held = storage.next_token if isinstance(storage, WindowRows) else self.raw_edges()[3]
        return float(np.min(held, where=held > 0, initial=np.inf))

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens."""
        return self._parts.vocabulary

    @property
    def states(self) -> States:
        """The names of the states."""
        return self._parts.states

    @property
    def context(self) -> int | None:
        """L, the number of tokens in a full window; None where states are not contexts."""
        states = self._before_the_end
        if isinstance(states, ContextSpace):
            return states.length
        return int(states.table.shape[1]) if isinstance(states, SomeContexts) else None

    @property
    def unexplored(self) -> int | None:
        """The absorbing state that stands for what a search did not look at; None where none does.

        A chain that has one is a part of its model's, and what it says of the long run is
        refused; see :func:`fsm_gpt.explore.explore`.
        """
        states = self._before_the_end
        return states.unexplored if isinstance(states, SomeContexts) else None

    @property
    def end(self) -> int | None:
        """The absorbing state in which a text has ended; None where no token ends it.

        See :meth:`with_stop`.
        """
        states = self._parts.states
        return states.end if isinstance(states, WithEnd) else None

    @property
    def _before_the_end(self) -> States:
        states = self._parts.states
        return states.base if isinstance(states, WithEnd) else states

    @property
    def is_window(self) -> bool:
        """Whether the states are all V**L windows, in order."""
        return isinstance(self._parts.storage, (WindowRows, StreamedRows))

    @property
    def on_disk(self) -> bool:
        """Whether the rows stay on a disk, because they do not fit into the memory allowed.

        See :func:`fsm_gpt.load`.
        """
        return isinstance(self._parts.storage, StreamedRows)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """float64, float32, or object for rationals and expressions."""
        return self._parts.storage.dtype

    @property
    def kind(self) -> Kind:
        """What the probabilities are: "float", "rational" or "symbolic"."""
        storage = self._parts.storage
        if isinstance(storage, StreamedRows):
            return "float"
        held = (
            storage.next_token if isinstance(storage, WindowRows) else storage.edges().probability
        )
        return kind_of(held)

    @property
    def decoding(self) -> tuple[Rule, ...]:
        """The decoding rules applied, in order; empty for the model's own probabilities."""
        return self._parts.decoding

    @property
    def tied(self) -> Ids:
        """The states where a decoding rule chose between equal probabilities."""
        return self._parts.tied

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know: underflow, cuts, ties."""
        return self._parts.notes

    @property
    def provenance(self) -> Mapping[str, str]:
        """Where the rows come from."""
        return self._parts.provenance

    # ---- rows, successors, names ----

    @property
    def next_token(self) -> Numbers:
        """Probability of each token in each state as given, shape (N, V), read-only.

        Raises
        ------
        StateSpaceTooLarge
            They stay on a disk; :meth:`rows` and :meth:`row_blocks` give some of them.
        """
        if isinstance(self._parts.storage, StreamedRows):
            self._parts.storage.whole("rows")
        rows = self._parts.storage.rows(0, self.n_states)
        rows.setflags(write=False)
        return rows

    def rows(self, first: int, last: int) -> Numbers:
        """Next-token probabilities of states ``first`` to ``last`` - 1 as given, read-only.

        >>> Chain([[0.5, 0.5], [0.25, 0.75]]).rows(1, 2)
        array([[0.25, 0.75]])
        """
        rows = self._parts.storage.rows(first, last)
        rows.setflags(write=False)
        return rows

    def row_blocks(self) -> Iterator[tuple[int, Numbers]]:
        """All rows as given, some at a time: the first state of each block, and its rows.

        A block is good until the next one is asked for: where the rows stay on a disk, its memory
        is used again.

        >>> [first for first, rows in Chain([[0.5, 0.5], [0.25, 0.75]]).row_blocks()]
        [0]
        """
        storage = self._parts.storage
        if isinstance(storage, StreamedRows):
            yield from storage.blocks()
            return
        step = max(1, 2**18 // self.n_tokens)
        for first in range(0, self.n_states, step):
            yield first, self.rows(first, min(first + step, self.n_states))

    def require_memory(self, size: float, what: str) -> None:
        """Refuse what takes more bytes than were allowed for answers; only chains on disk have it.

        Raises
        ------
        StateSpaceTooLarge
            It takes more.
        """
        if isinstance(self._parts.storage, StreamedRows):
            self._parts.storage.require(size, what)

    def successors(self) -> Ids:
        """The state that follows each state and token, shape (N, V); -1 where none can."""
        table = np.full((self.n_states, self.n_tokens), -1, dtype=np.int64)
        edges = self.edges()
        table[edges.source, edges.token] = edges.target
        return table

    def edges(self) -> Edges:
        """Every transition of non-zero probability: source, token, target, probability.

        Probabilities are divided by their row's sum.
        """
        edges = self._parts.storage.edges()
        scale = self._parts.storage.scale
        if scale is None:
            return edges
        return edges._replace(probability=edges.probability / scale[edges.source])

    def raw_edges(self) -> Edges:
        """The transitions with the probabilities as given, not divided by their row's sum."""
        return self._parts.storage.edges()

    def push(self, x: Numbers, *, out: Numbers | None = None) -> Numbers:
        """X P: the distribution one token later, shape (N,).

        ``out`` is an array of floats for the result, such as the vector before the last one:
        at millions of states making a new one takes a good part of the time.
        """
        x = self._vector(x, "push")
        return self._parts.storage.push(x, self._free(out, x, "push"))

    def expect(self, f: Numbers, *, out: Numbers | None = None) -> Numbers:
        """P f: the expected value of f one token later, from each state, shape (N,).

        ``out`` is as in :meth:`push`.
        """
        f = self._vector(f, "expect")
        return self._parts.storage.expect(f, self._free(out, f, "expect"))

    def _free(self, out: Numbers | None, vector: Numbers, where: str) -> Numbers | None:
        """An array that a product may be written to while it reads the vector."""
        if out is None:
            return None
        plain = out.shape == vector.shape and out.flags.c_contiguous and out.flags.writeable
        numbers = out.dtype == np.float64 and object not in (self.dtype, vector.dtype)
        if not (plain and numbers) or np.may_share_memory(out, vector):
            raise InvalidArgument(
                f"{where}: out is for an answer in floats, and has to be a writable array of "
                f"float64, of shape ({self.n_states},), apart from the vector that is read. Leave "
                f"it out, and the answer is a new array."
            )
        return out

    def _vector(self, values: npt.ArrayLike, where: str) -> Numbers:
        vector = np.asarray(values)
        if vector.shape != (self.n_states,):
            raise InvalidArgument(
                f"{where}: the vector has shape {vector.shape}, and it needs one entry for each of "
                f"the {self.n_states:,} states: shape ({self.n_states},)."
            )
        return vector

    def matrix(self) -> Numbers:
        """The transition matrix P of shape (N, N), tokens that lead to one state added up.

        Raises
        ------
        StateSpaceTooLarge
            More than 4,096 states.
        """
        if self.n_states > DENSE_LIMIT:
            gib = self.n_states**2 * 8 / 2**30
            raise StateSpaceTooLarge(
                f"matrix: {self.n_states:,} states make a dense matrix of {gib:,.1f} GiB, and "
                f"dense methods stop at {DENSE_LIMIT:,} states. Cut the context (truncate_to), or "
                f"ask a question that needs no dense matrix, such as push() or sparse()."
            )
        edges = self.edges()
        P = np.zeros((self.n_states, self.n_states), dtype=edges.probability.dtype)
        if P.dtype == np.float32:
            P = P.astype(np.float64)
        np.add.at(P, (edges.source, edges.target), edges.probability)
        return P

    def sparse(self) -> csr_array:
        """The transition matrix as a scipy CSR array of float64."""
        from scipy.sparse import csr_array

        edges = self.edges()
        probability = as_floats(edges.probability, where="sparse")
        shape = (self.n_states, self.n_states)
        return csr_array((probability, (edges.source, edges.target)), shape=shape)

    def label(self, state: int) -> str:
        """The name of a state."""
        return self._parts.states.label(self.state(state))

    def labels(self, states: Sequence[int] | Ids | None = None) -> list[str]:
        """The names of some states, or of all."""
        chosen = range(self.n_states) if states is None else states
        return [self.label(int(s)) for s in chosen]

    def state(self, name: int | str | Sequence[int]) -> int:
        """The id of a state given by id, by label, or by its token ids.

        Raises
        ------
        StateOutOfRange
            There is no such state.
        """
        if isinstance(name, (int, np.integer)):
            if not 0 <= name < self.n_states:
                raise StateOutOfRange(
                    f"state: {name} is not a state id of this chain, whose "
                    f"{self.n_states:,} states go from 0 to {self.n_states - 1:,}."
                )
            return int(name)
        return self._parts.states.find(name)

    # ---- chains made from this one ----

    def with_decoding(self, *rules: Rule) -> Chain:
        """The chain of the sampler that applies these rules, in the order given.

        Rules apply to the rows as they are now, so a chain that was decoded before is
        decoded again; ``decoding`` keeps them all. States where a rule chose between
        equal probabilities are in ``tied``.

        >>> from fsm_gpt.decoding import Greedy
        >>> Chain([[0.5, 0.5], [0.25, 0.75]]).with_decoding(Greedy()).next_token.tolist()
        [[1.0, 0.0], [0.0, 1.0]]
        """
        if isinstance(self._parts.storage, StreamedRows) and rules:
            self._parts.storage.whole("decoding")
        tied, underflowed = np.zeros((2, self.n_states), dtype=bool)
        step = max(1, 2**22 // self.n_tokens)
        blocks = []
        for first in range(0, self.n_states, step):
            last = min(first + step, self.n_states)
            rows = self._parts.storage.rows(first, last)
            for rule in rules:
                rows, tie, lost = rule(rows)
                tied[first:last] |= tie
                underflowed[first:last] |= lost
            blocks.append(rows)
        notes = self.notes
        if underflowed.any():
            notes += (underflow_note(rules, int(underflowed.sum())),)
        return self._with(
            storage=self._decoded_storage(np.concatenate(blocks)),
            decoding=self.decoding + rules,
            tied=read_only(np.union1d(self.tied, np.flatnonzero(tied)), np.int64),
            notes=notes,
        )

    def _decoded_storage(self, rows: Numbers) -> Storage:
        storage = self._parts.storage
        if isinstance(storage, WindowRows):
            space = self.states
            assert isinstance(space, ContextSpace)
            return window_rows(rows, space, normalize=False)
        source, token = np.nonzero(rows != 0)
        target = self.successors()[source, token]
        edges = Edges(source, token, target, rows[source, token])
        return edge_list(edges, self.states, self.vocabulary, normalize=False)

    def with_stop(self, *tokens: int | str) -> Chain:
        """The machine that ends with a stop token: one more state, END, which is never left.

        Whatever led on by one of the tokens leads to END. END's loop carries the stop token,
        because each state has a row; it emits nothing. Decode before: a rule may take the stop
        token's probability away.

        Parameters
        ----------
        tokens
            What ends a text, each by its text or its id.

        Raises
        ------
        InvalidArgument
            There is no such token, or the chain has an END already.

        Examples
        --------
        >>> machine = Chain([[0.5, 0.5], [0.25, 0.75]], vocabulary="ab").with_stop("b")
        >>> print(machine.listing())
        input [a] ---> [0.500, 0.500]
        input [b] ---> [0.250, 0.750]
        input [END] ---> [0.000, 1.000]
        >>> machine.successors().tolist(), machine.end
        ([[0, 2], [0, 2], [-1, 2]], 2)
        """
        from fsm_gpt.stopping import stopped

        return stopped(self, tokens)

    def exact(self) -> Chain:
        """The same chain in rationals: the binary value of each float, each row divided by its sum.

        >>> Chain([[0.5, 0.5], [0.25, 0.75]]).exact().next_token[1].tolist()
        [Fraction(1, 4), Fraction(3, 4)]
        """
        return self._map_probabilities(to_rationals) if self.kind == "float" else self

    def floats(self) -> Chain:
        """The same chain in float64.

        Raises
        ------
        InvalidChain
            The rows hold symbols, or a rational too small for a float.
        """
        if self.dtype == np.float64:
            return self
        if isinstance(self._parts.storage, StreamedRows):
            return self._with(storage=self._parts.storage.in_float64())
        return self._map_probabilities(
            lambda p: as_floats(p, where="floats"), normalize=self.dtype != object
        )

    def _map_probabilities(self, change: Any, *, normalize: bool = True) -> Chain:
        storage = self._parts.storage
        if isinstance(storage, WindowRows):
            rows = change(storage.next_token)
            space = self.states
            assert isinstance(space, ContextSpace)
            return self._with(storage=window_rows(rows, space, normalize=normalize))
        edges = storage.edges()
        edges = edges._replace(probability=change(edges.probability))
        return self._with(
            storage=edge_list(edges, self.states, self.vocabulary, normalize=normalize)
        )

    # ---- for a person ----

    def listing(self, *, states: Sequence[int] | None = None, limit: int = 64) -> str:
        """Every state and its next-token probabilities, a line each.

        Where the vocabulary has more than eight tokens, the five most probable are named.

        >>> print(Chain([[0.268, 0.732], [0.5, 0.5]]).listing())
        input [0] ---> [0.268, 0.732]
        input [1] ---> [0.500, 0.500]
        """
        chosen = range(self.n_states) if states is None else list(states)
        lines = [
            listing_line(self._parts.storage.rows(s, s + 1)[0], s, self.states, self.vocabulary)
            for s in map(self.state, chosen[:limit])
        ]
        if len(chosen) > limit:
            lines.append(f"... and {len(chosen) - limit:,} more states")
        return "\n".join(lines)

    def __str__(self) -> str:
        states = states_in_words(self.states, self.n_tokens)
        rule = f", decoding {in_words(self.decoding)}" if self.decoding else ""
        kind = "" if self.kind == "float" else f", {self.kind}"
        return f"Chain: {self.n_states:,} states{states}, {self.n_edges:,} transitions{rule}{kind}"

    def __repr__(self) -> str:
        return chain_in_full(self)

    def _repr_html_(self) -> str:
        return chain_as_html(self)


def _from_sparse(P: Any, vocabulary: VocabularyLike | None, *, normalize: bool) -> Chain:
    if P.shape[0] != P.shape[1]:
        raise InvalidChain(
            f"matrix: its shape is {P.shape}, and a transition matrix is square. "
            f"For rows over a vocabulary use Chain(rows)."
        )
    P = P.tocsr(copy=True)
    P.sum_duplicates()
    P = P.tocoo()
    named = Vocabulary.of(P.shape[0] if vocabulary is None else vocabulary)
    if len(named) != P.shape[0]:
        raise InvalidChain(
            f"matrix: it has {P.shape[0]} columns and the vocabulary has {len(named)} tokens. "
            f"Its states are its tokens, so each needs a name."
        )
    return Chain.from_edges(
        P.row,
        P.col,
        P.col,
        P.data,
        n_states=P.shape[0],
        vocabulary=named,
        states=ContextSpace(named, 1),
        normalize=normalize,
    )
