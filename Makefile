# `make demo` and `make test` work from a fresh clone: they make the virtual environment they need.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DEMO ?= demo
WORKERS ?= 2
PYTEST_FLAGS ?=
PROVE ?= tests/invariants tests/cli/test_damaged_files.py tests/cli/test_kills.py tests/cli/test_vpp_by_files.py tests/solve/test_large_fleets.py tests/service/test_killed_servers.py
MINUTES ?= 10
CONSTRAINTS ?= constraints.txt
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check

# What is installed is pinned; what pip installs to build the package as well: older pips read the first name for that,
# newer ones the second. `make test CONSTRAINTS=` takes the newest versions.
export PIP_CONSTRAINT = $(CONSTRAINTS)
export PIP_BUILD_CONSTRAINT = $(CONSTRAINTS)

.PHONY: demo test prove fuzz mutants coverage lint format bench bench-service docs datasets constraints clean

demo: $(VENV)/.installed  ## cars at homes and vans at a depot, a week: table, plan, bids and report in demo/
	$(BIN)/v2g new $(DEMO)/case --template homes-and-depot --vehicles 6 --days 7 --force
	$(BIN)/v2g simulate $(DEMO)/case.nc -o $(DEMO)/operated --every 24 --force
	$(BIN)/v2g compare $(DEMO)/case.nc --operated $(DEMO)/operated -o $(DEMO) --force
	@echo "now open $(DEMO)/report.html"

test: $(VENV)/.developed  ## every test
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_FLAGS)

prove: $(VENV)/.developed  ## the drawn tests with 300 examples each, damaged files, kills and sites by files; PROVE=tests/invariants/test_property_tables.py for one file
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --hypothesis-profile=many $(PROVE)

fuzz: WORKERS = 1
fuzz: $(VENV)/.developed  ## new cases for every property, for MINUTES=10; what fails is kept in .fuzz and tried again
	$(BIN)/python tests/fuzz.py --minutes $(MINUTES) --workers $(WORKERS)

coverage: $(VENV)/.developed  ## every test, and the lines that none of them runs (takes three times as long)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --cov --cov-report=term-missing:skip-covered $(PYTEST_FLAGS)

mutants: $(VENV)/.developed  ## break the code in SAMPLE=200 places, one by one, and print what no test sees (an hour on one core)
	PYTHONPATH=tests $(BIN)/python -m mutants.run

lint: $(VENV)/.developed  ## style, layout, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.developed  ## lay the code out
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.developed  ## the performance gates; the table goes into the README
	$(BIN)/python -m benchmarks.run; held=$$?; $(BIN)/python -m docs.generate; exit $$held

bench-service: $(VENV)/.developed  ## the service: until it is ready, cancelling, 1000 requests while a job runs, stop and restart
	$(BIN)/python -m benchmarks.service

docs: $(VENV)/.developed demo  ## pages written from the code, picture and table of the README from the demonstration
	$(BIN)/python -m docs.generate --demo $(DEMO)

datasets: $(VENV)/.installed  ## the small cases in datasets/
	$(BIN)/python -m v2g_linopy.data.generators.datasets

constraints:  ## pin the newest versions that pyproject.toml allows, for every Python and platform
	$(PYTHON) -m venv $(VENV)
	@PIP_CONSTRAINT= PIP_BUILD_CONSTRAINT= $(INSTALL) --upgrade uv
	@{ echo "# What \`make demo\`, \`make test\` and .ci/run install: made by \`make constraints\` on $$(date -u +%F) with" && \
	echo "# $$($(BIN)/python --version) and $$($(BIN)/uv --version | cut -d ' ' -f 1,2), for Python 3.11 and newer; a marker says where a line holds." && \
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"])' | \
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links pyproject.toml -; } > constraints.new
	@mv constraints.new constraints.txt

clean:  ## everything that was made, except the virtual environment and .fuzz
	rm -rf $(DEMO) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

define NEW_VENV
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "$(PYTHON) is missing or older than 3.11; name another: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
$(PYTHON) -m venv $(VENV)
endef

$(VENV)/.installed: pyproject.toml $(CONSTRAINTS)
	$(NEW_VENV)
	$(INSTALL) --editable '.[all]'
	@touch $@

# all that is installed and more, in one run of pip: two would resolve, fetch and build twice
$(VENV)/.developed: pyproject.toml $(CONSTRAINTS)
	$(NEW_VENV)
	$(INSTALL) --editable '.[dev]'
	@touch $(VENV)/.installed $@
