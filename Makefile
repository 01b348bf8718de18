# `make run` and `make test` need git, make and Python 3.11 or later with venv; uv is used where it is installed.
PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null)
BIN := .venv/bin

.PHONY: run test torture bench heads format lock clean
.DEFAULT_GOAL := run

# The main job on config.toml as shipped: offline samples in, feeds/ and var/outbox/ out.
# The very first run subscribes an address that nobody has, so that there is a mail to look at; only for the folder transport.
run: .venv/runtime
	@if [ ! -e var/digest.db ] && grep -q '^transport = "folder"' config.toml; then \
	    $(BIN)/digest -q subscribers add reader@example.org >/dev/null; fi
	@$(BIN)/digest run

# The whole suite, a file at a time in one of four processes: what its tests share is made once. Four, since a third of the time a
# test waits for a browser, a server or a child. In a fresh checkout the tests are compiled beside mypy, not in each process. What
# cannot run here is skipped with the reason; DIGEST_TEST_ALL=1 makes a skip a failure.
test: .venv/develop
	$(BIN)/ruff check digest tests
	$(BIN)/ruff format --check digest tests
	@test -d tests/__pycache__ || PYTHONDONTWRITEBYTECODE= $(BIN)/pytest --collect-only -q >/dev/null 2>&1 & \
	    $(BIN)/mypy; status=$$?; wait; exit $$status
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder -m "not torture" -rs

# The heavy proofs at full size: kill loops, fuzzing.
torture: .venv/develop
	$(BIN)/pytest -m torture -rs
	DIGEST_HYPOTHESIS=new $(BIN)/pytest -n 2 -m "hypothesis and not torture"

# How fast everything is, beside what others do it with, held against the goals (docs/performance.md). GROUPS="run diff": some of it.
bench: .venv/develop
	@$(BIN)/python -m benchmarks $(GROUPS)

# The heads of feeds, by feedgen: after a new version of it.
heads: .venv/develop
	@$(BIN)/python -m digest.formats.heads > heads.part && mv heads.part digest/formats/_heads.py

format: .venv/develop
	$(BIN)/ruff check --fix digest tests
	$(BIN)/ruff format digest tests

# One resolution, two notations: uv.lock for uv, hashed requirements for pip. Needs uv.
lock:
	uv lock --upgrade
	uv export -q --locked --no-dev --group build --no-emit-project --no-header -o requirements.txt
	uv export -q --locked --all-groups --all-extras --no-emit-project --no-header -o requirements-dev.txt
	uv export -q --locked --no-dev --group build --all-extras --no-emit-project --no-header -o packaging/requirements.txt

# Compiled once here: import time decides how long a run takes, and some machines forbid Python to keep its bytecode.
ifdef UV
.venv/runtime: uv.lock pyproject.toml
	@test -e .venv/develop || $(UV) sync -q --compile-bytecode --locked --no-dev --group build
	@$(BIN)/python -m compileall -q digest && touch $@
.venv/develop: uv.lock pyproject.toml
	$(UV) sync -q --compile-bytecode --locked --all-groups --all-extras
	@$(BIN)/python -m compileall -q digest && touch .venv/runtime $@
else
.venv/runtime: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "digest needs Python 3.11 or later; set PYTHON=python3.11")'
	@echo "Installing into .venv (once)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv  # one that uv made has no pip
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q digest && touch $@
.venv/develop: requirements-dev.txt .venv/runtime
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@
endif

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
