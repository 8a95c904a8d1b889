# Everything starts here. `make demo` and `make test` make the environment when it is absent.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

export PIP_DISABLE_PIP_VERSION_CHECK = 1
export MLFLOW_DISABLE_TELEMETRY = true

.PHONY: setup demo test test-all units lint types mutants notebooks docs package bench services clean help

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(READY) ## the environment .venv, from requirements.lock

$(READY): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: setup ## the whole pipeline on the built-in data, to a report and registered models
	@test -d .git || git init --quiet .
	@$(BIN)/pairvae repro
	@echo
	@echo "Look at      reports/index.html               (pictures, curves, scores)"
	@echo "Compare      $(BIN)/pairvae ui             (runs and registered models, http://127.0.0.1:5000)"
	@echo "Scores       $(BIN)/dvc metrics show"
	@echo "Predict      $(BIN)/pairvae predict data/raw/SAXS --to sem --out predictions"
	@echo "Own data     $(BIN)/pairvae repro --set data.source=FOLDER   (see docs/own-data.md)"

test: setup ## lint, types and the tests that take minutes, beside one another
	@$(MAKE) --no-print-directory --jobs 3 lint types units

units: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -p no:schemathesis -m "not slow and not gpu" --numprocesses auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder

services: ## PostgreSQL for the long tests, from Debian's packages where that can be done
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && [ ! -d /usr/lib/postgresql ]; then \
	  apt-get install --yes --quiet postgresql || echo "no postgresql: its tests are skipped"; fi

test-all: setup services lint types ## also the long tests
	$(BIN)/python -m pytest -m "not gpu" --timeout 3600

lint: setup
	$(BIN)/ruff check --no-cache src tests benchmarks tools
	$(BIN)/ruff format --check src tests benchmarks tools
	$(BIN)/lint-imports

types: setup
	$(BIN)/mypy

ONLY ?= pairvae.numerics.*
mutants: setup ## small faults planted in numerics (or ONLY="pairvae.evaluation.realism*"): which the tests miss
	OMP_NUM_THREADS=1 $(BIN)/python -m mutmut run "$(ONLY)"
	$(BIN)/python -m mutmut results

notebooks: setup ## refuse notebooks with outputs; pre-commit strips them
	$(BIN)/python -m tools.notebooks --check

docs: setup ## the documentation site, into site/; strict, without a network
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "site/index.html"

package: setup ## wheel and sdist, into dist/
	$(BIN)/python -m tools.package

bench: setup ## speed of the training steps and of the pipeline, as ratios, into benchmarks/
	$(BIN)/python -m benchmarks

clean: ## remove what the build and the tests made; keeps the environment, the data, models, reports and runs
	rm -rf build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis mutants
