"""Benchmarks of the due queue, which stores when each reminder has to be sent.

One benchmark measures the Celery beat task that looks for due reminders, while no reminder is due. Another benchmark
measures how fast a worker claims due reminders.
"""

from __future__ import annotations

import statistics

import psycopg

from hotelagent.embedded.servers import postgres
from tests.benchmarks.contestants import Contestant, both, create_database
from tests.benchmarks.harness import Row, median_ratio, row, servers
from tests.servers import Servers

IDS = ("tick-idle", "due-growth")

FEW_WAITING, MANY_WAITING = 1_000, 10_000_000
HOTEL_COUNTS = (1, 100, 1_000)


def measure(ids: list[str]) -> list[Row]:
    """Run the benchmarks of this module that `ids` lists, and return their result rows."""
    rows: list[Row] = []
    with (
        servers() as running,
        both(running, ours="side_reminders", peer="side_scheduler") as (ours, peer),
    ):
        if "tick-idle" in ids:
            rows += _measure_idle_tick(ours, peer)
        if "due-growth" in ids:
            rows.append(_measure_growth(running, ours))
    return rows


def _measure_idle_tick(ours: Contestant, peer: Contestant) -> list[Row]:
    """Measure the scheduler task while nothing is due, with different numbers of hotels, and return result rows."""
    our_times: dict[int, list[float]] = {count: [] for count in HOTEL_COUNTS}
    peer_times: dict[int, list[float]] = {count: [] for count in HOTEL_COUNTS}
    for turn in range(4):
        for count in HOTEL_COUNTS if turn % 2 else HOTEL_COUNTS[::-1]:
            ours("set_hotel_count", count)
            ours("idle_tick", 30)
            our_times[count] += [ours("idle_tick", 30) * 1e6 for _ in range(5)]
            if turn == 0:
                peer("set_tenant_count", count)
                peer_times[count].append(peer("idle_tick", 2) * 1e6)
    ours("set_hotel_count", HOTEL_COUNTS[-1])
    peer("set_tenant_count", HOTEL_COUNTS[-1])
    our_statements = ours("statements_of_idle_tick")
    peer_statements = peer("statements_of_idle_tick")
    few, some, many = HOTEL_COUNTS
    our_median = {count: statistics.median(times) for count, times in our_times.items()}
    of_scheduler = ", ".join(f"{statistics.median(times):,.0f}" for times in peer_times.values())
    return [
        row("tick-idle", f"idle tick at {many:,} hotels, us ({our_median[some]:,.0f} at {some}); peer: at {few}. "
            f"tenant-schemas-celery's scheduler: {of_scheduler}",
            ours=our_median[many], peer=our_median[few], ratio=median_ratio(our_times[many], our_times[few]),
            bar=1.2),
        row("tick-idle", f"statements of an idle tick at {many:,} hotels, without BEGIN and COMMIT; "
            f"peer: the limit (tenant-schemas-celery's scheduler: {peer_statements:,.0f})",
            ours=our_statements, peer=1, bar=1),
    ]  # fmt: skip


def _measure_growth(running: Servers, few: Contestant) -> Row:
    """Measure how long it takes to claim 100 due items.

    The time is measured once in a queue with few items that are due later, and once in a queue with many.
    """
    create_database(running, "bench_many")
    settings = {"DJANGO_SETTINGS_MODULE": "hotelagent.settings.development"}
    many = Contestant("side_reminders", {**running.environment("bench_many", 11), **settings})
    try:
        many("prepare")
        for contestant, database, waiting in (
            (few, "bench_ours", FEW_WAITING),
            (many, "bench_many", MANY_WAITING),
        ):
            contestant("set_hotel_count", 50)
            url = running.postgres.url(postgres.SUPERUSER, database)
            with psycopg.connect(url, autocommit=True) as superuser:
                superuser.execute("DELETE FROM tenants_dueitem")
                _insert_items(superuser, waiting, "now() + interval '1 day' + n * interval '1 second'")
                _insert_items(superuser, 100, "now() - interval '1 hour'")
                superuser.execute("ANALYZE tenants_dueitem; CHECKPOINT")
        times: dict[Contestant, list[float]] = {few: [], many: []}
        for number in range(60):
            for contestant in (few, many) if number % 2 else (many, few):
                times[contestant].append(contestant("claim", 5) * 1e6)
    finally:
        many.end()
    return row(
        "due-growth", f"claim of 100 due items while {MANY_WAITING:,} are waiting, us; "
        f"peer: while {FEW_WAITING:,} are waiting",
        ours=statistics.median(times[many]), peer=statistics.median(times[few]),
        ratio=median_ratio(times[many], times[few]), bar=1.3,
    )  # fmt: skip


_PRIMARY_KEY, _INDEX = "tenants_dueitem_pkey", "tenants_dueitem_claim_at"


def _insert_items(superuser: psycopg.Connection, count: int, due_at: str) -> None:
    """Insert due items in the order in which the daily planning inserts them.

    The due items of all hotels for one day come first, then those for the next day.
    """
    # Disable triggers, because the checks of the foreign key would take most of the time.
    superuser.execute("SET session_replication_role = replica")
    if count > FEW_WAITING:
        superuser.execute(
            f"ALTER TABLE tenants_dueitem SET UNLOGGED, DROP CONSTRAINT {_PRIMARY_KEY}; DROP INDEX {_INDEX}"
        )
    superuser.execute(
        f"""
        INSERT INTO tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims)
        SELECT hotels.ids[1 + mod(n, array_length(hotels.ids, 1))], 'reminder', uuidv7(), {due_at}, {due_at}, 0
        FROM generate_series(1, %s) AS n, (SELECT array_agg(id ORDER BY id) AS ids FROM tenants_hotel) AS hotels
        """,
        [count],
    )
    if count > FEW_WAITING:
        superuser.execute("SET maintenance_work_mem = '512MB'")
        superuser.execute(
            f"ALTER TABLE tenants_dueitem ADD CONSTRAINT {_PRIMARY_KEY} PRIMARY KEY (hotel_id, kind, item_id); "
            f"CREATE INDEX {_INDEX} ON tenants_dueitem (claim_at)"
        )
