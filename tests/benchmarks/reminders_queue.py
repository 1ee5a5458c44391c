"""What the tick costs where nothing is due, and what claiming costs where much is waiting."""

from __future__ import annotations

import statistics

import psycopg

from hotelagent.embedded.servers import postgres
from tests.benchmarks.contestants import Contestant, both, create_database
from tests.benchmarks.harness import Row, median_ratio, row, servers
from tests.servers import Servers

IDS = ("tick-idle", "due-growth")

FEW, MANY = 1_000, 10_000_000
HOTELS = (1, 100, 1_000)


def measure(ids: list[str]) -> list[Row]:
    rows: list[Row] = []
    with (
        servers() as running,
        both(running, ours="side_reminders", peer="side_scheduler") as (ours, peer),
    ):
        if "tick-idle" in ids:
            rows += _idle(ours, peer)
        if "due-growth" in ids:
            rows.append(_growth(running, ours))
    return rows


def _idle(ours: Contestant, peer: Contestant) -> list[Row]:
    """Each number of hotels several times in turn, for they can't all be there at once."""
    mine: dict[int, list[float]] = {count: [] for count in HOTELS}
    theirs: dict[int, list[float]] = {count: [] for count in HOTELS}
    for turn in range(4):
        for count in HOTELS if turn % 2 else HOTELS[::-1]:
            ours("hotel_rows", count)
            ours("idle_tick", 30)
            mine[count] += [ours("idle_tick", 30) * 1e6 for _ in range(5)]
            if turn == 0:
                peer("tenants", count)
                theirs[count].append(peer("idle_tick", 2) * 1e6)
    ours("hotel_rows", HOTELS[-1])
    peer("tenants", HOTELS[-1])
    statements, theirs_a_tick = ours("statements_of_idle_tick"), peer("statements_of_idle_tick")
    at = {count: statistics.median(took) for count, took in mine.items()}
    peers = {count: statistics.median(took) for count, took in theirs.items()}
    few, some, many = HOTELS
    grows = f"tenant-schemas-celery's scheduler {peers[few]:,.0f}, {peers[some]:,.0f} and {peers[many]:,.0f}"
    return [
        row("tick-idle", f"an idle tick at {many:,} hotels, us ({at[some]:,.0f} at {some}); peer: at {few}. {grows}",
            ours=at[many], peer=at[few], ratio=median_ratio(mine[many], mine[few]), bar=1.2),
        row("tick-idle", f"statements of an idle tick at {many:,} hotels, BEGIN and COMMIT not counted; "
            f"peer: the most it may take (tenant-schemas-celery's scheduler {theirs_a_tick:,.0f})",
            ours=statements, peer=1, bar=1),
    ]  # fmt: skip


def _growth(running: Servers, few: Contestant) -> Row:
    """The same hundred are due in two databases; what waits beside them differs."""
    create_database(running, "bench_many")
    settings = {"DJANGO_SETTINGS_MODULE": "hotelagent.settings.development"}
    many = Contestant("side_reminders", {**running.environment("bench_many", 11), **settings})
    try:
        many("prepare")
        for contestant, database, waiting in ((few, "bench_ours", FEW), (many, "bench_many", MANY)):
            contestant("hotel_rows", 50)
            url = running.postgres.url(postgres.SUPERUSER, database)
            with psycopg.connect(url, autocommit=True) as owner:
                owner.execute("DELETE FROM tenants_dueitem")
                _waiting(owner, waiting, "now() + interval '1 day' + n * interval '1 second'")
                _waiting(owner, 100, "now() - interval '1 hour'")
                owner.execute("ANALYZE tenants_dueitem; CHECKPOINT")
        took: dict[Contestant, list[float]] = {few: [], many: []}
        for number in range(60):
            for contestant in (few, many) if number % 2 else (many, few):
                took[contestant].append(contestant("claim", 5) * 1e6)
    finally:
        many.end()
    return row(
        "due-growth", f"claiming 100 due items with {MANY:,} waiting, us; peer: with {FEW:,}",
        ours=statistics.median(took[many]), peer=statistics.median(took[few]),
        ratio=median_ratio(took[many], took[few]), bar=1.3,
    )  # fmt: skip


_KEY, _INDEX = "tenants_dueitem_pkey", "tenants_dueitem_claim_at"


def _waiting(owner: psycopg.Connection, count: int, moment: str) -> None:
    """Of all hotels in turn, as they would be if each had planned a day at a time."""
    # Each row's foreign key would be looked up by a trigger, which is most of what this takes.
    owner.execute("SET session_replication_role = replica")
    if count > FEW:
        owner.execute(
            f"ALTER TABLE tenants_dueitem SET UNLOGGED, DROP CONSTRAINT {_KEY}; DROP INDEX {_INDEX}"
        )
    owner.execute(
        f"""
        INSERT INTO tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims)
        SELECT hotels.ids[1 + mod(n, array_length(hotels.ids, 1))], 'reminder', uuidv7(), {moment}, {moment}, 0
        FROM generate_series(1, %s) AS n, (SELECT array_agg(id ORDER BY id) AS ids FROM tenants_hotel) AS hotels
        """,
        [count],
    )
    if count > FEW:
        owner.execute("SET maintenance_work_mem = '512MB'")
        owner.execute(
            f"ALTER TABLE tenants_dueitem ADD CONSTRAINT {_KEY} PRIMARY KEY (hotel_id, kind, item_id); "
            f"CREATE INDEX {_INDEX} ON tenants_dueitem (claim_at)"
        )
