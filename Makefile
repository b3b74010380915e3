# The two commands: `make repro` runs the pipeline, `make test` the tests. Each sets up .venv first.
VENV := .venv
# DVC runs each stage's `python`: the environment's comes first on the path.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help setup repro test check bench
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(VENV)/.ready  ## make .venv with the locked dependencies and the package

repro: setup  ## run the pipeline: only what changed runs again
	dvc repro

test: setup  ## run the tests
	python -m pytest

check: setup  ## lint, check the formatting and the types
	ruff check .
	ruff format --check .
	mypy

bench: setup  ## measure what is claimed to be fast, half an hour; against PyTorch where it is installed
	python benchmarks

$(VENV)/.ready: requirements.lock pyproject.toml
	@python=$$(for name in python3.12 python3.11 python3.10 python3 python; do \
		$$name -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null \
			&& { echo $$name; break; }; done); \
	if [ -z "$$python" ]; then \
		echo "error: Python 3.10, 3.11 or 3.12 with the venv module is needed and was not found" >&2; exit 1; fi; \
	echo "$(VENV): $$($$python --version) and the locked dependencies (about 4 GB)"; \
	$$python -m venv $(VENV)
	python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
