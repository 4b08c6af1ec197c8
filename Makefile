# Every target sets up .venv by itself. `make help` lists them.
PROFILE ?= laptop
SEEDS   ?= 0 1 2
N       ?= 3
EXECUTOR ?= local
CORES   ?=
PORT    ?= 8000

# TORCH=cpu sets .venv up without CUDA, and is remembered there. READER=1 has an environment of its own that
# draws the book from its records; it trains nothing, and shows the live chapter as it was published.
TORCH  ?= $(shell cat .venv/.torch 2>/dev/null)
READER ?=
VENV := $(if $(READER),.venv-reader,.venv)
KIND := $(if $(READER),reader,$(if $(filter cpu,$(TORCH)),cpu,full))
SIZE_reader := 1 GB
SIZE_cpu := 3 GB
SIZE_full := 7 GB
BIN  := $(VENV)/bin
# uv, where it is there, takes a fraction of pip's time.
INSTALL := $(if $(shell command -v uv),uv pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip install --quiet --disable-pip-version-check)
SITE := build/book/_build/html
FLOW := $(BIN)/snakemake --snakefile workflow/Snakefile $(if $(CORES),--cores $(CORES))
HERE := --workflow-profile workflow/profiles/local
# Chapters are forks of one process that has imported the library; elsewhere forks and threads do not mix.
FORKS := $(if $(filter Linux,$(shell uname)),python -m softlabels.book.engine)
THERE := --workflow-profile workflow/profiles/$(EXECUTOR)
ASKED = train=true profile=$(PROFILE) seeds="$(SEEDS)" $(CONFIG)
# A data folder beside the project is used where there is one; see book/data.md.
ifneq ($(wildcard ../shared/data),)
export SOFTLABELS_DATA ?= $(abspath ../shared/data)
endif
export PATH := $(abspath $(BIN)):$(PATH)
export JUPYTER_PREFER_ENV_PATH := 1
export PYTHONUNBUFFERED := 1
# Threads that wait without spinning: on a busy machine those that spin hold up the one they wait for.
export OMP_WAIT_POLICY ?= PASSIVE
# Reports how long the rest of the recipe took, and keeps its status.
TIMED = @begin=$$(date +%s); report() { printf 'make $@: %s minutes\n' "$$(awk "BEGIN { printf \"%.1f\", ($$(date +%s) - $$begin) / 60 }")"; };

.PHONY: help book test test-cluster bench reproduce publish audit serve pdf screens lock clean
.DEFAULT_GOAL := help

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | awk -F'\t' '{ printf "make %-12s %s\n", $$1, $$2 }'

# The book is drawn from committed records alone: a cache of its own hides runs trained here since.
book publish: export SOFTLABELS_CACHE := $(abspath build/cache)
book: $(VENV)/.stamp  ## execute every notebook from the committed records and build the site
	$(TIMED) $(FORKS) $(FLOW) $(HERE) $(if $(READER),--config reader=true) && echo "The book: $(abspath $(SITE))/index.html" && report

reproduce: .venv/.stamp  ## train what is missing, then the book: PROFILE=laptop SEEDS="0 1 2" EXECUTOR=local
	$(TIMED) $(FLOW) trained $(THERE) $(SNAKEMAKE_OPTIONS) --config $(ASKED) \
	  && $(FORKS) $(FLOW) $(HERE) --config $(ASKED) \
	  && echo "The book: $(abspath $(SITE))/index.html" && report

# A file of tests for each core, each on one thread.
test: export OMP_NUM_THREADS ?= 1
test: .venv/.stamp  ## lint, types and all tests
	$(TIMED) ruff check . && ruff format --check . && mypy && python -m pytest -n auto --dist loadfile --no-loadscope-reorder && report

test-cluster: .venv/.stamp  ## the same runs here and on a SLURM that it starts; needs root and Debian or Ubuntu
	@python workflow/cluster.py

bench: .venv/.stamp  ## measure speed, ours and peers: half an hour on a quiet machine
	$(TIMED) python benchmarks/all.py && report

publish: .venv/.stamp  ## refresh the generated tables, build the book, refresh the committed chapters
	@python -m softlabels.book generate
	@$(MAKE) --no-print-directory book
	@python -m softlabels.book publish build/book

audit: .venv/.stamp  ## train N=3 committed runs again on this machine and compare
	@softlabels audit $(N)

serve: $(VENV)/.stamp  ## show the built site on this machine: PORT=8000
	@test -f $(SITE)/index.html || { echo "No site yet: run 'make book' first." >&2; exit 1; }
	@python -m http.server --bind 127.0.0.1 --directory $(SITE) $(PORT)

pdf: .venv/.stamp  ## print the built site as one PDF; needs Chromium
	@test -f $(SITE)/index.html || { echo "No site yet: run 'make book' first." >&2; exit 1; }
	$(TIMED) python -m softlabels.book.pdf $(SITE) build/book.pdf && report

screens: .venv/.stamp  ## pictures of every page, wide and narrow, light and dark; needs Chromium
	@test -f $(SITE)/index.html || { echo "No site yet: run 'make book' first." >&2; exit 1; }
	$(TIMED) python -m softlabels.book.screens $(SITE) build/screens && report

# Every hash is checked, but for PyTorch's builds without CUDA, which uv knows where to find; the package itself
# has none, so it comes last.
$(VENV)/.stamp: requirements.lock pyproject.toml
	@python=$$(for p in python3.11 python3.12 python3.13 python3; do \
	    $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1 \
	      && { echo $$p; break; }; done); \
	  test -x $(BIN)/python || { \
	    test -n "$$python" || { echo "No Python 3.11, 3.12 or 3.13 found; install one of them." >&2; exit 1; }; \
	    echo "Setting up $(VENV) with $$python: this takes about $(SIZE_$(KIND)) on disk and some minutes, once."; \
	    $$python -m venv $(VENV); }
	@$(BIN)/python workflow/environment.py $(KIND) > $(VENV)/requirements.txt
	@$(INSTALL) --no-deps --require-hashes -r $(VENV)/requirements.txt
	@$(if $(filter cpu,$(KIND)),$(BIN)/python -m pip install --quiet --disable-pip-version-check uv && \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --torch-backend cpu \
	  $$(grep -oE '^torch(vision)?==[0-9.]+' requirements.lock) && echo cpu > .venv/.torch)
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

lock: .cache/uv/bin/uv  ## renew requirements.lock from pyproject.toml and constraints.txt
	@.cache/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes \
	  --no-header -c constraints.txt pyproject.toml -o requirements.lock $(LOCK_OPTIONS)

.cache/uv/bin/uv: .venv/.stamp
	@python -m venv .cache/uv && .cache/uv/bin/pip install --quiet --disable-pip-version-check uv

clean:  ## remove what was built; records, the local cache and .venv stay
	@rm -rf build book/_build .snakemake
