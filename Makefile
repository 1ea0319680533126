# Runwire's front door: `make serve` and `make test` work on a fresh machine with Python 3.11 or newer.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
CODEGEN := .tools/codegen
LOWEST := .tools/lowest
BENCH := .tools/bench
APP ?=
export UV_PYTHON_DOWNLOADS := never
.DEFAULT_GOAL := help
.PHONY: help serve setup setup-test test lint types imports protos proto check-generated lock fix bench bench-stores has-go clean

help: ## List the commands.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

serve: $(VENV)/.run ## Set up what is needed and serve on 127.0.0.1:50051. APP=module:app serves yours.
	@exec $(VENV)/bin/runwire serve $(APP)

setup: $(VENV)/.run ## Only set up: the environment is .venv.
	@echo "ready: $(VENV)/bin/runwire"

setup-test: $(VENV)/.test $(CODEGEN)/.done $(LOWEST)/.done ## Only set up what the tests need. MYSQL=1: MySQL, too.
	@tools/servers

test: setup-test ## Set up what the tests need and run them. ARGS=… goes to pytest.
	@$(VENV)/bin/python -m pytest $(ARGS)

lint: $(VENV)/.test ## Lint and check the format.
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .

types: $(VENV)/.test ## Check the types.
	@$(VENV)/bin/mypy

imports: $(VENV)/.test ## Check that every layer imports only those below it.
	@$(VENV)/bin/lint-imports

protos: $(CODEGEN)/.done ## Lint the protos.
	@PATH="$(CURDIR)/$(CODEGEN)/bin:$$PATH" buf lint && PATH="$(CURDIR)/$(CODEGEN)/bin:$$PATH" buf format -d --exit-code

proto: $(CODEGEN)/.done ## Generate the committed code of all clients from protos/.
	@tools/generate

check-generated: $(CODEGEN)/.done ## Fail when the generated code is not what protos/ says.
	@tools/check-generated

lock: $(VENV)/.run ## Refresh the pinned requirements. ARGS=--upgrade takes the newest versions that fit.
	@tools/lock $(ARGS)

fix: $(VENV)/.test ## Mend what the linters can.
	@$(VENV)/bin/ruff check --fix . ; $(VENV)/bin/ruff format .

bench: has-go $(VENV)/.test $(BENCH)/.done ## Measure the service beside its peers. ARGS=--quick: 4 minutes, without peers.
	@go=$$(PATH="$$PATH:/usr/local/go/bin" command -v go) && cd benchmarks/load && "$$go" build -o ../../$(BENCH)/load .
	@case " $(ARGS) " in *" --quick "*) ;; *) tools/servers ;; esac
	@$(VENV)/bin/python -m benchmarks.service $(ARGS)

has-go:
	@PATH="$$PATH:/usr/local/go/bin" command -v go >/dev/null || { echo "make bench needs Go, which is not there" >&2; exit 2; }

bench-stores: $(VENV)/.test ## Measure the stores beside bare drivers. ARGS=… goes to it, see benchmarks/README.md.
	@PYTHONPATH=tests $(VENV)/bin/python -m benchmarks.stores $(ARGS)

clean: ## Remove what these commands made.
	@rm -rf $(VENV) .tools

# What the tests need contains what the server needs: an environment that has it keeps it, and needs nothing more.
$(VENV)/.run: requirements/run.txt pyproject.toml
	@if [ -e $(VENV)/.test ]; then $(MAKE) -s --no-print-directory $(VENV)/.test; else \
	  tools/install $(VENV) requirements/run.txt --project; fi
	@touch $@

$(VENV)/.test: requirements/test.txt pyproject.toml
	@tools/install $(VENV) requirements/test.txt --project
	@touch $@ $(VENV)/.run

$(CODEGEN)/.done: requirements/codegen.txt
	@tools/install $(CODEGEN) requirements/codegen.txt
	@touch $@

# Only what makes plots: nothing of it is near what is measured.
$(BENCH)/.done: requirements/bench.txt
	@tools/install $(BENCH)/venv requirements/bench.txt
	@touch $@

$(LOWEST)/.done: requirements/lowest.txt
	@tools/install $(LOWEST) requirements/lowest.txt
	@touch $@
