"""Tests that concurrent writers lose no event, and that an interrupted sealer leaves one consistent log.

In the negative control of each guarantee, an implementation without the guarantee fails.
"""

import threading
from itertools import count
from threading import Barrier, Thread
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet

from audit.models import Event
from audit.registry import EventType
from audit.sealing import logs, rows
from audit.sealing.keys import load_signing_keys
from audit.sealing.models import Log, StoredCheckpoint, StoredTile
from audit.sealing.sealer import seal
from audit.sealing.tiles import ids_of
from audit.services import record_many
from audit.verification.results import Status
from audit.verification.verify import verify_trail
from hotelagent.core.ids import uuid7
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel
from tests.audit.sealing.trails import record_events, seal_once, seal_trail

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS = 32
EVENTS_PER_WRITER = 6


def sealed_ids(log: Log) -> list[UUID]:
    with platform_context():
        tiles = StoredTile.objects.filter(log=log, level=0).order_by("number")
        return [event_id for tile in tiles for event_id in ids_of(tile)]


class KeyOrderReader:
    """The negative control: a reader that reads events in the order of their ids.

    The reader continues after the greatest id that it has seen, so it misses events that are committed later with a
    smaller id.
    """

    def __init__(self) -> None:
        self.seen: list[UUID] = []

    def read(self) -> None:
        with connection.cursor() as cursor:
            last = max(self.seen, default=UUID(int=0))
            cursor.execute("SELECT id FROM audit_event WHERE id > %s ORDER BY id", [last])
            self.seen += [row[0] for row in cursor.fetchall()]


def test_32_writers_with_different_clocks_and_a_long_transaction_lose_no_event(
    hotel: Hotel, lamp_lit: EventType, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = Barrier(2, timeout=60)
    all_written, all_read, done = threading.Event(), threading.Event(), threading.Event()
    control = KeyOrderReader()

    def skewed_uuid7() -> UUID:
        """Return an id with the time of the current thread's clock. The clocks of half of the threads are slow."""
        is_behind = threading.current_thread().name.endswith(("1", "3", "5", "7", "9"))
        return UUID(int=uuid7().int - (5_000 << 80 if is_behind else 0))

    def write(number: int) -> None:
        try:
            with hotel_context(hotel):
                for _ in range(EVENTS_PER_WRITER):
                    record_many(lamp_lit, [(("lamp", number), {"colour": "red"})])
        finally:
            connection.close()

    def write_slowly() -> None:
        try:
            with hotel_context(hotel), transaction.atomic():
                record_many(lamp_lit, [(("lamp", "slow"), {"colour": "red"})])
                begun.wait()
                all_read.wait(60)
        finally:
            connection.close()

    def seal_and_read() -> None:
        try:
            while not done.is_set():
                reads_all = all_written.is_set()
                seal_once(hotel.tenant)
                with hotel_context(hotel):
                    control.read()
                if reads_all:
                    all_read.set()
        finally:
            connection.close()

    monkeypatch.setattr("audit.services.uuid7", skewed_uuid7)
    slow, reader = Thread(target=write_slowly), Thread(target=seal_and_read)
    slow.start()
    begun.wait()
    reader.start()
    writers = [Thread(target=write, args=(number,), name=f"writer-{number}") for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    # The writers end although a transaction is open and a sealer is running, so they do not wait for each other.
    for writer in writers:
        writer.join(60)
    assert not any(writer.is_alive() for writer in writers)
    all_written.set()
    # The slow transaction ends after the control has read newer events, so that the control misses the slow event.
    slow.join()
    done.set()
    reader.join()
    with hotel_context(hotel):
        control.read()
        recorded = list(Event.objects.values_list("id", flat=True))
    sealed = sealed_ids(seal_trail(hotel.tenant))
    assert len(recorded) == WRITERS * EVENTS_PER_WRITER + 1
    assert sorted(sealed) == sorted(recorded)
    assert verify_trail(hotel.tenant).status == Status.VALID
    assert sorted(control.seen) != sorted(recorded)


def history(log: Log) -> list[tuple[int, bytes]]:
    with platform_context():
        return [
            (checkpoint.size, bytes(checkpoint.root))
            for checkpoint in StoredCheckpoint.objects.filter(log=log).order_by("size")
        ]


def test_sealer_killed_at_any_statement_leaves_the_log_consistent(hotel: Hotel, lamp_lit: EventType) -> None:
    with hotel_context(hotel):
        record_events(lamp_lit, 300)
    log = seal_trail(hotel.tenant)
    with hotel_context(hotel):
        record_events(lamp_lit, 300)
    before = history(log)
    wait_until_sealable(hotel, log)
    killed = 0
    while not seal_or_die(log, hotel, at=killed):
        assert history(log) == before
        killed += 1
    assert killed >= 8
    assert [size for size, _root in history(log)] == [300, 600]
    assert verify_trail(hotel.tenant).events == 600
    assert verify_trail(hotel.tenant).status == Status.VALID


def seal_or_die(log: Log, hotel: Hotel, *, at: int) -> bool:
    """Seal the log, but end the database connection before the statement with the number `at`, counted from zero.

    Return False if the connection was ended.
    """
    statements = count()

    def kill(execute: Any, *arguments: Any) -> Any:
        if next(statements) == at:
            # The server sees the end of the connection, as when the process is killed.
            connection.connection.close()
            raise DatabaseError("killed")
        return execute(*arguments)

    try:
        with connection.execute_wrapper(kill):
            seal(log, hotel.tenant, load_signing_keys())
    except DatabaseError:
        connection.close()
        return False
    return True


def wait_until_sealable(hotel: Hotel, log: Log) -> None:
    """Wait until the open transactions of other test workers do not delay the events of the hotel any more."""
    with hotel_context(hotel):
        newest = Event.objects.order_by("-transaction")[0].transaction
        while rows.read_horizon()[0] <= newest:
            connection.close()


@pytest.mark.parametrize("has_lock", [True, False])
def test_two_simultaneous_sealers_of_a_log_seal_each_event_once(
    hotel: Hotel, lamp_lit: EventType, monkeypatch: pytest.MonkeyPatch, has_lock: bool
) -> None:
    keys = load_signing_keys()
    with hotel_context(hotel):
        record_events(lamp_lit, 300)
    log = logs.open_log(hotel.id)
    wait_until_sealable(hotel, log)
    results: list[Any] = []
    if not has_lock:
        # The negative control: both sealers read the same events before one of them writes.
        both_have_read = Barrier(2, timeout=60)
        read_unsealed = rows.read_unsealed

        def read_together(*arguments: Any) -> Any:
            found = read_unsealed(*arguments)
            both_have_read.wait()
            return found

        monkeypatch.setattr("audit.sealing.rows.read_unsealed", read_together)
        monkeypatch.setattr(QuerySet, "select_for_update", lambda self, **_options: self)

    def run() -> None:
        try:
            results.append(seal(log, hotel.tenant, keys).sealed)
        except DatabaseError as error:
            results.append(type(error).__name__)
        finally:
            connection.close()

    sealers = [Thread(target=run) for _ in range(2)]
    for sealer in sealers:
        sealer.start()
    for sealer in sealers:
        sealer.join()
    assert [size for size, _root in history(log)] == [300]
    if has_lock:
        assert sorted(results) == [0, 300]
        assert verify_trail(hotel.tenant).status == Status.VALID
    else:
        assert "IntegrityError" in results
