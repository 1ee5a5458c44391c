"""A hotel with rows in all important tables, for tests of backups."""

from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.utils import timezone

from dlq import services as failures
from dlq.error_reports import report_texts
from hotelagent.demo.export import export_rows, write_csv
from hotelagent.demo.generator import generate_bookings
from hotelagent.demo.profiles import RESORT
from locks import selectors, services
from locks.models import Room
from locks.nights import Nights
from reminders.models import Reminder, Reservation, Suppression
from reminders.reservations.services import upsert_reservation
from reminders.sending import batch
from reminders.services.reminders import send_now
from tenants import services as hotels
from tenants.access import api_keys
from tenants.context import hotel_context, platform_context
from tenants.models import ContactIdentifier, Hotel, User
from tests.servers import MailServer
from tests.tenants import sql

PASSWORD = "correct horse battery"
#: Personal data and secrets that a masked backup must not contain.
PERSONAL_VALUES = (
    "Zoraida",
    "zoraida",
    "+34600111222",
    "rosa",
    "Rosa Díaz",
    "sol@hotel-sol.example",
    "VIP knows the owner",
)


@dataclass(frozen=True, slots=True)
class PopulatedHotel:
    """A hotel with data, the plain text of its API key, and a reminder that has been sent."""

    hotel: Hotel
    key: str
    sent: Reminder


def create_populated_hotel(slug: str, *, folder: Path, smtp: MailServer) -> PopulatedHotel:
    """Create a hotel with bookings, staff, an API key, holds, a sent e-mail, a failure, contacts and a domain."""
    hotel = hotels.create_hotel(
        slug=slug, name="Hotel Sol", time_zone="Europe/Madrid", language="es", email="sol@hotel-sol.example",
        domains=["hotel-sol.example"],
    )  # fmt: skip
    call_command(
        "import_reservations",
        _bookings(folder),
        hotel=slug,
        json=True,
        stdout=StringIO(),
    )
    with hotel_context(hotel):
        User.objects.create_user(
            username="rosa",
            password=PASSWORD,
            role="manager",
            full_name="Rosa Díaz",
            email="rosa@hotel-sol.example",
        )
        _key, secret = api_keys.create(name="channel", scopes=["reservations:read", "locks:read"])
        today = selectors.today()
        room = Room.objects.order_by("id").values_list("id", flat=True)[0]
        far = today.replace(year=today.year + 2, day=1)
        services.acquire_hold(
            rooms=[room], nights=Nights(far, far.replace(day=3)), session="Zoraida", reference="Zoraida-1"
        )
        stay = services.acquire_hold(rooms=[room], nights=Nights(far.replace(day=5), far.replace(day=6)))
        services.force_release_hold(stay.id, reason="VIP knows the owner")
        upsert_reservation(
            external_id="Zoraida-7", arrival=far, departure=far.replace(day=4), guest_name="Zoraida Ñ\\t\tÍñiguez\n🏖",
            guest_email="zoraida@guests.example", guest_phone="+34600111222", adults=2,
        )  # fmt: skip
        sent = _send_one(smtp)
        failures.capture(
            is_task=False, source="pms", name="booking", payload={"guest": "zoraida@guests.example"},
            error=report_texts(type="Refused", message="no room for Zoraida"),
        )  # fmt: skip
        Suppression.objects.create(email="zoraida@guests.example", reason="unsubscribed")
    with platform_context():
        ContactIdentifier.objects.create(hotel=hotel, kind="email", value="zoraida@guests.example")
        ContactIdentifier.objects.create(hotel=hotel, kind="phone", value="+34600111222")
    return PopulatedHotel(hotel, secret, sent)


def _send_one(smtp: MailServer) -> Reminder:
    reservation = Reservation.objects.get(external_id="Zoraida-7")
    reminder = Reminder.objects.filter(reservation=reservation).order_by("planned_for")[0]
    send_now(reminder_id=reminder.id)
    batch.send_due([reminder.id])
    reminder.refresh_from_db()
    assert reminder.status == "sent"
    assert len(smtp.to("zoraida@guests.example")) == 1
    return reminder


def _bookings(folder: Path) -> Path:
    """Write a CSV file with a few hundred bookings around today, and return its path."""
    today = timezone.now().date()
    bookings = generate_bookings(
        RESORT, first_arrival=today - timedelta(days=3), last_arrival=today + timedelta(days=7)
    )
    path = folder / "bookings.csv"
    write_csv(path, export_rows(bookings, today=today))
    return path


def read_rows(schema: str) -> dict[str, list[str]]:
    """Return the rows of each table of the schema as text (see `rows_query`)."""
    tables = sql.query("SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", schema)
    return {table: [row for (row,) in sql.query(rows_query(schema, table))] for (table,) in tables}


def rows_query(schema: str, table: str) -> str:
    """Return the SQL query that reads the rows of a table as text.

    Audit events about the hotel are left out, because the backup and the restore add such events. The column
    `changed_in` is left out, because a restored hotel gets transaction numbers of its server.
    """
    condition = "event NOT LIKE 'hotel.%'" if table == "audit_event" else "true"
    row = "(to_jsonb(t) - 'changed_in')::text"
    return f'SELECT {row} FROM {schema}.{table} t WHERE {condition} ORDER BY {row} COLLATE "C"'


def read_shared_rows(hotel_id: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Return the hotel's rows in the shared tables.

    The hotel's id and the columns that the dispatcher updates are left out.
    """
    return {
        table: sql.query(
            f"SELECT {columns} FROM {table} WHERE hotel_id = %s ORDER BY {columns}", str(hotel_id)
        )
        for table, columns in {
            "tenants_domain": "host, created_at",
            "tenants_contactidentifier": "kind, value, created_at",
            "tenants_dueitem": "kind, item_id, due_at",
        }.items()
    }
