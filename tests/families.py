"""The hard suite of chains, made by ``analysis.families``, which the benchmark uses too."""

from analysis.families import HARD, TRAINED, ZEROS, hard_chain, hard_rows, trained_chain

__all__ = ["HARD", "TRAINED", "ZEROS", "hard_chain", "hard_rows", "trained_chain"]
