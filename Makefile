# himed: `make demo` and `make test` do everything on a fresh machine with Python 3.11; both can be run again at any time.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# GPU=1 installs the CUDA stack of a GPU node in place of the CPU one.
STACK := $(if $(GPU),gpu,cpu)
LOCK := requirements/$(STACK).lock
STAMP := $(VENV)/.setup-$(STACK)
TEST_PROCESSES ?= 2
PIP_AUDIT := 2.10.1
BROWSER := chromium fonts-noto-core
# Where PyTorch's CPU builds are found when pip's own index has none (no CUDA libraries are needed on a CPU).
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

.PHONY: help setup browser demo test test-fast lint format docs coverage audit lock clean
help:
	@echo "make setup    install the locked environment into $(VENV) (GPU=1 for a CUDA node)"
	@echo "make demo     train a tiny model through HiMed's stages, serve, evaluate and compare it, open the page"
	@echo "make test     all tests (with a browser for the page's); make test-fast leaves out vLLM, training and browser"
	@echo "make lint     ruff, mypy, import-linter;  make format mends what can be mended"
	@echo "make docs     the documentation as a site in site/;  make coverage: of the fast tests, by package"
	@echo "make audit    known vulnerabilities of the locked packages, dependencies that nothing imports"
	@echo "make lock     resolve the lock files anew;  make clean removes $(VENV) and the demo's files"

setup: $(STAMP)

$(STAMP): $(LOCK) pyproject.toml
	@echo "== setup: installing $(LOCK) into $(VENV) (the first time takes a few minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@rm -f $(VENV)/.setup-*
ifdef GPU
	$(BIN)/pip install -q --no-deps -r $(LOCK)
else
	$(BIN)/pip install -q --no-deps -r $(LOCK) || $(BIN)/pip install -q --no-deps --extra-index-url $(TORCH_INDEX) -r $(LOCK)
endif
	$(BIN)/pip install -q --no-deps -e .
	@touch $@
	@echo "== setup: done"

# What the page's tests drive: Debian's Chromium, with fonts for the scripts that it shows. Without it they are skipped,
# and say so.
browser:
	@if [ -n "$$TEST_CHROMIUM" ] || command -v chromium chromium-browser google-chrome >/dev/null; then exit 0; \
	elif ! command -v apt-get >/dev/null || ! { [ "$$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then \
	  echo "== browser: no Chromium, and no right to install it: the page's browser tests will be skipped"; \
	else \
	  echo "== browser: installing chromium and fonts-noto-core with apt-get"; \
	  root=$$([ "$$(id -u)" = 0 ] || echo sudo -n); \
	  $$root apt-get install -y -qq --no-install-recommends $(BROWSER) >/dev/null 2>&1 || \
	    { $$root apt-get update -qq && $$root apt-get install -y -qq --no-install-recommends $(BROWSER) >/dev/null; } || \
	    echo "== browser: apt-get could not install it: the page's browser tests will be skipped"; \
	fi

demo: setup
	@$(BIN)/himed-demo

test: setup browser
	@echo "== test: the whole suite, vLLM included, in $(TEST_PROCESSES) processes"
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadgroup --no-loadscope-reorder --durations=30

test-fast: setup
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadgroup --no-loadscope-reorder -m "not slow"

lint: setup
	@echo "== lint: ruff, mypy, import-linter"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: setup
	@$(BIN)/python -m mkdocs build --quiet
	@echo "== docs: site/index.html"

coverage: setup
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadgroup --no-loadscope-reorder -m "not slow" -q \
	  --cov=app --cov=training --cov=evaluation --cov=server --cov=ui --cov-report=
	@for package in app training evaluation server ui; do \
	  printf "%-11s" $$package; $(BIN)/coverage report --include="$$package/*" --format=total | sed 's/$$/ %/'; done
	@$(BIN)/coverage report --skip-covered --sort=cover | sed -n 1,40p

audit: setup
	@$(BIN)/deptry .
	@$(BIN)/uvx pip-audit==$(PIP_AUDIT) --strict --disable-pip --no-deps -r $(LOCK)

lock: setup
	UV_EXTRA_INDEX_URL=$${UV_EXTRA_INDEX_URL-$(TORCH_INDEX)} requirements/lock.sh $(BIN)/uv

clean:
	rm -rf $(VENV) .demo site
