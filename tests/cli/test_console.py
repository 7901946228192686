"""Progress, and Ctrl-C that was written down."""

import io
import signal
import sys
import threading
from collections.abc import Iterator

import pytest

from fsm_gpt.cli import console
from fsm_gpt.cli.interrupts import check, noticing


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with console.progress("training") as tick:
        for step in range(3):
            tick(step + 1, 3, f"steps, loss {step}")
    shown = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert "training" in shown
    assert "3/3" in shown
    assert "steps, loss 2" in shown


def test_a_file_gets_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with console.progress("training") as tick:
        tick(1, 3, "steps")
        monkeypatch.setattr(console, "QUIET_SECONDS", 0.0)
        tick(2, 3, "steps, loss 0.5")
    captured = capsys.readouterr()
    assert captured.err == "training ...\ntraining: 2 of 3 steps, loss 0.5\n"
    assert captured.out == ""


def test_the_command_line_can_be_typed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/fsm-gpt", "train", "a b", "--seed", "7"])
    assert console.command_line() == "fsm-gpt train 'a b' --seed 7"


@pytest.fixture
def handler() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("handler")
def test_a_swallowed_ctrl_c_is_raised_again() -> None:
    with noticing():
        check()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            check()
    with noticing():
        check()


@pytest.mark.usefixtures("handler")
def test_progress_raises_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for stderr in (io.StringIO(), Terminal()):
        monkeypatch.setattr(sys, "stderr", stderr)
        with noticing(), console.progress("training") as tick:
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
            with pytest.raises(KeyboardInterrupt):
                tick(1, 3, "steps")


@pytest.mark.parametrize("intention", [signal.SIG_IGN, lambda number, frame: None])
def test_another_handler_is_left_alone(intention: signal.Handlers) -> None:
    before = signal.signal(signal.SIGINT, intention)
    try:
        with noticing():
            assert signal.getsignal(signal.SIGINT) is intention
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("handler")
def test_other_threads_set_no_handler() -> None:
    done = []

    def work() -> None:
        with noticing():
            done.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [signal.default_int_handler]


def test_progress_with_a_pace_says_rate_and_time_left(monkeypatch, capsys):
    times = iter([0.0, 0.0, 10.0, 10.0, 10.0, 10.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(times))
    with console.progress("extracting", timed=True) as tick:
        tick(500, 2000, "contexts")
    assert capsys.readouterr().err.splitlines()[-1] == (
        "extracting: 500 of 2,000 contexts, 50 a second, 30 s left"
    )
