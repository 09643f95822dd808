# Thin: the work is in tools/bootstrap.py, which needs nothing but Python 3.11 or newer.
PYTHON ?= python3
ARGS ?=
BOOTSTRAP = $(PYTHON) tools/bootstrap.py

.DEFAULT_GOAL := help
.PHONY: help env demo test check lint docs docs-serve clean

help: ## list the targets
	@echo "make TARGET [ARGS=\"...\"] [PYTHON=python3.12]"
	@grep -E '^[a-z-]+: *##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+): *## */  \1\t/' | expand -t 16

env: ## make .venv with everything in it, nothing else
	@$(BOOTSTRAP) env

demo: ## the twin: five coupled components, with weights, on real data
	@$(BOOTSTRAP) demo $(ARGS)

test: ## the fast tests, e.g. make test ARGS="-k balance"
	@$(BOOTSTRAP) test $(ARGS)

check: ## everything: slow tests, lint, types, benchmarks, docs, wheels; ARGS="lint types" picks stages
	@$(BOOTSTRAP) check $(ARGS)

lint: ## ruff and mypy
	@$(BOOTSTRAP) check lint types

docs: ## build the documentation into site/
	@$(BOOTSTRAP) docs $(ARGS)

docs-serve: ## show the documentation on 127.0.0.1:8000
	@$(BOOTSTRAP) docs serve $(ARGS)

clean: ## remove .venv and what was built
	rm -rf .venv build site .pytest_cache .mypy_cache .ruff_cache
