"""The stay's iCalendar text is the library's own, to the byte."""

from datetime import UTC, date, datetime

import icalendar
import pytest

from reminders.mail.calendar_attachment import stay_ics
from reminders.models import Reservation

CHANGED = datetime(2026, 11, 22, 18, 38, 9, 123456, tzinfo=UTC)


def by_the_library(reservation: Reservation, *, hotel_name: str, uid: str) -> str:
    event = icalendar.Event()
    event.add("uid", uid)
    event.add("dtstamp", reservation.updated_at)
    event.add("sequence", int(reservation.updated_at.timestamp()))
    event.add("dtstart", reservation.arrival)
    event.add("dtend", reservation.departure)
    event.add("summary", hotel_name)
    event.add("description", reservation.external_id)
    event.add("transp", "TRANSPARENT")
    calendar = icalendar.Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", "-//hotelagent//reminders//EN")
    calendar.add("method", "PUBLISH")
    calendar.add_component(event)
    written: bytes = calendar.to_ical()
    return written.decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hotel Lima",
        *("x" * length for length in (65, 66, 67, 68, 140, 141, 300)),
        "Casa, dos; irmãos \\ filhos",
        "Olá 🏖 " * 30,
        "a\r\nb\nc\rd",
        "\\" * 80,
        "^" * 80,
        "END:VEVENT",
        '"quoted" (100 %) & <b>',
    ],
)
def test_it_writes_what_the_library_writes(text: str) -> None:
    stay = Reservation(
        external_id=text, arrival=date(2026, 12, 30), departure=date(2027, 1, 2), updated_at=CHANGED
    )
    uid = f"{'0123456789abcdef' * 4}.{len(text)}@booking.example.com"
    assert stay_ics(stay, hotel_name=text, uid=uid) == by_the_library(stay, hotel_name=text, uid=uid)
