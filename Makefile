# `make demo` and `make test` set up everything they need, in .venv, the first time they run.

VENV ?= .venv
PYTHON ?= $(shell for p in python3.11 python3; do $$p -c '' 2>/dev/null && echo $$p && break; done)
# For `make test-upstream`: the last Python that Lava's own packaging accepts.
PYTHON310 ?= python3.10
VENV310 ?= .venv-3.10
SANA_FE ?= .venv-sana-fe

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.benchmarks
STAMP310 := $(VENV310)/.installed
PINS := $(filter-out requirements/sana-fe.txt,$(wildcard requirements/*.txt))
# pip says what went wrong, and nothing else.
PIP_QUIET := -qq --disable-pip-version-check --no-input

.DEFAULT_GOAL := help
.PHONY: help setup demo faces students student bench-frames bench bench-sana-fe bench-placement ablations distillation test conformance lint format wheel test-upstream clean

help:  ## this list
	@grep -E '^[a-z0-9-]+:.*##' Makefile | sed -E 's/:.*## /|/' | awk -F'|' '{printf "  make %-14s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml $(PINS)
	@test -n "$(PYTHON)" || { echo "make: no python3 found; say which: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(not (3, 11) <= v[:2] <= (3, 13))' || \
	  { echo "make: $(PYTHON) is $$($(PYTHON) --version 2>&1), needed is Python 3.11 to 3.13; say which: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version) (once; a few minutes)" >&2
	@rm -f $@
	@test "$$($(BIN)/python --version 2>&1)" = "$$($(PYTHON) --version)" || $(PYTHON) -m venv --clear $(VENV)
	@echo "  1/4 torch" >&2
	@$(BIN)/python -m pip install $(PIP_QUIET) -c requirements/constraints.txt torch setuptools
	@echo "  2/4 slipway and what it needs" >&2
	@$(BIN)/python -m pip install $(PIP_QUIET) -c requirements/constraints.txt --no-build-isolation -r requirements/development.txt -e '.[dev,lava]'
	@echo "  3/4 norse, Lava" >&2
	@$(BIN)/python -m pip install $(PIP_QUIET) --no-deps --ignore-requires-python -r requirements/no-deps.txt
	@echo "  4/4 looking whether all is there" >&2
	@$(BIN)/slipway doctor -q train >/dev/null && $(BIN)/slipway doctor -q lava >/dev/null
	@touch $@

setup: $(STAMP)  ## the environment in .venv, and nothing else

demo: $(STAMP)  ## train a student, deploy it, verify it, report on it (out/demo)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python examples/demo.py

faces: $(STAMP)  ## the same on faces: FER2013, about 20 minutes (out/faces)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python examples/demo.py mini_resemotenet -o out/faces

# Weights that come with slipway are taken; TRAIN=1 trains them, too.
STUDENTS := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python examples/students.py $(if $(TRAIN),--train)
FILMED := out/students/mini-resemotenet-c-cpu

students: $(STAMP)  ## every student through the whole tool, into the README's table (out/students)
	@$(STUDENTS)

student: $(STAMP)  ## one of them: STUDENT=c-sigma-delta
	@$(STUDENTS) $(STUDENT)

bench-frames: $(STAMP)  ## sigma-delta on films of faces, beside the quantised network
	@test -f $(FILMED)/student.nir || $(STUDENTS) c-sigma-delta
	@$(BIN)/python -m slipway.benchmarks.frames $(FILMED)

# NETWORKS=a,b for some of them.
bench: $(BENCH_STAMP)  ## the engine, Lava, snnTorch, SpikingJelly and norse side by side (7 minutes)
	@$(BIN)/python -m slipway.benchmarks $(if $(NETWORKS),--networks $(NETWORKS))

bench-placement: $(BENCH_STAMP)  ## placements by slipway, Lava's splitter and METIS (5 minutes)
	@$(BIN)/python -m slipway.benchmarks.placement

# What an interrupted one has done is kept.
distillation: $(STAMP)  ## C taught by three of B against C alone, 3 seeds on FER2013 (4 hours of one core)
	@PATH="$(CURDIR)/$(BIN):$$PATH" slipway train mini-resemotenet-c-cpu --resume -o out/distillation
	@$(BIN)/python -m slipway.benchmarks.distillation out/distillation

# Goes on with benchmarks/ablations.json: remove the file to measure anew.
ablations: $(STAMP)  ## what each term of MSKD's and CKD's losses brings, on simulated data (20 minutes)
	@$(BIN)/python -m slipway.benchmarks.ablations

# SANA-FE is under the GPL: in an environment of its own, run as a process of its own.
bench-sana-fe: $(STAMP) $(SANA_FE)/.installed  ## our profile beside SANA-FE's, on equal spikes (1 minute)
	@$(BIN)/python -m slipway.benchmarks.sana_fe --python $(SANA_FE)/bin/python -o benchmarks/sana_fe.json

$(SANA_FE)/.installed: requirements/sana-fe.txt
	@echo "setting up $(SANA_FE) (once)" >&2
	@$(PYTHON) -m venv --clear $(SANA_FE)
	@$(SANA_FE)/bin/python -m pip install $(PIP_QUIET) -r requirements/sana-fe.txt
	@touch $@

$(BENCH_STAMP): $(STAMP) requirements/benchmarks.txt
	@echo "adding snnTorch, SpikingJelly and METIS to $(VENV) (once)" >&2
	@$(BIN)/python -m pip install $(PIP_QUIET) --no-deps -r requirements/benchmarks.txt
	@touch $@

test: $(STAMP)  ## all tests
	@$(BIN)/python -m pytest -q

# CONFORMANCE_NETWORKS of them (5000) from CONFORMANCE_SEED (0) on, on all cores.
conformance: $(STAMP)  ## reference == engine == Lava on thousands of random networks
	@$(BIN)/python -m tests.conformance

lint: $(STAMP)  ## ruff, and mypy --strict through a link named slipway
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@link=$$(mktemp -d) && trap 'rm -rf "$$link"' EXIT && ln -s "$(CURDIR)" "$$link/slipway" && cd "$$link" && \
	  MYPYPATH="$$link" "$(abspath $(BIN))/mypy" -p slipway --config-file "$(CURDIR)/pyproject.toml" --cache-dir="$(CURDIR)/.mypy_cache"

format: $(STAMP)  ## let ruff set the code
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

wheel: $(STAMP)  ## build the wheel into dist/, install it elsewhere and try it
	@$(BIN)/python -m pytest -q tests/house/test_wheel.py
	@rm -rf build dist
	@log=$$($(BIN)/python -m build --wheel --no-isolation --outdir dist . 2>&1) || { echo "$$log" >&2; exit 1; }
	@rm -rf build
	@ls dist

$(STAMP310): pyproject.toml $(PINS)
	@$(PYTHON310) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 10))' || \
	  { echo "make: $(PYTHON310) is no Python 3.10; say which: make test-upstream PYTHON310=/path/to/python3.10" >&2; exit 1; }
	@echo "setting up $(VENV310) with upstream's own Lava (once)" >&2
	@rm -f $@
	@test -x $(VENV310)/bin/python || $(PYTHON310) -m venv $(VENV310)
	@$(VENV310)/bin/python -m pip install $(PIP_QUIET) -r requirements/upstream-3.10.txt
	@$(VENV310)/bin/python -m pip install $(PIP_QUIET) --no-deps -r requirements/upstream-3.10-no-deps.txt
	@$(VENV310)/bin/python -m pip install $(PIP_QUIET) --no-deps --no-build-isolation -e .
	@touch $@

test-upstream: $(STAMP310)  ## conformance with unpatched Lava on Python 3.10 (PYTHON310=...)
	@$(VENV310)/bin/python -m pytest -q tests/conformance tests/deploy

clean:  ## remove what make made
	rm -rf $(VENV) $(VENV310) build dist out slipway.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
