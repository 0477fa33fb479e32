# On a bare machine with Python 3.10 to 3.13 and make, `make demo` and `make test` do everything.

PYTHON ?= python3
PHOTO ?=
SECONDS ?= 600
TARGET ?= decode
WEB := src/neural_collage/web
PAGE := $(WEB)/static/studio.js
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
CODE := src tests examples benchmarks docs

.DEFAULT_GOAL := help
.PHONY: help demo tutorial studio test lint types check coverage docs fuzz soak wheel format clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: .venv/.installed-demo ## compress a photo (PHOTO=path, else the astronaut), write demo/
	$(BIN)/python examples/demo.py $(if $(PHOTO),"$(PHOTO)")

tutorial: .venv/.installed-demo ## train a small neural collage for a minute, write tutorial/
	$(BIN)/python examples/tutorial.py

studio: .venv/.installed-studio $(PAGE) ## open the studio in a browser
	$(BIN)/collage studio

test: lint types check ## lint, types and tests: what CI runs

lint: .venv/.installed-dev ## ruff: lint and format, nothing changed
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

types: .venv/.installed-dev ## mypy, strict
	$(BIN)/mypy

check: .venv/.installed-dev $(if $(shell command -v npm),$(PAGE)) ## the tests alone
	$(BIN)/python -m pytest -n 2 --dist loadgroup

coverage: .venv/.installed-dev ## the tests, and how much of the code they run; build/coverage
	mkdir -p build
	$(BIN)/python -m pytest -n 2 --dist loadgroup --cov --cov-report term --cov-report html

docs: .venv/.installed-dev ## build the documentation site in build/site, links checked
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

fuzz: .venv/.installed-fuzz ## fuzz for SECONDS=600 a TARGET=decode (container, partial, pillow), find crash-*
	mkdir -p fuzz
	$(BIN)/python -m tests.fuzz.run $(TARGET) -max_total_time=$(SECONDS) \
	  -artifact_prefix=fuzz/ fuzz tests/fuzz/corpus

soak: .venv/.installed-dev wheel ## the long tests: faults, a million hostile files, batches; 20 minutes
	$(BIN)/python -m benchmarks.faults
	$(BIN)/python -m benchmarks.hostile
	$(BIN)/python -m benchmarks.batches

wheel: .venv/.installed-dev ## build the archives, try the wheel without and with the encoder
	rm -rf dist build/bare
	$(PIP) build
	$(BIN)/python -m build --outdir dist > /dev/null # the wheel from the source archive
	$(PYTHON) -m venv build/bare
	build/bare/bin/pip --disable-pip-version-check install --quiet --constraint constraints.txt \
	  dist/*.whl
	rm -rf build/neural && mkdir build/neural
	cp tests/conformance/files/neural-*.clg build/neural && rm build/neural/neural-links.clg
	cd build/bare && ! bin/python -c 'import torch' 2> /dev/null \
	  && bin/collage batch ../neural png --task decompress \
	  && bin/collage compress png/neural-photo.png 2>&1 | grep 'neural-collage\[encode\]'
	build/bare/bin/pip --disable-pip-version-check install --quiet --constraint constraints.txt \
	  "$$(ls dist/*.whl)[encode]"
	cd build/bare && bin/collage batch ../../tests/conformance/files png --task decompress \
	  && bin/collage compress png/neural-photo.png -o photo.clg && bin/collage info photo.clg \
	  && bin/collage batch png table.parquet 2>&1 | grep 'neural-collage\[parquet\]'

format: .venv/.installed-dev ## let ruff rewrite the code
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

clean: ## remove the environment, caches and what the demo wrote
	rm -rf .venv build dist demo fuzz tutorial .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -rf $(WEB)/node_modules $(WEB)/static
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp per set of extras: the install is done once, and again when its inputs change.
.venv/.installed-demo: EXTRAS := demo,bench
.venv/.installed-dev: EXTRAS := dev
.venv/.installed-fuzz: EXTRAS := dev,fuzz
.venv/.installed-studio: EXTRAS := bench,studio
.venv/.installed-%: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --editable '.[$(EXTRAS)]'
	@touch $@

# The studio's page, built from web/client with what the lock file names; it goes into the wheel.
$(PAGE): $(WEB)/package-lock.json $(shell find $(WEB)/client -type f)
	@command -v npm > /dev/null || { echo "install npm (Node.js) first: it builds the page"; exit 1; }
	cd $(WEB) && npm ci --silent && npm run --silent build
	@touch $@
