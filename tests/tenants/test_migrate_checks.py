"""Tests of the checks that `manage.py migrate` runs before it migrates anything."""

import os
import subprocess

import pytest
from django.conf import settings

from tenants.models import Hotel
from tests import servers
from tests.programs import run_python
from tests.tenants import sql

pytestmark = pytest.mark.django_db(transaction=True)


def migrate(**environment: str) -> "subprocess.CompletedProcess[str]":
    return run_python("manage.py", "migrate", "--verbosity", "0", environment={**os.environ, **environment})


@pytest.mark.pooler
def test_migrate_through_a_pooler_is_refused_and_leaves_no_lock(
    hotel: Hotel, pgbouncer: servers.PgBouncer
) -> None:
    """The migration lock belongs to a database session.

    A pooler would give the session, with the lock, to another client.
    """
    result = migrate(DATABASE_DIRECT_URL=pgbouncer.through(settings.DATABASE_DIRECT_URL))
    assert result.returncode == 1
    assert "tenants.E025" in result.stderr
    locks = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE l.locktype = 'advisory'"
    assert sql.query(f"{locks} AND d.datname = current_database()") == [(0,)]
    assert migrate().returncode == 0


def test_migrate_of_a_database_with_wrong_privileges_repairs_the_privileges(hotel: Hotel) -> None:
    sql.execute(
        f"GRANT SELECT ON {hotel.schema}.tenants_user TO PUBLIC; GRANT SELECT ON audit_event TO PUBLIC"
    )
    result = migrate()
    assert (result.returncode, result.stderr) == (0, "")
    rows = sql.query(
        "SELECT count(*) FROM pg_class c, aclexplode(c.relacl) a WHERE a.grantee = 0 AND c.relkind = 'r' "
        "AND c.relnamespace IN ('public'::regnamespace, %s::regnamespace)",
        hotel.schema,
    )
    assert rows == [(0,)]
