"""`manage.py migrate` as an operator types it: what it must refuse to start with, and what it is there to mend."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

from hotelagent.embedded import paths
from tenants.models import Hotel
from tests import servers
from tests.tenants import sql

pytestmark = pytest.mark.django_db(transaction=True)


def migrate(**given: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=paths.CHECKOUT, env={**os.environ, **given}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.pooler
def test_a_direct_url_that_leads_to_a_pooler_is_refused_and_leaves_no_lock(
    hotel: Hotel, pgbouncer: servers.PgBouncer
) -> None:
    """The lock of a deploy is the session's: on a pooler's it would stay for whoever is lent that session."""
    done = migrate(DATABASE_DIRECT_URL=pgbouncer.through(settings.DATABASE_DIRECT_URL))
    assert done.returncode == 1
    assert "tenants.E025" in done.stderr
    locks = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE l.locktype = 'advisory'"
    assert sql.ask(f"{locks} AND d.datname = current_database()") == [(0,)]
    assert migrate().returncode == 0


def test_what_it_mends_does_not_keep_it_from_starting(hotel: Hotel) -> None:
    sql.run(f"GRANT SELECT ON {hotel.schema}.tenants_user TO PUBLIC; GRANT SELECT ON audit_event TO PUBLIC")
    done = migrate()
    assert (done.returncode, done.stderr) == (0, "")
    rows = sql.ask(
        "SELECT count(*) FROM pg_class c, aclexplode(c.relacl) a WHERE a.grantee = 0 AND c.relkind = 'r' "
        "AND c.relnamespace IN ('public'::regnamespace, %s::regnamespace)",
        hotel.schema,
    )
    assert rows == [(0,)]
