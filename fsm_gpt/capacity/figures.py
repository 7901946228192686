"""What is said of a model's state: the figures, or the reason why there are none."""

from __future__ import annotations

from dataclasses import dataclass

from fsm_gpt.capacity.models import Memory
from fsm_gpt.capacity.size import bits_text, bytes_text
from fsm_gpt.result import Result

__all__ = ["UPPER_BOUND", "Capacity", "NoCapacity"]

UPPER_BOUND = (
    "These bits are an upper bound on state: they say which window of tokens the model is "
    "looking at. They are not the knowledge stored, which is in the parameters."
)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Capacity(Result):
    """How many states a model has, as the bits that it takes to name one."""

    name: str
    organisation: str
    year: int | None
    vocabulary: int
    """V: how many ids the model can emit."""
    embedding_rows: int | None
    """V and the rows of padding, where that is known."""
    context: int
    """L: how many tokens the model sees at once."""
    bits: float
    """log2(V**L) = L log2(V)."""
    bytes: float
    """The same in bytes of eight bits."""
    bits_with_padding: float | None
    """The bits if padding counted as tokens."""
    log10_windows: float
    """log10(V**L)."""
    digits_of_windows: int
    """Decimal digits of V**L, the number of full windows."""
    digits_of_all_contexts: int
    """Decimal digits of V (V**L - 1) / (V - 1), the contexts of 1 to L tokens."""
    parameters: int | None
    parameters_as_stated: str
    bits_per_parameter: float | None
    """Bits of state for each parameter, as good as the number of parameters stated."""
    cache_bytes: int | None
    """Keys and values of a full context in 16-bit numbers, where the shape is known. They
    can be worked out anew from the window, and so are no state beyond it."""
    cache_source: str
    sources: tuple[str, ...]
    grade: str
    verified: str
    """How the vocabulary and the context were seen."""
    notes: tuple[str, ...]
    memories_below: tuple[Memory, ...]
    """The largest historic memories that are no larger than the state."""
    memories_above: tuple[Memory, ...]
    """The smallest historic memories that are larger."""

    @property
    def bits_text(self) -> str:
        """The bits to three decimals, each digit right."""
        return bits_text(self.vocabulary, self.context)

    @property
    def bytes_text(self) -> str:
        """The bytes to three decimals, each digit right."""
        return bytes_text(self.vocabulary, self.context)

    @property
    def padded_rows(self) -> int:
        """Rows of the embedding that stand for no id."""
        return 0 if self.embedding_rows is None else self.embedding_rows - self.vocabulary

    def __str__(self) -> str:
        from fsm_gpt.capacity.words import in_words

        return in_words(self)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class NoCapacity(Result):
    """A model without a figure, and why."""

    name: str
    organisation: str
    year: int | None
    context: int | None
    parameters_as_stated: str
    kind: str
    reason: str
    sources: tuple[str, ...]
    grade: str
    verified: str
    notes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}: no figure, because {self.reason}."
