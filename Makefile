# Everything runs inside .venv; PYTHON picks the interpreter that creates it (3.11 to 3.13).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup setup-spark setup-s3 demo test test-fast lint picture lock clean

setup: $(VENV)/installed

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if (3, 11) <= v < (3, 14) else f"Touchstone needs Python 3.11 to 3.13, {sys.executable} is {v.major}.{v.minor}. Name another: make setup PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Spark beside the rest, for `touchstone score --engine spark`; it needs Java 17.
setup-spark: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --no-build-isolation --requirement requirements-spark.lock

# An S3 server for the tests of object storage, in an environment of its own; without it they are skipped.
setup-s3: .venv-s3/installed

.venv-s3/installed: requirements-s3.lock
	$(PYTHON) -m venv .venv-s3
	.venv-s3/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-s3.lock
	@touch $@

demo: setup
	$(BIN)/touchstone demo

test: lint
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-fast: setup
	$(BIN)/pytest -m "not slow"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers 2
	$(BIN)/lint-imports

bench-%: setup
	$(BIN)/python -m benchmarks.$* $(WORKSPACE)

# README's picture of the console, from a demo of its own; needs Debian's chromium.
picture: setup
	$(BIN)/python -m benchmarks.console_picture

# Needs uv; writes the lock files for every supported Python and platform, without index addresses.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
		pyproject.toml --group dev --output-file requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
		--group bento --constraint requirements.lock --output-file requirements-bento.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
		--group spark --constraint requirements.lock --output-file requirements-spark.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
		--group s3 --output-file requirements-s3.lock

clean:
	rm -rf $(VENV) .venv-s3 workspace build *.egg-info .mypy_cache .pytest_cache .ruff_cache
