# make demo: from an empty clone to a trained model on the embedded sample.
# make test: from an empty clone to every check that guards a change.
# make test-quick: the tests that are not marked slow, in about a minute. make coverage: all tests, with the gate of
# pyproject.toml. make bench: import time, a training step and an answer against limits.
# PYTHON names the interpreter that .venv is made from, 3.10 to 3.13.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# NumPy and SciPy for Python 3.10 are older and say less of their own types than the ones for later versions.
OLD := $(findstring Python 3.10,$(shell $(PYTHON) --version))
LOCK := $(if $(OLD),requirements/lock-3.10.txt,requirements/lock.txt)
PYTEST_FLAGS ?= -n auto --maxprocesses=4

ifeq ($(origin ATTRFORMER_DATA),undefined)
ifneq ($(wildcard ../shared/data),)
export ATTRFORMER_DATA := $(abspath ../shared/data)
endif
endif

.PHONY: setup demo test test-quick coverage bench lint layers format clean
.DEFAULT_GOAL := setup

setup: $(READY)

$(READY): pyproject.toml $(LOCK)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -r $(LOCK)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $(READY)

demo: setup
	$(BIN)/attrformer demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(if $(OLD),@echo "Types are checked on later versions of Python.",$(BIN)/mypy --strict src)
	$(BIN)/lint-imports --no-cache

layers: setup
	$(BIN)/python scripts/layer_table.py

test: lint
	$(BIN)/pytest $(PYTEST_FLAGS)

test-quick: setup
	$(BIN)/pytest $(PYTEST_FLAGS) -m "not slow"

coverage: setup
	rm -f .coverage .coverage.*
	$(BIN)/pytest $(PYTEST_FLAGS) --cov --cov-report=term

bench: setup
	$(BIN)/python benchmarks/thresholds.py

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist src/*.egg-info
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
