"""What all tests share: cited chains, the article's numbers, models kept outside the repository."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

REFERENCE = Path(__file__).parent / "reference"
MODELS = Path(__file__).resolve().parents[2] / "shared" / "models"

# `HYPOTHESIS_PROFILE=thorough` looks further, and elsewhere at each run.
_quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile(
    "default", max_examples=40, deadline=None, derandomize=True, suppress_health_check=_quiet
)
settings.register_profile(
    "thorough", max_examples=1000, deadline=None, suppress_health_check=_quiet
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def read_reference(name: str) -> dict[str, Any]:
    """A file of cited facts."""
    return dict(json.loads((REFERENCE / name).read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def reference_chains() -> dict[str, dict[str, Any]]:
    """Cited chains by name; see tests/reference/README.md."""
    return {case["name"]: case for case in read_reference("chains.json")["cases"]}


@pytest.fixture(scope="session")
def article() -> dict[str, Any]:
    """The article's experiment."""
    return read_reference("article.json")


@pytest.fixture(scope="session")
def shared_model() -> Callable[[str], Path]:
    """The path of a model that other people trained; the test is skipped where it is absent."""

    def find(path: str) -> Path:
        found = MODELS / path
        if not found.exists():
            pytest.skip(f"needs {found}, third-party weights that are not part of the repository")
        return found

    return find
