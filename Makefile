# Each target sets itself up: a Python 3.11 or later with venv is all that is needed.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run help test check audit bench chaos mutants lock clean

run: $(VENV)/.base ## start Flagman and the playground
	@$(BIN)/flagman serve

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

test: $(VENV)/.dev ## run the tests; ARGS="tests/core -k policy" runs a part (default: all of them)
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 4 --dist worksteal $(ARGS)

check: $(VENV)/.dev ## lint, format check and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

audit: $(VENV)/.dev ## check the pinned dependencies; ARGS=--offline-ok where no advisory service may be in reach
	@$(BIN)/python requirements/audit.py $(ARGS)

bench: $(VENV)/.dev ## measure against the raw round trips to the same store; ARGS="--help" lists what ARGS can be
	@$(BIN)/python -m tests.benchmarks $(ARGS)

chaos: $(VENV)/.dev ## let faults strike a running Flagman for ten minutes; ARGS="--help" lists what ARGS can be
	@$(BIN)/python -m tests.chaos $(ARGS)

mutants: $(VENV)/.dev ## put mistakes into supervisor/core/ and the scripts, and count those that the tests find
	@$(BIN)/mutmut run $(ARGS)
	@$(BIN)/mutmut export-cicd-stats
	@cat mutants/mutmut-cicd-stats.json
	@$(BIN)/python -m tests.mutations

lock: $(VENV)/.dev ## resolve the dependencies anew
	@$(BIN)/pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip compile --quiet --universal --upgrade --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links -o requirements/base.txt pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --upgrade --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links -c requirements/base.txt \
		-o requirements/dev.txt pyproject.toml --group dev
	@$(BIN)/uv pip compile --quiet --universal --upgrade --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links -c requirements/base.txt \
		-o requirements/build.txt --group build

clean: ## remove the environment, keep the data
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Flagman needs Python 3.11 or later on the PATH (or: make PYTHON=/path/to/python)."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python could not make a virtual environment; on Debian: apt install python3-venv"; exit 1; }

$(VENV)/.base: requirements/base.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing Flagman's dependencies into $(VENV) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/base.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.base
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@
