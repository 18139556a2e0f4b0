# Every target makes .venv first when it is missing or older than its lock.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-annotate --no-header
CHECKED := generations api_gateway worker ops tests bench

.PHONY: help setup demo up test check format bench chaos lock lock-images

help: ## What can be made
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: .venv/.ready ## Make .venv from the lock

.venv/.ready: requirements.lock pyproject.toml
	@echo "Making .venv (about a minute, once)"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## The whole path once, on free ports, in under a minute
	@$(BIN)/darkroom demo

up: setup ## Everything on this machine, until Ctrl-C
	@$(BIN)/darkroom up

test: setup ## Unit, integration, browser and acceptance tests
	$(BIN)/pytest --numprocesses 2 --dist loadfile tests/unit tests/integration tests/browser
	$(BIN)/pytest --numprocesses 2 --dist loadfile tests/acceptance

check: setup ## Formatting, lint, types, the rooms' walls, and what is deployed
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --quiet tests/checks

format: setup ## Put the code in shape
	$(BIN)/ruff format $(CHECKED)
	$(BIN)/ruff check --fix $(CHECKED)

bench: setup ## Every figure of the README, in under 15 minutes
	@$(BIN)/python -m bench

chaos: setup ## Everything under faults, its processes killed all the while
	@$(BIN)/python -m bench.chaos

lock: setup ## Resolve the dependencies anew
	$(BIN)/pip install --quiet uv
	$(COMPILE) --upgrade --all-extras -o requirements.lock pyproject.toml
	$(MAKE) lock-images

lock-images: ## What of the lock is in the images
	$(COMPILE) -c requirements.lock --extra otel -o ops/images/requirements.lock pyproject.toml
	$(COMPILE) -c requirements.lock --extra otel --extra local -o ops/images/simulator.lock pyproject.toml
	echo hatchling | $(COMPILE) -c requirements.lock -o ops/images/build.lock -
