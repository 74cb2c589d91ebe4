# Two commands are all a newcomer needs: `make demo` and `make test`. YES=1 answers every question with yes.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
export YES
.NOTPARALLEL:

BIN := .venv/bin
WORKERS ?= 3
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist loadgroup

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: .venv/.runtime ## set everything up, then watch an agent fix a failing test and the fix come home
	@$(BIN)/paddock demo

test: .venv/.dev engine ## run the whole suite, against a real engine (ARGS="-k name" for some)
	@$(PYTEST) -m "not slow" $(ARGS)

test-fast: .venv/.dev ## run the tests that need no engine and take no time
	@$(PYTEST) -m "not engine and not slow" $(ARGS)

test-slow: .venv/.dev engine ## run the exhaustive tests that take minutes: every fault at every system call
	@$(PYTEST) -m slow $(ARGS)

test-engines: .venv/.dev engine ## run the suites on rootless Docker, Podman and others, as root (some 15 minutes)
	@$(PYTEST) -m "slow or not slow" tests/engines $(ARGS)

test-vm: .venv/.dev engine ## run some of the suite on another kernel, emulated, as root (ARGS="FILE ..." for others)
	@$(BIN)/python -m tests.vm $(ARGS)

test-root: ## run only the tests that mount file systems, which takes root (after `make test`)
	@$(PYTEST) -m root $(ARGS)

check: .venv/.dev ## format, lint, types and layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

matrix: .venv/.dev engine ## try the attacks on a sandbox in every profile, and print what held
	@$(BIN)/python -m tests.attacks.matrix $(ARGS)

picture: .venv/.dev ## draw the screenshot in docs/ again
	@$(BIN)/python -m tests.cli.review.picture

bench: .venv/.dev .venv/.bench engine ## measure against raw Docker, git, cp and peers, as ratios (PART="start call" for some)
	@$(BIN)/python -m benchmarks $(PART)

all: check test bench ## everything above

lock: .venv/.dev ## pin every dependency again, with hashes (UPGRADE=1 for newer versions)
	@$(BIN)/python -m venv .venv/lock
	@.venv/lock/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/lock.lock
	@$(PIN) pyproject.toml -o requirements/runtime.lock
	@$(PIN) pyproject.toml --group dev -c requirements/runtime.lock -o requirements/dev.lock
	@$(PIN) --group build -c requirements/dev.lock -o requirements/build.lock
	@$(PIN) --group bench --excludes requirements/bench.excludes -o requirements/bench.lock
	@$(PIN) --group lock -o requirements/lock.lock
	@if grep -nE '://|^-' requirements/*.lock; then echo "a lock file may name no address" >&2; exit 1; fi

PIN = .venv/lock/bin/uv pip compile --quiet --generate-hashes --no-header --no-annotate \
	--python-version 3.11 --python-platform linux $(if $(UPGRADE),--upgrade)

clean: ## remove the environment and every cache (images stay on the engine)
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

engine: .venv/.runtime
	@$(BIN)/paddock doctor --fix

.venv/.runtime: requirements/runtime.lock requirements/build.lock pyproject.toml
	@requirements/install runtime
	@touch $@

.venv/.dev: requirements/dev.lock pyproject.toml
	@requirements/install dev
	@touch .venv/.runtime $@

.venv/.bench: requirements/bench.lock requirements/bench.excludes | .venv/.dev
	@requirements/install bench
	@touch $@

.PHONY: help demo test test-fast test-slow test-engines test-vm test-root check matrix picture bench all lock clean engine
