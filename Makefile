# The two main commands are `make demo` and `make test`; the others are for special purposes.
# The newest that is here and can build an environment: Debian has Pythons without ensurepip, a version manager leaves commands of
# versions that are not active.
FITS := import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
  $$python -c '$(FITS)' 2>/dev/null && command -v $$python && break; done)
# About 9 GB, nearly all of it CUDA libraries and torch; with LOCK=requirements-cpu.lock, 2 GB without them.
LOCK ?= requirements.lock
BIN := .venv/bin

.PHONY: env demo up down test test-fast test-gpu pytest lint style types canary bench bench-gpu bench-people bench-search bench-page bench-scale drill chaos soak hostile lock wheel clean delete-library browser containers containers-test

env: .venv/.complete

.venv/.complete: $(LOCK) pyproject.toml
	@[ -n "$(PYTHON)" ] && "$(PYTHON)" -c '$(FITS)' 2>/dev/null || { echo "Earshot needs Python 3.11, 3.12 or 3.13 with its modules venv \
	and ensurepip; found $$($(or $(PYTHON),python3) --version 2>&1). Install one (on Debian and Ubuntu: apt install python3-venv), or say \
	where it is: make PYTHON=/path/to/python3.13"; exit 1; }
	@echo "Building .venv with $$($(PYTHON) --version) from $(LOCK) (2-5 minutes cold)"
	@rm -rf .venv && $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check "uv==$$(sed -n 's/^uv==//p' requirements.lock)"
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python $(LOCK)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: env
	@$(BIN)/python -m bench.demo

up: env
	@$(BIN)/earshot up

down: env
	@$(BIN)/earshot down

# The types are checked beside the tests, which leave a core idle now and then.
test: style browser
	@$(MAKE) --no-print-directory -j 2 types pytest

pytest: env
	@$(BIN)/python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder

# Needs an NVIDIA GPU; runs the real models on it.
test-gpu: env
	@$(BIN)/python -m pytest -m gpu tests/gpu

test-fast: env
	@$(BIN)/python -m pytest -m "not slow and not gpu"

lint: style types

style: env
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo

types: env
	@$(BIN)/pyright --warnings

# Tests the Dagster internals that Earshot uses with the newest Dagster. Run it before raising the pin.
canary: env
	@rm -rf .canary && $(BIN)/uv venv --quiet --python $(BIN)/python .canary
	@sed 's/^\(dagster[a-z-]*\)==/\1>=/' requirements.lock >.canary/requirements.txt
	@$(BIN)/uv pip install --quiet --python .canary/bin/python -r .canary/requirements.txt
	@$(BIN)/uv pip install --quiet --python .canary/bin/python --no-deps --no-build-isolation --editable .
	@.canary/bin/python -c 'import dagster; print("tests/dagster_contract with Dagster", dagster.__version__)'
	@.canary/bin/python -m pytest tests/dagster_contract

bench: env
	@$(BIN)/python -m bench.pipeline

# Needs an NVIDIA GPU; takes at most half an hour, and continues if called again.
bench-gpu: env
	@$(BIN)/python -m bench.gpu 1800

bench-people: env
	@$(BIN)/python -m bench.people

bench-search: env
	@$(BIN)/python -m bench.search
	@$(BIN)/python -m bench.search.retrieval
	@$(BIN)/python -m bench.search.languages

bench-page: env
	@$(BIN)/python -m bench.scale.page

bench-scale: env browser
	@$(BIN)/python -m bench.scale

drill: env
	@EARSHOT_DEVICE=cpu $(BIN)/python -m bench.drill

# Faults at random against a running library, for as long as it takes: about a minute each. SEED and FAULTS choose them.
SEED ?= 1
FAULTS ?= 30
chaos: env
	@EARSHOT_DEVICE=cpu $(BIN)/python -m bench.chaos --seed $(SEED) --faults $(FAULTS)

# A running library at work, and what of it grows. With SPEED=45 the time of day goes 45 times as fast: 40 minutes are 30 hours.
MINUTES ?= 60
SPEED ?= 1
soak: env
	@EARSHOT_DEVICE=cpu $(BIN)/python -m bench.chaos.soak --minutes $(MINUTES) --speed $(SPEED)

# Hostile inputs (files, names, feeds, servers, configuration) through the real door, for half an hour.
hostile: env
	@EARSHOT_DEVICE=cpu $(BIN)/python -m bench.chaos.hostile --seed $(SEED)

# The tests open the UI in a real browser. Installs it for root on Debian or Ubuntu; otherwise says what to do.
browser: env
	@command -v chromium chromium-browser google-chrome >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-dejavu-core >/dev/null; } || \
	  { echo "make test needs Chromium for the UI's pictures: install the package 'chromium', then run it again"; exit 1; }

# dist/earshot-*.whl, which works without the clone (docs/guides/operation/install.md).
wheel: env
	@$(BIN)/python -m hatchling build --target wheel

# The images of deploy/containers/Dockerfile, with Docker: `make containers IMAGES=cuda`. BUILD_OPTIONS go to `docker build`.
IMAGES ?= cpu demo
containers:
	@for image in $(IMAGES); do DOCKER_BUILDKIT=1 docker build $(BUILD_OPTIONS) --file deploy/containers/Dockerfile \
	  --target $$image --build-arg PIP_INDEX_URL --tag earshot:$$image . || exit 1; done

# Starts them with Compose, kills and restarts some while they work, and checks that nothing is lost.
containers-test: env
	@PYTHONPATH=. $(BIN)/python deploy/containers/proof.py

# Run after changing a pin in pyproject.toml. One lock for each Python that Earshot runs on, and a part of it without CUDA and
# torch; they name no registry, so they work with any.
COMPILE = $(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --no-emit-index-url --no-header --python-version 3.11 \
  pyproject.toml --extra demo
lock: env
	@$(COMPILE) --extra cuda --extra dev -o requirements.lock
	@$(COMPILE) --constraint requirements.lock -o requirements-cpu.lock
	@echo "# Only for the recording in its package, which the demo uses; the rest of it needs torch." >>requirements-cpu.lock
	@grep '^pyannote-audio==' requirements.lock >>requirements-cpu.lock

# Deletes the environment, not the library, after stopping Earshot.
clean:
	-@[ ! -x $(BIN)/earshot ] || $(BIN)/earshot down
	rm -rf .venv .canary

# Deletes the library in the clone: everything ingested, and every name and correction. Asks first, unless YES=1.
delete-library:
	@[ -e .earshot ] || { echo "There is no library in $(CURDIR)/.earshot."; exit 1; }
	@[ "$(YES)" = 1 ] || [ -t 0 ] || { echo "Nothing was deleted: there is no terminal to ask on. \
	To delete $(CURDIR)/.earshot without being asked: make delete-library YES=1"; exit 1; }
	@[ "$(YES)" = 1 ] || { printf 'Delete $(CURDIR)/.earshot, with all transcripts, voices, names and corrections? [y/N] '; \
	  read answer; [ "$$answer" = y ] || { echo "Nothing was deleted."; exit 1; }; }
	@[ ! -x $(BIN)/earshot ] || EARSHOT_HOME="$(CURDIR)/.earshot" $(BIN)/earshot down
	rm -rf .earshot
