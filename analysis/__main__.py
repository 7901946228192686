"""``python -m analysis``: every study, one after another."""

from __future__ import annotations

from importlib import import_module

from analysis import STUDIES
from analysis.commands import Run, main

runs: dict[str, Run] = {name: import_module(f"analysis.{name}").run for name in STUDIES}

if __name__ == "__main__":
    main("analysis", runs, about="Every study, one after another: tables and figures in a folder.")
