# Two commands do everything on a fresh machine: `make ingest` and `make test`. Each sets up what it needs.

PYTHON ?= python3
TORCH  ?= torch==2.13.0
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

REPO   ?=
DUMP   ?=
ROOT   ?=
CONFIG ?=
REF    ?=
SUBDIR ?=
PROJECT ?=
CRON   ?= 0 3 * * *
TIMEZONE ?= UTC
POOL   ?=
POOL_TYPE ?= process
LIMIT  ?=
IMAGE  ?=
RECORDS ?= data/projects/sample/structures.jsonl
QUERY  ?= how do I wait longer after each failed attempt
ARGS   ?=

# What the user passes reaches the program through the environment: no shell interprets it.
export LSIF_REPO   := $(value REPO)
export LSIF_DUMP   := $(value DUMP)
export LSIF_ROOT   := $(if $(ROOT),$(value ROOT),$(value REPO))
export LSIF_CONFIG := $(value CONFIG)
export LSIF_QUERY  := $(value QUERY)
export LSIF_RECORDS := $(value RECORDS)
export LSIF_REF := $(value REF)
export LSIF_SUBDIR := $(value SUBDIR)
export LSIF_PROJECT := $(value PROJECT)
export LSIF_CRON := $(value CRON)
export LSIF_TIMEZONE := $(value TIMEZONE)
export LSIF_POOL := $(value POOL)
export LSIF_POOL_TYPE := $(value POOL_TYPE)
export LSIF_LIMIT := $(value LIMIT)
export LSIF_IMAGE := $(value IMAGE)

GIVEN :=
ifneq ($(DUMP),)
GIVEN := --dump "$$LSIF_DUMP" $(if $(LSIF_ROOT),--root "$$LSIF_ROOT")
else ifneq ($(REPO),)
GIVEN := --repo "$$LSIF_REPO"
endif
SOURCE := $(or $(GIVEN),--dump tests/data/sample.lsif --root tests/data/sample)
WITH_CONFIG := $(if $(CONFIG),--config "$$LSIF_CONFIG")
INGESTED := $(SOURCE) $(if $(LSIF_REF),--ref "$$LSIF_REF") $(if $(LSIF_SUBDIR),--subdir "$$LSIF_SUBDIR")
NAMED := $(if $(LSIF_PROJECT),--set "project.name='$$LSIF_PROJECT'")
OF_PROJECT := $(if $(LSIF_PROJECT),--project "$$LSIF_PROJECT")
# Not the sample: it would be indexed every night, on whichever server is named.
DEPLOYED := $(GIVEN) --ref "$$LSIF_REF" --subdir "$$LSIF_SUBDIR" --project "$$LSIF_PROJECT" --config "$$LSIF_CONFIG" --cron "$$LSIF_CRON" --timezone "$$LSIF_TIMEZONE"
FROM_POOL := --pool "$$LSIF_POOL" --pool-type "$$LSIF_POOL_TYPE"

.DEFAULT_GOAL := help
.PHONY: help setup ingest search serve status deploy undeploy worker serve-flow automations test test-deployed browser fuzz truth truth-crates quality bench-parse bench-embed bench-stage bench-gpu bench-search bench-upload bench-scale bench-flow kill-resume verify lint types check clean prefect

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## install everything into .venv (a second call costs nothing)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "make: Python 3.11 or later is needed; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	# torch first and pinned: an open range of another package would pull gigabytes.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

ingest: $(READY) ## index the sample, or REPO=dir-or-URL REF SUBDIR, or DUMP=file ROOT=dir; PROJECT names it, CONFIG=file changes settings
	@$(BIN)/lsif-ingest ingest $(INGESTED) $(NAMED) $(WITH_CONFIG) $(ARGS)

search: $(READY) ## search PROJECT, or what was indexed last: QUERY="how do I ..."
	@$(BIN)/lsif-ingest search $(OF_PROJECT) $(WITH_CONFIG) $(ARGS) -- "$$LSIF_QUERY"

serve: $(READY) ## serve the page and the HTTP API on http://127.0.0.1:8000
	@$(BIN)/lsif-ingest serve $(OF_PROJECT) $(WITH_CONFIG) $(ARGS)

status: $(READY) ## show what is indexed, or PROJECT alone
	@$(BIN)/lsif-ingest status $(OF_PROJECT) $(WITH_CONFIG) $(ARGS)

prefect: $(READY) ## start a Prefect server on http://127.0.0.1:4200; PREFECT_API_URL=http://127.0.0.1:4200/api names it
	@exec $(BIN)/python -m flows.deploy.commands server

deploy: $(READY) ## deploy nightly and on-merge of REPO=dir-or-URL, or DUMP=file ROOT=dir, on the Prefect server: REF PROJECT CRON TIMEZONE POOL POOL_TYPE IMAGE
	@$(BIN)/python -m flows.deploy.commands deploy $(DEPLOYED) $(FROM_POOL) --image "$$LSIF_IMAGE" $(ARGS)

undeploy: $(READY) ## remove the deployments of PROJECT, or of REPO, from the Prefect server; data stay
	@$(BIN)/python -m flows.deploy.commands undeploy $(GIVEN) --project "$$LSIF_PROJECT" $(ARGS)

worker: $(READY) ## run what is scheduled in work pool POOL, LIMIT runs at once
	@exec $(BIN)/python -m flows.deploy.commands worker $(FROM_POOL) $(if $(LIMIT),--limit "$$LSIF_LIMIT") $(ARGS)

serve-flow: $(READY) ## deploy as `deploy` does, and run what is scheduled, in one process without a pool
	@exec $(BIN)/python -m flows.deploy.commands serve $(DEPLOYED) $(ARGS)

automations: $(READY) ## have the Prefect server tell LSIF_NOTIFY_URL of failures, and end runs that are lost
	@$(BIN)/python -m flows.deploy.commands automations

test: $(READY) ## run the tests
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(ARGS)

fuzz: $(READY) ## parse 10,000 damaged dumps (minutes)
	FUZZ_EXAMPLES=10000 $(BIN)/python -m pytest -q tests/test_lsif_fuzz.py $(ARGS)

truth: $(READY) ## compare records with the sources they come from: RECORDS=structures.jsonl ROOT=dir
	$(BIN)/python benchmarks/truth.py "$$LSIF_RECORDS" "$$LSIF_ROOT"

truth-crates: $(READY) ## the same for real crates, dumped here: ARGS="DIR ...", or two of Debian's packages
	$(BIN)/python benchmarks/truth_crates.py $(ARGS)

test-deployed: $(READY) ## run deployments on a Prefect server with a worker, cancelled and killed; a Dask scheduler and its workers (minutes)
	$(BIN)/python -m pytest -m deployed tests/test_flows_deployments.py tests/test_flows_cluster.py tests/test_flows_orchestration.py $(ARGS)

browser: ## install Debian's chromium for the page's tests (needs apt-get and its rights)
	command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; }

quality: $(READY) ## how well queries are answered, by every way to search, on crates fetched and dumped here (minutes)
	$(BIN)/python benchmarks/quality.py $(ARGS)

bench-parse: $(READY) ## time the parser against the plain JSON loop (minutes); ARGS="DUMP ROOT" for a real dump
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python benchmarks/bench_parse.py $(ARGS)

bench-embed: $(READY) ## time embedding against the tutorial's way on two crates, fetched and dumped here (minutes)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench,openvino]'
	$(BIN)/python benchmarks/bench_embed.py $(ARGS)

bench-stage: $(READY) ## time everything of the embedding stage but the model, up to a million structures (minutes)
	$(BIN)/python benchmarks/bench_stage.py $(ARGS)

bench-gpu: $(READY) ## which share of a GPU's matrix rate embedding reaches; without one it runs on the processor
	$(BIN)/python benchmarks/bench_gpu.py $(ARGS)

kill-resume: $(READY) ## kill embedding runs of RECORDS=structures.jsonl with the real model at random moments, resume, compare (minutes)
	$(BIN)/python benchmarks/kill_resume.py "$$LSIF_RECORDS" $(ARGS)

bench-search: $(READY) ## time searching 20,000 structures, in the process and by 1, 4 and 16 clients (minutes)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python benchmarks/bench_search.py $(ARGS)

bench-upload: $(READY) ## time uploading and syncing against the tutorial's way (minutes); ARGS=--million sends a million points
	$(BIN)/python benchmarks/bench_upload.py $(ARGS)

bench-scale: $(READY) ## time the whole flow but the model on a million structures, and what it holds (half an hour); ARGS="NUMBER ..."
	$(BIN)/python benchmarks/bench_scale.py $(ARGS)

bench-flow: $(READY) ## time what runs cost beside their stages: Prefect, its server, imports (minutes); ARGS="DUMP ROOT" for a real dump
	$(BIN)/python benchmarks/bench_flow.py $(ARGS)

verify: $(READY) ## compare PROJECT, or what was indexed last, with its records
	@$(BIN)/lsif-ingest verify $(OF_PROJECT) $(WITH_CONFIG) $(ARGS)

lint: $(READY) ## check style, format and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY) ## check types
	$(BIN)/mypy

check: lint types test ## lint, types and tests

clean: ## remove the environment, the caches and everything that was indexed
	rm -rf $(VENV) data .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
