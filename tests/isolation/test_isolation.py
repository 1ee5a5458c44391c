"""Tests that no operation of the isolation workload reads or writes rows of another hotel.

Another test runs the same workload with the database backend of django-tenants, and expects that operations reach rows
of other hotels. The environment variable ISOLATION_OPERATIONS sets the number of operations.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest
from django.conf import settings

from tests import servers
from tests.isolation.isolation_database import (
    IsolationDatabase,
    count_written_markers,
    create_isolation_database,
    find_misplaced_rows,
)
from tests.isolation.workload_plan import OURS, PEER, WorkloadPlan
from tests.programs import run_python

OPERATIONS = int(os.environ.get("ISOLATION_OPERATIONS", "1000"))
PEER_OPERATIONS = 400

pytestmark = pytest.mark.timeout(60 + OPERATIONS // 50)


@pytest.fixture
def database() -> Iterator[IsolationDatabase]:
    with create_isolation_database(
        superuser_url=os.environ["HOTELAGENT_TEST_SUPERUSER_URL"], runtime_url=settings.DATABASE_URL
    ) as created:
        yield created


def run_workload(plan: WorkloadPlan) -> dict[str, Any]:
    process = run_python(
        "-m", "tests.isolation.run_workload", json.dumps(asdict(plan)), environment=os.environ
    )
    assert process.returncode == 0, process.stderr
    result: dict[str, Any] = json.loads(process.stdout)
    counts = {key: sum(result[key].values()) for key in ("done", "wrong", "errors")}
    print(
        f"\n{plan.engine}: {counts['done']:,} operations in {result['seconds']:,.0f} s, "
        f"{counts['wrong']:,} reached another hotel's rows, {counts['errors']:,} errors"
    )
    return result


def assert_isolated(database: IsolationDatabase, result: dict[str, Any]) -> None:
    assert result["wrong"] == {}
    assert result["errors"] == {}
    assert find_misplaced_rows(database) == []
    assert count_written_markers(database) == result["committed"]
    assert sum(result["done"].values()) >= OPERATIONS


@pytest.mark.pooler
@pytest.mark.parametrize("pool_size", [1, 3])
def test_workload_through_a_transaction_pooler_reaches_no_rows_of_other_hotels(
    database: IsolationDatabase, pool_size: int
) -> None:
    if servers.find_pgbouncer() is None:
        servers.skip_or_fail_in_ci("pgbouncer")
    with servers.PgBouncer(database.runtime_url, pool_size=pool_size) as bouncer:
        result = run_workload(
            WorkloadPlan(engine=OURS, url=bouncer.url, database=asdict(database), operations=OPERATIONS)
        )
    assert_isolated(database, result)


def test_workload_without_a_pooler_reaches_no_rows_of_other_hotels(database: IsolationDatabase) -> None:
    plan = WorkloadPlan(
        engine=OURS, url=database.runtime_url, database=asdict(database), operations=OPERATIONS
    )
    assert_isolated(database, run_workload(plan))


@pytest.mark.pooler
def test_workload_without_hotel_roles_reaches_no_rows_of_other_hotels(database: IsolationDatabase) -> None:
    """If DATABASE_ROLES is off, the runtime login can read every schema. Only the search_path isolates the hotels."""
    if servers.find_pgbouncer() is None:
        servers.skip_or_fail_in_ci("pgbouncer")
    with servers.PgBouncer(database.superuser_url, pool_size=3) as bouncer:
        plan = WorkloadPlan(
            engine=OURS, url=bouncer.url, database=asdict(database), operations=OPERATIONS, roles=False
        )
        result = run_workload(plan)
    assert_isolated(database, result)


@pytest.mark.pooler
def test_django_tenants_backend_reads_or_changes_rows_of_other_hotels(
    database: IsolationDatabase,
) -> None:
    """A negative control, which shows that the workload detects rows of other hotels.

    With the backend of django-tenants, the login role can read the schema of every hotel.
    """
    if servers.find_pgbouncer() is None:
        servers.skip_or_fail_in_ci("pgbouncer")
    with servers.PgBouncer(database.superuser_url, pool_size=3) as bouncer:
        plan = WorkloadPlan(
            engine=PEER,
            url=bouncer.url,
            database=asdict(database),
            operations=PEER_OPERATIONS,
            kinds=["read", "read_one", "write", "aggregate", "update"],
        )
        result = run_workload(plan)
    assert sum(result["wrong"].values()) > 0.1 * PEER_OPERATIONS
    assert find_misplaced_rows(database) != []
