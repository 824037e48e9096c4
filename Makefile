# `make` or `make help` lists what there is.
PYTHON ?= python3
# Tests that run side by side: more than two processors can do, since most of the time they wait for servers
WORKERS ?= 4
# More arguments for pytest, for example: make test ARGS="-k trash -x"
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
BENCH_INSTALLED := $(VENV)/bench-installed

.DEFAULT_GOAL := help
.PHONY: help run test lint faults fuzz bench clean
.DELETE_ON_ERROR:

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(INSTALLED) ## Start everything and serve on http://localhost:8001
	@$(BIN)/flask dev

test: lint ## Lint, check types and run all tests, the long ones in a short form
	$(BIN)/pytest -n $(WORKERS) --ignore=tests/faults $(ARGS)
	FAULT_SECONDS=1 FAULT_ROUNDS=4 $(BIN)/pytest -n 2 --dist loadfile tests/faults $(ARGS)

lint: $(INSTALLED) ## Lint and check types
	$(BIN)/ruff check .
	$(BIN)/mypy

faults: $(INSTALLED) ## Kill, freeze and cut off the parts, and look for lost work (a quarter of an hour)
	FAULT_SECONDS=$${FAULT_SECONDS:-10} FAULT_ROUNDS=$${FAULT_ROUNDS:-50} FAULT_TABLE=1 $(BIN)/pytest tests/faults $(ARGS)

fuzz: $(INSTALLED) ## Send made-up requests of every kind, and hold the answers to the documentation (half an hour)
	SCHEMATHESIS_EXAMPLES=100 $(BIN)/pytest -n auto tests/contract/test_hostile_variety.py $(ARGS)

bench: $(BENCH_INSTALLED) ## Measure speed against the limits of the parts (minutes)
	$(BIN)/python -m bench $(ARGS)

clean: ## Remove what was installed or cached; data in instance/ stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "projectapi needs Python 3.11 or newer: set PYTHON, as in  make $(or $(MAKECMDGOALS),run) PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "This Python cannot make virtual environments: install its venv package (Debian, Ubuntu: python3-venv)."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what is needed into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(BENCH_INSTALLED): $(INSTALLED) requirements-bench.txt
	@echo "Installing what projectapi is compared with ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	@touch $@
