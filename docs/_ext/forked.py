"""Each page's kernel is forked from one process that has imported what all of them need.

Starting Python and importing torch, matplotlib and compiled loops takes a page several seconds, and
there are dozens of pages. So one process imports them once, and then waits on a socket; for each of
them it forks, and the child becomes the page's kernel. A child shares nothing with the others.

This module has three parts. The extension starts the process and ends it. As a program with a
connection file it is the kernel that Jupyter starts: it asks that process for a child and lives as
long as the child does. As a program with ``--serve`` it is that process. Where the process is not
there, as in a notebook that is run by hand, the kernel is started as usual.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

#: Where the path of the socket stands.
NAME = "FSM_GPT_DOCS_KERNELS"


# ---- the kernel that Jupyter starts ----


def ask(where: str, arguments: list[str]) -> int:
    """Ask for a child that becomes the kernel, and wait for its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the child is asked to end by a message
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
        asked.connect(where)
        wanted = json.dumps({"argv": arguments, "cwd": os.getcwd(), "env": dict(os.environ)})
        size = len(wanted.encode()).to_bytes(8, "big")
        socket.send_fds(asked, [size], [1, 2])
        asked.sendall(wanted.encode())
        ended = asked.recv(1)
    return 0 if ended else 1


# ---- the process that forks ----


def serve(where: str) -> None:
    """Fork a kernel for whoever asks, until the standard input ends."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(where)
        listening.listen(16)
        prepare()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
        while True:
            ready, _, _ = select.select([listening, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            asked, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                become_kernel(asked)
            asked.close()


def prepare() -> None:
    """Import what pages use, and load the compiled loops.

    Nothing is trained: torch does not bear a fork after that.
    """
    import numpy as np

    import fsm_gpt as fg

    for name in ("ipykernel.kernelapp", "matplotlib.pyplot", "scipy.stats", "sympy", "torch"):
        importlib.import_module(name)

    rows = np.random.default_rng(0).dirichlet(np.ones(2), size=2**10)
    chains = [fg.Chain(rows[: 2**n], vocabulary="01", normalize=True) for n in (3, 10)]
    for chain in [*chains, chains[0].with_decoding(fg.Greedy())]:
        fg.communicating_classes(chain)
        fg.stationary_distribution(chain)
        fg.entropy_rate(chain)
        fg.hitting(chain, [0])
    fg.report(chains[0]).html  # noqa: B018


def become_kernel(asked: socket.socket) -> None:
    """Be the kernel that was asked for; this never returns."""
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        size, fds, _, _ = socket.recv_fds(asked, 8, 2)
        said = b""
        while len(said) < int.from_bytes(size, "big"):
            said += asked.recv(1 << 16)
        wanted = json.loads(said)
        for fd, standard in zip(fds, (1, 2), strict=True):
            os.dup2(fd, standard)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(wanted["cwd"])
        os.environ.clear()
        os.environ.update(wanted["env"])
        # Whoever asked may be killed: then nobody needs the kernel any more.
        threading.Thread(target=lambda: asked.recv(1) or os._exit(1), daemon=True).start()
        sys.argv = ["ipykernel_launcher", *wanted["argv"]]
        sys.path[0] = ""
        from ipykernel import kernelapp

        kernelapp.launch_new_instance(argv=wanted["argv"])
        status = 0
        asked.sendall(b".")
    finally:
        sys.stdout.flush()
        os._exit(status)


# ---- the extension ----


def _start(app: Sphinx) -> None:
    if NAME in os.environ or not hasattr(os, "fork"):
        return
    folder = tempfile.TemporaryDirectory(prefix="kernels")
    where = str(Path(folder.name) / "socket")
    process = subprocess.Popen([sys.executable, __file__, "--serve", where], stdin=subprocess.PIPE)
    while not Path(where).exists() and process.poll() is None:
        time.sleep(0.01)
    os.environ[NAME] = where
    app._kernels = (process, folder)  # type: ignore[attr-defined]


def _stop(app: Sphinx, failed: Exception | None) -> None:
    started = getattr(app, "_kernels", None)
    if started is not None:
        process, folder = started
        process.communicate()
        folder.cleanup()
        os.environ.pop(NAME, None)


def setup(app: Sphinx) -> dict[str, Any]:
    """Start the process with the build, and end it with it."""
    app.connect("builder-inited", _start)
    app.connect("build-finished", _stop)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def main(arguments: list[str]) -> int:
    """The process that forks, or a kernel."""
    if arguments[:1] == ["--serve"]:
        serve(arguments[1])
        return 0
    where = os.environ.get(NAME)
    if where is not None:
        return ask(where, arguments)
    from ipykernel import kernelapp

    kernelapp.launch_new_instance(argv=arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
