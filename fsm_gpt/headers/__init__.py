"""What the first bytes of a model's file say: its kind and its sizes.

Nothing here loads weights or needs PyTorch. Every number in a header is somebody else's
claim, so each is bounded by the size of the file before anything depends on it.
"""

from fsm_gpt.headers.gguf import GGUFHeader, read_gguf_header
from fsm_gpt.headers.kind import Kind, kind_of, start_of
from fsm_gpt.headers.llama2c import Llama2cHeader, read_llama2c_header

__all__ = [
    "GGUFHeader",
    "Kind",
    "Llama2cHeader",
    "kind_of",
    "read_gguf_header",
    "read_llama2c_header",
    "start_of",
]
