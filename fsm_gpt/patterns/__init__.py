"""Patterns in the text of a chain: regular expressions, run side by side with it.

A regular expression becomes a deterministic automaton (:mod:`~fsm_gpt.patterns.regex` reads it,
:mod:`~fsm_gpt.patterns.automaton` runs it over tokens), the automaton and the chain become one
chain of pairs (:mod:`~fsm_gpt.patterns.product`), and on that chain the questions of a pattern are
those of :mod:`fsm_gpt.markov`.
"""

from __future__ import annotations

from fsm_gpt.patterns.found import Pattern
from fsm_gpt.patterns.pattern import pattern

__all__ = ["Pattern", "pattern"]
