"""Tests that `backup_hotel --masked` writes no personal data and no working credentials."""

import json
import zipfile
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from dlq.models import Failure
from reminders.models import Reminder, Reservation, Suppression
from reminders.services.reminders import send_now
from tenants import personal_data, services
from tenants.context import hotel_context, platform_context
from tenants.database.connections import direct_connection
from tenants.lifecycle.backup import table_data
from tenants.models import Hotel, User
from tests.servers import MailServer
from tests.tenants import populated_hotel, sql
from tests.tenants.backups import backup
from tests.tenants.populated_hotel import PopulatedHotel

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def populated(smtp: MailServer, tmp_path: Path) -> PopulatedHotel:
    return populated_hotel.create_populated_hotel("sol", folder=tmp_path, smtp=smtp)


def restore_masked_copy(file: Path) -> Hotel:
    call_command("restore_hotel", file, slug="copy", json=True, stdout=StringIO())
    with platform_context():
        return Hotel.objects.get(slug="copy")


def read_text(file: Path) -> str:
    """Return the contents of all files in the backup as one text."""
    with zipfile.ZipFile(file) as archive:
        return "\n".join(archive.read(name).decode() for name in archive.namelist())


def test_every_sensitive_column_is_declared_in_the_module_personal_data(hotel: Hotel) -> None:
    """Columns that may hold personal data must be declared in the module `personal_data.py` of their app."""
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        sources = table_data.list_table_sources(cursor, hotel.schema)
    undeclared = []
    for source in sources:
        if not personal_data.is_omitted(source.table):
            try:
                personal_data.masked_expressions(
                    source.table,
                    source.column_names,
                    sensitive=[c.name for c in source.columns if c.is_sensitive],
                )
            except personal_data.UndeclaredColumns as error:
                undeclared.append(str(error))
    assert "\n".join(undeclared) == ""


def test_masked_backup_contains_no_personal_data(
    populated: PopulatedHotel, file: Path, tmp_path: Path
) -> None:
    unmasked_file = tmp_path / "unmasked.hotel"
    backup(unmasked_file, "sol")
    personal_values = {
        value
        for values in sql.query(
            "SELECT guest_name, guest_email, guest_phone, external_id FROM hotel_sol.reminders_reservation "
            "UNION ALL SELECT username, full_name, email, password FROM hotel_sol.tenants_user "
            "UNION ALL SELECT prefix, encode(digest, 'hex'), '', '' FROM hotel_sol.tenants_apikey "
            "UNION ALL SELECT encode(token_digest, 'hex'), session, reference, reason FROM hotel_sol.locks_allocation"
        )
        for value in values
        if value
    } | set(populated_hotel.PERSONAL_VALUES)
    unmasked = read_text(unmasked_file)
    # Negative control: the search finds the values in the unmasked file, except values that COPY escapes with
    # backslashes.
    assert sum(value in unmasked for value in personal_values) > 0.95 * len(personal_values)
    backup(file, "sol", masked=True)
    masked = read_text(file)
    assert sorted(value for value in personal_values if value in masked) == []


def test_hotel_restored_from_a_masked_backup_sends_no_email_to_guests(
    populated: PopulatedHotel, file: Path, smtp: MailServer
) -> None:
    result = backup(file, "sol", masked=True)
    for table in ("tenants_apikey", "tenants_idempotencykey", "tenants_session", "audit_event"):
        assert result["tables"][table] == 0
    copy = restore_masked_copy(file)
    assert (copy.status, copy.email.endswith("@example.com")) == ("suspended", True)
    before = populated_hotel.read_rows("hotel_sol")
    after = populated_hotel.read_rows("hotel_copy")
    for table in (
        "reminders_reservation",
        "reminders_reminder",
        "locks_room",
        "locks_allocation",
        "dlq_failure",
    ):
        assert len(after[table]) == len(before[table]) > 0
    services.resume_hotel(hotel_id=copy.id)
    with hotel_context(copy):
        guest = Reservation.objects.get(reminders__status="sent")
        assert guest.guest_name.startswith("Guest ")
        assert guest.guest_email.endswith("@example.com")
        assert guest.guest_phone.startswith("+447700900")
        # Equal addresses have equal masks, so related rows still match.
        assert (
            guest.guest_email
            == Reminder.objects.get(status="sent").recipient
            == Suppression.objects.get().email
        )
        failure = Failure.objects.get()
        assert (failure.payload, failure.error_message) == ({}, "(masked)")
        assert failure.status not in {"scheduled", "retrying"}
        assert Reservation.objects.values("guest_email").distinct().count() > 100
        # E-mails are sent to masked addresses.
        Suppression.objects.all().delete()
        waiting = Reminder.objects.filter(status="scheduled").exclude(reservation__guest_email="")[0]
        send_now(reminder_id=waiting.id)
    with hotel_context(populated.hotel):
        assert Reservation.objects.filter(guest_email__endswith="@guests.example").exists()


def test_hotel_restored_from_a_masked_backup_refuses_the_original_credentials(
    populated: PopulatedHotel, file: Path
) -> None:
    backup(file, "sol", masked=True)
    copy = restore_masked_copy(file)
    services.resume_hotel(hotel_id=copy.id)
    client = APIClient(SERVER_NAME="copy.localhost")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {populated.key}")
    assert client.get("/api/v1/reservations/").status_code == 401
    with hotel_context(copy):
        user = User.objects.get()
        assert not user.has_usable_password()
        assert not user.check_password(populated_hotel.PASSWORD)
    browser = Client(SERVER_NAME="copy.localhost")
    login = {"username": user.username, "password": populated_hotel.PASSWORD}
    assert browser.post("/admin/login/", login).status_code == 200


def test_masked_values_are_equal_in_later_backups_and_differ_between_deployments(
    populated: PopulatedHotel, file: Path, settings: Any
) -> None:
    def masked_reservations() -> str:
        backup(file, "sol", masked=True, force=True)
        with zipfile.ZipFile(file) as archive:
            return archive.read("rows/reminders_reservation").decode()

    first = masked_reservations()
    assert masked_reservations() == first
    settings.SECRET_KEY = "another deployment's"
    assert masked_reservations() != first


def test_masked_backup_is_refused_if_a_column_is_not_declared(hotel: Hotel, file: Path) -> None:
    sql.execute(f"ALTER TABLE {hotel.schema}.locks_room ADD COLUMN note jsonb")
    with pytest.raises(CommandError, match="locks_room: the columns note are not declared"):
        backup(file, masked=True)
    assert not file.exists()
    assert backup(file)["slug"] == "alpha"


def test_masked_backup_is_recorded_as_masked_in_the_audit_trail(file: Path) -> None:
    backup(file, masked=True)
    [(data,)] = sql.query("SELECT data::text FROM audit_event WHERE event = 'hotel.backed_up'")
    assert json.loads(data)["detail"]["masked"] is True
