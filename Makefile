# `make demo` and `make test` work from a fresh clone: they make the virtual environment they need.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DEMO ?= demo
WORKERS ?= 2
PYTEST_FLAGS ?=

.PHONY: demo test coverage lint format bench docs datasets clean

demo: $(VENV)/.installed  ## 100 commuters, four weeks: table, plan, bids and report in demo/
	$(BIN)/v2g new $(DEMO)/case --template commuters --vehicles 100 --days 28 --force
	$(BIN)/v2g compare $(DEMO)/case.nc -o $(DEMO) --force
	@echo "now open $(DEMO)/report.html"

test: $(VENV)/.developed  ## every test
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST_FLAGS)

coverage: $(VENV)/.developed  ## every test, and the lines that none of them runs (takes three times as long)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term-missing:skip-covered $(PYTEST_FLAGS)

lint: $(VENV)/.developed  ## style, layout, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.developed  ## lay the code out
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.developed  ## the performance gates; the table goes into the README
	$(BIN)/python -m benchmarks.run; held=$$?; $(BIN)/python -m docs.generate; exit $$held

docs: $(VENV)/.developed demo  ## pages written from the code, picture and table of the README from the demonstration
	$(BIN)/python -m docs.generate --demo $(DEMO)

datasets: $(VENV)/.installed  ## the small cases in datasets/
	$(BIN)/python -m v2g_linopy.data.generators.datasets

clean:  ## everything that was made, except the virtual environment
	rm -rf $(DEMO) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is missing or older than 3.11; name another: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all]'
	@touch $@

$(VENV)/.developed: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
