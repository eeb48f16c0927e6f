# make tour | make test | make test-slow | make notebooks | make docs | make bench | make tables | make screens: each
# makes .venv itself.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet -c constraints.txt

# numba does not notice an edited callee in another file: its cache is named after every kernel source and flag.
KERNELS := $(shell grep -rlE --include=*.py "^(from|import) numba" skpapers | LC_ALL=C sort)
export NUMBA_CACHE_DIR := $(CURDIR)/.numba_cache/$(shell (cat $(KERNELS); env | grep '^NUMBA_' | grep -v CACHE_DIR | LC_ALL=C sort) | sha256sum | cut -c1-16)

.PHONY: tour test test-slow notebooks docs bench tables screens clean

tour: .venv/installed
	$(BIN)/python -m skpapers compare

test: .venv/installed-dev $(NUMBA_CACHE_DIR)/trees
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2

test-slow: .venv/installed-dev $(NUMBA_CACHE_DIR)/trees
	$(BIN)/python -m pytest -n 2 -m slow

$(NUMBA_CACHE_DIR)/trees: .venv/installed-dev
	$(BIN)/python tests/compile_trees.py
	touch $@

# Two notebooks at a time, each on one thread: more threads only wait for one another.
NBMAKE := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --nbmake --nbmake-timeout=600 -n 2

notebooks: .venv/installed-dev
	$(NBMAKE) notebooks

# The notebooks are executed in copies, which the pages show. Sphinx reads only what is below its source folder.
docs: .venv/installed-dev
	rm -rf docs/notebooks
	mkdir docs/notebooks
	cp notebooks/*.ipynb docs/notebooks
	$(NBMAKE) --overwrite docs/notebooks
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

bench: benchmarks/.venv/installed
	for file in benchmarks/bench_*.py; do benchmarks/.venv/bin/python $$file || exit 1; done
	benchmarks/.venv/bin/python benchmarks/reproduce.py

tables: .venv/installed
	$(BIN)/python docs/tables.py

# The screens and the picture of the pages: after a change of what compare prints.
screens: .venv/installed
	$(BIN)/python docs/screens.py

clean:
	rm -rf .venv benchmarks/.venv .numba_cache docs/_build docs/notebooks

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -e .
	touch $@

.venv/installed-dev: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -e '.[test,docs]'
	touch $@

benchmarks/.venv/installed: pyproject.toml benchmarks/constraints.txt
	$(PYTHON) -m venv benchmarks/.venv
	benchmarks/.venv/bin/python -m pip install --quiet -c benchmarks/constraints.txt -e '.[bench]'
	benchmarks/.venv/bin/python -m pip install --quiet --no-deps pyscnn==0.0.10 linalg_backends==0.0.1b0 # torchvision, which it does not need
	benchmarks/.venv/bin/python -m pip install --quiet --no-deps aeon==1.6.0 # an older numba; with this one its answers are equal, bit for bit
	benchmarks/.venv/bin/python -m pip install --quiet --no-deps u8darts==0.39.0 fracast==0.1.0 # a network trained alike, and one with weights in its package
	benchmarks/.venv/bin/python -m pip install --quiet --no-deps torch-ttt==0.0.2 # torchvision, which it imports and does not declare
	benchmarks/.venv/bin/python -m pip install --quiet --no-deps pystreed==1.4.0 scikit-survival==0.28.0 # solvers that their imports do not need
	touch $@
