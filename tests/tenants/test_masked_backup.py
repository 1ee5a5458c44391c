"""A copy for trials: nothing in the file tells who anybody is, or lets anybody in."""

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
from tests.tenants import lived_in, sql
from tests.tenants.backups import backup
from tests.tenants.lived_in import LivedIn

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lived(smtp: MailServer, tmp_path: Path) -> LivedIn:
    return lived_in.lived_in("sol", folder=tmp_path, smtp=smtp)


def restored(file: Path) -> Hotel:
    call_command("restore_hotel", file, slug="trial", json=True, stdout=StringIO())
    with platform_context():
        return Hotel.objects.get(slug="trial")


def texts(file: Path) -> str:
    """Everything in the file, as text."""
    with zipfile.ZipFile(file) as packed:
        return "\n".join(packed.read(name).decode() for name in packed.namelist())


def test_somebody_spoke_of_every_column_that_could_tell(hotel: Hotel) -> None:
    """A new column of text is refused until its app's personal_data.py says what a masked copy has in its place."""
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        sources = table_data.list_table_sources(cursor, hotel.schema)
    unspoken = []
    for source in sources:
        if not personal_data.is_omitted(source.table):
            try:
                personal_data.masked_expressions(
                    source.table,
                    source.column_names,
                    sensitive=[c.name for c in source.columns if c.is_sensitive],
                )
            except personal_data.UndeclaredColumns as error:
                unspoken.append(str(error))
    assert "\n".join(unspoken) == ""


def test_nothing_in_the_file_tells_who_anybody_is(lived: LivedIn, file: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole.hotel"
    backup(whole, "sol")
    people = {
        value
        for values in sql.ask(
            "SELECT guest_name, guest_email, guest_phone, external_id FROM hotel_sol.reminders_reservation "
            "UNION ALL SELECT username, full_name, email, password FROM hotel_sol.tenants_user "
            "UNION ALL SELECT prefix, encode(digest, 'hex'), '', '' FROM hotel_sol.tenants_apikey "
            "UNION ALL SELECT encode(token_digest, 'hex'), session, reference, reason FROM hotel_sol.locks_allocation"
        )
        for value in values
        if value
    } | set(lived_in.PERSONAL)
    in_whole = texts(whole)
    # The search finds: the file that is not masked has them (but what COPY writes with backslashes).
    assert sum(value in in_whole for value in people) > 0.95 * len(people)
    backup(file, "sol", masked=True)
    in_masked = texts(file)
    assert sorted(value for value in people if value in in_masked) == []


def test_a_masked_copy_is_a_working_hotel(lived: LivedIn, file: Path, smtp: MailServer) -> None:
    told = backup(file, "sol", masked=True)
    for emptied in ("tenants_apikey", "tenants_idempotencykey", "django_session", "audit_event"):
        assert told["tables"][emptied] == 0
    trial = restored(file)
    assert (trial.status, trial.email.endswith("@example.com")) == ("suspended", True)
    before = lived_in.everything("hotel_sol")
    after = lived_in.everything("hotel_trial")
    for table in (
        "reminders_reservation",
        "reminders_reminder",
        "locks_room",
        "locks_allocation",
        "dlq_failure",
    ):
        assert len(after[table]) == len(before[table]) > 0
    services.resume_hotel(hotel_id=trial.id)
    with hotel_context(trial):
        guest = Reservation.objects.get(reminders__status="sent")
        assert guest.guest_name.startswith("Guest ")
        assert guest.guest_email.endswith("@example.com")
        assert guest.guest_phone.startswith("+447700900")
        # The same address has the same mask, so what belongs together still does.
        assert (
            guest.guest_email
            == Reminder.objects.get(status="sent").recipient
            == Suppression.objects.get().email
        )
        failure = Failure.objects.get()
        assert (failure.payload, failure.error_message) == ({}, "(masked)")
        assert failure.status not in {"scheduled", "retrying"}
        assert Reservation.objects.values("guest_email").distinct().count() > 100
        # Mails go, and to nobody.
        Suppression.objects.all().delete()
        waiting = Reminder.objects.filter(status="scheduled").exclude(reservation__guest_email="")[0]
        send_now(reminder_id=waiting.id)
    with hotel_context(lived.hotel):
        assert Reservation.objects.filter(guest_email__endswith="@guests.example").exists()


def test_nobody_gets_in_with_what_opens_the_original(lived: LivedIn, file: Path) -> None:
    backup(file, "sol", masked=True)
    trial = restored(file)
    services.resume_hotel(hotel_id=trial.id)
    client = APIClient(SERVER_NAME="trial.localhost")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {lived.key}")
    assert client.get("/api/v1/reservations/").status_code == 401
    with hotel_context(trial):
        user = User.objects.get()
        assert not user.has_usable_password()
        assert not user.check_password(lived_in.PASSWORD)
    browser = Client(SERVER_NAME="trial.localhost")
    login = {"username": user.username, "password": lived_in.PASSWORD}
    assert browser.post("/admin/login/", login).status_code == 200


def test_the_masks_are_the_same_the_next_time_and_elsewhere_others(
    lived: LivedIn, file: Path, settings: Any
) -> None:
    def guests() -> str:
        backup(file, "sol", masked=True, force=True)
        with zipfile.ZipFile(file) as packed:
            return packed.read("rows/reminders_reservation").decode()

    first = guests()
    assert guests() == first
    settings.SECRET_KEY = "another deployment's"
    assert guests() != first


def test_a_column_that_nobody_spoke_of_is_refused(hotel: Hotel, file: Path) -> None:
    sql.run(f"ALTER TABLE {hotel.schema}.locks_room ADD COLUMN note jsonb")
    with pytest.raises(CommandError, match="locks_room: nobody said whether note"):
        backup(file, masked=True)
    assert not file.exists()
    assert backup(file)["slug"] == "alpha"


def test_the_trail_says_that_it_was_masked(file: Path) -> None:
    backup(file, masked=True)
    [(data,)] = sql.ask("SELECT data::text FROM audit_event WHERE event = 'hotel.backed_up'")
    assert json.loads(data)["detail"]["masked"] is True
