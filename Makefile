# Every target sets itself up; `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

venv: $(STAMP) ## Make the virtual environment from the hashed lock

$(STAMP): requirements/dev.lock pyproject.toml
	@echo "mailhaul: making the virtual environment (a minute the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "mailhaul needs Python 3.11 or later; set PYTHON=")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

format: $(STAMP) ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

check: $(STAMP) ## The gate: format, lint, types, layers, generated files, fast tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy -p mailhaul_contract -p mailhaul_relay -p mailhaul_operator -p tests
	@$(BIN)/lint-imports
	@$(BIN)/pytest -q -m "not integration and not e2e and not slow" tests/unit tests/golden tests/dialogs tests/meta

.PHONY: help venv format check
