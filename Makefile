# What can be done with this checkout. `make help` lists it; each target installs what it needs first.

SHELL := /bin/bash
VENV ?= .venv
PYTHON := $(VENV)/bin/python
RUN := PATH="$(abspath $(VENV))/bin:$$PATH"
# Where some modules are compiled, as in the image. It has no scripts but ours: the others are found behind it.
COMPILED := $(VENV)-compiled
RUN_COMPILED := PENSTOCK_COMPILED=1 PATH="$(abspath $(COMPILED))/bin:$(abspath $(VENV))/bin:$$PATH"
SOURCES := $(shell find agents cli collector core entrance operator sidecar -type f -not -path '*/__pycache__/*')
# The tests of what is compiled, which run once more on it.
COMPILED_TESTS := tests/core/test_compilation.py tests/core/audit tests/core/sql/syntax tests/core/sql/test_governor.py \
	tests/sidecar/proxy/test_deliberation.py tests/sidecar/session tests/sidecar/shipping tests/sidecar/wire tests/sidecar/test_main.py
DEMO_ARGS ?=
PYTEST_ARGS ?=
E2E_ARGS ?=
BENCH_ARGS ?=
CONFORMANCE_ARGS ?=
APPLICATIONS_ARGS ?=
MINUTES ?= 10
NONINTERFERENCE_ARGS ?=
# Each file's tests run in one process, one after the other: they share servers.
WORKERS ?= 2
KILLS ?= 50
KILLS_ON_A_FULL_DISK ?= 10

.DEFAULT_GOAL := help
.PHONY: help demo test lint format unit compiled conformance applications noninterference kill soak bench bench-audit e2e e2e-up e2e-down crds diagrams events \
	messages monitoring lock clean

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# The demo runs from a smaller environment of its own, so that it starts fast on a new machine.
$(VENV)-demo/ready: requirements/demo.lock pyproject.toml .ci/environment
	@.ci/environment $(VENV)-demo requirements/demo.lock

$(VENV)/ready: requirements/dev.lock pyproject.toml .ci/environment
	@.ci/environment $(VENV) requirements/dev.lock

$(COMPILED)/ready: $(VENV)/ready hatch_build.py .ci/compiled $(SOURCES)
	@.ci/compiled $(VENV) $(COMPILED)

# Status 130 is Ctrl-C: somebody's wish, no error. The lock tells .ci/environment that something runs from there.
demo: $(VENV)-demo/ready ## run the demo and leave it running (DEMO_ARGS=--once: play it, check it, end)
	@exec 8<$(VENV)-demo/ready; flock --shared 8; $(VENV)-demo/bin/penstock --log-level warning demo $(DEMO_ARGS) || [ $$? -eq 130 ]

test: lint unit ## everything that needs no cluster: formats, types, import contracts, tests

lint: $(VENV)/ready ## formats, types, import contracts
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(RUN) lint-imports --no-logo

unit: $(VENV)/ready ## the tests, on real PostgreSQL servers and a real browser (WORKERS=1: in one process)
	@.ci/packages chromium libatomic1 pgbouncer pipx postgresql-15 prometheus
	@command -v npm >/dev/null || .ci/packages nodejs npm
	$(RUN) pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

compiled: $(COMPILED)/ready ## compile the modules that the image has compiled, and run their tests on them
	@.ci/packages libatomic1
	$(RUN_COMPILED) python -m pytest -n $(WORKERS) --dist loadfile -m "not soak and not interpreted" $(COMPILED_TESTS) $(PYTEST_ARGS)

conformance: $(VENV)/ready ## clients' own test suites, direct and through the gate (CONFORMANCE_ARGS=--slice: what fits CI)
	@.ci/packages gcc libatomic1 libpq-dev postgresql-15 python3-dev
	$(RUN) python -m tests.conformance $(CONFORMANCE_ARGS)

applications: $(VENV)/ready ## applications and tools of migration, direct, through the gate and masked (APPLICATIONS_ARGS="--application alembic")
	@.ci/packages libatomic1 postgresql-15
	$(RUN) python -m tests.applications $(APPLICATIONS_ARGS)

noninterference: $(VENV)/ready ## try to tell apart databases that differ in masked columns only (MINUTES=60; NONINTERFERENCE_ARGS=--slice: what fits CI)
	@.ci/packages libatomic1 postgresql-15 sqlsmith
	$(RUN) python -m tests.noninterference --minutes $(MINUTES) $(NONINTERFERENCE_ARGS)

kill: $(VENV)/ready ## kill -9 gate, collector and shipper fifty times each under load, ten times on a full disk, and compare tables, trail and chains (KILLS=50)
	@.ci/packages e2fsprogs libatomic1
	PENSTOCK_KILLS=$(KILLS) PENSTOCK_KILLS_ON_A_FULL_DISK=$(KILLS_ON_A_FULL_DISK) \
		$(RUN) pytest -s tests/sidecar/test_main_killed.py $(PYTEST_ARGS)

soak: kill ## what takes minutes and gigabytes: kills under load, memory with huge messages, ten thousand bad connections, long fuzzing
	@.ci/packages default-jdk-headless libatomic1 maven nodejs npm postgresql-15
	$(RUN) pytest -m soak -s $(PYTEST_ARGS)

bench: $(COMPILED)/ready ## what the gate, compiled, costs beside no gate and beside pgbouncer (BENCH_ARGS=--quick: a short run)
	@.ci/packages libatomic1 pgbouncer
	$(RUN_COMPILED) python -m bench $(BENCH_ARGS)

bench-audit: $(VENV)/ready ## what the collector's store takes, how fast it is, and how large (BENCH_ARGS=--statements 10000000)
	$(RUN) python -m bench.audit $(BENCH_ARGS)

format: $(VENV)/ready ## rewrite the code in the one format
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

e2e: e2e-up ## the end-to-end tests on a real Kubernetes (KUBECONFIG, kind, or one of our own without Docker)
	$(RUN) pytest -n $(WORKERS) --durations 40 --durations-min 4 e2e $(E2E_ARGS)

e2e-up: $(VENV)/ready
	$(RUN) python -m e2e.environment up

e2e-down: $(VENV)/ready ## stop the cluster that `make e2e` started
	$(RUN) python -m e2e.environment down

crds: $(VENV)/ready ## write crds/, the chart's copy and docs/policies.md from the models
	$(RUN) python -m penstock_core.resources.crd crds charts/penstock/files/crds
	$(RUN) python docs/policies.py --write

events: $(VENV)/ready ## write docs/events.md and docs/event.schema.json from the definition of audit events
	$(RUN) python -m docs.events --write

diagrams: $(VENV)/ready ## write the diagrams of ARCHITECTURE.md and docs/imports.md from the code
	$(RUN) python docs/diagrams.py --write ARCHITECTURE.md docs/imports.md

monitoring: $(VENV)/ready ## write docs/metrics.md, docs/alerts.md and docs/values.md from the code and the chart
	$(RUN) python -m docs.metrics --write
	$(RUN) python -m docs.values --write

messages: $(VENV)/ready ## write docs/messages.md and the list in docs/applications.md from the code
	$(RUN) python docs/messages.py --write
	$(RUN) python -m tests.applications.page --write

lock: $(VENV)/ready ## resolve pyproject.toml anew into requirements/
	.ci/lock

clean: ## remove environments and caches of this checkout
	rm -rf $(VENV) $(VENV)-demo $(COMPILED) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
