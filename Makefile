# What a developer types; `make help` lists it. Everything is installed into .venv, nothing elsewhere.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Python compiles a module when it is first imported: of what is installed, most never is.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
CPP := CMakeLists.txt pyproject.toml $(wildcard src/*)
# Where pip finds PyTorch; on Linux give it the index of PyTorch's CPU builds, or it brings CUDA along.
TORCH_INDEX ?=

# Tests of what stands above the arrays: they run on NumPy's arrays too.
ON_NUMPY := $(addprefix tests/,test_api.py test_api_signatures.py test_bad_input.py autograd func nn init optim data)
ON_NUMPY += $(addprefix tests/ops/test_,conventions.py every_op.py indexing.py random_ops.py rules.py values.py)
ON_NUMPY += $(addprefix tests/debug/test_,anomaly.py check.py planted_bugs.py record.py stepping.py)
ON_NUMPY += $(addprefix tests/apps/,test_simple_ml.py test_mlp_resnet.py)

.PHONY: help build test mnist bench lint sanitize clean
.DELETE_ON_ERROR:

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1|/p' $(MAKEFILE_LIST) | column -t -s '|'

build: $(VENV)/built  ## install Needle from this tree (Python edits count at once) and compile the C++ if it changed

# Tests that run whole submissions take as long as all others together: .ci/run does them (pytest -m grading).
# What fails runs once more with pytest's rewritten assertions, which show values; rewriting all takes ten seconds.
PYTEST := $(BIN)/python -m pytest -q
test: build  ## run all tests
	$(PYTEST) --assert=plain --numprocesses auto --dist worksteal -m "not grading" $(ARGS) || \
	  { $(PYTEST) --last-failed -m "not grading" $(ARGS); exit 1; }
	NEEDLE_BACKEND=np $(PYTEST) --assert=plain --numprocesses auto --dist worksteal $(ARGS) $(ON_NUMPY) || \
	  { NEEDLE_BACKEND=np $(PYTEST) --last-failed $(ARGS) $(ON_NUMPY); exit 1; }

mnist: build  ## train an MLP on MNIST: make mnist ARGS="--epochs 2 --data mini"
	$(BIN)/python apps/mnist_mlp.py $(ARGS)

bench: build $(VENV)/peers  ## measure against PyTorch, JAX and NumPy: make bench ARGS="--only gemm"
	$(BIN)/python -m apps.bench $(ARGS)

lint: $(VENV)/linters  ## ruff, mypy --strict, clang-format
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run -Werror src/*.cpp src/*.h tests/src/*.cpp apps/bench/*.cpp hw/*/*.cpp hw/*/*.h

sanitize: build  ## the kernel tests under the address, undefined-behaviour and thread sanitizers (Linux, GCC)
	tests/build/sanitize.sh $(BIN)/python

clean:  ## remove what was built, and .venv
	rm -rf $(VENV) build dist python/needle/backend_ndarray/*.so
	find . -name __pycache__ -prune -exec rm -rf {} +
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Stamps: each is newer than what it was made from, so nothing is installed twice.
$(VENV)/created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Needle needs Python 3.10 or newer; choose one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) cmake ninja "pybind11>=2.13" "scikit-build-core>=0.10"
	touch $@

$(VENV)/built: $(VENV)/created $(CPP)
	$(PIP) --no-build-isolation --editable ".[test]"
	touch $@

$(VENV)/linters: $(VENV)/built
	$(PIP) --no-build-isolation --editable ".[lint]"
	touch $@

$(VENV)/peers: $(VENV)/created
	$(PIP) "torch==2.13.0" $(TORCH_INDEX)
	$(PIP) jax optax
	touch $@
