"""What stands beside a chain in its report: answers about something larger that it is a part of.

A model with too many windows to enumerate is reported by the chain of its last k tokens. What is
known of the whole model, by following its loops or by sampling, is another thing, and a reader
should see at once which is which. A pattern that is asked for is answered in such a section, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fsm_gpt.report.tables import Table

__all__ = ["Beside"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Beside:
    """A heading, what it says in sentences, and tables."""

    heading: str
    sentences: tuple[str, ...]
    tables: tuple[Table, ...] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict)
    """The same for a program, ready for JSON."""
    name: str = "Whole model"
    """What the list of sections calls it."""

    def to_dict(self) -> dict[str, Any]:
        """Heading, sentences and numbers."""
        return {
            "heading": self.heading,
            "sentences": list(self.sentences),
            "numbers": dict(self.numbers),
        }
