"""What a hold costs, and what it costs when there are many. The server keeps what is committed, as one in service.

Each caller is a process with Django; all go through one PgBouncer.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import psycopg

from hotelagent.embedded.servers import postgres
from tests.benchmarks.contestants import Contestant
from tests.benchmarks.harness import Row, median_ratio, row
from tests.servers import PgBouncer, Servers

IDS = ("hold-rate", "hold-growth", "hold-original", "hold-round-trips", "availability")

CALLERS = 8
BARE = "public.bench_bare"
SECONDS = 1.0  # of one turn of all callers together

FEW, SOME, MANY = 100, 10_000, 1_000_000
#: So many holds are in a room at most, every second night, and so many are one client's.
NIGHTS = 500
OF_CLIENT = 400


def measure(ids: list[str]) -> list[Row]:
    with keeping_servers() as running, _callers(running) as callers:
        rows = []
        with psycopg.connect(running.postgres.url(postgres.SUPERUSER), autocommit=True) as owner:
            if {"hold-rate", "hold-round-trips"} & set(ids):
                _hotel(owner, callers[0], "bench-few", holds=FEW)
            if "hold-round-trips" in ids:
                rows.append(_round_trips(callers[0]))
            if "hold-rate" in ids:
                rows.append(_rate(owner, callers))
            if "hold-original" in ids:
                _hotel(owner, callers[0], "bench-some", holds=SOME)
                rows.append(_original(callers[0]))
            if "availability" in ids:
                rows += _availability(owner, callers[0])
            if "hold-growth" in ids:
                _hotel(owner, callers[0], "bench-hundred", holds=FEW, rooms=MANY // NIGHTS)
                _hotel(owner, callers[0], "bench-million", holds=MANY)
                rows.append(_growth(callers[0]))
        return rows


@contextmanager
def keeping_servers() -> Iterator[Servers]:
    """As `harness.servers`, but a commit waits for the disk: what a hold promises is nothing without that."""
    running = Servers(durable=True)
    try:
        running.start()
        if problem := running.build_template():
            raise RuntimeError(problem)
        yield running
    finally:
        running.stop()


@contextmanager
def _callers(running: Servers) -> Iterator[list[Contestant]]:
    environment = running.environment(postgres.DATABASE, 0)
    superuser = environment["HOTELAGENT_TEST_SUPERUSER_URL"]
    with PgBouncer(environment["DATABASE_URL"], pool_size=CALLERS) as bouncer, ExitStack() as stack:
        environment |= {"DATABASE_URL": bouncer.url, "BENCH_SUPERUSER_URL": superuser, "LOG_LEVEL": "ERROR"}
        environment["DEBUG"] = "0"  # Django would keep a copy of each statement, written out once more
        callers = [Contestant("side_holds", environment) for _ in range(CALLERS)]
        for caller in callers:
            stack.callback(caller.end)
        yield callers


def _hotel(owner: psycopg.Connection, caller: Contestant, slug: str, *, holds: int, rooms: int = 0) -> None:
    """A hotel with so many live holds, each with its due item and its event, on every second night from today."""
    caller("make_hotel", slug, rooms or max(CALLERS * 25, holds // NIGHTS))
    schema = "hotel_" + slug.replace("-", "_")
    owner.execute(
        f"""
        SET search_path TO "{schema}", public;
        CREATE TEMPORARY TABLE made AS
        SELECT uuidv7() AS id, room.id AS room_id, row_number() OVER () AS number,
            current_date + 2 * night AS check_in, room.number AS room_number
        FROM locks_room room CROSS JOIN generate_series(0, {NIGHTS} - 1) AS night
        ORDER BY night, room.id LIMIT {holds};
        INSERT INTO locks_allocation (id, room_id, nights, status, token_digest, fencing_token,
            expires_at, max_expires_at, extensions_left, holder, session, reference, reason)
        SELECT id, room_id, daterange(check_in, check_in + 1), 'held', sha256(id::text::bytea), 1,
            now() + interval '1 day', now() + interval '1 day', 2, 'key:' || number / {OF_CLIENT}, '', '', ''
        FROM made;
        INSERT INTO tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims)
        SELECT hotel.id, 'hold', made.id, now() + interval '1 day', now() + interval '1 day', 0
        FROM made, tenants_hotel hotel WHERE hotel.slug = '{slug}';
        INSERT INTO audit_event (id, event, actor_kind, actor_id, actor_label, request_id, subject_kind,
            subject_id, data)
        SELECT uuidv7(), 'hold.acquired', 'key', number / {OF_CLIENT}, 'Bench', '', 'hold', id,
            jsonb_build_object('room', room_number, 'check_in', check_in) FROM made;
        DROP TABLE made;
        ANALYZE locks_room, locks_allocation, tenants_dueitem, audit_event
        """
    )
    _settle(owner)


def _settle(owner: psycopg.Connection) -> None:
    """Nobody pays for what filled the tables."""
    owner.execute("CHECKPOINT")


def _round_trips(caller: Contestant) -> Row:
    return row(
        "hold-round-trips",
        "messages to the database for one acquire, its event included, counted by libpq; peer: the most it may take",
        ours=caller("messages", "bench-few"), peer=2, bar=1,
    )  # fmt: skip


def table_of_the_peer(owner: psycopg.Connection) -> None:
    """A row of its own key and a word, for whoever asks."""
    owner.execute(
        f"CREATE TABLE {BARE} (id uuid PRIMARY KEY, note text NOT NULL); GRANT ALL ON {BARE} TO PUBLIC"
    )


def _rate(owner: psycopg.Connection, callers: list[Contestant]) -> Row:
    table_of_the_peer(owner)

    def ours(seconds: float) -> float:
        turns = pool.map(
            lambda numbered: numbered[1]("hold", "bench-few", numbered[0], seconds), enumerate(callers)
        )
        return float(sum(turns) / seconds)

    def peer(seconds: float) -> float:
        return float(sum(pool.map(lambda caller: caller("bare", BARE, seconds), callers)) / seconds)

    with ThreadPoolExecutor(CALLERS) as pool:
        ours(SECONDS), peer(SECONDS)
        mine: list[float] = []
        theirs: list[float] = []
        for number in range(14):
            for which in (0, 1) if number % 2 else (1, 0):
                (mine if which else theirs).append((ours if which else peer)(SECONDS))
    return row(
        "hold-rate",
        f"acquire + release with their events, a second, {CALLERS} callers; "
        "peer: bare INSERT + DELETE (ratio: peer's rate over ours; bar: 0.5 x its rate)",
        ours=statistics.median(mine),
        peer=statistics.median(theirs),
        ratio=median_ratio(theirs, mine),
        bar=2,
    )


def _growth(caller: Contestant) -> Row:
    few, many = _turns(
        lambda: caller("acquire", "bench-hundred", 20), lambda: caller("acquire", "bench-million", 20), 60
    )
    return row(
        "hold-growth", f"acquire with {MANY:,} live holds, us; peer: with {FEW}",
        ours=statistics.median(many) * 1e6, peer=statistics.median(few) * 1e6,
        ratio=median_ratio(many, few), bar=1.3,
    )  # fmt: skip


def _original(caller: Contestant) -> Row:
    caller("original_fill", SOME)
    mine, theirs = _turns(lambda: caller("acquire", "bench-some", 20), lambda: caller("original", 2), 15)
    return row(
        "hold-original",
        f"acquire at {SOME:,} live holds, us; peer: the original's SCAN, compare, SET NX (bar: 100 x faster)",
        ours=statistics.median(mine) * 1e6, peer=statistics.median(theirs) * 1e6,
        ratio=median_ratio(mine, theirs), bar=1 / 100,
    )  # fmt: skip


def _availability(owner: psycopg.Connection, caller: Contestant) -> list[Row]:
    """500 rooms, a stay of three nights every fourth day, 25,000 of them to come: one hotel with a long past."""
    for slug, first in (("bench-past", -400), ("bench-new", -4)):
        caller("make_hotel", slug, 500)
        owner.execute(
            f"""
            SET search_path TO "hotel_{slug.replace("-", "_")}", public;
            INSERT INTO locks_allocation (id, room_id, nights, status, extensions_left, holder, session, reference,
                reason)
            SELECT uuidv7(), room.id, daterange(arrival, arrival + 3), 'confirmed', 0, 'user:1', '', '', ''
            FROM generate_series({first}, 49) AS turn, locks_room room,
                LATERAL (SELECT current_date + 4 * turn + room.id % 4 AS arrival) AS day;
            ANALYZE locks_room, locks_allocation
            """
        )
    _settle(owner)
    service, bare = _turns(
        lambda: caller("availability", "bench-past", 5),
        lambda: caller("availability_bare", "bench-past", 5),
        40,
    )
    past, new = _turns(
        lambda: caller("availability", "bench-past", 5), lambda: caller("availability", "bench-new", 5), 40
    )
    return [
        row("availability", f"free rooms of 500, {what}, the selector; peer: {peer}",
            ours=statistics.median(ours) * 1e6, peer=statistics.median(theirs) * 1e6,
            ratio=median_ratio(ours, theirs), bar=bar)
        for what, peer, ours, theirs, bar in (
            ("200,000 past stays", "the bare SQL over the same index", service, bare, 3),
            ("200,000 past stays", "2,000 past stays", past, new, 1.3),
        )
    ]  # fmt: skip


def _turns(
    ours: Callable[[], float], peer: Callable[[], float], rounds: int
) -> tuple[list[float], list[float]]:
    """One after the other, each first as often as the other."""
    ours(), peer()
    mine, theirs = [], []
    for number in range(rounds):
        if number % 2:
            mine.append(ours())
            theirs.append(peer())
        else:
            theirs.append(peer())
            mine.append(ours())
    return mine, theirs
