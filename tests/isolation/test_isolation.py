"""Nothing reaches another hotel's rows, whatever stands between us and the server.

The same program with django-tenants' own backend must leak, or these tests are not testing.
ISOLATION_OPERATIONS raises the number (`make isolation` runs 200,000).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest
from django.conf import settings

from hotelagent.embedded import paths
from tests import servers
from tests.isolation.plan import OURS, PEER, Plan
from tests.isolation.world import World, make_world, strays, written

OPERATIONS = int(os.environ.get("ISOLATION_OPERATIONS", "1500"))
PEER_OPERATIONS = 400

pytestmark = pytest.mark.timeout(60 + OPERATIONS // 50)


@pytest.fixture
def world() -> Iterator[World]:
    with make_world(
        superuser_url=os.environ["HOTELAGENT_TEST_SUPERUSER_URL"], runtime_url=settings.DATABASE_URL
    ) as made:
        yield made


def run(plan: Plan) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.isolation.program", json.dumps(asdict(plan))],
        cwd=paths.CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    counts = {what: sum(result[what].values()) for what in ("done", "wrong", "errors")}
    print(
        f"\n{plan.engine}: {counts['done']:,} operations in {result['seconds']:,.0f} s, "
        f"{counts['wrong']:,} met another hotel's rows, {counts['errors']:,} errors"
    )
    return result


def hold(world: World, result: dict[str, Any]) -> None:
    assert result["wrong"] == {}
    assert result["errors"] == {}
    assert strays(world) == []
    assert written(world) == result["committed"]
    assert sum(result["done"].values()) >= OPERATIONS


@pytest.mark.pooler
@pytest.mark.parametrize("pool_size", [1, 3])
def test_it_reaches_no_other_hotel_through_a_transaction_pooler(world: World, pool_size: int) -> None:
    if servers.find_pgbouncer() is None:
        servers.demand_or_skip("pgbouncer")
    with servers.PgBouncer(world.runtime_url, pool_size=pool_size) as bouncer:
        result = run(Plan(engine=OURS, url=bouncer.url, world=asdict(world), operations=OPERATIONS))
    hold(world, result)


def test_it_reaches_no_other_hotel_without_a_pooler(world: World) -> None:
    hold(world, run(Plan(engine=OURS, url=world.runtime_url, world=asdict(world), operations=OPERATIONS)))


@pytest.mark.pooler
def test_it_needs_no_roles_to_keep_hotels_apart(world: World) -> None:
    """With DATABASE_ROLES off the search_path alone does it; here the login may see everything."""
    if servers.find_pgbouncer() is None:
        servers.demand_or_skip("pgbouncer")
    with servers.PgBouncer(world.superuser_url, pool_size=3) as bouncer:
        plan = Plan(engine=OURS, url=bouncer.url, world=asdict(world), operations=OPERATIONS, roles=False)
        result = run(plan)
    hold(world, result)


@pytest.mark.pooler
def test_the_peer_leaks_in_the_same_program(world: World) -> None:
    """The negative control. Its login may see everything, as django-tenants has it."""
    if servers.find_pgbouncer() is None:
        servers.demand_or_skip("pgbouncer")
    with servers.PgBouncer(world.superuser_url, pool_size=3) as bouncer:
        plan = Plan(
            engine=PEER,
            url=bouncer.url,
            world=asdict(world),
            operations=PEER_OPERATIONS,
            kinds=["read", "read_one", "write", "aggregate", "update"],
        )
        result = run(plan)
    assert sum(result["wrong"].values()) > 0.1 * PEER_OPERATIONS
    assert strays(world) != []
