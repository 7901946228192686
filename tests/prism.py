"""The examples of PRISM's manual, appendix "Explicit Model Files", and its benchmark chains.

https://www.prismmodelchecker.org/manual/Appendices/ExplicitModelFiles. The benchmark chains are in
tests/reference/prism, with their source and with answers in rationals that Storm computed.
"""

import json
from pathlib import Path

__all__ = [
    "BENCHMARKS",
    "ENDINGS",
    "LAB",
    "REFERENCE",
    "SREW",
    "STA",
    "TRA",
    "TREW",
    "WHOLE",
    "put",
    "whole",
]

REFERENCE = Path(__file__).parent / "reference" / "prism"
BENCHMARKS = json.loads((REFERENCE / "expected.json").read_text(encoding="utf-8"))
ENDINGS = ("tra", "sta", "lab", "srew", "trew")

#: lec3.pm, a DTMC of six states.
TRA = "6 9\n0 1 0.5\n0 3 0.5\n1 0 0.5\n1 2 0.25\n1 4 0.25\n2 5 1\n3 3 1\n4 4 1\n5 2 1\n"
LAB = '0="init" 1="deadlock" 2="heads" 3="tails" 4="end"\n0: 0\n2: 2 4\n3: 3 4\n'
SREW = '# Reward structure "r"\n# State rewards\n6 3\n0 2\n4 1\n5 1\n'
TREW = '# Reward structure: "r"\n# Transition rewards\n6 4\n1 0 1\n1 2 1\n1 4 1\n2 5 2\n'
#: The first six lines of poll2.sm's states.
STA = "(s,a,s1,s2)\n0:(1,0,0,0)\n1:(1,0,0,1)\n2:(1,0,1,0)\n3:(1,0,1,1)\n4:(1,1,1,0)\n5:(1,1,1,1)\n"
WHOLE = {".tra": TRA, ".lab": LAB, ".sta": STA, ".srew": SREW, ".trew": TREW}


def put(folder: Path, **texts: str | bytes) -> dict[str, Path]:
    """Files by the name of the option that takes them."""
    paths = {}
    for ending, text in texts.items():
        paths[ending] = folder / f"x.{ending}"
        paths[ending].write_bytes(text if isinstance(text, bytes) else text.encode())
    return paths


def whole(folder: Path) -> dict[str, Path]:
    return put(folder, tra=TRA, lab=LAB, sta=STA, srew=SREW, trew=TREW)
