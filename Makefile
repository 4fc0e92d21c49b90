# Every target does the whole set-up it needs. Run `make` for the list.

.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
REQUIREMENTS := requirements-dev.lock
# A server of the soak tests, whose requirements are not Trivet's.
MINISTACK := .venv-ministack

# To override: make serve PORT=8001, make package STAGE=prod, make test ARGS="-k drift"
PORT ?=
STAGE ?= dev
ARGS ?=
ALARM_TOPIC ?=
LOG_DAYS ?=

CODE := $(wildcard app.py chalicelib cli/trivet tools tests benchmarks examples)
WORKERS := -n auto --maxprocesses 4 --dist worksteal

.PHONY: help
help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r target text; \
		do printf '%-22s %s\n' "$$target" "$$text"; done

.PHONY: demo
demo: $(READY) ## provision an environment on an embedded AWS and show what came back
	@$(PY) -m tools.demo

.PHONY: serve
serve: $(READY) ## serve the API on 127.0.0.1:8000 over an embedded AWS (PORT=8001 for another port)
	@$(PY) -m tools.serve $(if $(PORT),--port $(PORT))

.PHONY: console
console: $(READY) ## look at a few environments in a browser, over an embedded AWS (PORT=8001)
	@$(PY) -m tools.console $(if $(PORT),--port $(PORT))

.PHONY: test
test: $(READY) ## run all tests that are quick (ARGS="-k drift" for some)
	@$(PY) -m pytest $(WORKERS) -m "not slow and not soak" $(ARGS)

.PHONY: slow
slow: $(READY) ## run the tests that take seconds each: packages, servers, a browser
	@$(PY) -m pytest $(WORKERS) -m "slow and not soak" $(ARGS)

.PHONY: soak
soak: $(READY) $(MINISTACK)/.ready ## run the soak tests, which take minutes
	@$(PY) -m pytest -m soak $(ARGS)
	@$(MAKE) soak-member
	@$(MAKE) soak-hostile

# What is asked of environments is asked of those of a member account, with home another one.
.PHONY: soak-member
soak-member: $(READY) ## run the contract's tests against a member account in place of home
	@HOME_ACCOUNT=999999999999 $(PY) -m pytest $(WORKERS) -m "not soak and not home" tests/contract

# What rests on a lease or on seconds counted is left out: a slow AWS takes them up.
.PHONY: soak-hostile
soak-hostile: $(READY) ## run the contract's tests and the recorded calls over an AWS as slow as the real one
	@$(PY) -m pytest $(WORKERS) --hostile -m "not soak and not slow and not calm" \
		tests/contract tests/iam/test_least_privilege.py

.PHONY: bench
bench: $(READY) ## run the benchmarks
	@$(PY) -m benchmarks $(ARGS)

.PHONY: lint
lint: $(READY) ## check style, format, types and which room imports which
	@$(PY) -m ruff check --quiet $(CODE)
	@$(PY) -m ruff format --check --quiet $(CODE) || \
		{ echo "make lint: the files above are not formatted; run make format" >&2; exit 1; }
	@$(PY) -m mypy $(CODE)
	@mkdir -p build && $(VENV)/bin/lint-imports --no-cache > build/imports.log 2>&1 || { cat build/imports.log >&2; exit 1; }

.PHONY: format
format: $(READY) ## format the code and mend what can be mended
	@$(PY) -m ruff check --quiet --fix $(CODE)
	@$(PY) -m ruff format $(CODE)

.PHONY: policies
policies: $(READY) ## generate what is derived from the policy templates
	@$(PY) -m tools.make_policies

# Compares the tree before and after, so that it can be run with work in progress.
.PHONY: policies-check
policies-check: $(READY) ## fail when what is derived from the policy templates is stale
	@before="$$(git status --porcelain; git diff)" && $(PY) -m tools.make_policies && \
		if [ "$$before" != "$$(git status --porcelain; git diff)" ]; then \
			git --no-pager diff --stat; \
			echo "make policies-check: generated files were stale; commit what make policies wrote" >&2; \
			exit 1; \
		fi

.PHONY: validate
validate: $(READY) ## put the policy templates to IAM Access Analyzer (your AWS credentials; read-only)
	@$(PY) -m tools.validate

# Chalice packages whatever lies in chalicelib/, Python's caches too, and takes a package with the
# same file contents from its own cache even when files were renamed.
CLEAR_CACHES = rm -rf .chalice/deployments && \
	find chalicelib policies -name __pycache__ -type d -prune -exec rm -rf {} +
CHALICE := PYTHONDONTWRITEBYTECODE=1 $(VENV)/bin/chalice

# Before anything is removed: the stage is configured, and this Python is the one on Lambda.
PREFLIGHT = $(PY) -m tools.deploy.preflight $(STAGE)

.PHONY: package
package: $(READY) ## build the Lambda package and its SAM template in build/ (STAGE=prod)
	@$(PREFLIGHT)
	@rm -rf build && $(CLEAR_CACHES)
	@AWS_DEFAULT_REGION=$${AWS_DEFAULT_REGION:-us-east-1} $(CHALICE) package --stage $(STAGE) \
		--merge-template deploy/sam-names.json build
	@$(PY) -m tools.sbom build

# ALARM_TOPIC (an SNS topic's ARN) and LOG_DAYS are kept from one deployment to the next.
DEPLOY = $(PY) -m tools.deploy --stage $(STAGE) --alarm-topic "$(ALARM_TOPIC)" --log-days "$(LOG_DAYS)"

.PHONY: deploy
deploy: $(READY) ## deploy to the AWS account of your credentials (STAGE=prod)
	@$(PREFLIGHT)
	@$(CLEAR_CACHES)
	@PYTHONDONTWRITEBYTECODE=1 $(DEPLOY)

.PHONY: deploy-plan
deploy-plan: $(READY) ## tell what make deploy would do, and do nothing (STAGE=prod)
	@$(DEPLOY) --plan

.PHONY: live
live: $(READY) ## try the contract on a deployed stage, after asking; leaves nothing (STAGE=dev)
	@STAGE=$(STAGE) $(PY) -m tools.live

.PHONY: package-check
package-check: package ## build the package, and check what it holds and its SAM template
	@$(PY) -m tools.check_package build
	@$(VENV)/bin/cfn-lint build/sam.json

.PHONY: ci
ci: lint policies-check licences package-check test slow ## all that CI runs

COMPILE := $(VENV)/bin/uv pip compile --quiet --native-tls --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-emit-index-url --custom-compile-command "make lock"

.PHONY: lock
lock: $(READY) ## pin anew, with hashes, what requirements.in and requirements-dev.txt need in turn
	@$(COMPILE) requirements.in --output-file requirements.txt
	@$(COMPILE) requirements-dev.txt --constraint requirements.txt --output-file requirements-dev.lock
	@$(COMPILE) tests/ministack/requirements.in --output-file tests/ministack/requirements.txt

.PHONY: licences
licences: $(READY) ## fail when a package has a licence that is not on the list
	@$(PY) -m tools.licences

.PHONY: clean
clean: ## remove the set-up, the caches and what was built
	@rm -rf $(VENV) $(MINISTACK) build .chalice/deployments .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The lock file names every package, so that there is nothing to resolve; Python compiles what is used.
$(READY): $(REQUIREMENTS)
	@found=; for python in $(PYTHON) python3.11 python3; do \
		if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
			2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "Trivet needs Python 3.11 or newer with its venv module" \
			"(Debian: apt install python3 python3-venv); or name one: make PYTHON=/path/to/python3.11" >&2; \
		exit 1; \
	fi; \
	echo "Setting up $(VENV) with $$("$$found" --version) (once; takes about a minute) ..."; \
	rm -rf $(VENV) && "$$found" -m venv $(VENV) && \
	if ! $(PY) -m pip install --disable-pip-version-check --require-hashes --no-deps --no-compile \
		--requirement $(REQUIREMENTS) > $(VENV)/setup.log 2>&1; then \
		if grep -q '^WARNING: Retrying (Retry(total=0' $(VENV)/setup.log; then \
			echo "Set-up failed: the package index cannot be reached; the network is needed once." >&2; \
		else \
			echo "Set-up failed, see $(VENV)/setup.log: $$(grep -m 1 '^ERROR' $(VENV)/setup.log)" >&2; \
		fi; \
		exit 1; \
	fi; \
	touch $@

$(MINISTACK)/.ready: tests/ministack/requirements.txt $(READY)
	@echo "Setting up $(MINISTACK) (once) ..."
	@rm -rf $(MINISTACK) && $(PY) -m venv $(MINISTACK)
	@$(MINISTACK)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@
