"""Tests of the sealer: it seals every committed event once, in an order that later commits cannot change."""

from itertools import pairwise
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection, transaction

from audit.models import Event
from audit.registry import EventType
from audit.sealing import logs, rows
from audit.sealing.keys import load_signing_keys
from audit.sealing.models import FIRST_ID, Log, StoredCheckpoint, StoredTile
from audit.sealing.rows import Key
from audit.sealing.run import seal_all
from audit.sealing.sealer import seal
from audit.sealing.tiles import ids_of, position_of, tile_reader
from audit.transparency.checkpoints import open_checkpoint
from audit.transparency.merkle import leaf_hash, verify_consistency, verify_inclusion
from audit.transparency.notes import PrivateKey
from audit.transparency.proofs import prove_consistency, prove_inclusion
from tenants.context import PLATFORM, hotel_context, platform_context
from tenants.models import Hotel
from tests.audit.sealing.trails import record_event, record_events, seal_once, seal_trail

pytestmark = pytest.mark.django_db(transaction=True)


def checkpoints(log: Log) -> list[StoredCheckpoint]:
    with platform_context():
        return list(StoredCheckpoint.objects.filter(log=log).order_by("size"))


def events_of(hotel: Hotel) -> list[Event]:
    with hotel_context(hotel):
        return list(Event.objects.order_by("transaction", "id"))


def test_sealed_events_are_proved_by_the_signed_checkpoint(
    hotel: Hotel, lamp_lit: EventType, signing_key: PrivateKey
) -> None:
    with hotel_context(hotel):
        record_events(lamp_lit, 300)
        record_event(lamp_lit)
    log = seal_trail(hotel.tenant)
    newest = checkpoints(log)[-1]  # the log may contain a checkpoint of an earlier test
    checkpoint, signers = open_checkpoint(newest.note, [signing_key.public], origin=log.origin)
    events = events_of(hotel)
    assert signers == [signing_key.public]
    assert log.origin == f"localhost/audit/{hotel.id}"
    assert checkpoint.size == log.size == len(events)
    assert checkpoint.extensions == (f"previous {newest.previous_size}",)
    for event in (events[0], events[255], events[256], events[-1]):
        position = position_of(log, event.id, event.transaction)
        assert position == events.index(event)
        [row] = read_row(hotel, event)
        proof = prove_inclusion(position, log.size, tile_reader(log))
        verify_inclusion(leaf_hash(row.entry), position, log.size, proof, checkpoint.root)


def read_row(hotel: Hotel, event: Event) -> list[rows.EventRow]:
    with hotel_context(hotel):
        key = Key(event.transaction, event.id)
        return [row for row in rows.read_rows(Key(event.transaction), key, 10_000) if row.id == event.id]


def test_each_checkpoint_continues_the_checkpoint_before_it(hotel: Hotel, lamp_lit: EventType) -> None:
    for number in (1, 254, 3, 260):
        with hotel_context(hotel):
            record_events(lamp_lit, number)
        log = seal_trail(hotel.tenant)
    stored = checkpoints(log)
    assert [checkpoint.size for checkpoint in stored][-1] == len(events_of(hotel))
    for earlier, later in pairwise(stored):
        assert later.previous_size == earlier.size
        proof = prove_consistency(earlier.size, later.size, tile_reader(log))
        verify_consistency(earlier.size, bytes(earlier.root), later.size, bytes(later.root), proof)


def test_run_of_the_sealer_without_new_events_writes_nothing(hotel: Hotel, lamp_lit: EventType) -> None:
    with hotel_context(hotel):
        record_event(lamp_lit)
    before = seal_trail(hotel.tenant)
    assert seal_once(hotel.tenant).sealed == 0
    assert logs.open_log(hotel.id).sealed_transaction == before.sealed_transaction
    assert len(checkpoints(before)) == 1


def test_rolled_back_event_is_not_sealed(hotel: Hotel, lamp_lit: EventType) -> None:
    with hotel_context(hotel):
        with transaction.atomic():
            record_event(lamp_lit)
            transaction.set_rollback(True)
        record_event(lamp_lit)
    log = seal_trail(hotel.tenant)
    assert log.size == len(events_of(hotel))


def test_one_run_of_the_sealer_seals_the_trails_of_the_platform_and_of_all_hotels(
    hotel: Hotel, other_hotel: Hotel, lamp_lit: EventType
) -> None:
    for context in (hotel_context(hotel), hotel_context(other_hotel), platform_context()):
        with context:
            record_event(lamp_lit)
    seal_all()
    for tenant in (hotel.tenant, other_hotel.tenant, PLATFORM):
        seal_trail(tenant)
    origins = {log.origin for log in logs.open_logs().values() if log.size}
    assert origins == {
        "localhost/audit/platform",
        f"localhost/audit/{hotel.id}",
        f"localhost/audit/{other_hotel.id}",
    }


def test_event_that_is_committed_late_is_sealed_and_not_skipped(hotel: Hotel, lamp_lit: EventType) -> None:
    """The transaction begins first and commits last. Sealing in the order of ids would skip the event."""
    written, seal_again = Barrier(2, timeout=30), Barrier(2, timeout=30)

    def write_slowly() -> None:
        try:
            with hotel_context(hotel), transaction.atomic():
                record_event(lamp_lit, "slow")
                written.wait()
                seal_again.wait()
        finally:
            connection.close()

    writer = Thread(target=write_slowly)
    writer.start()
    written.wait()
    with hotel_context(hotel):
        record_event(lamp_lit, "fast")
    seal_once(hotel.tenant)
    during = logs.open_log(hotel.id)
    newest_key = max((event.id for event in events_of(hotel)), default=FIRST_ID)
    seal_again.wait()
    writer.join()
    log = seal_trail(hotel.tenant)
    events = {event.data["colour"]: event.id for event in events_of(hotel)}
    assert during.size == 0
    assert during.unsealed == 1
    assert during.unsealed_since is not None
    assert sorted(sealed_ids(log)) == sorted(events.values())
    # Negative control: a sealer that continued after the newest event id would skip the slow event.
    assert events["slow"] < newest_key


def sealed_ids(log: Log) -> list[Any]:
    with platform_context():
        tiles = StoredTile.objects.filter(log=log, level=0).order_by("number")
        return [event_id for tile in tiles for event_id in ids_of(tile)]


def test_second_simultaneous_sealer_of_a_log_seals_nothing(hotel: Hotel, lamp_lit: EventType) -> None:
    with hotel_context(hotel):
        record_event(lamp_lit)
    log = logs.open_log(hotel.id)
    results = []

    def seal_in_thread() -> None:
        try:
            results.append(seal(log, hotel.tenant, load_signing_keys()))
        finally:
            connection.close()

    with platform_context(), transaction.atomic():
        Log.objects.select_for_update(no_key=True).get(pk=log.pk)
        other = Thread(target=seal_in_thread)
        other.start()
        other.join()
    assert [result.sealed for result in results] == [0]
    assert seal_trail(hotel.tenant).size == len(events_of(hotel))


def test_events_of_one_large_transaction_are_sealed_in_several_batches(
    hotel: Hotel, lamp_lit: EventType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.sealing.sealer.BATCH_SIZE", 100)
    monkeypatch.setattr("audit.sealing.rows._WINDOW", 1)
    with hotel_context(hotel):
        record_events(lamp_lit, 250)
    log = seal_trail(hotel.tenant)
    assert len(checkpoints(log)) == 3
    assert sealed_ids(log) == [event.id for event in events_of(hotel)]


def test_log_with_changed_hashes_is_not_sealed(hotel: Hotel, lamp_lit: EventType) -> None:
    with hotel_context(hotel):
        record_event(lamp_lit)
    log = seal_trail(hotel.tenant)
    with platform_context():
        StoredTile.objects.filter(log=log).update(hashes=bytes(32))
    with hotel_context(hotel):
        record_event(lamp_lit)
    refused = seal_trail(hotel.tenant)
    assert "the log was changed" in refused.refusal
    assert refused.size == log.size


def test_log_whose_newest_checkpoints_were_deleted_is_not_sealed(hotel: Hotel, lamp_lit: EventType) -> None:
    for _ in range(3):
        with hotel_context(hotel):
            record_event(lamp_lit)
        log = seal_trail(hotel.tenant)
    with platform_context():
        StoredCheckpoint.objects.filter(log=log, size__gte=2).delete()
    with hotel_context(hotel):
        record_event(lamp_lit)
    assert "checkpoints were deleted" in seal_trail(hotel.tenant).refusal


def test_log_with_a_checkpoint_of_an_unknown_key_is_not_sealed(
    hotel: Hotel, lamp_lit: EventType, settings: Any
) -> None:
    with hotel_context(hotel):
        record_event(lamp_lit)
    seal_trail(hotel.tenant)
    settings.AUDIT_SIGNING_KEY = PrivateKey("localhost", bytes(32)).text
    with hotel_context(hotel):
        record_event(lamp_lit)
    assert "No known key has signed" in seal_trail(hotel.tenant).refusal


def test_log_copied_to_a_server_with_smaller_transaction_numbers_is_not_sealed(
    hotel: Hotel, lamp_lit: EventType
) -> None:
    with hotel_context(hotel):
        record_event(lamp_lit)
    log = seal_trail(hotel.tenant)
    with platform_context():
        Log.objects.filter(pk=log.pk).update(sealed_transaction=2**40)
    [reason] = seal_once(hotel.tenant).problems.values()
    assert "copied from another server" in reason
