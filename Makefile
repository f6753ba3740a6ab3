# Every target sets up what it needs in .venv; `make help` lists them.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The lowest Polars that pyproject.toml claims, and the environment that proves the claim.
OLDEST_POLARS := $(shell sed -n 's/.*"polars>=\([0-9.]*\).*/\1/p' pyproject.toml)
VENV_OLDEST := .venv-oldest
RUST_VERSION := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' native/Cargo.toml)

# uv where there is one, else the one that pip puts into .venv.
UV := $(shell command -v uv 2>/dev/null || echo $(BIN)/uv)
CARGO := cargo
NATIVE_SOURCES := $(shell find native -name target -prune -o -type f \( -name '*.rs' -o -name 'Cargo.*' \) -print)
UV_COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-annotate --no-emit-index-url --no-emit-find-links

missing = { echo "make: $(1)" >&2; exit 1; }

.PHONY: softhsm2 postgresql redis prometheus wrk help demo dagster test test-fast check bench build requirements clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.native ## Tokenize a million customers from CSV to Parquet, bring them back, compare, time
	$(BIN)/python examples/demo.py

test: softhsm2 postgresql redis prometheus $(VENV)/.native $(VENV_OLDEST)/.tools ## Run every test, native and Python, on the newest and the oldest Polars
	cd native && $(CARGO) test --release --locked --quiet
	$(BIN)/python -m pytest
	$(VENV_OLDEST)/bin/python -m pytest -p no:cacheprovider tests/engine_parity

test-fast: softhsm2 postgresql redis prometheus $(VENV)/.native ## Run the tests that take no more than a few seconds each
	cd native && $(CARGO) test --release --locked --quiet
	$(BIN)/python -m pytest -m "not slow"

check: $(VENV)/.native ## Check format, lints, types, import layers and exports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	cd native && $(CARGO) fmt --all --check
	cd native && $(CARGO) clippy --all-targets --locked --quiet -- -D warnings
	$(BIN)/python -m pytest --quiet tests/architecture

dagster: $(VENV)/.native ## Start Dagster over pipelines/, at http://127.0.0.1:3000
	mkdir -p build/dagster
	ln -sf ../../dagster.yaml build/dagster/dagster.yaml
	DAGSTER_HOME='$(CURDIR)/build/dagster' PATH='$(CURDIR)/$(BIN)':"$$PATH" dagster dev

bench: postgresql wrk $(VENV)/.native $(VENV)/.bench ## Measure this project, its peers and the processor's limit (BENCH="--help" for options)
	$(BIN)/python -m benchmarks $(BENCH)

build: $(VENV)/.tools ## Build the wheel and the source distribution into dist/
	$(BIN)/maturin build --release --sdist --out dist

requirements: $(VENV)/.uv ## Compile the hash-pinned requirements anew, with the newest versions
	mkdir -p build
	echo 'polars==$(OLDEST_POLARS)' > build/oldest-polars.txt
	$(UV_COMPILE) --upgrade --all-extras pyproject.toml requirements/dev.in -o requirements/dev.txt
	$(UV_COMPILE) --upgrade requirements/uv.in -c requirements/dev.txt -o requirements/uv.txt
	$(UV_COMPILE) --upgrade requirements/bench.in -c requirements/dev.txt -o requirements/bench.txt
	$(UV_COMPILE) --upgrade pyproject.toml requirements/test.in -c build/oldest-polars.txt \
		-o requirements/oldest.txt

clean: ## Remove everything that the other targets made
	rm -rf $(VENV) $(VENV_OLDEST) build dist native/target .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -f tokenkit/_native*.so tokenkit/_native*.pyd
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The tests talk to a real PKCS#11 module.
softhsm2:
	@command -v softhsm2-util >/dev/null || { \
		test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		{ apt-get install -y -qq softhsm2 >/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq softhsm2 >/dev/null; }; }; } || \
		$(call missing,SoftHSM2 is missing$(COMMA) which the tests need: install it (Debian: sudo apt-get install softhsm2))

# What asks the service for as much as it can give.
wrk:
	@command -v wrk >/dev/null || { \
		test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		{ apt-get install -y -qq wrk >/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq wrk >/dev/null; }; }; } || \
		$(call missing,wrk is missing$(COMMA) which the benchmark of the service needs: install it (Debian: sudo apt-get install wrk))

# The tests start a real server, as a user without rights.
postgresql:
	@command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || { \
		test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		{ apt-get install -y -qq postgresql >/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq postgresql >/dev/null; }; }; } || \
		$(call missing,PostgreSQL is missing$(COMMA) which the tests need: install it (Debian: sudo apt-get install postgresql))

# The tests count requests in a real server.
redis:
	@command -v redis-server >/dev/null || { \
		test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		{ apt-get install -y -qq redis-server >/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq redis-server >/dev/null; }; }; } || \
		$(call missing,Redis is missing$(COMMA) which the tests need: install it (Debian: sudo apt-get install redis-server))

prometheus:
	@command -v prometheus >/dev/null || { \
		test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		{ apt-get install -y -qq prometheus >/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq prometheus >/dev/null; }; }; } || \
		$(call missing,Prometheus is missing$(COMMA) which the tests need: install it (Debian: sudo apt-get install prometheus))

$(VENV)/.uv: requirements/uv.txt
	@command -v $(PYTHON) >/dev/null || $(call missing,$(PYTHON) is missing: install Python 3.11 or newer$(COMMA) or name it: make PYTHON=python3.12)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		$(call missing,Python 3.11 or newer is missing ($(PYTHON) is older): install it$(COMMA) or name it: make PYTHON=python3.12)
ifeq ($(UV),$(BIN)/uv)
	@$(PYTHON) -m venv $(VENV) || \
		$(call missing,$(PYTHON) cannot make virtual environments: install its venv module (Debian: apt install python3-venv) or uv)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
else
	$(UV) venv --quiet --allow-existing --python "$$(command -v $(PYTHON))" $(VENV)
endif
	@touch $@

$(VENV)/.tools: requirements/dev.txt $(VENV)/.uv
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r $<
	@touch $@

$(VENV)/.bench: requirements/bench.txt $(VENV)/.tools
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r $<
	@touch $@

$(VENV_OLDEST)/.tools: requirements/oldest.txt $(VENV)/.uv
	$(UV) venv --quiet --allow-existing --python $(BIN)/python $(VENV_OLDEST)
	$(UV) pip install --quiet --python $(VENV_OLDEST)/bin/python --require-hashes -r $<
	@touch $@

# Built only when its sources change. The module lands in tokenkit/, where both environments find it.
$(VENV)/.native: $(VENV)/.tools pyproject.toml connectors/pyproject.toml $(NATIVE_SOURCES)
	@command -v $(CARGO) >/dev/null || \
		$(call missing,cargo is missing: install Rust $(RUST_VERSION) or newer$(COMMA) with rustup or your system's packages)
	@$(BIN)/python -c 'import re, subprocess, sys; \
		found = re.search(r"(\d+)\.(\d+)", subprocess.check_output(["$(CARGO)", "--version"], text=True)); \
		sys.exit(tuple(map(int, found.groups())) < tuple(map(int, "$(RUST_VERSION)".split(".")[:2])))' || \
		$(call missing,Rust $(RUST_VERSION) or newer is missing (cargo is older): rustup update)
	@command -v cc >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null || \
		$(call missing,a C compiler is missing$(COMMA) which Rust links with: install gcc or clang (Debian: apt install build-essential))
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable . \
		--editable connectors
	@touch $@

COMMA := ,
