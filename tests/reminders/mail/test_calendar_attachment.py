"""Tests of the iCalendar file that is attached to e-mails. The tests parse the file as a calendar program would."""

import uuid
from datetime import UTC, date, datetime
from typing import Any

import icalendar
import pytest

from reminders.mail.calendar_attachment import sequence, stay_calendar, stay_uid
from reminders.models import Reservation
from tenants.context import Tenant

UPDATED_AT = datetime(2026, 11, 22, 18, 38, 9, 123456, tzinfo=UTC)


def reservation(number: str = "R1") -> Reservation:
    return Reservation(
        external_id=number, arrival=date(2026, 12, 30), departure=date(2027, 1, 2), updated_at=UPDATED_AT
    )


def parsed_event(text: str) -> Any:
    [event] = icalendar.Calendar.from_ical(text).walk("VEVENT")
    return event


def test_calendar_attachment_contains_an_all_day_event_for_the_nights_of_the_stay() -> None:
    event = parsed_event(stay_calendar(reservation(), hotel_name="Hotel Sol", uid="uid@example.com"))
    assert (event["DTSTART"].dt, event["DTEND"].dt) == (date(2026, 12, 30), date(2027, 1, 2))
    assert (event["UID"], event["TRANSP"]) == ("uid@example.com", "TRANSPARENT")
    assert event["DTSTAMP"].dt == UPDATED_AT.replace(microsecond=0)
    assert event["SEQUENCE"] == int(UPDATED_AT.timestamp())


@pytest.mark.parametrize(
    "text",
    [
        "Hotel Lima",
        *("x" * length for length in (65, 66, 67, 140, 141, 300)),
        "Casa, dos; irmãos \\ filhos",
        "Olá 🏖 " * 30,
        "\\" * 80,
        "END:VEVENT",
        '"quoted" (100 %) & <b>',
        "Paix\nX-EVIL:1",
    ],
)
def test_calendar_attachment_with_special_characters_keeps_the_text_unchanged(text: str) -> None:
    calendar = stay_calendar(reservation(number=text), hotel_name=text, uid="uid@example.com")
    event = parsed_event(calendar)
    assert (event["SUMMARY"], event["DESCRIPTION"]) == (text, text)
    assert "X-EVIL" not in event
    assert all(len(line.encode()) <= 75 for line in calendar.split("\r\n"))  # RFC 5545, 3.1


def test_sequence_of_the_calendar_attachment_grows_with_each_change() -> None:
    changed = reservation()
    changed.updated_at = datetime(2026, 11, 22, 18, 38, 11, tzinfo=UTC)
    assert sequence(changed) > sequence(reservation())


def test_uid_of_the_calendar_attachment_differs_between_hotels() -> None:
    hotels = [
        Tenant(
            id=uuid.UUID(int=number), slug="sol", schema="hotel_sol", role=None, name="Sol",
            time_zone="Europe/Lisbon", language="en", status="active",
        )
        for number in (1, 2)
    ]  # fmt: skip
    reservation_id = uuid.uuid4()
    assert stay_uid(reservation_id, hotel=hotels[0]) != stay_uid(reservation_id, hotel=hotels[1])
