"""Studies are run once for all tests."""

from typing import Any

import pytest

from analysis import (
    article,
    asked,
    capacity,
    characters,
    entropy_rate,
    environment,
    learning,
    loop,
    period_five,
    reachable,
    stationary,
    structure,
    tasks,
)
from analysis.commands import Run
from analysis.study import Study
from tests.conftest import read_reference

RUNS: dict[str, Run] = {
    "article": article.run,
    "stationary": stationary.run,
    "structure": structure.run,
    "entropy_rate": entropy_rate.run,
    "learning": learning.run,
    "period_five": period_five.run,
    "tasks": tasks.run,
    "reachable": reachable.run,
    "asked": asked.run,
    "environment": environment.run,
    "characters": characters.run,
    "loop": loop.run,
    "capacity": capacity.run,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that ask the studies run in one process, so that the studies do."""
    for item in items:
        if "quick" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("studies"))


@pytest.fixture(scope="session")
def quick() -> dict[str, Study]:
    """Every study in its quick form."""
    return {name: run(quick=True) for name, run in RUNS.items()}


@pytest.fixture(scope="session")
def checked() -> dict[str, Any]:
    """The article's statements and what is true of them."""
    return read_reference("article_checked.json")
