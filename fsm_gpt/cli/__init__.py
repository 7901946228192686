"""The command line, ``fsm-gpt``: one file a verb.

Results go to stdout, progress and errors to stderr. Exit codes: 0 fine, 1 any other
failure, 2 a command line that cannot be understood, 3 a missing package, 4 a file that
cannot be read or written or is unsafe, 5 too many states, 6 not converged,
130 interrupted.
"""

from fsm_gpt.cli.program import main

__all__ = ["main"]
