"""Tests of the transparency logs of hotels that are deleted, restored or copied."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from audit.models import Event
from audit.registry import EventType
from audit.sealing.logs import last_checkpoint, latest_log, open_log
from audit.sealing.models import Log
from audit.transparency.checkpoints import open_checkpoint
from audit.transparency.notes import PrivateKey
from audit.verification.results import Status
from audit.verification.verify import verify_trail
from tenants import services
from tenants.context import hotel_context, platform_context
from tenants.database.connections import direct_connection
from tenants.models import Hotel
from tests.audit.sealing.trails import record_events, seal_once, seal_trail
from tests.tenants.backups import backup, delete, get_hotel, restore

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sol() -> Hotel:
    """Create a hotel that a test can delete, and return the hotel."""
    return services.create_hotel(slug="sol", name="Sol")


def test_deletion_of_a_hotel_keeps_its_log_and_reports_the_last_checkpoint(
    sol: Hotel, lamp_lit: EventType, signing_key: PrivateKey
) -> None:
    with hotel_context(sol):
        record_events(lamp_lit, 3)
    seal_trail(sol.tenant)
    delete(sol)
    with platform_context():
        [event] = Event.objects.filter(event="hotel.deleted")
        log = Log.objects.get(hotel_id=sol.id)
    trail = event.data["detail"]["records"]["audit_trail"]
    checkpoint, _signers = open_checkpoint(trail["note"], [signing_key.public], origin=trail["log"])
    last = last_checkpoint(log)
    assert last is not None
    assert (trail["size"], checkpoint.root) == (last.size, bytes(last.root))
    assert trail["size"] >= 3
    assert trail["problem"] == ""
    assert log.closed_at is not None


def test_hotel_is_deleted_even_if_its_log_cannot_be_sealed(
    sol: Hotel, lamp_lit: EventType, settings: Any
) -> None:
    settings.AUDIT_SIGNING_KEY = ""
    delete(sol)
    with platform_context():
        [event] = Event.objects.filter(event="hotel.deleted")
    assert "No key is configured" in event.data["detail"]["records"]["audit_trail"]["problem"]


def test_restore_of_an_older_backup_starts_a_new_log_and_reports_missing_events(
    sol: Hotel, lamp_lit: EventType, tmp_path: Path
) -> None:
    with hotel_context(sol):
        record_events(lamp_lit, 5)
        before = Event.objects.count()
    backup(tmp_path / "old.hotel", "sol")
    with hotel_context(sol):
        record_events(lamp_lit, 4)
    seal_trail(sol.tenant)
    delete(sol)
    old = latest_log(sol.id)
    assert old is not None
    restore(tmp_path / "old.hotel")
    new = open_log(sol.id)
    assert (new.origin, new.predecessor_id) == (f"{old.origin}/2", old.id)
    last = last_checkpoint(old)
    assert last is not None
    assert (new.predecessor_size, bytes(new.predecessor_root or b"")) == (last.size, bytes(last.root))
    seal_trail(get_hotel("sol").tenant)
    report = verify_trail(get_hotel("sol").tenant)
    assert report.status == Status.VALID, report
    missing = last.size - before
    assert missing >= 4
    [note] = report.notes
    assert f"{missing} of them are missing, the first at position" in note


def test_log_of_a_copied_hotel_refers_to_the_earlier_log_unless_the_copy_is_masked(
    sol: Hotel, lamp_lit: EventType, tmp_path: Path
) -> None:
    with hotel_context(sol):
        record_events(lamp_lit, 5)
    original = seal_trail(sol.tenant)
    backup(tmp_path / "full.hotel", "sol")
    backup(tmp_path / "masked.hotel", "sol", masked=True)
    restore(tmp_path / "full.hotel", slug="copy")
    restore(tmp_path / "masked.hotel", slug="masked")
    copy, masked = get_hotel("copy"), get_hotel("masked")
    assert open_log(copy.id).predecessor_id == original.id
    assert open_log(masked.id).predecessor_id is None
    for tenant in (sol.tenant, copy.tenant, masked.tenant):
        seal_trail(tenant)
        assert verify_trail(tenant).status == Status.VALID
    assert len({open_log(tenant.id).origin for tenant in (sol, copy, masked)}) == 3
    assert open_log(sol.id).closed_at is None


def test_events_with_transaction_numbers_of_another_server_are_sealed_after_a_restore(
    sol: Hotel, lamp_lit: EventType, tmp_path: Path
) -> None:
    with hotel_context(sol):
        record_events(lamp_lit, 5)
    with direct_connection(), hotel_context(sol), connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE audit_event DISABLE TRIGGER USER;"
            "UPDATE audit_event SET transaction = transaction + 1000000000;"
            "ALTER TABLE audit_event ENABLE TRIGGER USER"
        )
    backup(tmp_path / "elsewhere.hotel", "sol")
    restore(tmp_path / "elsewhere.hotel", slug="copy")
    copy = get_hotel("copy")
    log = seal_trail(copy.tenant)
    with hotel_context(copy):
        assert log.size == Event.objects.count() >= 5
    assert verify_trail(copy.tenant).status == Status.VALID


def test_trail_continues_in_a_new_log_after_a_copy_of_the_database_or_a_loss_of_the_key(
    sol: Hotel, lamp_lit: EventType, settings: Any
) -> None:
    with hotel_context(sol):
        record_events(lamp_lit, 5)
    old = seal_trail(sol.tenant)
    settings.AUDIT_SIGNING_KEY = PrivateKey("localhost", bytes(32)).text
    with platform_context():
        Log.objects.filter(pk=old.pk).update(sealed_transaction=2**40)
    [reason] = seal_once(sol.tenant).problems.values()
    assert "audit_continue" in reason
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("audit_continue", hotel="sol")
    call_command("audit_continue", hotel="sol", yes=True, stdout=StringIO())
    new = seal_trail(sol.tenant)
    assert (new.predecessor_id, new.predecessor_size, new.refusal) == (old.pk, old.size, "")
    assert new.size == old.size + 1
    report = verify_trail(sol.tenant)
    assert report.status == Status.VALID, report
    assert "All of its events are present" in report.notes[0]
    with hotel_context(sol):
        assert Event.objects.get(event="audit.log_replaced").data["closed"] == old.origin
