# Every target sets itself up; `make help` lists them. A second run is quick.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
IMAGE_TOOL ?= $(firstword $(foreach tool,docker podman buildah,$(shell command -v $(tool) 2>/dev/null)))
BASE_IMAGE ?=
IMAGE_TAG ?= dev
BENCH_REPS ?= 5
TORTURE_ROUNDS ?= 200
BENCH_CASES ?=
FUZZ_SECONDS ?= 600
FUZZ_TARGETS ?=
BENCH_WORK ?= bench-work
UV := $(VENV)/uv/bin/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --python-version 3.11
export PYTHON

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

venv: $(READY) ## Make the virtual environment from the hashed lock

# The script takes a lock: two makes at once do not spoil it.
$(READY): requirements/dev.lock pyproject.toml requirements/venv
	@requirements/venv
	@touch $@

setup: $(READY) ## venv, and the programs that tests run against, from Debian when root and apt-get exist
	@requirements/debian

demo: $(READY) ## See mail arrive while a provider fails in five ways
	@env -u KUBECONFIG $(BIN)/python -m tests.support.demo

demo-cluster: setup ## The same in Kubernetes: chart, relay, a pod that sends (MAILHAUL_E2E_CLUSTER=, else Docker)
	@$(BIN)/python -m tests.support.e2e.demo

format: $(READY) ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

generate: $(READY) ## Write CRDs and reference pages from the models
	@$(BIN)/python -m mailhaul_operator.api.crd --write

check: $(READY) ## The gate: format, lint, types, layers, generated files, fast tests
	@$(MAKE) --no-print-directory -j2 --output-sync=target check-static check-tests

check-static: $(READY)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy -p mailhaul_contract -p mailhaul_relay -p mailhaul_operator -p bench -p tests

check-tests: $(READY)
	@$(BIN)/pytest -q -n 2 --dist worksteal -m "not integration and not e2e and not slow" tests/unit tests/golden tests/dialogs tests/fuzz tests/meta

test: setup ## Everything that this machine can run; ends with what was skipped and why
	@$(BIN)/python -m tests.support.sessions

torture: setup ## RFC torture from outside, attacks, each guard taken out, kills and power cuts under load (TORTURE_ROUNDS=200)
	@MAILHAUL_RELAY_KILL_ROUNDS=$(TORTURE_ROUNDS) MAILHAUL_KILL_ROUNDS=$(TORTURE_ROUNDS) $(BIN)/pytest -s tests/torture \
	  tests/dialogs/test_guards.py tests/integration/test_relay_kill.py tests/integration/test_spool_power_cut.py

fuzz: $(READY) ## Coverage-guided fuzzing of parsers and state machines (FUZZ_SECONDS=600 for each, FUZZ_TARGETS="addresses ...")
	@requirements/fuzz
	@PYTHONPATH=$(VENV)/fuzz $(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS) $(FUZZ_TARGETS)

bench: setup ## Compare with Debian's Postfix (BENCH_REPS=5, BENCH_CASES="4k:20:conn ..."); bench/README.md
	@$(BIN)/python -m bench --reps $(BENCH_REPS) --work $(BENCH_WORK) $(foreach case,$(BENCH_CASES),--case $(case))

bench-operator: $(READY) ## Measure the operator at an API server that nobody else needs (KUBECONFIG=FILE); bench/README.md
	@$(BIN)/python -m bench.operator_scale
	@$(BIN)/python -m bench.operator_polling

image: ## Build both images with docker, podman or buildah (IMAGE_TOOL=, BASE_IMAGE=, IMAGE_TAG=)
	@test -n "$(IMAGE_TOOL)" || { echo "mailhaul: install docker, podman or buildah, or name one: make image IMAGE_TOOL=..." >&2; exit 1; }
	$(IMAGE_TOOL) build $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) --target relay -t localhost/mailhaul-relay:$(IMAGE_TAG) .
	$(IMAGE_TOOL) build $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) --target operator -t localhost/mailhaul-operator:$(IMAGE_TAG) .

lock: $(READY) ## Renew requirements/*.lock after a change of dependencies
	@test -x $(VENV)/uv/bin/uv || { $(BIN)/python -m venv $(VENV)/uv && $(VENV)/uv/bin/pip install --quiet --disable-pip-version-check uv; }
	@$(UV) pyproject.toml -o requirements/runtime.lock
	@$(UV) pyproject.toml --extra operator -o requirements/operator.lock
	@$(UV) pyproject.toml --extra operator requirements/dev.in -o requirements/dev.lock
	@$(UV) requirements/fuzz.in -o requirements/fuzz.lock
	@$(UV) requirements/build.in -c requirements/dev.lock -o requirements/build.lock

clean: ## Remove everything that these targets made
	rm -rf $(VENV) bench-work fuzz-work dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .mailhaul
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help venv setup demo demo-cluster format generate check check-static check-tests test torture fuzz bench bench-operator image lock clean
