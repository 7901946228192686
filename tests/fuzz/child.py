"""One reader under libFuzzer, in a process of its own: NAME SECONDS FOLDER.

The package is first imported here, while atheris is watching its lines.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

#: What one file may take.
SECONDS, MEGABYTES = 20, 2500


def main(name: str, seconds: int, home: Path) -> None:
    corpus, folder = home / "corpus", Path(tempfile.mkdtemp(prefix="fuzz-"))
    corpus.mkdir(parents=True, exist_ok=True)
    # Compiled loops stay as they are: numba reads their code.
    with atheris.instrument_imports(include=["fsm_gpt"], exclude=["fsm_gpt.kernels"]):
        from tests.fuzz import readers

        reader = readers.READERS[name]
        for k, data in enumerate(reader.seeds()):
            (corpus / f"seed-{k}").write_bytes(data)
            readers.attack(name, data, folder)
    words = home / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in (*reader.words, "\0")))

    def one(data: bytes) -> None:
        readers.attack(name, data, folder)

    options = {
        "max_total_time": seconds,
        "timeout": SECONDS,
        "rss_limit_mb": MEGABYTES,
        "artifact_prefix": f"{home}/found-",
        "dict": words,
        "max_len": 65536,
        "print_final_stats": 1,
    }
    atheris.Setup([sys.argv[0], *(f"-{k}={v}" for k, v in options.items()), str(corpus)], one)
    atheris.Fuzz()


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
