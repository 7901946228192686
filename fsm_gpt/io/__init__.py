"""Chains in files: one safetensors file holds everything that a chain is.

Arrays are tensors. The rest (what kind of chain, vocabulary, decoding rules, notes,
provenance) is one JSON document in the header, and the names of the states, where they
are plain names, are JSON in a tensor of bytes. Rationals are written in hexadecimal,
"numerator/denominator", a line each. Nothing in a file is ever executed, and a file
is trusted no further than its bytes: what it says is checked like any other input.

============  ====================  =====================================================
tensor        shape                 meaning
============  ====================  =====================================================
rows          (V**L, V)             float64 or float32, of a chain that stores windows
source ...    (n_edges,)            source, token, target: int64, of one that stores edges
probability   (n_edges,)            float64 or float32, of one that stores edges
rationals     bytes                 in place of rows or probability, in the same order
contexts      (N, L)                token ids of some contexts, padded in front with -1
names         bytes                 a JSON list of the states' names
tied          (n,)                  states where a decoding rule chose between equals
============  ====================  =====================================================

The format: https://huggingface.co/docs/safetensors. Other programs read what
:func:`fsm_gpt.io.export.export` writes, which this package does not read back, but for the files
of PRISM (:func:`fsm_gpt.io.prism_read.read_prism`).
"""

from fsm_gpt.io.export import export as export
from fsm_gpt.io.prism_read import PrismModel as PrismModel, read_prism as read_prism
from fsm_gpt.io.read import load as load
from fsm_gpt.io.write import save as save

__all__ = ["PrismModel", "export", "load", "read_prism", "save"]
