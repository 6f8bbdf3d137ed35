# Everything runs inside .venv; PYTHON picks the interpreter that creates it (3.11 to 3.13).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup setup-spark setup-s3 setup-explain demo test test-fast lint bench-explain picture lock clean

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

# The rivals of models/treeshap, for `make bench-explain`; the newest of some need Python 3.12, so the newest is taken.
EXPLAIN_PYTHON ?= $(firstword $(foreach version,3.13 3.12,$(shell python$(version) -c 'import sys; print(sys.executable)' 2>/dev/null)) $(PYTHON))

setup-explain: .venv-explain/installed

.venv-explain/installed: requirements-explain.lock
	$(EXPLAIN_PYTHON) -m venv .venv-explain
	.venv-explain/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-explain.lock
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

# The demo for its champion, then everybody on the same models: about ten minutes.
bench-explain: setup setup-explain
	$(BIN)/python -m benchmarks.explain_models build/explain
	.venv-explain/bin/python -m benchmarks.explain build/explain

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
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
		--group explain --output-file requirements-explain.lock

clean:
	rm -rf $(VENV) .venv-s3 .venv-explain workspace build *.egg-info .mypy_cache .pytest_cache .ruff_cache
