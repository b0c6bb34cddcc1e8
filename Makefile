# Everything this project does. Needs Python 3.11+ and make; the rest is set up by the first target that needs it.
PYTHON ?= python3
PORT ?= 8080
DURATION ?= 60
SHAPE ?= rush-hour
LOAD ?= 2
# --option value, if the variable is given on the command line: a shell may have a HOST of its own.
given = $(if $(filter command,$(origin $1)),--$2 "$($1)")
VENV := .venv
RUN := $(VENV)/bin/python -m
.DEFAULT_GOAL := help
.PHONY: help demo rush replay simulate up test storm test-compose faults chaos bench bench-ledger lint format lock clean

help:  ## what you can type
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

demo: $(VENV)/ready  ## start a grid, rush it with more cars than it can carry, and judge it
	@$(RUN) loadtest.demo

rush: $(VENV)/ready  ## rush a grid and report: SHAPE=rush-hour|workplace|public|burst|steady|trace LOAD=2 DURATION=60 [HOST=]
	@$(RUN) loadtest.rush --shape $(SHAPE) --load $(LOAD) --duration $(DURATION) $(call given,HOST,host) \
	  $(call given,PEAK,peak) $(call given,TIME_SCALE,time-scale) $(call given,FILE,trace) $(call given,DAY,day) \
	  $(call given,SUBSTATIONS_KW,substations)

replay: $(VENV)/ready  ## who of these sessions would have waited, and got what: TRACE=file LIMIT_KW=40 [ORDER=refuse|arrival|least-laxity]
	@$(RUN) loadtest.replay $(call given,TRACE,trace) $(call given,LIMIT_KW,limit-kw) $(call given,SHARE,share) \
	  $(call given,SUBSTATIONS,substations) $(call given,ORDER,order) $(call given,CSV,csv)

simulate: $(VENV)/ready  ## how well cars are placed, beside theory: [STUDY=placement|many|mixed|stale|shipped|validation] [ARRIVALS=2000000]
	@$(RUN) loadtest.simulate $(call given,STUDY,study) $(call given,ARRIVALS,arrivals) $(call given,LOADS,loads) \
	  $(call given,SUBSTATIONS,substations) $(call given,SIZES,sizes) $(call given,STAYS,stays) $(call given,ARMS,arms) \
	  $(call given,PROTECT,protect) $(call given,SEED,seed)

up: $(VENV)/ready  ## run the whole grid on this machine until Ctrl-C
	@$(RUN) grid.local $(PORT)

test: $(VENV)/ready  ## the fast tests, on fakeredis and on a real Redis if one is installed
	@$(RUN) pytest

storm: $(VENV)/ready  ## a thousand random storms of faults against the ledger (some minutes; needs redis-server)
	@$(RUN) pytest --hypothesis-profile=storm tests/integration/ledger/test_model.py

faults: DURATION = 120
faults: $(VENV)/ready  ## kill, hang and cut off real processes: each promise, then DURATION seconds at random, by SEED
	@$(RUN) pytest -v -s tests/faults
	@$(RUN) tests.faults.storm $(DURATION) $(SEED)

test-compose: $(VENV)/ready  ## the same promises through docker compose (needs Docker)
	@$(RUN) pytest tests/compose

chaos: $(VENV)/ready  ## kill, hang and disconnect containers under load: DURATION=60 SEED=7 (needs Docker)
	@$(RUN) tests.compose.chaos --duration $(DURATION) $(if $(SEED),--seed $(SEED))

bench: $(VENV)/ready  ## what a request costs, beside two other designs, and what a decision does (needs wrk, nginx, redis-server)
	@$(RUN) loadtest.bench $(call given,ROUNDS,rounds)
	@$(RUN) loadtest.bench.replicas
	@$(RUN) loadtest.bench.micro

bench-ledger: $(VENV)/ready  ## only what a decision costs, without HTTP (2 minutes; needs redis-server)
	@$(RUN) loadtest.bench.micro

lint: $(VENV)/ready  ## ruff and mypy --strict
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy

format: $(VENV)/ready  ## let ruff put the code in order
	@$(RUN) ruff check --fix .
	@$(RUN) ruff format .

GROUPS := api balancer substation load dev
lock: $(VENV)/ready  ## compile requirements/*.txt from pyproject.toml
	@for group in $(GROUPS); do \
	  $(RUN) uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header \
	    --extra $$group --output-file requirements/$$group.txt pyproject.toml || exit 1; \
	  echo "requirements/$$group.txt"; \
	done

clean:  ## remove what was set up and built
	rm -rf $(VENV) build

$(VENV)/ready: requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "This needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Setting up $(VENV) (once, about a minute) ..."
	@$(PYTHON) -m venv --clear $(VENV) \
	  || { echo "No venv module: on Debian and Ubuntu, apt install python3-venv"; exit 1; }
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@
