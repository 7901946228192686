"""Ctrl-C that cannot get lost.

Python turns it into KeyboardInterrupt wherever the program happens to be, and a library
may swallow that, as imports of compiled modules do. So it is also written down, and
:func:`check` raises it again at the next sign of life.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["check", "noticing", "pressed"]

_pressed = False


class _CtrlC(KeyboardInterrupt):
    """Ctrl-C under a name of its own.

    A plain KeyboardInterrupt that passes through exec() of a string, which imports do, is
    remembered by Python: at its end it kills itself with SIGINT and our exit code is lost
    (``unhandled_keyboard_interrupt`` in CPython's pythonrun.c).
    """


@contextmanager
def noticing() -> Iterator[None]:
    """Write Ctrl-C down while this runs."""
    global _pressed
    _pressed = False
    before = signal.getsignal(signal.SIGINT)
    # Another handler, or none (a job in the background), is somebody's intention.
    ours = before is signal.default_int_handler
    if not ours or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, _press)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _press(number: int, frame: FrameType | None) -> None:
    global _pressed
    _pressed = True
    raise _CtrlC


def pressed() -> bool:
    """Whether Ctrl-C was written down, whatever became of its KeyboardInterrupt."""
    return _pressed


def check() -> None:
    """Raise a Ctrl-C that was swallowed."""
    if _pressed:
        raise _CtrlC
