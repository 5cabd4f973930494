# The verbs of the workshop. Each makes what it needs, `.venv` included, from nothing but Python 3.11+ and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVE_DEPS := $(VENV)/.serve
DEV_DEPS := $(VENV)/.dev

.PHONY: help serve test lint format bench soak golden clean

help: ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: $(SERVE_DEPS) ## run a cluster (pass options in ARGS="--nodes 10")
	@$(BIN)/python -m compileall -q kcore
	@$(BIN)/python -m kcore serve $(ARGS)

test: $(DEV_DEPS) ## run the tests (pass options in ARGS="-k watch")
	$(BIN)/pytest -n 2 $(ARGS)

lint: $(DEV_DEPS) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(DEV_DEPS) ## let ruff write what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV_DEPS) ## run every benchmark; each prints one JSON line
	@$(BIN)/python -m bench $(ARGS)

soak: $(DEV_DEPS) ## run the long tests
	$(BIN)/pytest -n 2 -m soak --timeout 1800 $(ARGS)

golden: $(DEV_DEPS) ## play recorded answers of a real server (GOLDEN=folder)
	$(BIN)/python -m tests.golden $(GOLDEN)

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kcore needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

$(SERVE_DEPS): pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[speed]'
	@touch $@

$(DEV_DEPS): pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[speed,dev]'
	@touch $@ $(SERVE_DEPS)
