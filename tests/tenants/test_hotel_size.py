"""Tests of the space that an empty hotel takes: relations, TOAST tables and bytes."""

from datetime import date

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection

from hotelagent.core.messages import MAX_BYTES, MAX_LENGTH, TranslatableMessage, message_to_json
from locks import services as lock_services
from locks.models import Room
from locks.nights import Nights
from locks.webhooks.event_types import WebhookEvent
from locks.webhooks.models import Webhook, WebhookDelivery
from locks.webhooks.services import create_webhook
from locks.webhooks.signing import encrypt_secret, generate_secret
from reminders.models import Reminder, Reservation, Rule
from tenants import services
from tenants.lifecycle.schema_template import PLACEHOLDER
from tenants.models import Hotel
from tenants.scopes import HOTEL_SCOPES
from tests.tenants import sql

pytestmark = pytest.mark.django_db(transaction=True)

#: The maximum growth of the database in bytes for each empty hotel, with the files and the rows of the catalogs.
#: deploy/scale.md lists what takes the space. The audit trail of an empty hotel has three events.
MAX_SIZE = 1_410_000
#: The maximum number of room types, and of sources, of one rule.
MAX_VALUES = 20
HOTELS = 10
#: A character of four bytes, the longest form in UTF-8.
HOTEL_SIGN = "\U0001f3e8"
#: The longest message that is stored with its parameters.
LONGEST_MESSAGE = TranslatableMessage(
    "{a}{b}", a=HOTEL_SIGN * MAX_LENGTH, b=HOTEL_SIGN * ((MAX_BYTES - 60) // 4 - MAX_LENGTH)
)


def test_hotel_schema_has_at_most_the_allowed_number_of_relations(
    hotel: Hotel, capsys: pytest.CaptureFixture[str]
) -> None:
    tables, indexes, sequences = sql.count_relations(hotel.schema)
    with capsys.disabled():
        print(f"\nrelations of a hotel: {tables} tables, {indexes} indexes, {sequences} sequences")
    assert tables + indexes + sequences <= sql.MAX_RELATIONS


def _create_hotels_and_measure_each(prefix: str) -> float:
    """Create hotels, and return the number of bytes by which the database has grown for each hotel."""
    before = sql.query("SELECT pg_database_size(current_database())")[0][0]
    for number in range(HOTELS):
        services.create_hotel(slug=f"{prefix}-{number}", name="Empty")
    after = sql.query("SELECT pg_database_size(current_database())")[0][0]
    return float(after - before) / HOTELS


def test_empty_hotel_takes_at_most_the_allowed_number_of_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    size = _create_hotels_and_measure_each("empty")
    with capsys.disabled():
        print(f"\nsize of an empty hotel: {size / 1e6:.3f} MB")
    assert size <= MAX_SIZE
    # The control: an empty hotel with more tables has a larger size.
    more_tables = "".join(
        f"CREATE TABLE {PLACEHOLDER}.more_{n} (id uuid PRIMARY KEY, data jsonb);" for n in range(4)
    )
    sql.execute(f"UPDATE tenants_schematemplate SET before = before || '{more_tables}'")
    assert _create_hotels_and_measure_each("larger") > size + 40_000


#: The maximum size in bytes of the columns without a declared length.
COLUMN_SIZES = {
    "nights": 30,
    "token_digest": 36,
    "digest": 36,
    "scopes": sum(len(scope) + 8 for scope in HOTEL_SCOPES),
    "events": sum(len(event) + 8 for event in WebhookEvent),
    "encrypted_secret": 100,
    "encrypted_previous_secret": 100,
    "totp_secret": 60,
    "recovery_codes": 200,
    "data": 2_000,
    "detail": MAX_BYTES + 200,
    "encrypted_hold_token": 100,
    "failures": 24 + 8 * 5,
    "guest": 100 + 4 * (200 + 254 + 40 + 10),
    "operation": 20,
    "price": 20,
    "weekdays": 24 + 2 * 7,
    "error": MAX_BYTES + 200,
    "last_error": MAX_BYTES + 200,
    "room_types": 24 + MAX_VALUES * (4 + 4 * 40),
    "sources": 24 + MAX_VALUES * (4 + 4 * 40),
}


def test_tables_with_short_rows_have_no_toast_table(hotel: Hotel) -> None:
    rows = sql.query(
        "SELECT c.relname::text, c.reltoastrelid <> 0, a.attname::text, a.atttypmod FROM pg_class c "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attlen = -1 AND a.attnum > 0 AND a.attstorage = 'p' "
        "WHERE c.relnamespace = %s::regnamespace AND c.relkind = 'r'",
        hotel.schema,
    )
    sizes: dict[str, int] = {}
    for table, has_toast_table, column, modifier in rows:
        assert not has_toast_table or connection.pg_version < 160000  # type: ignore[attr-defined]
        # A character has up to four bytes.
        sizes[table] = sizes.get(table, 200) + COLUMN_SIZES.get(column, 4 * modifier)
    assert sizes.keys() == {
        "locks_allocation", "locks_waitinglistentry", "locks_webhook", "locks_webhookdelivery", "pms_booking",
        "pms_circuitbreaker", "pms_conflict", "pms_rate", "reminders_reminder", "reminders_rule", "tenants_apikey",
        "tenants_user",
    }  # fmt: skip
    assert max(sizes.values()) < 8_000


def test_longest_webhook_fits_into_a_database_page(in_hotel: Hotel) -> None:
    secret = encrypt_secret(generate_secret(), webhook_id=in_hotel.id)
    values = {"events": WebhookEvent.values, "encrypted_secret": secret, "encrypted_previous_secret": secret}
    Webhook.objects.create(url=HOTEL_SIGN * 500, **values)
    with pytest.raises(DatabaseError, match="row is too big"):
        Webhook.objects.create(url="x", **values | {"encrypted_secret": bytes(9_000)})


def test_longest_webhook_delivery_fits_into_a_database_page(in_hotel: Hotel) -> None:
    create_webhook(url="https://example.com/", event_types=WebhookEvent.values)
    rooms = [
        Room.objects.create(number=HOTEL_SIGN * 19 + digit, room_type=HOTEL_SIGN * 40).id for digit in "12"
    ]
    nights = Nights(date(2040, 5, 1), date(2040, 5, 4))
    longest = {"session": HOTEL_SIGN * 64, "reference": HOTEL_SIGN * 64}
    hold = lock_services.acquire_hold(rooms=rooms[:1], nights=nights, **longest)
    lock_services.move_allocation(hold.id, room=rooms[1], nights=nights)
    assert (
        WebhookDelivery.objects.filter(event="stay.moved").update(error=message_to_json(LONGEST_MESSAGE)) == 1
    )
    sizes = sql.query(
        "SELECT max(pg_column_size(data)), max(pg_column_size(error)) "
        f"FROM {in_hotel.schema}.locks_webhookdelivery"
    )
    assert MAX_BYTES - 100 < sizes[0][1] < COLUMN_SIZES["error"]
    assert sizes[0][0] < COLUMN_SIZES["data"]


def test_longest_reminder_fits_into_a_database_page(in_hotel: Hotel) -> None:
    reservation = Reservation.objects.create(
        external_id="R1", arrival=date(2040, 5, 1), departure=date(2040, 5, 2), guest_name="Ana"
    )
    reminder = Reminder(
        reservation=reservation,
        rule=Rule.objects.all()[0],
        arrival=reservation.arrival,
        planned_for="2040-04-24T10:00Z",
        send_until="2040-04-24T22:00Z",
        skip_reason="reservation_changed",
        recipient=HOTEL_SIGN * 254,
        last_error=message_to_json(LONGEST_MESSAGE),
    )
    reminder.save()
    assert "params" in message_to_json(LONGEST_MESSAGE)


def test_rule_with_the_longest_allowed_lists_fits_into_a_database_page(in_hotel: Hotel) -> None:
    longest = [HOTEL_SIGN * 40] * MAX_VALUES
    rule = Rule(name=HOTEL_SIGN * 80, send_at="10:00", room_types=longest, sources=longest)
    rule.full_clean()
    rule.save()
    rule.sources = [*longest, "one more"]
    with pytest.raises(ValidationError, match="no more than 20"):
        rule.full_clean()
