# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 multisite.skupper_tls contributors
#
# Needs Python 3.11 or later and git; `make test` and `make demo SITES=kubernetes` need Go as well.
# Everything that is made goes to .envs.

PYTHON      ?= python3
SITES       ?= linux
# Versions as last tried; empty takes the newest of everything.
CONSTRAINTS ?= requirements/constraints.txt
# More arguments for pytest, as in: make unit PYTEST_ARGS='-k chain -x'
PYTEST_ARGS ?=
# How many processes run the tests. Each that runs integration tests starts API servers of its own, of 260 MB each.
PYTEST_JOBS ?= 2
# Arguments for the benchmark and for ansible-test sanity
BENCH_ARGS  ?=
SANITY_ARGS ?=

COLLECTIONS := $(shell $(PYTHON) tools/collection_path.py)
PACKAGE     := ansible_collections.multisite.skupper_tls
TEST        := .envs/test/bin
RUN         := .envs/run/bin
MAKE_ENV     = $(PYTHON) tools/env.py --constraints '$(CONSTRAINTS)'

# One import path for Ansible, Python and mypy, whatever folder the clone is in.
export ANSIBLE_COLLECTIONS_PATH := $(COLLECTIONS)
export PYTHONPATH := $(COLLECTIONS)
export MYPYPATH := $(COLLECTIONS)
export SITES
export HYPOTHESIS_STORAGE_DIRECTORY := .envs/cache/hypothesis
export PATH := $(CURDIR)/$(TEST):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help env test-env bench-env demo test lint format types unit integration sanity docs-lint cluster bench dist clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: ## make .envs/run, with what the collection needs to run
	@$(MAKE_ENV) run requirements/runtime.txt >/dev/null

demo: env ## roll out to three sites on this machine and show the proof; SITES=kubernetes for API servers
	@$(RUN)/python tools/demo.py --sites $(SITES)

test: lint types unit integration ## lint, types, unit and integration tests, on this Python

test-env:
	@$(MAKE_ENV) test requirements/test.txt >/dev/null

lint: test-env ## ruff, yamllint, ansible-lint, changelog fragments
	$(TEST)/ruff check .
	$(TEST)/ruff format --check .
	$(TEST)/yamllint --strict .
	$(TEST)/ansible-lint
	$(TEST)/antsibull-changelog lint

format: test-env ## let ruff put the code in order
	$(TEST)/ruff check --fix --exit-zero --quiet .
	$(TEST)/ruff format .

types: test-env ## mypy, strict
	$(TEST)/mypy -p $(PACKAGE).plugins -p $(PACKAGE).tools -p $(PACKAGE).tests

unit: test-env ## unit tests; PYTEST_ARGS='-k chain'
	$(TEST)/python -m pytest tests/unit -n $(PYTEST_JOBS) $(PYTEST_ARGS)

integration: test-env ## integration tests, against system sites and real API servers
	$(TEST)/python -m pytest tests/cluster tests/integration -n $(PYTEST_JOBS) --dist loadfile $(PYTEST_ARGS)

sanity: test-env ## ansible-test sanity; SANITY_ARGS='--test pylint'
	$(TEST)/python tools/sanity.py $(SANITY_ARGS)

docs-lint: test-env ## documentation of modules, plugins and roles
	$(TEST)/antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self .

cluster: test-env ## build the API server that tests, demo and benchmark start
	$(TEST)/python tests/cluster/build.py

bench-env:
	@$(MAKE_ENV) bench requirements/bench.txt >/dev/null

bench: bench-env ## this collection against a playbook by hand and Ansible's floor
	.envs/bench/bin/python tests/benchmark/run.py $(BENCH_ARGS)

dist: test-env ## build the archive for Galaxy into .envs/dist
	$(TEST)/ansible-galaxy collection build --force --output-path .envs/dist .

clean: ## remove everything that was made
	rm -rf .envs .ansible
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
