"""Tests that the verification finds each change of a trail by an attacker with full access to the database.

Each change is made and verified in one transaction of the database's owner, and rolled back.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

from audit.models import Event
from audit.registry import EventType
from audit.sealing.models import FIRST_ID, Log, LogKey, StoredCheckpoint, StoredTile
from audit.sealing.rows import Key, read_rows
from audit.sealing.tiles import tile_reader
from audit.transparency.checkpoints import Checkpoint, sign_checkpoint, unverified_checkpoint
from audit.transparency.notes import PrivateKey
from audit.transparency.proofs import root_of
from audit.transparency.tiles import append
from audit.verification.protection import body_of
from audit.verification.results import Status, TrailReport
from audit.verification.verify import Options, verify_trail
from tenants.context import hotel_context, platform_context
from tenants.database.connections import direct_connection
from tenants.database.function_migrations import sources
from tenants.models import Hotel
from tests.audit.sealing.trails import record_events, seal_once, seal_trail

pytestmark = pytest.mark.django_db(transaction=True)

FOREIGN = PrivateKey("localhost", bytes(32))


@dataclass
class Trail:
    """A sealed trail of 300 events with four checkpoints, and its events in the order of the log."""

    hotel: Hotel
    log: Log
    events: list[Event]
    key: PrivateKey

    def sql(self, statement: str, *values: Any) -> None:
        """Run a statement in the hotel's schema while the triggers of the trail are off."""
        with hotel_context(self.hotel), connection.cursor() as cursor:
            cursor.execute("ALTER TABLE audit_event DISABLE TRIGGER USER")
            cursor.execute(statement, values)
            cursor.execute("ALTER TABLE audit_event ENABLE TRIGGER USER")

    def id(self, position: int) -> Any:
        return self.events[position].id

    def change_field(self) -> None:
        self.sql('UPDATE audit_event SET data = \'{"colour": "blue"}\' WHERE id = %s', self.id(100))

    def change_commitment(self) -> None:
        self.sql(
            'UPDATE audit_event SET personal = \'{"actor": {"digest": "00"}}\' WHERE id = %s', self.id(20)
        )

    def change_time(self) -> None:
        self.sql("UPDATE audit_event SET at = at - interval '1 microsecond' WHERE id = %s", self.id(299))

    def delete(self) -> None:
        self.sql("DELETE FROM audit_event WHERE id = %s", self.id(7))

    def delete_newest(self) -> None:
        self.sql("DELETE FROM audit_event WHERE id = %s", self.id(299))

    def insert(self, event_id: UUID = FIRST_ID) -> None:
        """Insert an event with the same transaction number as the last 100 sealed events."""
        self.sql(
            "INSERT INTO audit_event SELECT (jsonb_populate_record(e, %s::jsonb)).* FROM audit_event e WHERE id = %s",
            f'{{"id": "{event_id}"}}',
            self.id(290),
        )

    def insert_at_the_end(self) -> None:
        self.insert(UUID(int=2**128 - 1))

    def swap(self) -> None:
        """Exchange the data of two events."""
        self.sql(
            "UPDATE audit_event e SET data = other.data FROM audit_event other "
            "WHERE (e.id, other.id) IN ((%s, %s), (%s, %s))",
            self.id(50), self.id(60), self.id(60), self.id(50),
        )  # fmt: skip

    def move(self) -> None:
        """Exchange the transaction numbers of two events, so that the order of the events changes."""
        self.sql(
            "UPDATE audit_event e SET transaction = other.transaction FROM audit_event other "
            "WHERE (e.id, other.id) IN ((%s, %s), (%s, %s))",
            self.id(2), self.id(299), self.id(299), self.id(2),
        )  # fmt: skip

    def delete_two_checkpoints(self) -> None:
        middle = list(StoredCheckpoint.objects.filter(log=self.log).order_by("size")[1:3])
        StoredCheckpoint.objects.filter(
            log=self.log, size__in=[checkpoint.size for checkpoint in middle]
        ).delete()

    def delete_two_checkpoints_and_correct_the_next(self) -> None:
        self.delete_two_checkpoints()
        first, last = StoredCheckpoint.objects.filter(log=self.log).order_by("size")
        StoredCheckpoint.objects.filter(log=self.log, size=last.size).update(previous_size=first.size)

    def delete_newest_checkpoint(self) -> None:
        StoredCheckpoint.objects.filter(log=self.log, size=self.log.size).delete()

    def delete_tile(self) -> None:
        StoredTile.objects.filter(log=self.log, level=0, number=1).delete()

    def change_upper_tile(self) -> None:
        StoredTile.objects.filter(log=self.log, level=1).update(hashes=bytes(32))

    def recompute_all_hashes(self, key: PrivateKey | None = None) -> None:
        """Change an event, and compute all stored hashes again. If `key` is given, sign the checkpoints with it."""
        self.change_field()
        with hotel_context(self.hotel):
            rows = read_rows(Key(0), Key(self.log.sealed_transaction, self.log.sealed_id), 1000)
        tiles = append(0, {}, b"".join(row.leaf for row in rows))
        for (level, number), hashes in tiles.items():
            StoredTile.objects.filter(log=self.log, level=level, number=number).update(hashes=hashes)
        for stored in StoredCheckpoint.objects.filter(log=self.log):
            old = unverified_checkpoint(stored.note)
            new = Checkpoint(old.origin, old.size, root_of(old.size, tile_reader(self.log)), old.extensions)
            note = sign_checkpoint(new, [key]) if key else stored.note.replace(old.text, new.text)
            StoredCheckpoint.objects.filter(pk=stored.pk).update(note=note, root=new.root)

    def sign_with_a_foreign_key(self) -> None:
        self.recompute_all_hashes(FOREIGN)
        LogKey.objects.filter(log=self.log).update(key=FOREIGN.public.text)

    def disable_trigger(self) -> None:
        with hotel_context(self.hotel), connection.cursor() as cursor:
            cursor.execute("ALTER TABLE audit_event DISABLE TRIGGER audit_event_append_only")

    def grant_privilege(self) -> None:
        with hotel_context(self.hotel), connection.cursor() as cursor:
            cursor.execute("GRANT DELETE ON audit_event TO PUBLIC")

    def replace_trigger_function(self) -> None:
        with platform_context(), connection.cursor() as cursor:
            cursor.execute(
                "CREATE OR REPLACE FUNCTION public.audit_refuse_change() RETURNS trigger LANGUAGE plpgsql "
                "AS 'BEGIN RETURN NULL; END'"
            )


#: For each change of the trail, the first wrong position and a part of the reported reason.
FOUND = {
    "change_field": (100, "was changed"),
    "change_commitment": (20, "was changed"),
    "change_time": (299, "was changed"),
    "delete": (7, "is missing"),
    "delete_newest": (299, "is missing"),
    "insert": (200, "was inserted"),
    "insert_at_the_end": (300, "was inserted"),
    "swap": (50, "was changed"),
    "move": (2, "was moved"),
    "delete_two_checkpoints": (200, "checkpoints before the one of 300 events were deleted"),
    "delete_two_checkpoints_and_correct_the_next": (300, "The checkpoint of 300 events was changed"),
    "delete_newest_checkpoint": (200, "checkpoints were deleted"),
    "delete_tile": (256, "is missing"),
    "change_upper_tile": (0, "is damaged"),
    "recompute_all_hashes": (200, "signature"),
    "sign_with_a_foreign_key": (300, "No known key"),
    "disable_trigger": (None, "missing or disabled"),
    "grant_privilege": (None, "PUBLIC has the privilege DELETE"),
    "replace_trigger_function": (None, "audit_refuse_change was changed"),
}


@pytest.fixture
def trail(hotel: Hotel, lamp_lit: EventType, signing_key: PrivateKey, as_ana: Any) -> Trail:
    for number in (10, 90, 100, 100):
        with hotel_context(hotel):
            record_events(lamp_lit, number)
        log = seal_trail(hotel.tenant)
    with hotel_context(hotel):
        events = list(Event.objects.order_by("transaction", "id"))
    return Trail(hotel, log, events, signing_key)


@contextmanager
def rolled_back() -> Iterator[None]:
    """Run the block as the owner of the database in one transaction, and roll the transaction back."""
    with direct_connection(), platform_context(), transaction.atomic():
        yield
        transaction.set_rollback(True)


def verify_after(trail: Trail, change: str) -> TrailReport:
    with rolled_back():
        getattr(trail, change)()
        return verify_trail(trail.hotel.tenant)


def test_verification_reports_the_position_and_reason_of_each_change_of_a_trail(trail: Trail) -> None:
    assert trail.log.size == 300
    unmodified = verify_trail(trail.hotel.tenant)
    assert (unmodified.status, unmodified.events, unmodified.unsealed) == (Status.VALID, 300, 0), unmodified
    reports = {change: verify_after(trail, change) for change in FOUND}
    wrong = {
        change: (report.position, report.reason)
        for change, report in reports.items()
        if report.status != Status.INVALID
        or report.position != FOUND[change][0]
        or not re.search(FOUND[change][1], report.reason)
    }
    assert wrong == {}
    assert verify_trail(trail.hotel.tenant).status == Status.VALID


def test_erased_value_does_not_make_the_trail_invalid(trail: Trail) -> None:
    with hotel_context(trail.hotel), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE audit_event SET personal = jsonb_build_object('actor', audit_erased(personal -> 'actor'))"
        )
        assert not Event.objects.filter(personal__actor__has_key="value").exists()
    assert verify_trail(trail.hotel.tenant).status == Status.VALID


def test_trail_that_was_shortened_and_sealed_again_contradicts_a_remembered_checkpoint(trail: Trail) -> None:
    """The operator has the signing key, so only a checkpoint that another person has kept reveals the change."""
    remembered = {trail.log.origin: verify_trail(trail.hotel.tenant).note}
    with rolled_back():
        trail.sql("DELETE FROM audit_event WHERE id = %s", trail.id(299))
        trail.sql('UPDATE audit_event SET data = \'{"colour": "blue"}\' WHERE id = %s', trail.id(5))
        Log.objects.filter(pk=trail.log.pk).delete()
        assert seal_once(trail.hotel.tenant).sealed == 299
        again = verify_trail(trail.hotel.tenant)
        refused = verify_trail(trail.hotel.tenant, Options(remembered=remembered))
    # The negative control: without a remembered checkpoint the new history is accepted.
    assert again.status == Status.VALID, again
    assert (refused.status, refused.position) == (Status.INVALID, 299)
    assert "history was cut" in refused.reason


def test_changed_event_is_not_found_if_the_option_since_excludes_the_event(
    trail: Trail, lamp_lit: EventType
) -> None:
    with hotel_context(trail.hotel):
        record_events(lamp_lit, 1)
        newest = Event.objects.order_by("-transaction")[0].at
    seal_trail(trail.hotel.tenant)
    with rolled_back():
        trail.change_field()
        partial = verify_trail(trail.hotel.tenant, Options(since=newest))
        complete = verify_trail(trail.hotel.tenant)
    assert (partial.status, complete.status) == (Status.VALID, Status.INVALID)
    assert partial.notes == ["The events before position 256 were not read."]


def test_result_of_a_verification_without_a_key_is_undetermined(trail: Trail, settings: Any) -> None:
    settings.AUDIT_SIGNING_KEY = ""
    report = verify_trail(trail.hotel.tenant)
    assert report.status == Status.UNDETERMINED
    assert "No key is configured" in report.reason


def test_verification_of_a_trail_without_sealed_events_is_undetermined(other_hotel: Hotel) -> None:
    assert verify_trail(other_hotel.tenant).status == Status.UNDETERMINED


@pytest.mark.parametrize("function", sorted(sources("audit")))
def test_changed_database_function_of_the_audit_trail_is_found(trail: Trail, function: str) -> None:
    assert body_of(sources("audit")[function]) != ""
    with rolled_back():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_get_functiondef(oid), prosrc FROM pg_proc WHERE proname = %s", [function]
            )
            definition, body = cursor.fetchone()
            cursor.execute(definition.replace(body, f"{body}-- changed\n"))
        report = verify_trail(trail.hotel.tenant)
    assert (report.status, report.position) == (Status.INVALID, None)
    assert f"The database function {function} was changed" in report.reason
