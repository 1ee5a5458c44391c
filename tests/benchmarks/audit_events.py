"""Benchmarks of the audit trail: the time to record events and to read a page, the effect of concurrent writers, and
the size.

For comparison, django-auditlog records the changes of a model. Both libraries record the extension of a hold, with the
actor, the client's address and the request.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager

from hotelagent.embedded.servers import postgres
from tests.benchmarks.contestants import Contestant, create_database
from tests.benchmarks.harness import Row, median_ratio, row, row_of_rounds
from tests.servers import Servers

IDS = ("audit-record", "audit-writers", "audit-bytes", "audit-pages")

ROUNDS = 15
EVENTS = 200
WRITERS = 8
WRITER_SECONDS = 2.0
STORED_EVENTS = 10_000
#: The bytes that the hash and the id of an event take in the tiles of the log.
SEAL_BYTES = 32 + 16
FEW = 10_000
MANY = 5_000_000
FILTERS = ("actor", "event", "request")


def measure(ids: list[str]) -> list[Row]:
    rows: list[Row] = []
    running = Servers(in_memory=True)
    try:
        running.start()
        if set(ids) & {"audit-record", "audit-writers", "audit-bytes"}:
            with _both(running) as (ours, peer):
                rows += [_MEASURES[id_](ours, peer) for id_ in ids if id_ in _MEASURES]
        if "audit-pages" in ids:
            environment = running.environment(postgres.DATABASE, 0) | {"LOG_LEVEL": "ERROR", "DEBUG": "0"}
            side = Contestant("side_audit", environment)
            try:
                side("prepare")
                side("fill", FEW, MANY)
                rows += [_measure_page(side, name) for name in FILTERS]
            finally:
                side.end()
    finally:
        running.stop()
    return rows


@contextmanager
def _both(running: Servers) -> Iterator[tuple[Contestant, Contestant]]:
    """Start a process for hotelagent's audit trail and a process for django-auditlog, each with its own database."""
    for name in ("bench_ours", "bench_peer"):
        create_database(running, name)
    quiet = {"LOG_LEVEL": "ERROR", "DEBUG": "0"}
    ours = Contestant("side_audit", running.environment("bench_ours", 9) | quiet)
    peer_environment = running.environment("bench_peer", 10)
    # The owner's login creates the tables of django-auditlog and uses them.
    peer_environment["DATABASE_URL"] = peer_environment["DATABASE_DIRECT_URL"]
    settings = {"DJANGO_SETTINGS_MODULE": "tests.benchmarks.peer_holds.settings"}
    peer = Contestant("side_auditlog", peer_environment | settings)
    try:
        for side in (ours, peer):
            side("prepare")
        yield ours, peer
    finally:
        for side in (ours, peer):
            side.end()


def _measure_record(ours: Contestant, peer: Contestant) -> Row:
    for side in (ours, peer):
        side("record_events", EVENTS)
    rounds = [[side("record_events", EVENTS) / EVENTS * 1e6 for side in (ours, peer)] for _ in range(ROUNDS)]
    what = "event in an open transaction, µs; peer: tracked save of django-auditlog"
    return row_of_rounds("audit-record", what, rounds, bar=0.5)


def _measure_writers(ours: Contestant, peer: Contestant) -> Row:
    rounds = [[side("write", WRITERS, WRITER_SECONDS) for side in (ours, peer)] for _ in range(5)]
    our_rates, peer_rates = (list(rates) for rates in zip(*rounds, strict=True))
    return row(
        "audit-writers",
        f"events per second, {WRITERS} writers; peer: tracked saves of django-auditlog (bar: 2 x more)",
        ours=statistics.median(our_rates),
        peer=statistics.median(peer_rates),
        ratio=median_ratio(peer_rates, our_rates),
        bar=0.5,
    )


def _measure_bytes(ours: Contestant, peer: Contestant) -> Row:
    return row(
        "audit-bytes",
        "bytes per event on disk, with indexes and seals; peer: entry of django-auditlog",
        ours=ours("bytes_per_event", STORED_EVENTS) + SEAL_BYTES,
        peer=peer("bytes_per_event", STORED_EVENTS),
        bar=1.0,
    )


_MEASURES = {
    "audit-record": _measure_record,
    "audit-writers": _measure_writers,
    "audit-bytes": _measure_bytes,
}


def _measure_page(side: Contestant, name: str) -> Row:
    for hotel in ("few", "many"):
        side("page", hotel, name)  # the first call fills the caches
    rounds = [[side("page", hotel, name) * 1e3 for hotel in ("many", "few")] for _ in range(25)]
    what = f"newest page by {name}, ms, {MANY:,} events; peer: {FEW:,} events"
    return row_of_rounds("audit-pages", what, rounds, bar=1.3)
