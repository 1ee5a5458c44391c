# Everything that these make stands in .hotelagent; nothing else of this machine changes.
.DEFAULT_GOAL := help
.PHONY: help run test lint bench chaos isolation replay clean requirements install tools

HOME_FOLDER := .hotelagent
PY := $(HOME_FOLDER)/venv/bin/python
# Compiled modules stand there too, so PYTHONDONTWRITEBYTECODE has no folder of sources to keep clean; with it each
# process would compile all packages anew, for seconds.
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(HOME_FOLDER)/pycache
export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/$(HOME_FOLDER)/hypothesis
unexport PYTHONDONTWRITEBYTECODE

help: ## Show what there is
	@echo "make <what> - where <what> is one of:"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' Makefile | column -t -s '|' 2>/dev/null \
		|| sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1: \2/p' Makefile

run: install ## Set up and run everything: two demonstration hotels on http://localhost:8000 (PORT=, MAIL_PORT=)
	@exec $(PY) manage.py serve

# Three at a time for two cores: a test often waits for a process, a socket or a clock.
test: install tools ## Run the tests (ARGS="tests/locks -k overlap" for some; PG_BIN=/usr/lib/postgresql/15/bin on that PostgreSQL)
	@$(PY) -m pytest $(if $(findstring -n,$(ARGS)),,-n 3 --dist loadfile --no-loadscope-reorder) $(ARGS)

lint: install ## Check style, types and the SQL of migrations
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) -m mypy
	@if [ -f tenants/management/commands/lint_migrations.py ]; then $(PY) manage.py lint_migrations; fi

bench: install tools ## Measure against the peers (ONLY=id,id for some rows)
	@$(PY) -m tests.benchmarks $(ONLY)

isolation: install tools ## 200,000 operations of many hotels through a small pool, and django-tenants' own tests (minutes; OPERATIONS=, PG_BIN=)
	@ISOLATION_OPERATIONS=$(or $(OPERATIONS),200000) $(PY) -m pytest tests/isolation/test_isolation.py --timeout 3600 -s
	@$(PY) -m tests.isolation.run_django_tenants_suite

chaos: install tools ## Kill things while they work: 10,000 reminders over 50 hotels, then 32 callers who race for rooms (minutes)
	@CHAOS_REMINDERS=$(or $(REMINDERS),10000) CHAOS_HOTELS=$(or $(HOTELS),50) $(PY) -m pytest tests/chaos -s $(ARGS)
	@RACE_ROUNDS=$(or $(ROUNDS),250) $(PY) -m pytest tests/races

replay: install ## Two years of bookings, rooms and then mails, day by day (an hour; BOOKINGS_FILE=file.csv.gz for real bookings)
	@REPLAY=whole LOG_LEVEL=ERROR $(PY) -m pytest tests/locks/test_replay.py tests/reminders/test_whole_file.py -n 2 --dist load -p no:logging -rP $(ARGS)

clean: ## Forget all data of this checkout (the installed packages stay)
	@if [ -x $(PY) ]; then $(PY) -m hotelagent.embedded.clean; fi

requirements: install ## Pin the packages of requirements/*.in anew, with hashes
	@for name in base production ses development; do \
		$(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
			--no-emit-find-links --custom-compile-command 'make requirements' \
			requirements/$$name.in -o requirements/$$name.txt || exit 1; done

# The newest Python of 3.11 or later makes the virtual environment; after that nobody asks for one.
install:
	@$(PY) -I hotelagent/embedded/install.py --ready 2>/dev/null || { \
		for python in python3.14 python3.13 python3.12 python3.11 python3; do \
			if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
				exec $$python -I hotelagent/embedded/install.py; fi; done; \
		echo "hotelagent needs Python 3.11 or later, and here is $$(python3 --version 2>&1). Install one and try again." >&2; \
		exit 1; }

# PgBouncer is no Python package. Without it the tests that need it are skipped, and say so.
tools:
	@if ! PATH="$$PATH:/usr/sbin" command -v pgbouncer >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		(apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends pgbouncer) >/dev/null 2>&1 || true; fi
	@PATH="$$PATH:/usr/sbin" command -v pgbouncer >/dev/null || echo "PgBouncer is missing: the tests of isolation behind a pooler are SKIPPED. apt-get install pgbouncer" >&2
