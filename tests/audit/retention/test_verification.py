"""Tests of audit trails whose oldest events were deleted: verification, export, stream, API and publication."""

import json
import re
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from rest_framework.test import APIClient

from audit.models import Event
from audit.publishing.run import publish_all
from audit.registry import EventType
from audit.retention.run import delete_expired_events
from audit.sealing import logs
from audit.sealing.models import FIRST_ID, Log, StoredCheckpoint, StoredTile
from audit.sealing.positions import SealedEvent, read_positions
from audit.transparency.notes import PrivateKey
from audit.verification import scheduled
from audit.verification.results import Status, TrailReport
from audit.verification.trail import verify_events
from audit.verification.verify import Options, verify_trail
from deploy import verify_trail as standalone
from tenants import services
from tenants.context import hotel_context, platform_context
from tenants.database.connections import direct_connection
from tenants.models import Hotel
from tests.audit.retention.old_events import count_events, record_old_events
from tests.audit.sealing.trails import record_events, seal_trail
from tests.tenants.backups import backup, delete, get_hotel, restore

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shortened(hotel: Hotel, lamp_lit: EventType) -> Log:
    """Return the log of a trail of 813 events whose first 512 events were deleted by retention."""
    record_old_events(lamp_lit, hotel.tenant, 512)
    with hotel_context(hotel):
        record_events(lamp_lit, 300)
    seal_trail(hotel.tenant)
    delete_expired_events()
    return seal_trail(hotel.tenant)


def run_sql(hotel: Hotel, statement: str, *values: Any) -> None:
    with hotel_context(hotel), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_event DISABLE TRIGGER USER")
        cursor.execute(statement, values)
        cursor.execute("ALTER TABLE audit_event ENABLE TRIGGER USER")


def forge_deletion(hotel: Hotel, log: Log) -> None:
    """Delete the oldest events as retention does, but record no audit event of the deletion."""
    with platform_context():
        tile = StoredTile.objects.get(log=log, level=0, number=log.first_kept // 256)
        ids = bytes(tile.ids or b"")
        StoredTile.objects.filter(log=log, level=0, number=tile.number).delete()
        StoredCheckpoint.objects.filter(log=log, size__lt=log.first_kept + 256).delete()
        Log.objects.filter(pk=log.pk).update(
            first_kept=log.first_kept + 256,
            deleted_transaction=tile.last_transaction,
            deleted_id=ids[-16:].hex(),
        )
    run_sql(
        hotel,
        "DELETE FROM audit_event WHERE replace(id::text, '-', '') = ANY(%s)",
        [ids[at : at + 16].hex() for at in range(0, len(ids), 16)],
    )


def delete_the_deletion_event(hotel: Hotel, log: Log) -> None:
    """Delete the audit event that records the deletion of old events."""
    run_sql(hotel, "DELETE FROM audit_event WHERE event = 'audit.events_deleted'")


def insert_old_event(hotel: Hotel, log: Log) -> None:
    run_sql(
        hotel,
        "INSERT INTO audit_event SELECT (jsonb_populate_record(e, %s::jsonb)).* FROM audit_event e LIMIT 1",
        json.dumps({"id": str(FIRST_ID), "transaction": 1}),
    )


def change_upper_tile(hotel: Hotel, log: Log) -> None:
    with platform_context():
        tile = StoredTile.objects.get(log=log, level=1)
        StoredTile.objects.filter(log=log, level=1).update(hashes=bytes(32) + bytes(tile.hashes)[32:])


def delete_kept_event(hotel: Hotel, log: Log) -> None:
    run_sql(
        hotel,
        "DELETE FROM audit_event WHERE id = (SELECT id FROM audit_event ORDER BY transaction, id LIMIT 1)",
    )


def verify_after(change: Callable[[Hotel, Log], None], hotel: Hotel, log: Log) -> TrailReport:
    """Make a change as the owner of the database, verify the trail, and roll the change back."""
    with direct_connection(), platform_context(), transaction.atomic():
        change(hotel, log)
        report = verify_trail(hotel.tenant)
        transaction.set_rollback(True)
    return report


@pytest.mark.parametrize(
    ("change", "position", "reason"),
    [
        (forge_deletion, 0, "no event says that retention deleted them"),
        (delete_the_deletion_event, 0, "no event says that retention deleted them"),
        (insert_old_event, 0, "was inserted among the events that retention deleted"),
        (change_upper_tile, 512, "do not lead to the root"),
        (delete_kept_event, 512, "is missing"),
    ],
)
def test_verification_finds_tampering_with_a_trail_from_which_retention_deleted_events(
    hotel: Hotel, shortened: Log, change: Callable[[Hotel, Log], None], position: int, reason: str
) -> None:
    assert verify_trail(hotel.tenant).status == Status.VALID
    report = verify_after(change, hotel, shortened)
    assert report.status == Status.INVALID, report
    assert re.search(reason, report.reason), report
    assert report.position is not None
    assert report.position >= position


def test_deletion_during_a_verification_does_not_make_the_trail_invalid(
    hotel: Hotel, lamp_lit: EventType, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_old_events(lamp_lit, hotel.tenant, 512)
    runs = []

    def delete_and_verify(*arguments: Any, **options: Any) -> None:
        runs.append(delete_expired_events().deleted)
        verify_events(*arguments, **options)

    monkeypatch.setattr("audit.verification.verify.verify_events", delete_and_verify)
    report = verify_trail(hotel.tenant)
    assert runs == [512, 0]
    assert (report.status, report.deleted) == (Status.VALID, 512), report


def test_daily_verification_counts_only_the_kept_events_of_a_large_trail(
    hotel: Hotel, shortened: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control is the limit 200, which is less than the 301 kept events. The oldest are then not read."""
    monkeypatch.setattr(scheduled, "LARGE_TRAIL_DAYS", 0)
    reports = []
    for limit in (400, 200):
        monkeypatch.setattr(scheduled, "LARGE_TRAIL", limit)
        reports.append(scheduled.verify(hotel.tenant))
    assert [report.status for report in reports] == [Status.VALID, Status.VALID]
    assert [len(report.notes) for report in reports] == [2, 3]


def test_verification_with_a_remembered_checkpoint_before_the_first_kept_event_is_undetermined(
    hotel: Hotel, lamp_lit: EventType
) -> None:
    record_old_events(lamp_lit, hotel.tenant, 300)
    early = {logs.open_log(hotel.id).origin: verify_trail(hotel.tenant).note}
    record_old_events(lamp_lit, hotel.tenant, 300)
    later = {logs.open_log(hotel.id).origin: verify_trail(hotel.tenant).note}
    delete_expired_events()
    seal_trail(hotel.tenant)
    report = verify_trail(hotel.tenant, Options(remembered=early))
    assert report.status == Status.UNDETERMINED
    assert "retention has deleted the first 512 events" in report.reason
    assert verify_trail(hotel.tenant, Options(remembered=later)).status == Status.VALID


def test_standalone_verifier_accepts_an_export_of_the_kept_events(
    hotel: Hotel, shortened: Log, tmp_path: Path, signing_key: PrivateKey
) -> None:
    (tmp_path / "key.txt").write_text(signing_key.public.text)
    out = StringIO()
    call_command("audit_export", hotel="alpha", to=tmp_path / "export", json=True, stdout=out)
    document = json.loads(out.getvalue())
    assert (document["from"], document["to"], document["deleted"]) == (512, 813, 512)
    arguments = [str(tmp_path / "export"), "--key", str(tmp_path / "key.txt")]
    assert standalone.main([*arguments, "--part"]) == 0
    assert standalone.main(arguments) == 2
    lines = (tmp_path / "export").read_text().splitlines(keepends=True)
    (tmp_path / "export").write_text("".join([*lines[:20], *lines[21:]]))
    assert standalone.main([*arguments, "--part"]) == 1
    out = StringIO()
    call_command("audit_export", hotel="alpha", to=tmp_path / "csv", format="csv", stdout=out)
    assert "Retention has deleted the 512 events before position 512." in out.getvalue()


def test_export_during_a_deletion_is_refused(
    hotel: Hotel, lamp_lit: EventType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_old_events(lamp_lit, hotel.tenant, 256)

    def read_late(*arguments: Any) -> Iterator[SealedEvent]:
        delete_expired_events()
        return read_positions(*arguments)

    monkeypatch.setattr("audit.sealing.export.read_positions", read_late)
    with pytest.raises(CommandError, match="during the export"):
        call_command("audit_export", hotel="alpha", to=tmp_path / "export", stdout=StringIO())
    assert list(tmp_path.iterdir()) == []


def test_stream_says_how_many_events_a_client_has_missed(
    api: APIClient, hotel: Hotel, shortened: Log
) -> None:
    first = api.get("/api/v1/audit/stream/?limit=10").json()
    assert (first["deleted"], first["events"][0]["position"]) == (512, 512)
    old = api.get(f"/api/v1/audit/stream/?cursor={shortened.pk.hex}.100&limit=10").json()
    assert (old["deleted"], old["events"]) == (412, first["events"])
    following = api.get(f"/api/v1/audit/stream/?cursor={first['cursor']}").json()
    assert (following["deleted"], following["events"][0]["position"]) == (0, 522)


def test_api_says_that_tiles_and_events_were_deleted_by_retention(
    api: APIClient, hotel: Hotel, lamp_lit: EventType
) -> None:
    record_old_events(lamp_lit, hotel.tenant, 256)
    with hotel_context(hotel):
        event = Event.objects.order_by("id")[0]
        record_events(lamp_lit, 2)
    kept = seal_trail(hotel.tenant)
    assert api.get(f"/api/v1/audit/{event.id}/proof/").status_code == 200
    delete_expired_events()
    for path in (f"{event.id}/proof/", "log/tile/0/000", "log/tile/entries/000"):
        response = api.get(f"/api/v1/audit/{path}")
        assert (response.status_code, response.json()["type"]) == (410, "/problems/events-deleted"), path
        assert response.json()["first_kept"] == 256
    unknown = str(kept.pk)
    assert api.get(f"/api/v1/audit/{unknown}/proof/").status_code == 404
    assert api.get("/api/v1/audit/log/tile/1/000.p/1").status_code == 200


def test_published_checkpoint_older_than_all_kept_events_is_not_overwritten(
    hotel: Hotel, lamp_lit: EventType, tmp_path: Path, settings: Any
) -> None:
    settings.AUDIT_PUBLISH_DIRECTORY = str(tmp_path)
    record_old_events(lamp_lit, hotel.tenant, 100)
    publish_all()
    settings.AUDIT_PUBLISH_DIRECTORY = ""
    record_old_events(lamp_lit, hotel.tenant, 300)
    delete_expired_events()
    settings.AUDIT_PUBLISH_DIRECTORY = str(tmp_path)
    publish_all()
    assert "old events were deleted" in logs.open_log(hotel.id).published["directory"]["error"]["msgid"]


def test_restored_trail_is_valid_without_events_that_retention_deleted(
    lamp_lit: EventType, tmp_path: Path
) -> None:
    sol = services.create_hotel(slug="sol", name="Sol")
    record_old_events(lamp_lit, sol.tenant, 600)
    with platform_context():
        Log.objects.filter(hotel_id=sol.id).update(keep_days=365)
    backup(tmp_path / "old.hotel", "sol")
    with hotel_context(sol):
        record_events(lamp_lit, 4)
    seal_trail(sol.tenant)
    delete(sol)
    restore(tmp_path / "old.hotel")
    restored = get_hotel("sol")
    log = seal_trail(restored.tenant)
    assert (log.keep_days, log.predecessor is None) == (365, False)
    before = missing_events(restored)
    assert before >= 4
    assert delete_expired_events().deleted >= 512
    assert count_events(restored.tenant) < 600
    assert missing_events(restored) == before


def missing_events(hotel: Hotel) -> int:
    """Verify a restored trail. Return the number of events that the earlier log has and the trail lacks."""
    report = verify_trail(hotel.tenant)
    assert report.status == Status.VALID, report
    match = re.search(r"(\d+) of them are missing", report.notes[-1])
    return int(match[1]) if match else 0
