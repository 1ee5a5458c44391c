"""Benchmarks of holds and of the availability of rooms, with few and with many existing holds.

Commits wait for the disk, as in production. Each caller is a process with Django, and all callers use one PgBouncer.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import psycopg

from hotelagent.embedded.servers import postgres
from tests.benchmarks.contestants import Contestant, create_database
from tests.benchmarks.harness import Row, median_ratio, row
from tests.benchmarks.side_holds_common import ROOMS_OF_CALLER
from tests.servers import PgBouncer, Servers

IDS = (
    "hold-rate",
    "hold-stock",
    "hold-group",
    "hold-growth",
    "hold-original",
    "hold-round-trips",
    "availability",
)

CALLERS = 8
GROUP = 5
BARE_TABLE = "public.bench_bare"
#: Seconds for which the callers of one implementation run before those of the next implementation run.
SECONDS = 1.0

FEW, SOME, MANY = 100, 10_000, 1_000_000
#: Maximum number of holds per room (on every second night) and per client in the filled hotels.
HOLDS_PER_ROOM = 500
HOLDS_PER_CLIENT = 400

#: A function that makes all callers run for some seconds and returns how many calls they made per second.
Rate = Callable[[float], float]


def measure(ids: list[str]) -> list[Row]:
    """Run the benchmarks of this module that `ids` lists, and return their result rows."""
    rows: list[Row] = []
    with durable_servers() as running, start_callers(running) as callers, ExitStack() as stack:
        owner = psycopg.connect(running.postgres.url(postgres.SUPERUSER), autocommit=True)
        stack.enter_context(owner)
        pool = stack.enter_context(ThreadPoolExecutor(2 * CALLERS))
        if {"hold-rate", "hold-stock", "hold-group", "hold-round-trips"} & set(ids):
            _fill_hotel(owner, callers[0], "bench-few", holds=FEW)
        if "hold-round-trips" in ids:
            rows.append(_messages(callers[0], "hold-round-trips", rooms=1, peer=2, bar=0.5))
        if {"hold-rate", "hold-group"} & set(ids):
            with start_django_callers(running) as django_callers:
                if "hold-rate" in ids:
                    rows += _rates(owner, pool, callers, django_callers)
                if "hold-group" in ids:
                    rows += _group_rates(pool, callers, django_callers)
        if "hold-stock" in ids:
            rows.append(_stock_rate(pool, callers))
        if "hold-original" in ids:
            _fill_hotel(owner, callers[0], "bench-some", holds=SOME)
            rows.append(_original(callers[0]))
        if "availability" in ids:
            rows += _availability(owner, callers[0])
        if "hold-growth" in ids:
            _fill_hotel(owner, callers[0], "bench-hundred", holds=FEW, rooms=MANY // HOLDS_PER_ROOM)
            _fill_hotel(owner, callers[0], "bench-million", holds=MANY)
            rows.append(_growth(callers[0]))
    return rows


@contextmanager
def durable_servers(*, stock: bool = False) -> Iterator[Servers]:
    """Start servers with a migrated database, and delete them on exit.

    Each transaction is stored on the disk before COMMIT returns.
    If `stock` is true, run the PostgreSQL of the Debian package with its default settings.
    """
    running = Servers(durable=True, stock=stock)
    try:
        running.start()
        if problem := running.build_template():
            raise RuntimeError(problem)
        yield running
    finally:
        running.stop()


@contextmanager
def start_callers(running: Servers, side: str = "side_holds") -> Iterator[list[Contestant]]:
    """Start the CALLERS processes of hotelagent in which the benchmarks acquire holds at the same time.

    The argument `side` names the module with the functions that the processes can run. All processes share one
    PgBouncer.
    """
    environment = running.environment(postgres.DATABASE, 0)
    superuser_url = environment["HOTELAGENT_TEST_SUPERUSER_URL"]
    with PgBouncer(environment["DATABASE_URL"], pool_size=CALLERS) as bouncer:
        environment |= {
            "DATABASE_URL": bouncer.url,
            "BENCH_SUPERUSER_URL": superuser_url,
            "LOG_LEVEL": "ERROR",
            "DEBUG": "0",  # with DEBUG on, Django keeps a copy of each statement
        }
        with _contestants(side, environment) as callers:
            yield callers


@contextmanager
def start_django_callers(
    running: Servers, rooms: int = CALLERS * ROOMS_OF_CALLER
) -> Iterator[list[Contestant]]:
    """Start processes that hold rooms with `peer_holds`, a Django project for the comparison with hotelagent.

    The processes use a separate database.
    """
    create_database(running, "bench_django")
    environment = running.environment("bench_django", 1)
    with PgBouncer(environment["DATABASE_DIRECT_URL"], pool_size=CALLERS) as bouncer:
        environment |= {
            "DATABASE_URL": bouncer.url,
            "DJANGO_SETTINGS_MODULE": "tests.benchmarks.peer_holds.settings",
        }
        with _contestants("side_django_holds", environment) as callers:
            callers[0]("prepare", rooms)
            yield callers


@contextmanager
def _contestants(side: str, environment: dict[str, str]) -> Iterator[list[Contestant]]:
    with ExitStack() as stack:
        contestants = [Contestant(side, environment) for _ in range(CALLERS)]
        for contestant in contestants:
            stack.callback(contestant.end)
        yield contestants


def _fill_hotel(
    owner: psycopg.Connection, caller: Contestant, slug: str, *, holds: int, rooms: int = 0
) -> None:
    """Create a hotel with `holds` active holds, which begin on every second night from today.

    Each hold has a due item and an audit event, like a hold that a client has acquired.
    """
    caller("make_hotel", slug, rooms or max(CALLERS * 25, holds // HOLDS_PER_ROOM))
    schema = "hotel_" + slug.replace("-", "_")
    owner.execute(
        f"""
        SET search_path TO "{schema}", public;
        CREATE TEMPORARY TABLE made AS
        SELECT uuidv7() AS id, room.id AS room_id, row_number() OVER () AS number,
            current_date + 2 * night AS check_in, room.number AS room_number
        FROM locks_room room CROSS JOIN generate_series(0, {HOLDS_PER_ROOM} - 1) AS night
        ORDER BY night, room.id LIMIT {holds};
        INSERT INTO locks_allocation (id, room_id, nights, status, token_digest, fencing_token,
            expires_at, max_expires_at, extensions_left, holder, session, reference, reason)
        SELECT id, room_id, daterange(check_in, check_in + 1), 'held', sha256(id::text::bytea), 1,
            now() + interval '1 day', now() + interval '1 day', 2, 'key:' || number / {HOLDS_PER_CLIENT}, '', '', ''
        FROM made;
        INSERT INTO tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims)
        SELECT hotel.id, 'hold', made.id, now() + interval '1 day', now() + interval '1 day', 0
        FROM made, tenants_hotel hotel WHERE hotel.slug = '{slug}';
        INSERT INTO audit_event (id, event, version, severity, outcome, actor_kind, actor_id, request_id, task_id,
            idempotency_key, subject_kind, subject_id, data, personal)
        SELECT uuidv7(), 'hold.acquired', 1, 1, 1, 'key', number / {HOLDS_PER_CLIENT}, '', '', '', 'hold', id,
            jsonb_build_object('room', room_number, 'check_in', check_in),
            jsonb_build_object('actor', jsonb_build_object(
                'salt', encode(uuid_send(gen_random_uuid()), 'base64'), 'value', jsonb_build_object('label', 'Bench')))
        FROM made;
        DROP TABLE made;
        ANALYZE locks_room, locks_allocation, tenants_dueitem, audit_event
        """
    )
    # Write these rows to the disk now, so that the measurements do not include this write.
    owner.execute("CHECKPOINT")


def _messages(caller: Contestant, id_: str, *, rooms: int, peer: float, bar: float) -> Row:
    return row(
        id_,
        f"messages to the database for one acquire of {rooms} rooms, events included, counted by libpq; "
        f"peer: {peer:.0f}",
        ours=caller("messages", "bench-few", rooms), peer=peer, bar=bar,
    )  # fmt: skip


def create_bare_table(owner: psycopg.Connection) -> None:
    """Create a minimal table, so that the benchmarks can compare holds with plain inserts into this table.

    The table has only a key column and a text column. Every database role may read and change the table.
    """
    owner.execute(
        f"CREATE TABLE {BARE_TABLE} (id uuid PRIMARY KEY, note text NOT NULL); "
        f"GRANT ALL ON {BARE_TABLE} TO PUBLIC"
    )


def _rate(pool: ThreadPoolExecutor, callers: list[Contestant], rooms: int, *arguments: object) -> Rate:
    """Return a function that measures how many holds per second all callers together acquire and release.

    The argument of the function is the duration of the measurement in seconds.
    """

    def rate(seconds: float) -> float:
        counts = pool.map(
            lambda numbered: numbered[1]("hold", *arguments, numbered[0], rooms, seconds), enumerate(callers)
        )
        return float(sum(counts) / seconds)

    return rate


def _rates(
    owner: psycopg.Connection,
    pool: ThreadPoolExecutor,
    callers: list[Contestant],
    django_callers: list[Contestant],
) -> list[Row]:
    create_bare_table(owner)

    def bare(seconds: float) -> float:
        counts = pool.map(lambda caller: caller("insert_and_delete", BARE_TABLE, seconds), callers)
        return float(sum(counts) / seconds)

    return compare_rates(
        "hold-rate",
        f"acquire + release of a room, a second, {CALLERS} callers",
        _rate(pool, callers, 1, "bench-few"),
        [
            ("the Django ORM with django-auditlog", _rate(pool, django_callers, 1), 3),
            # The minimum is 90% of 0.387, the ratio that was measured with the previous database functions.
            ("bare INSERT + DELETE", bare, 0.35),
        ],
    )


def _group_rates(
    pool: ThreadPoolExecutor, callers: list[Contestant], django_callers: list[Contestant]
) -> list[Row]:
    return [
        _messages(callers[0], "hold-group", rooms=GROUP, peer=1, bar=1),
        *compare_rates(
            "hold-group",
            f"acquire + release of {GROUP} rooms at once, a second, {CALLERS} callers",
            _rate(pool, callers, GROUP, "bench-few"),
            [("the Django ORM with django-auditlog", _rate(pool, django_callers, GROUP), 3)],
        ),
    ]


def _stock_rate(pool: ThreadPoolExecutor, callers: list[Contestant]) -> Row:
    with durable_servers(stock=True) as stock, start_callers(stock) as stock_callers:
        with psycopg.connect(stock.postgres.url(postgres.SUPERUSER), autocommit=True) as owner:
            owner.execute(_UUID7)
            _fill_hotel(owner, stock_callers[0], "bench-few", holds=FEW)
        [result] = compare_rates(
            "hold-stock",
            f"hold-rate on Debian's PostgreSQL {stock.postgres.version} with default settings",
            _rate(pool, stock_callers, 1, "bench-few"),
            [(f"on the embedded PostgreSQL {postgres.Postgres(stock.folder / 'version').version}",
              _rate(pool, callers, 1, "bench-few"), 0.8)],
        )  # fmt: skip
    return result


#: PostgreSQL has this function from version 18.
_UUID7 = "CREATE FUNCTION public.uuidv7() RETURNS uuid LANGUAGE sql RETURN public.tenants_uuid7()"


def compare_rates(id_: str, what: str, ours: Rate, peers: list[tuple[str, Rate, float]]) -> list[Row]:
    """Measure the rates of hotelagent and of other implementations alternately.

    Return one result row for each of the other implementations. The function `ours` measures the rate of hotelagent.
    Each tuple in `peers` contains a description, a function that measures the rate, and the minimum ratio of the rates.
    """
    rates: list[Rate] = [ours, *(rate for _description, rate, _factor in peers)]
    results: list[list[float]] = [[] for _rate in rates]
    for rate in rates:
        rate(SECONDS)
    for number in range(14):
        order = list(enumerate(rates))
        for index, rate in order if number % 2 else reversed(order):
            results[index].append(rate(SECONDS))
    return [
        row(
            id_,
            f"{what}; peer: {description} (ratio: peer's rate over ours; bar: ours is {factor} x)",
            ours=statistics.median(results[0]), peer=statistics.median(theirs),
            ratio=median_ratio(theirs, results[0]), bar=1 / factor,
        )
        for (description, _rate, factor), theirs in zip(peers, results[1:], strict=True)
    ]  # fmt: skip


def _growth(caller: Contestant) -> Row:
    few, many = _alternate(
        lambda: caller("acquire", "bench-hundred", 20), lambda: caller("acquire", "bench-million", 20), 60
    )
    return row(
        "hold-growth", f"acquire with {MANY:,} live holds, us; peer: with {FEW}",
        ours=statistics.median(many) * 1e6, peer=statistics.median(few) * 1e6,
        ratio=median_ratio(many, few), bar=1.3,
    )  # fmt: skip


def _original(caller: Contestant) -> Row:
    caller("original_fill", SOME)
    ours, theirs = _alternate(lambda: caller("acquire", "bench-some", 20), lambda: caller("original", 2), 15)
    return row(
        "hold-original",
        f"acquire at {SOME:,} live holds, us; peer: SCAN, comparison and SET NX of the replaced system "
        "(bar: 100 x faster)",
        ours=statistics.median(ours) * 1e6, peer=statistics.median(theirs) * 1e6,
        ratio=median_ratio(ours, theirs), bar=1 / 100,
    )  # fmt: skip


def _availability(owner: psycopg.Connection, caller: Contestant) -> list[Row]:
    """Measure the search for free rooms in two hotels, one with many past stays and one with few.

    Both hotels have 500 rooms and 25,000 future stays. In each room, a stay of three nights begins every fourth day.
    """
    for slug, first in (("bench-past", -400), ("bench-new", -4)):
        caller("make_hotel", slug, 500)
        owner.execute(
            f"""
            SET search_path TO "hotel_{slug.replace("-", "_")}", public;
            INSERT INTO locks_allocation (id, room_id, nights, status, extensions_left, holder, session, reference,
                reason)
            SELECT uuidv7(), room.id, daterange(check_in, check_in + 3), 'confirmed', 0, 'user:1', '', '', ''
            FROM generate_series({first}, 49) AS stay, locks_room room,
                LATERAL (SELECT current_date + 4 * stay + room.id % 4 AS check_in) AS day;
            ANALYZE locks_room, locks_allocation
            """
        )
    owner.execute("CHECKPOINT")
    selector, query = _alternate(
        lambda: caller("availability", "bench-past", 5),
        lambda: caller("availability_query", "bench-past", 5),
        40,
    )
    past, new = _alternate(
        lambda: caller("availability", "bench-past", 5), lambda: caller("availability", "bench-new", 5), 40
    )
    return [
        row("availability", f"free rooms of 500, 200,000 past stays, the selector, us; peer: {peer}",
            ours=statistics.median(ours) * 1e6, peer=statistics.median(theirs) * 1e6,
            ratio=median_ratio(ours, theirs), bar=bar)
        for peer, ours, theirs, bar in (
            ("the query alone over the same index", selector, query, 3),
            ("2,000 past stays", past, new, 1.3),
        )
    ]  # fmt: skip


def _alternate(
    ours: Callable[[], float], peer: Callable[[], float], rounds: int
) -> tuple[list[float], list[float]]:
    """Call both functions once in each round, in alternating order. Return the list of results of each function."""
    ours(), peer()
    our_results, peer_results = [], []
    for number in range(rounds):
        if number % 2:
            our_results.append(ours())
            peer_results.append(peer())
        else:
            peer_results.append(peer())
            our_results.append(ours())
    return our_results, peer_results
