"""A task is a function of this package with its arguments, run in a process of its own.

A process that hangs is stopped, one that fails says why, and in both cases the benchmark
goes on: a row without a number says what happened.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import analysis
from analysis.bench.results import Found, Point, Row
from fsm_gpt.errors import FsmGptError, MissingExtra

__all__ = ["Call", "Task", "alone", "here", "needs", "stop_after"]

#: The folder from which ``analysis`` can be imported.
_ROOT = Path(analysis.__file__).parent.parent
#: The share of the machine's memory that one task may ask for.
_SHARE = 0.85
#: Set in the processes that run one task.
_ALONE = "FSM_GPT_BENCH_TASK"
#: What decides how many threads a library uses.
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


@dataclass(frozen=True)
class Task:
    """A function that returns rows and points, and what to call it with."""

    key: str
    """What rows of a failed task are named after."""
    function: Callable[..., Sequence[Found]]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    limit: float = 300.0
    """Seconds after which it is stopped."""
    threads: int = 1

    @property
    def name(self) -> str:
        """The function as it is imported."""
        return f"{self.function.__module__}:{self.function.__name__}"

    def failed(self, why: str) -> list[Found]:
        """What is found where nothing could be measured."""
        return [Row(key=self.key, value=None, note=why)]


Call: TypeAlias = Callable[[Task], list[Found]]


def needs(package: str) -> Any:
    """A peer's package.

    Raises
    ------
    MissingExtra
        It is not installed.
    """
    try:
        return import_module(package)
    except ImportError:
        raise MissingExtra(
            f"{package.split('.')[0]} is not installed, so it was not measured. Install the "
            f"benchmark's packages: pip install -e '.[bench]'."
        ) from None


def stop_after(seconds: float) -> None:
    """End this process after so many seconds of what comes next, even inside compiled code.

    Only a process that was started for one task is ended; elsewhere this does nothing.
    """
    if _ALONE in os.environ:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def here(task: Task) -> list[Found]:
    """Run a task in this process, without a limit."""
    try:
        return list(task.function(**task.arguments))
    except FsmGptError as error:
        return task.failed(str(error))


def alone(task: Task) -> list[Found]:
    """Run a task in a fresh process, and stop it when its time is over."""
    environment = {**os.environ, **dict.fromkeys(_THREADS, str(task.threads)), _ALONE: task.key}
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        command = [sys.executable, "-m", __name__, task.name, json.dumps(dict(task.arguments))]
        process = subprocess.Popen(
            [*command, str(answer)],
            cwd=_ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            _, errors = process.communicate(timeout=task.limit)
        except subprocess.TimeoutExpired:
            return task.failed(f"over {task.limit:g} s")
        finally:
            _end(process)
        if process.returncode or not answer.exists():
            return task.failed(_why(process.returncode, errors))
        found = json.loads(answer.read_text(encoding="utf-8"))
    if "problem" in found:
        return task.failed(found["problem"])
    return [Point(**one) if "peer" in one else Row(**one) for one in found["found"]]


def _end(process: subprocess.Popen[str]) -> None:
    """Stop a process and what it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _why(code: int, errors: str) -> str:
    if code == -signal.SIGALRM:
        return "over its time"
    if code == -signal.SIGKILL:
        return "the system stopped it, as it does where memory runs out"
    lines = [line for line in errors.splitlines() if line.strip()]
    return lines[-1] if lines else f"it ended with exit code {code}"


def _limit_memory() -> None:
    import resource

    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return
    most = int(_SHARE * whole)
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


def work(name: str, arguments: str, answer: str) -> None:
    """What the fresh process does."""
    _limit_memory()
    module, _, function = name.partition(":")
    try:
        found = getattr(import_module(module), function)(**json.loads(arguments))
        document: dict[str, Any] = {"found": [asdict(one) for one in found]}
    except FsmGptError as error:
        document = {"problem": str(error)}
    except MemoryError:
        document = {"problem": f"over {_SHARE:.0%} of the machine's memory"}
    Path(answer).write_text(json.dumps(document), encoding="utf-8")


if __name__ == "__main__":
    work(*sys.argv[1:4])
