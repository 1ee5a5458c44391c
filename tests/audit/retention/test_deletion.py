"""Tests of the deletion of expired events. The other events are kept and can still be verified."""

from itertools import pairwise
from typing import Any

import pytest
from django.db import ProgrammingError, connection, transaction

from audit.models import Event, SearchTerm
from audit.reading.search import EventSearch
from audit.registry import EventType
from audit.retention.expired import find_expired_trails
from audit.retention.run import delete_expired_events
from audit.sealing import logs
from audit.sealing.events import EVENTS_DELETED
from audit.sealing.models import MIN_KEEP_DAYS, Log, StoredCheckpoint, StoredTile
from audit.sealing.rows import Key, read_rows
from audit.sealing.tiles import tile_reader
from audit.services import record
from audit.transparency.merkle import leaf_hash, verify_consistency, verify_inclusion
from audit.transparency.proofs import prove_consistency, prove_inclusion, root_of
from audit.verification.results import Status
from audit.verification.verify import verify_trail
from tenants.context import PLATFORM, Tenant, context_of, hotel_context, platform_context
from tenants.database.connections import direct_connection
from tenants.models import Hotel
from tests.audit.retention.old_events import count_events, record_old_events, stored_tiles
from tests.audit.sealing.trails import record_event, record_events, seal_trail

pytestmark = pytest.mark.django_db(transaction=True)


def update_log(log: Log, **values: Any) -> None:
    with platform_context():
        Log.objects.filter(pk=log.pk).update(**values)


@pytest.mark.parametrize("old", [255, 256, 257, 511, 512, 513])
def test_deletion_removes_whole_tiles_and_the_remaining_events_have_valid_proofs(
    hotel: Hotel, lamp_lit: EventType, old: int
) -> None:
    record_old_events(lamp_lit, hotel.tenant, old)
    with hotel_context(hotel):
        record_events(lamp_lit, 300)
    before = seal_trail(hotel.tenant)
    result = delete_expired_events()
    kept = old // 256 * 256
    assert (result.deleted, result.is_complete, result.problems) == (kept, True, {})
    log = logs.open_log(hotel.id)
    assert (log.first_kept, log.size) == (kept, before.size)
    assert count_events(hotel.tenant) == before.size - kept + (1 if kept else 0)
    assert [number for level, number in stored_tiles(log) if level == 0] == list(
        range(kept // 256, (log.size - 1) // 256 + 1)
    )
    log = seal_trail(hotel.tenant)
    check_proofs(log, hotel.tenant)
    report = verify_trail(hotel.tenant)
    assert (report.status, report.deleted) == (Status.VALID, kept), report
    if kept:
        assert f"{kept} older events were deleted by retention." in report.notes


def test_deletion_removes_the_entries_of_the_search_index_for_the_deleted_events(
    hotel: Hotel, lamp_lit: EventType
) -> None:
    record_old_events(lamp_lit, hotel.tenant, 512)
    with hotel_context(hotel):
        old = set(SearchTerm.objects.values_list("period", flat=True))
        record_events(lamp_lit, 300)
    seal_trail(hotel.tenant)
    assert delete_expired_events().deleted == 512
    with hotel_context(hotel):
        left = set(SearchTerm.objects.values_list("period", flat=True))
        assert old
        assert left
        assert not old & left
        assert len(EventSearch(subject_id="1").apply(Event.objects.all())) == 300


def check_proofs(log: Log, tenant: Tenant) -> None:
    """Check the inclusion proof of each remaining event, and the consistency proofs between all checkpoints."""
    read_tiles = tile_reader(log)
    with platform_context():
        checkpoints = list(StoredCheckpoint.objects.filter(log=log).order_by("size"))
    root = bytes(checkpoints[-1].root)
    with context_of(tenant):
        start = Key(log.deleted_transaction, log.deleted_id)
        rows = read_rows(start, Key(log.sealed_transaction, log.sealed_id), 100_000)
    assert len(rows) == log.size - log.first_kept
    for position, row in enumerate(rows, start=log.first_kept):
        proof = prove_inclusion(position, log.size, read_tiles)
        verify_inclusion(leaf_hash(row.entry), position, log.size, proof, root)
    for earlier, later in pairwise(checkpoints):
        proof = prove_consistency(earlier.size, later.size, read_tiles)
        verify_consistency(earlier.size, bytes(earlier.root), later.size, bytes(later.root), proof)
    first_root = root_of(log.first_kept, read_tiles)
    if log.first_kept:
        proof = prove_consistency(log.first_kept, log.size, read_tiles)
        verify_consistency(log.first_kept, first_root, log.size, root, proof)


def test_trail_after_several_deletions_is_valid_and_new_events_are_sealed(
    hotel: Hotel, lamp_lit: EventType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.retention.deletion.TILES_PER_BATCH", 2)
    for number in (600, 700):
        record_old_events(lamp_lit, hotel.tenant, number)
    assert delete_expired_events().deleted == 1280
    seal_trail(hotel.tenant)
    # The deletion recorded three new events. The next tile begins with them, so this tile is kept.
    record_old_events(lamp_lit, hotel.tenant, 300)
    assert delete_expired_events().deleted == 0
    with hotel_context(hotel):
        record_event(lamp_lit)
    log = seal_trail(hotel.tenant)
    check_proofs(log, hotel.tenant)
    assert verify_trail(hotel.tenant).status == Status.VALID
    with hotel_context(hotel):
        deletions = Event.objects.filter(event="audit.events_deleted").order_by("id")
        recorded = [(event.data["first_kept"], event.data["count"]) for event in deletions]
    assert recorded == [(512, 512), (1024, 512), (1280, 256)]


def test_deletion_of_all_events_of_a_trail_leaves_a_valid_log(hotel: Hotel, lamp_lit: EventType) -> None:
    record_old_events(lamp_lit, hotel.tenant, 512)
    assert delete_expired_events().deleted == 512
    assert verify_trail(hotel.tenant).status == Status.VALID
    assert verify_trail(hotel.tenant).status == Status.VALID
    log = seal_trail(hotel.tenant)
    assert log.size == 513
    check_proofs(log, hotel.tenant)


def test_expired_events_of_the_platform_and_of_suspended_hotels_are_deleted(
    hotel: Hotel, lamp_lit: EventType
) -> None:
    with platform_context():
        Hotel.objects.filter(pk=hotel.pk).update(status="suspended")
    for tenant in (PLATFORM, hotel.tenant):
        record_old_events(lamp_lit, tenant, 256)
    assert delete_expired_events().deleted == 512
    assert verify_trail(PLATFORM).status == Status.VALID


def test_tile_with_one_event_in_the_retention_period_is_kept(hotel: Hotel, lamp_lit: EventType) -> None:
    record_old_events(lamp_lit, hotel.tenant, 511)
    with hotel_context(hotel):
        record_event(lamp_lit)
    seal_trail(hotel.tenant)
    assert delete_expired_events().deleted == 256
    assert count_events(hotel.tenant) == 257


def test_retention_period_of_a_trail_overrides_the_period_of_the_platform(
    hotel: Hotel, other_hotel: Hotel, lamp_lit: EventType, settings: Any
) -> None:
    for tenant in (hotel.tenant, other_hotel.tenant):
        log = record_old_events(lamp_lit, tenant, 256, days=400)
    assert delete_expired_events().deleted == 0
    update_log(log, keep_days=365)
    assert delete_expired_events().deleted == 256
    assert count_events(hotel.tenant) == 256
    settings.AUDIT_KEEP_DAYS = 0
    assert delete_expired_events().deleted == 0
    settings.AUDIT_KEEP_DAYS = 365
    assert delete_expired_events().deleted == 256


def test_legal_hold_stops_the_deletion_until_the_hold_ends(hotel: Hotel, lamp_lit: EventType) -> None:
    log = record_old_events(lamp_lit, hotel.tenant, 256)
    update_log(log, legal_hold=True)
    assert delete_expired_events().deleted == 0
    assert find_expired_trails() == []
    update_log(log, legal_hold=False)
    assert delete_expired_events().deleted == 256


def test_events_that_are_not_sealed_or_not_published_are_kept(
    hotel: Hotel, lamp_lit: EventType, settings: Any, tmp_path: Any
) -> None:
    log = record_old_events(lamp_lit, hotel.tenant, 513)
    update_log(log, size=256)
    assert delete_expired_events().deleted == 256
    update_log(log, size=513)
    settings.AUDIT_PUBLISH_DIRECTORY = str(tmp_path)
    result = delete_expired_events()
    assert result.deleted == 0
    assert "not published" in result.problems[str(hotel.id)]
    assert "not published" in logs.open_log(hotel.id).retention_problem
    update_log(
        log,
        published={
            "directory": {"size": 511, "error": {"msgid": "full"}, "since": "2030-05-01T00:00:00+00:00"}
        },
    )
    assert delete_expired_events().deleted == 0
    update_log(log, published={"directory": {"size": 513}})
    assert delete_expired_events().deleted == 256
    assert logs.open_log(hotel.id).retention_problem == ""


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"verification": "invalid"}, "last verification failed"),
        ({"refusal": "changed"}, "not sealed any more"),
    ],
)
def test_events_of_a_damaged_trail_are_kept_as_evidence(
    hotel: Hotel, lamp_lit: EventType, values: dict[str, str], reason: str
) -> None:
    log = record_old_events(lamp_lit, hotel.tenant, 256)
    update_log(log, **values)
    result = delete_expired_events()
    assert result.deleted == 0
    assert reason in result.problems[str(hotel.id)]


def test_events_of_a_tile_that_lacks_an_event_are_kept_as_evidence(hotel: Hotel, lamp_lit: EventType) -> None:
    record_old_events(lamp_lit, hotel.tenant, 256)
    with direct_connection(), hotel_context(hotel), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_event DISABLE TRIGGER USER")
        cursor.execute("DELETE FROM audit_event WHERE id = (SELECT min(id::text)::uuid FROM audit_event)")
        cursor.execute("ALTER TABLE audit_event ENABLE TRIGGER USER")
    result = delete_expired_events()
    assert result.deleted == 0
    assert "missing" in result.problems[str(hotel.id)]
    assert count_events(hotel.tenant) == 255


def test_damaged_trail_does_not_stop_the_deletion_of_other_trails(
    hotel: Hotel, other_hotel: Hotel, lamp_lit: EventType
) -> None:
    damaged = record_old_events(lamp_lit, hotel.tenant, 256)
    record_old_events(lamp_lit, other_hotel.tenant, 256)
    with platform_context():
        StoredTile.objects.filter(log=damaged).update(ids=bytes(4096))
    result = delete_expired_events()
    assert (result.deleted, list(result.problems)) == (256, [str(hotel.id)])


def test_runtime_roles_cannot_delete_expired_events(hotel: Hotel, lamp_lit: EventType) -> None:
    log = record_old_events(lamp_lit, hotel.tenant, 256)
    update_log(log, first_kept=256, deleted_transaction=log.sealed_transaction, deleted_id=log.sealed_id)
    for context in (hotel_context(hotel), platform_context()):
        with (
            context,
            pytest.raises(ProgrammingError, match="permission denied"),
            connection.cursor() as cursor,
        ):
            cursor.execute("DELETE FROM audit_event")


def test_owner_can_delete_events_only_if_the_same_transaction_records_the_deletion(
    hotel: Hotel, other_hotel: Hotel, lamp_lit: EventType
) -> None:
    record_old_events(lamp_lit, hotel.tenant, 512)
    with hotel_context(hotel):
        events = list(Event.objects.order_by("transaction", "id"))
    last = events[255]

    def delete(*ids: Any) -> None:
        with transaction.atomic(), context_of(hotel.tenant), connection.cursor() as cursor:
            cursor.execute("DELETE FROM audit_event WHERE id = ANY(%s)", [list(ids)])

    def refuse(*ids: Any) -> None:
        with pytest.raises(ProgrammingError, match="append-only"):
            delete(*ids)

    with direct_connection(), platform_context():
        with transaction.atomic():
            refuse(events[0].id)
            record_permission(hotel, last)
            # The control: the trigger permits the deletion of events up to the recorded event `last`.
            delete(events[0].id, events[255].id)
            refuse(events[256].id)
            refuse(events[1].id, events[256].id)
            refuse()
            delete(events[1].id)
        with pytest.raises(ProgrammingError, match="append-only"):
            # The permission to delete events ends with the transaction that recorded the permission.
            delete(events[2].id)
        with hotel_context(other_hotel), transaction.atomic():
            record_permission(other_hotel, last)
            # A permission for the events of one trail is not valid for the events of another trail.
            refuse(events[2].id)


def record_permission(hotel: Hotel, last: Event) -> None:
    """Record the event that permits the deletion of the events of the hotel up to the event `last`."""
    fields: dict[str, Any] = {"log": "x", "first_kept": 256, "count": 256, "before": last.at}
    with hotel_context(hotel):
        record(EVENTS_DELETED, last_transaction=last.transaction, last_id=str(last.id), **fields)


def test_owner_cannot_delete_events_that_are_younger_than_the_minimum(
    hotel: Hotel, lamp_lit: EventType
) -> None:
    record_old_events(lamp_lit, hotel.tenant, 256, days=MIN_KEEP_DAYS - 1)

    def delete_all() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            record_permission(hotel, Event.objects.order_by("-transaction", "-id")[0])
            cursor.execute("DELETE FROM audit_event WHERE event = 'lamp.lit'")
            assert cursor.rowcount == 256

    with direct_connection(), hotel_context(hotel):
        with pytest.raises(ProgrammingError, match="append-only"):
            delete_all()
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE audit_event DISABLE TRIGGER audit_event_erasure_only")
            cursor.execute("UPDATE audit_event SET at = at - interval '2 days'")
            cursor.execute("ALTER TABLE audit_event ENABLE TRIGGER audit_event_erasure_only")
        delete_all()


def test_deletion_that_reaches_its_time_limit_reports_that_events_remain(
    hotel: Hotel, lamp_lit: EventType, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_old_events(lamp_lit, hotel.tenant, 512)
    monkeypatch.setattr("audit.retention.run.BUDGET_SECONDS", -1)
    result = delete_expired_events()
    assert (result.deleted, result.is_complete) == (0, False)
