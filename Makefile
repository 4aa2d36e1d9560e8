# Everything starts from Python 3.11 and Go; the rest is fetched and built. `make` alone says what there is.

UV_VERSION := 0.13.9
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13 python3.14; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)

SYNCED := .venv/.synced
# Instances of the control plane live side by side; the demo's is called demo.
INSTANCE ?= $(or $(DEVCLUSTER_INSTANCE),dev)
RUN := .venv/bin/
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONPATH := tests

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test test-full bench bench-judgement lint fmt crds cluster-up cluster-env cluster-down needs-python needs-cluster

help: ## Say what can be done.
	@echo "make TARGET, where TARGET is one of"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target text; \
		do printf '%-15s %s\n' "$$target" "$$text"; done

setup: $(SYNCED) ## Make .venv with everything that Python needs; the other targets do it by themselves.

demo: $(SYNCED) needs-cluster ## Watch a good version be promoted and a bad one be taken back, on a real control plane.
	@$(RUN)python examples/demo.py

test: $(SYNCED) needs-cluster ## Run the unit tests, then the tests on a real control plane.
	@$(RUN)python tests/run.py

test-full: $(SYNCED) needs-cluster ## Run all tests, the slow ones too.
	@$(RUN)python tests/run.py --full

bench: $(SYNCED) needs-cluster ## Measure how fast the operator is and what it costs, on a real control plane.
	@$(RUN)python tests/bench/run.py

bench-judgement: $(SYNCED) ## Simulate how often judgement is wrong and how soon it is right; writes docs/benchmarks.md.
	@$(RUN)python tests/bench/judgement/run.py --docs docs/benchmarks.md

lint: $(SYNCED) ## Check style, types, imports between layers, the lock file and the CRDs.
	$(RUN)ruff check .
	$(RUN)ruff format --check .
	$(RUN)mypy operator tests examples
	$(RUN)lint-imports --no-logo
	$(RUN)uv lock --check --quiet
	$(RUN)python -m modelramp.api.crd --check

fmt: $(SYNCED) ## Format the code and mend what can be mended.
	$(RUN)ruff check --fix-only .
	$(RUN)ruff format .

crds: $(SYNCED) ## Generate crds/*.yaml from the models in operator/modelramp/api.
	$(RUN)python -m modelramp.api.crd

cluster-up: $(SYNCED) needs-cluster ## Start a real control plane on this machine (INSTANCE=dev), and say how to reach it.
	@$(RUN)python -m devcluster up --instance $(INSTANCE)

cluster-env: $(SYNCED) ## Print what a shell needs to work with it: eval "$$(make -s cluster-env)".
	@$(RUN)python -m devcluster env --instance $(INSTANCE)

cluster-down: $(SYNCED) needs-cluster ## Stop that control plane (INSTANCE=dev) and remove what it left.
	@$(RUN)python -m devcluster down --instance $(INSTANCE)

# A .venv that was made otherwise may lack pip. uv keeps itself when it removes what is not in the lock file.
$(SYNCED): pyproject.toml uv.lock | needs-python
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "error: $(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@.venv/bin/uv --version 2>/dev/null | grep -q '^uv $(UV_VERSION) ' || { \
		{ .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >/dev/null; } && \
		.venv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); }
	@.venv/bin/uv sync --frozen --python .venv/bin/python
	@touch $@

needs-python:
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or newer is needed and is not on PATH;" \
		"install it with your system's package manager (Debian: apt-get install python3.11 python3.11-venv)" >&2; exit 1; }

# The control plane runs as local processes in a network namespace of its own.
needs-cluster:
	@missing=0; say() { echo "error: $$1" >&2; missing=1; }; \
	command -v go >/dev/null || say "Go is needed to build the control plane and is not on PATH; see https://go.dev/dl"; \
	command -v ip >/dev/null || say "ip is needed for the network namespace; on Debian: apt-get install iproute2"; \
	test "$$(id -u)" = 0 || say "root is needed for the network namespace; run it as root: sudo make $(MAKECMDGOALS)"; \
	exit $$missing
