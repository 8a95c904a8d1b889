# Everything starts here. `make demo` and `make test` make the environment when it is absent.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

export PIP_DISABLE_PIP_VERSION_CHECK = 1
export MLFLOW_DISABLE_TELEMETRY = true

.PHONY: setup demo test test-all lint types bench clean help

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

test: setup lint types ## lint, types and the tests that take minutes
	$(BIN)/python -m pytest -m "not slow and not gpu"

test-all: setup lint types ## also the long tests
	$(BIN)/python -m pytest -m "not gpu" --timeout 3600

lint: setup
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/lint-imports

types: setup
	$(BIN)/mypy

bench: setup ## speed of the training steps and of the pipeline, as ratios, into benchmarks/
	$(BIN)/python -m benchmarks.steps

clean: ## remove what the pipeline and the tests made; keeps the environment and the runs
	rm -rf data models reports build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
