# Everything that these targets create is in .hotelagent. Nothing else on this machine changes, except that the targets
# for tests install PgBouncer if they are run by root on Debian.
.DEFAULT_GOAL := help
.PHONY: help run test image pages pictures lint api-lint bench chaos isolation upgrade replay clean requirements vulnerabilities sbom install tools

HOME_FOLDER := .hotelagent
PY := $(HOME_FOLDER)/venv/bin/python
SBOM_PACKAGES := $(HOME_FOLDER)/sbom
# Compiled modules are in .hotelagent too, so PYTHONDONTWRITEBYTECODE has no source folder to keep clean. With it, each
# process would spend seconds on compiling all packages.
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(HOME_FOLDER)/pycache
export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/$(HOME_FOLDER)/hypothesis
unexport PYTHONDONTWRITEBYTECODE

help: ## Show this list
	@echo "Usage: make TARGET. The targets are:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | column -t -s '|' 2>/dev/null \
		|| sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1: \2/p' Makefile

run: install ## Set up and run everything, with two demonstration hotels, on http://localhost:8000 (PORT=, MAIL_PORT=)
	@exec $(PY) manage.py serve

# Three processes on two cores, because a test often waits for a process, a socket or a timer.
test: install tools $(SBOM_PACKAGES) ## Run the tests (ARGS="tests/locks -k overlap" selects some, PG_BIN=/usr/lib/postgresql/15/bin uses that PostgreSQL)
	@$(PY) -m pytest $(if $(findstring -n,$(ARGS)),,-n 3 --dist loadfile --no-loadscope-reorder) $(ARGS)

pages: install ## Open every page of both admins in a browser, with the rules of axe, on all screens, and filter every list (minutes)
	@PAGES=all $(PY) -m pytest -m pages -n 2 $(ARGS)

pictures: install ## Take the pictures of README.md from the end-to-end test in a browser (pngquant makes them smaller, if it is installed)
	@PICTURES=.github/pictures $(PY) -m pytest tests/e2e/test_day_at_a_hotel.py $(ARGS)

lint: install ## Check style, types and the SQL of migrations
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) -m mypy && $(PY) manage.py lint_migrations

api-lint: install ## Check the OpenAPI documents with linters, and generate clients from them (installs npm packages in .hotelagent)
	@$(PY) -m tests.openapi.tools

bench: install tools ## Compare the performance with that of other libraries (ONLY=id,id selects some rows)
	@$(PY) -m tests.benchmarks $(ONLY)

isolation: install tools ## Run 200,000 operations of many hotels through a small connection pool, and django-tenants' own tests (minutes; OPERATIONS=, PG_BIN=)
	@ISOLATION_OPERATIONS=$(or $(OPERATIONS),200000) $(PY) -m pytest tests/isolation/test_isolation.py --timeout 3600 -s
	@$(PY) -m tests.isolation.run_django_tenants_suite

chaos: install tools ## Kill processes and servers while 10,000 reminders are sent and 5,000 failures are retried, then let 32 clients compete for rooms, lose the responses to 1,000 bookings in a PMS, and kill, pause and slow each part of a deployment (minutes; REMINDERS=, HOTELS=, FAILURES=, WORKERS=, ROUNDS=, BOOKINGS=)
	@CHAOS_REMINDERS=$(or $(REMINDERS),10000) CHAOS_HOTELS=$(or $(HOTELS),50) \
		CHAOS_FAILURES=$(or $(FAILURES),5000) CHAOS_WORKERS=$(or $(WORKERS),16) $(PY) -m pytest tests/chaos -s $(ARGS)
	@RACE_ROUNDS=$(or $(ROUNDS),250) $(PY) -m pytest tests/races
	@PMS_BOOKINGS=$(or $(BOOKINGS),1000) $(PY) -m pytest tests/pms/test_lost_answers.py --timeout 3600 -s $(ARGS)
	@FAULTS=all $(PY) -m pytest tests/faults -s

upgrade: install tools ## Update under load from release to release, with the migrations of a renamed column (minutes)
	@UPGRADE=whole $(PY) -m pytest tests/upgrade --timeout 3600 -s $(ARGS)

replay: install ## Replay two years of bookings day by day: allocations, then reminders (an hour; BOOKINGS_FILE=file.csv.gz replays real ones)
	@REPLAY=whole LOG_LEVEL=ERROR $(PY) -m pytest tests/locks/test_replay.py tests/reminders/test_whole_file.py -n 2 --dist load -p no:logging -rP $(ARGS)

image: install ## Build the images, run the deployment of compose.yml in containers, and stop it gracefully (Debian and root; minutes)
	@$(PY) -m tests.containers

clean: ## Delete all data of this checkout (the installed packages stay)
	@if [ -x $(PY) ]; then $(PY) -m hotelagent.embedded.scripts.clean; fi

requirements: install ## Pin the newest versions of the packages in requirements/*.in, with hashes
	@for name in base production ses flower development node deploy sbom; do \
		$(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
			--no-emit-find-links --custom-compile-command 'make requirements' \
			requirements/$$name.in -o requirements/$$name.txt || exit 1; done

vulnerabilities: install ## Look up known vulnerabilities of the pinned packages in the database of PyPI (ARGS="-s osv": in that of OSV)
	@$(PY) -m pip_audit --strict --require-hashes --disable-pip --progress-spinner off \
		-r requirements/ses.txt -r requirements/development.txt -r requirements/sbom.txt $(ARGS)

# The file has no dates and no random values, so the same pins give the same file.
sbom: install $(SBOM_PACKAGES) ## Write the list of a deployment's packages in the format CycloneDX to .hotelagent/sbom.json
	@PYTHONPATH=$(SBOM_PACKAGES) $(PY) -W ignore -m cyclonedx_py requirements requirements/ses.txt \
		--pyproject pyproject.toml --output-reproducible --validate -o $(HOME_FOLDER)/sbom.json
	@echo "Wrote $(HOME_FOLDER)/sbom.json"

$(SBOM_PACKAGES): requirements/sbom.txt
	@rm -rf $@
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --target $@ -r requirements/sbom.txt
	@touch $@

# The newest Python (3.11 or later) creates the virtual environment, which all targets use from then on.
install:
	@$(PY) -I hotelagent/embedded/scripts/install.py --ready 2>/dev/null || { \
		for python in python3.14 python3.13 python3.12 python3.11 python3; do \
			if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
				exec $$python -I hotelagent/embedded/scripts/install.py; fi; done; \
		echo "hotelagent needs Python 3.11 or later, but found $$(python3 --version 2>&1). Install a newer Python and try again." >&2; \
		exit 1; }

# PgBouncer is not a Python package. Without it the tests that need it are skipped with a message.
tools:
	@if ! PATH="$$PATH:/usr/sbin" command -v pgbouncer >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		(apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends pgbouncer) >/dev/null 2>&1 || true; fi
	@PATH="$$PATH:/usr/sbin" command -v pgbouncer >/dev/null || echo "PgBouncer is not installed, so the tests of isolation behind a connection pooler are SKIPPED. Run apt-get install pgbouncer." >&2
