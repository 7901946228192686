"""Every reader given whatever leads to lines of code that were not reached before.

    python -m tests.fuzz [--reader NAME ...] [--seconds N] [--again FILE]

libFuzzer changes small right files, watches through ``atheris`` which lines of ``fsm_gpt`` are
reached, and goes on from what reached new ones. What it keeps is in ``build/fuzz``, and the next
run begins there. A finding is a reader that does neither answer nor refuse in one paragraph
(tests/fuzz/readers.py), takes twenty seconds, or takes two gigabytes; its bytes are kept, and
``--again`` reads them once more.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.readers import READERS

HOME = Path("build/fuzz")


def _slug(name: str) -> str:
    return re.sub(r"\W+", "-", name).strip("-")


def _in_a_process(name: str, seconds: int) -> tuple[str, bool, str, str]:
    """What came of one reader: its name, whether it is fine, figures, and the end of its output."""
    home = HOME / _slug(name)
    home.mkdir(parents=True, exist_ok=True)
    before = set(home.glob("found-*"))
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.child", name, str(seconds), str(home)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="backslashreplace",
        timeout=seconds + 300,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    (home / "log").write_text(done.stdout)
    took = time.perf_counter() - begin
    runs = re.findall(r"stat::number_of_executed_units:\s*(\d+)", done.stdout) or re.findall(
        r"^#(\d+)", done.stdout, re.MULTILINE
    )
    lines = re.findall(r"cov: (\d+)", done.stdout)
    found = sorted(str(path) for path in set(home.glob("found-*")) - before)
    figures = (
        f"{int(runs[-1]) if runs else 0:>10,} files  {lines[-1] if lines else '?':>5} branches"
    )
    figures += f"  {took:5.0f} s"
    fine = done.returncode == 0 and not found
    return name, fine, figures, "" if fine else _told(name, done.stdout, found)


def _told(name: str, out: str, found: list[str]) -> str:
    shown = [line for line in out.splitlines() if not line.startswith(("#", "INFO", "Dict"))]
    again = [f"  python -m tests.fuzz --reader '{name}' --again {path}" for path in found]
    return "\n".join([*shown[-25:], "Seen again by:", *again])


def _again(name: str, path: Path) -> int:
    from tests.fuzz.readers import attack

    with tempfile.TemporaryDirectory() as folder:
        try:
            print(f"{name}: {attack(name, path.read_bytes(), Path(folder))}")
        except Exception:
            traceback.print_exc()
            return 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--reader", action="append", choices=list(READERS), help="only this one")
    parser.add_argument("--seconds", type=int, default=45, help="for each reader")
    parser.add_argument("--workers", type=int, default=2, help="readers at a time")
    parser.add_argument("--again", type=Path, help="read this file once more")
    asked = parser.parse_args()
    names = asked.reader or list(READERS)
    if asked.again is not None:
        return _again(names[0], asked.again)
    try:
        import atheris  # noqa: F401
    except ImportError:
        print(
            "atheris is not installed, so nothing was looked at. There are wheels for some "
            "versions of Python on Linux and macOS: pip install atheris."
        )
        return 1
    status = 0
    with ThreadPoolExecutor(asked.workers) as pool:
        runs = [pool.submit(_in_a_process, name, asked.seconds) for name in names]
        for run in runs:
            name, fine, figures, told = run.result()
            print(f"{name:22} {'fine ' if fine else 'FOUND'} {figures}", flush=True)
            if not fine:
                status = 1
                print(told, flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
