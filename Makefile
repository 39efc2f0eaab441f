# `make demo` and `make test` are all that is needed; both prepare what they use. Paths are relative, since make cannot
# hold a space in a target, and the project may stand in a folder that has one.

ifndef PYTHON
PYTHON := $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
endif

BIN := .venv/bin

.PHONY: help demo test test-sdk test-matrix test-peers test-frameworks test-former test-migration test-hosts test-ray test-fleet test-providers test-provider-suites test-viewer suites test-backends faults fuzz soak lint format docs types contracts package bench bench-packages bench-providers bench-viewer example-fleet setup clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-20s %s\n", $$1, $$2 }' Makefile

demo: ## see streams break, and what L0 makes of it: no key, no network
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer found: say which with PYTHON=..." >&2; exit 1; }
	@"$(PYTHON)" scripts/environment.py .venv-demo '[openai,anthropic,cli,viewer,otlp]'
	@.venv-demo/bin/l0 demo

# Three processes of pytest, and those that tests start, would else compile the same files again and again.
test: export PYTHONDONTWRITEBYTECODE :=
test: setup ## run the tests on this Python and the newest SDKs
	@# tests/stateful runs in its own process: hypothesis draws constants from the modules that happen to be imported.
	@# It runs even if the first part fails; the target fails if either part does.
	@failed=0; \
	$(BIN)/python -m pytest -n auto --dist loadfile --ignore=tests/stateful || failed=$$?; \
	$(BIN)/python -m pytest -n0 tests/stateful || failed=$$?; \
	exit $$failed

test-sdk: setup suites ## run the SDKs' own test suites, bare and under l0, and compare
	@.venv-suites/bin/python tests/journeys/sdk_suites/compare_suites.py --workers 2

test-matrix: setup ## run the tests on older SDKs, and on the other Pythons of this machine
	@$(BIN)/python scripts/matrix.py

test-peers: ## other instrumentations beside l0, real proxies under it, and spans of others in l0 view, each in an environment of its own (PROXIES=litellm-1.98 for one)
	@"$(PYTHON)" scripts/environment.py .venv-peers '[openai,anthropic,test]' -r tests/journeys/otel_suites/requirements.txt
	@.venv-peers/bin/python -m pytest tests/journeys/test_coexistence.py -p no:asyncio -p no:vcr -n 2
	@.venv-peers/bin/python tests/journeys/otel_suites/run_otel_suites.py
	@.venv-peers/bin/python tests/proxies/run_proxies.py $(PROXIES)
	@"$(PYTHON)" scripts/environment.py .venv-senders '[openai,anthropic,test]' -r tests/senders/requirements.txt
	@TEST_SENDERS=1 .venv-senders/bin/python -m pytest tests/senders -n0

test-frameworks: ## frameworks and tracers over l0, each in an environment of its own (FRAMEWORKS=litellm for one)
	@"$(PYTHON)" tests/frameworks/run_frameworks.py $(FRAMEWORKS)

test-viewer: ## the page of l0 view in Chromium (Debian: apt-get install chromium; CHROMIUM=... for another one; PICTURES=1 makes the pictures of the docs)
	@"$(PYTHON)" scripts/environment.py .venv-viewer '[viewer,otlp,openai]' -r tests/viewer/requirements.txt
	@.venv-viewer/bin/python -m pytest --confcutdir=tests/viewer tests/viewer

test-hosts: setup ## Celery, a notebook kernel and AWS Lambda's runtime: their pages and l0 run, each in an environment of its own
	@"$(PYTHON)" scripts/environment.py .venv-hosts/celery '[openai,otlp]' celery
	@"$(PYTHON)" scripts/environment.py .venv-hosts/notebook '[openai]' ipykernel jupyter_client
	@"$(PYTHON)" scripts/environment.py .venv-hosts/lambda '[openai,otlp]' awslambdaric
	@$(BIN)/python -m pytest -n0 tests/journeys/test_run_hosts.py

test-former: ## the suite of L0 for Python by its names, and its README and quick start, in an environment of its own
	@"$(PYTHON)" scripts/environment.py .venv-former '[openai,anthropic,structured]' 'rapidfuzz>=3.9' 'pytest>=8.3' pytest-asyncio
	@.venv-former/bin/python tests/former/run_former_suite.py

test-migration: ## the blocks and tables of docs/coming_from.md, beside the libraries that they name, in an environment of its own
	@"$(PYTHON)" scripts/environment.py .venv-migration '[openai,anthropic,test]' tenacity litellm opentelemetry-instrumentation-openai opentelemetry-instrumentation-anthropic opentelemetry-instrumentation-genai-openai opentelemetry-instrumentation-genai-anthropic
	@.venv-migration/bin/python -m pytest tests/journeys/test_coming_from.py -n0

test-ray: ## l0 backtest and tasks on Ray, with two workers on this machine, in an environment of its own
	@"$(PYTHON)" scripts/environment.py .venv-ray '[openai,otlp,ray]' 'pytest>=8.3'
	@TEST_RAY=1 .venv-ray/bin/python -m pytest --confcutdir=tests/ray tests/ray

test-fleet: ## eight processes that share budgets and breakers through a real Redis, which is killed and comes back
	@"$(PYTHON)" scripts/environment.py .venv-fleet '[openai,anthropic,redis,test]'
	@.venv-fleet/bin/python tests/fleet/redis_server.py
	@TEST_FLEET=1 .venv-fleet/bin/python -m pytest --confcutdir=tests/fleet -n0 tests/fleet

# litellm leaves clients behind, which close their sockets when they are collected, at any time.
test-providers: LITELLM_WARNINGS := -W ignore::ResourceWarning -W ignore::pytest.PytestUnraisableExceptionWarning
test-providers: ## SDKs of other providers against the simulator, each environment with a line of its own
	@"$(PYTHON)" scripts/environment.py .venv-providers/stainless '[openai,anthropic,test]' groq cerebras-cloud-sdk together fireworks-ai sambanova ollama
	@.venv-providers/stainless/bin/python -m pytest -n0 tests/providers
	@"$(PYTHON)" scripts/environment.py .venv-providers/stainless-oldest '[openai,anthropic,test]' groq==0.13.0 cerebras-cloud-sdk==1.35.0 together==2.0.0 fireworks-ai==1.2.0
	@.venv-providers/stainless-oldest/bin/python -m pytest -n0 tests/providers
	@"$(PYTHON)" scripts/environment.py .venv-providers/google-genai '[openai,anthropic,test]' google-genai aiohttp
	@.venv-providers/google-genai/bin/python -m pytest -n0 tests/google_genai
	@"$(PYTHON)" scripts/environment.py .venv-providers/bedrock '[openai,anthropic,bedrock,test]'
	@.venv-providers/bedrock/bin/python -m pytest -n0 tests/bedrock
	@"$(PYTHON)" scripts/environment.py .venv-providers/litellm '[openai,anthropic,test]' litellm
	@.venv-providers/litellm/bin/python -m pytest -n0 $(LITELLM_WARNINGS) tests/litellm_handlers
	@"$(PYTHON)" scripts/environment.py .venv-providers/litellm-older '[openai,anthropic,test]' 'litellm[proxy]==1.100.0' 'openai<3'
	@.venv-providers/litellm-older/bin/python -m pytest -n0 $(LITELLM_WARNINGS) tests/litellm_handlers

test-provider-suites: ## the test suites that other providers' SDKs bring, bare and under l0, and compare (SDKS=groq for one)
	@"$(PYTHON)" scripts/environment.py .venv-providers/suites groq cerebras-cloud-sdk together fireworks-ai google-genai boto3 -r tests/journeys/sdk_suites/requirements.txt
	@.venv-providers/suites/bin/python tests/journeys/sdk_suites/compare_suites.py --workers 2 $(SDKS)

test-backends: setup ## real Collector, Jaeger and Prometheus, read back; gets them first where this machine can
	@$(BIN)/python tests/backends/install.py
	@TEST_BACKENDS=.cache/backends/found.json $(BIN)/python -m pytest tests/backends -n0

faults: setup ## every fault of the catalogue in every way to resume, as a table; fails on a silent wrong answer
	@$(BIN)/python tests/faults/print_matrix.py

fuzz: ## made-up bytes through our reader and the SDKs' own, five minutes of them (FUZZ=60 for one): no difference, no hang
	@"$(PYTHON)" scripts/environment.py .venv-fuzz '[openai,anthropic]' -r tests/fuzz/requirements.txt
	@.venv-fuzz/bin/python tests/fuzz/fuzz_bytes.py -max_total_time=$(or $(FUZZ),300)

soak: setup ## 200 streams with 30 % faults, drops, closes and GC pressure for ten minutes (SOAK=2 for two): no call lost, no leak, no hang
	@$(BIN)/python -m benchmarks.soak --minutes $(or $(SOAK),10)

lint: setup ## ruff: rules and format; codespell
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/codespell

format: setup ## put the format right
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

docs: ## write the generated parts of docs/, and build the site in .cache/site, in an environment of its own; fails for a broken link
	@"$(PYTHON)" scripts/environment.py .venv-docs '[openai,anthropic,cli,structured]' -r docs/requirements.txt
	@.venv-docs/bin/python scripts/docs_tables.py
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet --strict
	@echo ".cache/site/index.html"

types: setup ## mypy --strict and pyright
	@$(BIN)/mypy
	@$(BIN)/pyright

contracts: setup ## import-linter: imports only go down
	@$(BIN)/lint-imports

package: ## build the sdist and the wheel in dist/ with their SBOM; check them, and install them on the Pythons of this machine
	@"$(PYTHON)" scripts/environment.py .venv-package -r tests/packaging/requirements.txt
	@"$(PYTHON)" scripts/environment.py .venv-sbom '[all]'
	@rm -rf dist
	@.venv-package/bin/python -m build --no-isolation
	@.venv-package/bin/python -m twine check --strict dist/*
	@.venv-package/bin/python scripts/sbom.py .venv-sbom dist/l0_otel.cdx.json
	@TEST_PACKAGE=1 .venv-package/bin/python -m pytest --confcutdir=tests/packaging tests/packaging

bench: ## CPU time, memory and first events beside the bare SDKs (BENCH="--peers --name reference": beside other libraries too, into docs/), and the cost of recording
	@"$(PYTHON)" scripts/environment.py .venv-bench '[bench]'
	@.venv-bench/bin/python -m benchmarks $(BENCH)
	@.venv-bench/bin/python -m benchmarks.recording

bench-packages: ## measure rules, drift, scanner, engine, explicit API, orchestration, hedges and telemetry, each on its own
	@"$(PYTHON)" scripts/environment.py .venv-bench '[bench]'
	@for room in engine guardrails drift structured orchestration hedging explicit telemetry_cost; do \
		echo "== $$room"; .venv-bench/bin/python -m benchmarks.$$room || exit; done

bench-providers: ## 200 concurrent streams through the SDKs of other providers, bare and with l0, into docs/providers.md
	@"$(PYTHON)" scripts/environment.py .venv-providers/bench '[openai,anthropic,bedrock,otlp]' groq cerebras-cloud-sdk together fireworks-ai google-genai aiohttp litellm
	@.venv-providers/bench/bin/python -m benchmarks.providers

bench-viewer: setup ## l0 view: a minute of 2,000 spans/s, the queries of its page with 100,000 calls, and the size of its extra
	@$(BIN)/python -m benchmarks.viewer_load
	@$(BIN)/python -m benchmarks.viewer_size

example-fleet: setup ## examples/fleet.py with a Collector, Jaeger, Prometheus and Grafana (needs Docker)
	@docker compose --file collector-config/docker-compose.yml up --detach --wait
	@$(BIN)/python examples/fleet.py

setup: ## make or refresh .venv
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer found: say which with PYTHON=..." >&2; exit 1; }
	@"$(PYTHON)" scripts/environment.py .venv '[dev]'

suites: ## make or refresh .venv-suites, with the plugins that the SDKs' own test suites need
	@"$(PYTHON)" scripts/environment.py .venv-suites openai anthropic -r tests/journeys/sdk_suites/requirements.txt

clean: ## remove environments and caches
	rm -rf .venv .venv-* .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
