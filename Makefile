PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

ifneq ($(wildcard .cluster-tools/kube-apiserver),)
export KUBEBUILDER_ASSETS ?= $(CURDIR)/.cluster-tools
endif

.DEFAULT_GOAL := help
.PHONY: help coverage fuzz install synth check test test-cluster cluster-tools lint lint-manifests sbom audit-dependencies format snapshots schema kubernetes-types preflight benchmark requirements clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/.synth ## Make .venv and install what synth needs

synth: $(VENV)/.synth ## Write dist/ from every overlay (make synth ARGS=--allow-irreversible)
	@$(BIN)/python3 main.py synth $(ARGS)

check: lint ## Run what needs no cluster and no other program, in minutes
	@$(BIN)/python -m pytest -n auto -m "not (cluster or pods or process or fuzz)"

test-cluster: $(VENV)/.dev ## Run the tests on a cluster (make cluster-tools brings the programs)
	@$(BIN)/python -m pytest -n auto -m "cluster or pods"

cluster-tools: ## Bring the programs of a control plane into .cluster-tools/
	@tests/tools/cluster_tools.sh

test: lint ## Run the whole test suite
	@$(BIN)/python -m pytest -n auto

coverage: $(VENV)/.dev ## Measure the branch coverage of a run (make coverage ARGS="-m 'not pods'")
	@test -x $(BIN)/coverage || $(PIP) install coverage==7.17.4
	@rm -f .coverage .coverage.*
	@$(BIN)/python -m coverage run -m pytest -n auto $(ARGS); status=$$?; \
		$(BIN)/python -m coverage combine --quiet; $(BIN)/python -m coverage report && exit $$status

lint: $(VENV)/.dev ## Run ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

lint-manifests: ## Run checkov over dist/, in an environment of its own
	@test -x .venv-checkov/bin/checkov || { python3 -m venv .venv-checkov && .venv-checkov/bin/pip install --quiet checkov==3.2.471; }
	@.venv-checkov/bin/checkov --config-file .checkov.yaml --directory dist

sbom: ## Write sbom.json, a list of what synth needs with versions, hashes (CycloneDX)
	@test -x .venv-sbom/bin/cyclonedx-py || { python3 -m venv .venv-sbom && .venv-sbom/bin/pip install --quiet cyclonedx-bom==7.5.0; }
	@.venv-sbom/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --output-file sbom.json requirements.txt

audit-dependencies: ## Look the pinned packages up among the known vulnerabilities (asks PyPI)
	@test -x .venv-pip-audit/bin/pip-audit || { python3 -m venv .venv-pip-audit && .venv-pip-audit/bin/pip install --quiet pip-audit==2.10.1; }
	@.venv-pip-audit/bin/pip-audit --strict --require-hashes --disable-pip --requirement requirements.txt

format: $(VENV)/.dev ## Format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

snapshots: $(VENV)/.dev ## Accept the snapshots as they are now (review the diff)
	@$(BIN)/python -m pytest -n auto tests/snapshots --snapshot-update

schema: $(VENV)/.synth ## Write overlays/schema.json and docs/parameters.md from the model
	@$(BIN)/python3 main.py schema

kubernetes-types: $(VENV)/.dev ## Write the table of Kubernetes types from its schemas
	@$(BIN)/python -m tests.support.kubernetes_types

preflight: $(VENV)/.preflight ## Install what `python3 main.py preflight --connect` needs

fuzz: $(VENV)/.dev ## Try inputs made at random (make fuzz INPUTS=100000 SEED=1)
	@PYTHONPATH=.:constructs $(BIN)/python -m tests.support.fuzzing $(or $(INPUTS),100000) $(SEED)

benchmark: $(VENV)/.benchmark ## Measure synth beside its peers, into docs/performance.md
	@$(BIN)/python benchmarks/synth.py

requirements: $(VENV)/.dev ## Write the hashes of all pins into the requirement files
	@$(BIN)/python -m tests.support.requirement_hashes

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, and this is %s: make synth PYTHON=python3.12" % sys.version.split()[0])'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.synth: requirements.txt | $(VENV)/bin/python
	@echo "Installing requirements.txt into $(VENV), which takes a few minutes at the most" >&2
	@$(PIP) install --require-hashes -r requirements.txt
	@$(BIN)/python -O -m compileall -q $(addprefix $(VENV)/lib/python*/site-packages/,constructs cdk8s cdk8s_plus_27)
	@touch $@

$(VENV)/.preflight: requirements.txt requirements-preflight.txt | $(VENV)/bin/python
	@echo "Installing requirements-preflight.txt into $(VENV)" >&2
	@$(PIP) install --require-hashes -r requirements-preflight.txt
	@touch $@ $(VENV)/.synth

$(VENV)/.benchmark: requirements-benchmark.txt | $(VENV)/.dev
	@echo "Installing requirements-benchmark.txt into $(VENV)" >&2
	@$(PIP) install --require-hashes -r requirements-benchmark.txt
	@touch $@

$(VENV)/.dev: requirements.txt requirements-preflight.txt requirements-dev.txt | $(VENV)/bin/python
	@echo "Installing requirements-dev.txt into $(VENV)" >&2
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@ $(VENV)/.synth $(VENV)/.preflight
