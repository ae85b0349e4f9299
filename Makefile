# The study's commands. Everything that they need is set up by themselves; see README.md.
PYTHON ?= python3
DATASET ?= digits
# data sets whose stages say all of their report themselves
PAGES := rings curve imagenet_demo
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := $(shell sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements.lock)
export PATH := $(CURDIR)/$(BIN):$(PATH)
# A thread that waits for the others sleeps: where anything else runs, two that spin stop each other almost entirely.
export OMP_WAIT_POLICY ?= PASSIVE
# the same for the threads of NumPy and SciPy
export OPENBLAS_THREAD_TIMEOUT ?= 4
# compiled modules halve the time that a stage spends on imports
unexport PYTHONDONTWRITEBYTECODE

ifeq ($(DATASET),all)
TARGETS :=
REPORT := reports/<data set>/report.html
else
TARGETS := $(foreach name,$(DATASET),$(if $(filter $(name),$(PAGES)),report_page,report)@$(name))
REPORT := reports/$(DATASET)/report.html
endif

.PHONY: reproduce test test-slow figures ui paper lock check clean

reproduce: $(VENV)/.ready ## run the study on DATASET (digits, mnist, fashion_mnist, rings, curve, imagenet_demo or all) and say where its report lies
	overgen reproduce $(TARGETS)
	-overgen sync $(filter-out all,$(DATASET)) # a window on the work, never part of it
	@echo 'The report: $(REPORT) (and report.md beside it)'

test: $(VENV)/.ready ## pass the tests
	ruff check .
	ruff format --check .
	mypy
	pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-slow: $(VENV)/.ready ## the tests that take minutes each
	pytest -m slow

figures: $(VENV)/.ready ## redraw every report from the committed cells, without data, models or training
	overgen figures

ui: $(VENV)/.ready ## open MLflow on the runs
	overgen ui

paper: $(VENV)/.ready ## set the papers' budgets and run everything
	overgen budget budgets/paper.txt
	overgen reproduce
	-overgen sync

lock: $(VENV)/.ready ## make requirements.lock again from pyproject.toml
	uv pip compile pyproject.toml --universal --python-version 3.11 --all-extras --generate-hashes \
		--no-header --no-emit-index-url --upgrade -o requirements.lock

clean: ## remove the environment
	rm -rf $(VENV)

# The environment holds exactly what the lock names; it is made again only when the lock changes.
$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "error: $(PYTHON) is $$($(PYTHON) --version); overgen needs Python 3.11 to 3.13: make PYTHON=python3.12" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test "$$($(BIN)/uv --version 2>/dev/null | cut -d' ' -f2)" = "$(UV_VERSION)" || $(BIN)/python -m pip install -q uv==$(UV_VERSION)
	$(BIN)/uv pip sync -q --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@test -e .git || $(BIN)/dvc config --local core.no_scm true # a download without Git: DVC would refuse to work
	@touch $@
