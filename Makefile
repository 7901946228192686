# Everything lives in .venv; nothing outside this folder is changed. `make` lists the targets.

PYTHON ?= python3
# How many processes run the tests; each takes up to 2 GB.
WORKERS ?= 2
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# These files say that .venv holds what pyproject.toml and constraints.txt ask for.
READY := .venv/.ready
READY_DEV := .venv/.ready-dev
READY_DOCS := .venv/.ready-docs
READY_BENCH := .venv/.ready-bench

.DEFAULT_GOAL := help
.PHONY: help demo studies bench ondisk docs site pictures package test campaign fuzz soak failures intervals coverage lint types format check clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: $(READY) ## train the article's GPT, analyse its chain, write the report
	$(BIN)/fsm-gpt demo

studies: $(READY) ## run every study into build/studies, check the tables kept in docs/data; ARGS=--write renews those
	$(BIN)/python -m analysis --output build/studies
	$(BIN)/python -m analysis.kept build/studies $(ARGS)

bench: $(READY_BENCH) ## time the package beside its peers, into docs/data; ARGS=--quick takes a look, into build/bench
	$(BIN)/python -m analysis.bench $(ARGS)

ondisk: $(READY) ## measure questions asked of rows on a disk, into docs/data; ARGS=--quick takes a look
	$(BIN)/python -m analysis.bench.on_disk $(ARGS)

docs: $(READY_DOCS) ## build the pages of docs/ into build/docs/html; every cell is run
	$(BIN)/python -m sphinx -E -n -W --keep-going -q -j 2 -b html -d build/docs/doctrees docs build/docs/html
	@echo "Built: build/docs/html/index.html"

site: $(READY) ## open the pages that `make docs` built in Chromium: errors, requests, accessibility
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup tests/browser/test_site.py $(ARGS)

package: $(READY_DEV) ## build the sdist, and the wheel from it, into dist
	$(BIN)/python -m build

test: $(READY) ## run the tests; ARGS="-k NAME" passes options to pytest
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

campaign: $(READY) ## hold ten thousand chains, and their floats, against known answers and rationals
	$(BIN)/python -m tests.campaign $(ARGS)

fuzz: $(READY) ## give every reader of outside files hostile bytes, led by coverage, in some ten minutes
	$(BIN)/python -m tests.fuzz $(ARGS)

soak: $(READY) ## analyse, report and draw again and again in one process, in some five minutes
	$(BIN)/python -m tests.soak $(ARGS)

failures: $(READY) ## kill, fill, cut and flip stores, then take the guards out: some minutes
	FAILURES=every $(BIN)/python -m pytest -n $(WORKERS) tests/failures tests/test_store_hostile.py
	$(BIN)/python -m tests.failures.guards $(ARGS)

intervals: $(READY) ## count how often confidence intervals hold exact rates, in some ten minutes
	$(BIN)/python -m tests.coverage_campaign $(ARGS)

pictures: $(READY) ## draw the pictures anew that tests compare with, into tests/report/baselines
	$(BIN)/python -m tests.report.renew

coverage: $(READY) ## run the tests and require the share of lines that pyproject.toml states
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --cov=fsm_gpt $(ARGS)

lint: $(READY_DEV) ## check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY_DEV) ## check types
	$(BIN)/mypy

format: $(READY_DEV) ## mend style and formatting where a tool can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint types test ## lint, types and test

clean: ## remove .venv and everything else that was made here, but for reports
	rm -rf .venv build dist htmlcov .coverage .hypothesis .pytest_cache .mypy_cache .ruff_cache
	find . -type d -name __pycache__ -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	@$(MAKE_VENV)
	$(PIP) install -c constraints.txt -e ".[test]"
	@touch $@

$(READY_DEV): $(READY)
	$(PIP) install -c constraints.txt -e ".[dev]"
	@touch $@

$(READY_DOCS): $(READY)
	$(PIP) install -c constraints.txt -e ".[docs]"
	@touch $@

$(READY_BENCH): $(READY)
	$(PIP) install -c constraints.txt -e ".[bench]"
	@touch $@

# A .venv that works is kept; a broken or half-made one is made anew.
define MAKE_VENV
if ! $(BIN)/python -c "import pip, sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null; then \
    command -v "$(PYTHON)" >/dev/null || { \
        echo "$(PYTHON) is not there. Install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3" >&2; \
        exit 1; }; \
    "$(PYTHON)" -c "$$CHECK_PYTHON" && "$(PYTHON)" -m venv --clear .venv; \
fi
endef

# Written so that old Pythons, 2.7 included, can read it and say that they are too old.
define CHECK_PYTHON
import sys
found = (sys.executable,) + tuple(sys.version_info[:2])
if found[1:] < (3, 11):
    sys.exit("%s is Python %d.%d, and fsm_gpt needs 3.11 or newer. Name a newer one: make PYTHON=/path/to/python3" % found)
try:
    import ensurepip, venv
except ImportError:
    sys.exit("python3-venv is missing: %s cannot make a virtual environment. On Debian and Ubuntu: apt install python%d.%d-venv" % found)
endef
export CHECK_PYTHON
