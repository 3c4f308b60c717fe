# Garonne. Two commands on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help env servers check test demo bench telegraf regress simulate chaos lock sbom generate docs links

help: ## What can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

env: .venv/.ready ## .venv with everything for development

.venv/.ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Garonne needs Python 3.11 or newer; this is " + sys.version)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

servers: ## Mosquitto, Kafka and InfluxDB for the tests, kept in a cache folder
	$(PYTHON) tests/servers/provision.py

check: env ## Format, lint, types, import contracts, generated files
	scripts/check

test: env servers ## Everything: checks, then all tests on the real servers
	scripts/check
	scripts/test

demo: env ## A simulated Bordeaux, from MQTT to a report, without any server
	$(BIN)/garonne demo

simulate: env servers ## Passages against SUMO's truth, the long form; writes docs/accuracy-of-passages.md (half an hour)
	$(BIN)/python -m tests.microsimulation

bench: env servers ## Garonne beside Telegraf, ratios and medians; ARGS="--write" keeps them in docs/performance.md
	$(BIN)/python -m benchmarks $(ARGS)

telegraf: env ## Telegraf for the benchmark, from its Go module (twelve minutes, once); TELEGRAF=path instead
	$(BIN)/python -m benchmarks.telegraf

regress: env ## CPU per message against the parent commit; more than 15 % more fails
	$(BIN)/python -m benchmarks.regression $(ARGS)

chaos: env servers ## The whole fault matrix on the real servers; ARGS="--group ingest" for a part
	$(BIN)/python -m tests.chaos $(ARGS)

docs: env ## The documentation site, into var/site; a broken link fails
	$(BIN)/properdocs build --strict --quiet --config-file scripts/site/properdocs.yml
	@echo var/site/index.html

links: env ## Ask whether every outside link of the documentation still leads somewhere
	$(BIN)/python -m scripts.links

sbom: env ## What is in each image, as CycloneDX, into var/sbom
	$(BIN)/python -m scripts.sbom var/sbom

generate: env ## Write the files that come from the code
	scripts/generate

fuzz: env ## Ten million hostile messages through the normaliser, half a million through everything; an hour
	$(BIN)/python -m tests.security.fuzz
	$(BIN)/python -m tests.security.fuzz --whole --messages 500000

lock: ## Choose versions anew and write requirements.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --all-extras \
	    --no-header --no-annotate --quiet --upgrade pyproject.toml -o requirements.lock
