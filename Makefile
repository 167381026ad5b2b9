# What to type.  `make` alone lists the targets; ARGS="…" passes more to whatever a target runs.
#
# Every path here is relative: make cannot cope with spaces in a target's path, and a checkout's own path may have some.

SHELL := bash
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

PYTHON := .venv/bin/python
UV := .venv/bin/uv
INSTALL := $(UV) pip install --quiet --compile-bytecode --python $(PYTHON)
COMPILE := $(UV) pip compile --quiet --python $(PYTHON) --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

# Two processes run tests, each with boxes of its own: see tests/conftest.py.  One at a time: ARGS="-n 0".
BESIDE := -n 2 --dist loadscope --no-loadscope-reorder

# Trust the certificate authorities that this computer trusts, as pip does; networks that inspect traffic bring their own.
export UV_SYSTEM_CERTS ?= 1

.PHONY: help lab test test-full test-binder lint rubric bench lock clean packages-lab packages-test packages-binder

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

lab: packages-lab .venv/.run ## a box, and JupyterLab with the lessons on it
	@.venv/bin/course lab $(ARGS)

test: packages-test .venv/.dev ## linters and tests
	@$(PYTHON) -m pytest $(BESIDE) -m "not full and not binder" $(ARGS)

test-full: packages-test .venv/.dev ## … and the slow ones
	@$(PYTHON) -m pytest $(BESIDE) -m "not binder" $(ARGS)

test-binder: packages-binder .venv/.dev ## a session as on Binder: its image, built by repo2docker, under its limits, in a browser
	@$(PYTHON) -m pytest -n 0 -m binder tests/binder $(ARGS)

lint: .venv/.dev ## linters alone
	@tools/lint

rubric: .venv/.dev ## what of the curriculum's rubric each lesson keeps, counted
	@$(PYTHON) -m rubric

bench: packages-test .venv/.dev ## how fast and how big a box and the live picture are, beside their peers
	@$(PYTHON) -m bench $(ARGS)

lock: .venv/.place ## resolve all dependencies again (ARGS=--upgrade for newer ones)
	@$(COMPILE) $(ARGS) --universal --python-version 3.11 lock/bootstrap.in -o lock/bootstrap.txt
	@$(COMPILE) $(ARGS) --universal --python-version 3.11 pyproject.toml --group build -o lock/run.txt
	@$(COMPILE) $(ARGS) --universal --python-version 3.11 pyproject.toml --group dev -c lock/run.txt -o lock/dev.txt
	@$(COMPILE) $(ARGS) --python-platform x86_64-manylinux_2_28 --python-version 3.13 --no-annotate lock/box.in -o lab/box/guest/requirements.txt

clean: ## remove what these targets made here (not your boxes: `course down` does that)
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis dist
	@find lab tests bench -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

packages-lab:
	@tools/system-packages lab

packages-test:
	@tools/system-packages test

packages-binder:
	@tools/system-packages binder

# Stamps, each touched last, so that what was interrupted is done again.  The scripts in a virtual environment hold its own path: one that
# was made elsewhere, and moved or copied here with the checkout, is made anew.
ifneq "$(shell cat .venv/.place 2>/dev/null)" "$(CURDIR)"
.PHONY: .venv/.place
endif

.venv/.place: lock/bootstrap.txt
	@rm -rf .venv
	@python=$$(tools/find-python) && echo "Making .venv with $$python …" && "$$python" -m venv .venv
	@$(PYTHON) -m pip install -qq --disable-pip-version-check --require-hashes -r lock/bootstrap.txt
	@pwd -P >$@

.venv/.run .venv/.dev: .venv/.%: lock/%.txt pyproject.toml .venv/.place
	@echo "Installing lock/$*.txt …"
	@$(INSTALL) --require-hashes -r lock/$*.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@
