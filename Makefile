# `make ingest` and `make test` do everything on a fresh machine: each sets up what it needs.
# For all other commands: .venv/bin/lsif-ingest --help

PYTHON ?= python3
TORCH  ?= torch==2.13.0
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PIP     = $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--constraint constraints.txt

REPO    ?=
DUMP    ?=
ROOT    ?=
REF     ?=
SUBDIR  ?=
PROJECT ?=
CONFIG  ?=
QUERY   ?= how do I wait longer after each failed attempt
NAME    ?=
ARGS    ?=
TORCH_INDEX ?=

# Values reach the program through the environment, so that no shell interprets them.
export LSIF_REPO    := $(value REPO)
export LSIF_DUMP    := $(value DUMP)
export LSIF_ROOT    := $(if $(ROOT),$(value ROOT),$(value REPO))
export LSIF_REF     := $(value REF)
export LSIF_SUBDIR  := $(value SUBDIR)
export LSIF_PROJECT := $(value PROJECT)
export LSIF_CONFIG  := $(value CONFIG)
export LSIF_QUERY   := $(value QUERY)
export LSIF_TORCH_INDEX := $(value TORCH_INDEX)

GIVEN :=
ifneq ($(DUMP),)
GIVEN := --dump "$$LSIF_DUMP" $(if $(LSIF_ROOT),--root "$$LSIF_ROOT")
else ifneq ($(REPO),)
GIVEN := --repo "$$LSIF_REPO"
endif
AT      := $(if $(LSIF_REF),--ref "$$LSIF_REF") $(if $(LSIF_SUBDIR),--subdir "$$LSIF_SUBDIR")
SAMPLE  := --dump tests/data/sample.lsif --root tests/data/sample
OPTIONS := $(if $(LSIF_PROJECT),--project "$$LSIF_PROJECT") $(if $(CONFIG),--config "$$LSIF_CONFIG")

RECORDS := data/projects/sample/structures.jsonl
BENCHES := parse embed stage gpu search upload scale flow quality truth truth-crates \
	graph-parse graph-refs graph-truth formats kill-resume fuzz
EXTRAS_parse  := bench
EXTRAS_embed  := bench,openvino
EXTRAS_search := bench
ARGS_truth       := $(RECORDS) tests/data/sample
ARGS_graph-truth := tests/data/sample
ARGS_kill-resume := $(RECORDS)
ifneq ($(filter bench,$(MAKECMDGOALS)),)
ifneq ($(words $(NAME)) $(filter-out $(BENCHES),$(NAME)),1 )
$(error make bench NAME=... takes one of: $(BENCHES); found: $(or $(NAME),nothing))
endif
endif

TARGETS := help setup ingest search serve status verify deploy worker tune test test-kills \
	test-deployed test-tune test-server bench quality lint types check browser clean clean-data
.DEFAULT_GOAL := help
.PHONY: $(TARGETS)

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## install into .venv; TORCH_INDEX=URL is PyTorch's index of CPU wheels
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else \
		"make: Python 3.11 or later is required; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	# torch first and pinned: an open range in another package would install gigabytes.
	# Its own index may lack the pinned versions of what it needs: those come next.
	$(PIP) $(if $(TORCH_INDEX),--no-deps --index-url "$$LSIF_TORCH_INDEX") "$(TORCH)"
	$(PIP) --editable '.[dev]'
	@touch $@

ingest: $(READY) ## index the sample, or REPO=DIR|URL REF SUBDIR, or DUMP=FILE ROOT=DIR
	@$(BIN)/lsif-ingest ingest $(or $(GIVEN),$(SAMPLE)) $(AT) $(OPTIONS) $(ARGS)

search: $(READY) ## search PROJECT, or what was indexed last, for QUERY="how do I ..."
	@$(BIN)/lsif-ingest search $(OPTIONS) $(ARGS) -- "$$LSIF_QUERY"

serve: $(READY) ## serve the search page and the HTTP API on http://127.0.0.1:8000
	@$(BIN)/lsif-ingest serve $(OPTIONS) $(ARGS)

status: $(READY) ## show what is indexed: all projects, or PROJECT
	@$(BIN)/lsif-ingest status $(OPTIONS) $(ARGS)

verify: $(READY) ## compare the index of PROJECT, or the last one, with its records
	@$(BIN)/lsif-ingest verify $(OPTIONS) $(ARGS)

# Never the sample: a server would index it every night.
deploy: $(READY) ## have a Prefect server index REPO, or DUMP and ROOT, nightly: ARGS="--cron ..."
	@$(BIN)/lsif-ingest deploy $(GIVEN) $(AT) $(OPTIONS) $(ARGS)

worker: $(READY) ## run what the Prefect server has scheduled: ARGS="--pool NAME --limit N"
	@exec $(BIN)/lsif-ingest worker $(ARGS)

tune: $(READY) ## install the extra `tune` (110 MB) and train: ARGS="structures.jsonl ... -o DIR"
	$(PIP) --editable '.[tune]'
	@$(BIN)/lsif-ingest tune $(ARGS)

# One more than there are cores: tests wait for processes that they start.
WORKERS = $(shell $(PYTHON) -c 'import os; print(min(os.cpu_count() + 1, 4))')
test: $(READY) ## run the tests
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile $(ARGS)

test-kills: $(READY) ## kill runs at 60 random moments in each test of that, not at 8 (minutes)
	KILLS=60 $(BIN)/python -m pytest -k 'killed_at' $(ARGS)

test-deployed: $(READY) ## run the slow tests: Prefect workers, Dask, an installed wheel (minutes)
	$(BIN)/python -m pytest -m deployed $(ARGS)

# Not in `test`: with the extra installed, each process that loads a model takes 94 MB more.
test-tune: $(READY) ## install the extra `tune` (110 MB) and run the tests that train a model
	$(PIP) --editable '.[tune]'
	$(BIN)/python -m pytest tests/test_embedding_tuning.py tests/test_embedding_tuning_reranker.py $(ARGS)

# Each test starts the program in a folder of its own; see DEVELOPMENT.md.
test-server: $(READY) ## run the tests of the index against a real Qdrant: QDRANT_TEST_BINARY=FILE
	@test -x "$(QDRANT_TEST_BINARY)" || { echo "QDRANT_TEST_BINARY names no program; \
	build or download Qdrant 1.16 or later: QDRANT_TEST_BINARY=/path/to/qdrant make test-server"; exit 2; }
	QDRANT_TEST_BINARY="$(abspath $(QDRANT_TEST_BINARY))" $(BIN)/python -m pytest \
		$(wildcard tests/test_storage_*.py) tests/test_search_engine.py $(ARGS)

bench: $(READY) ## run benchmark NAME=parse|embed|... with ARGS (minutes); without NAME: list
ifneq ($(EXTRAS_$(NAME)),)
	$(PIP) --editable '.[$(EXTRAS_$(NAME))]'
endif
ifeq ($(NAME),fuzz)
	FUZZ_EXAMPLES=10000 $(BIN)/python -m pytest -q tests/test_lsif_fuzz.py \
	    tests/test_lsif_scip_fuzz.py $(ARGS)
else
	$(BIN)/python $(or $(wildcard benchmarks/bench_$(NAME).py),benchmarks/$(subst -,_,$(NAME)).py) \
		$(or $(ARGS),$(ARGS_$(NAME)))
endif

quality: $(READY) ## measure search quality with judged queries (half an hour): ARGS="--half test"
	$(BIN)/python benchmarks/quality.py $(ARGS)

lint: $(READY) ## check style, format and the layers of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY) ## check types
	$(BIN)/mypy
	$(BIN)/mypy benchmarks/*.py

check: lint types test ## lint, types and test

browser: ## install Debian's chromium for the tests of the search page (needs root)
	command -v chromium >/dev/null || { apt-get update -qq \
		&& apt-get install -y -qq --no-install-recommends chromium; }

clean: ## remove the environment and the caches; indexed data stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

clean-data: ## remove data/: every index, checkpoint and report in it
	@if [ -e data ]; then du -sh data | sed 's/^/Removing (size, folder): /' && rm -rf data; \
		else echo "There is no folder data."; fi
