"""Tests with calendars in which one line is replaced with garbage."""

from collections.abc import Iterator
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminders.errors import InvalidFile
from reminders.reservations.calendars.content import decode, split_calendar
from reminders.reservations.calendars.ical_parser import Booking, Closure, Entry, EventProblem, parse_calendar

_TIME_ZONE = """BEGIN:VTIMEZONE
TZID:Custom
BEGIN:STANDARD
DTSTART:16010101T000000
TZOFFSETFROM:+0100
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE"""
_ALARM = "BEGIN:VALARM\nTRIGGER:-PT1H\nDURATION:PT15M\nREPEAT:2\nEND:VALARM"
#: Maps events to their nights. Airbnb, Booking.com and calendar programs order the properties in these ways.
EVENTS = {
    "BEGIN:VEVENT\nDTEND;VALUE=DATE:20300512\nDTSTART;VALUE=DATE:20300510\nUID:a\nSUMMARY:Reserved\nEND:VEVENT": (
        date(2030, 5, 10), date(2030, 5, 12)
    ),
    "BEGIN:VEVENT\nUID:b\nDTSTART;VALUE=DATE:20300514\nDTEND;VALUE=DATE:20300520\nSUMMARY:Not available\nEND:VEVENT": (
        date(2030, 5, 14), date(2030, 5, 20)
    ),
    f"BEGIN:VEVENT\nUID:c\nSUMMARY:Ana\nDTSTART;TZID=Custom:20300601T150000\n"
    f"DTEND;TZID=Custom:20300604T110000\n{_ALARM}\nEND:VEVENT": (
        date(2030, 6, 1), date(2030, 6, 4)
    ),
    "BEGIN:VEVENT\nSUMMARY:Eve\nDTSTAMP:20300101T000000Z\nSTATUS:CONFIRMED\nTRANSP:OPAQUE\n"
    "DTSTART:20300701T150000Z\nDTEND:20300703T100000Z\nSEQUENCE:1\nDESCRIPTION:x\nUID:d\nEND:VEVENT": (
        date(2030, 7, 1), date(2030, 7, 3)
    ),
}  # fmt: skip
LINES = "\n".join(
    [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//a//b",
        "METHOD:PUBLISH",
        _TIME_ZONE,
        *EVENTS,
        "END:VCALENDAR",
    ]
).split("\n")
GARBAGE = st.sampled_from(
    [
        "",
        " ",
        " x",
        "\t7",
        "x",
        "x:y",
        ":",
        ";",
        "DTSTART",
        "DTEND:",
        "UID:",
        "END:",
        "BEGIN:X",
        "END:X",
        "\0",
        "<br />",
    ]
) | st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=40).filter(
    lambda text: not text.strip().upper().startswith(("X-", "BEGIN:V", "END:V"))
)


def nights_of(entry: Entry) -> Iterator[date]:
    """Yield the nights on which the calendar entry makes the room unavailable."""
    spans: tuple[tuple[date, date], ...] = ()
    if isinstance(entry, Booking):
        spans = ((entry.arrival, entry.departure),)
    elif isinstance(entry, Closure | EventProblem):
        spans = entry.nights
    for check_in, check_out in spans:
        yield from (check_in + timedelta(days=n) for n in range((check_out - check_in).days))


def parse(lines: list[str]) -> list[Entry]:
    text = decode("\r\n".join([*lines, ""]).encode())
    return parse_calendar(
        split_calendar(text), zone=ZoneInfo("Europe/Lisbon"), today=date(2030, 5, 1)
    ).entries


@given(line=st.integers(0, len(LINES) - 1), garbage=GARBAGE)
def test_garbage_in_a_line_affects_at_most_one_event_and_frees_no_nights(line: int, garbage: str) -> None:
    entries = parse([*LINES[:line], garbage, *LINES[line + 1 :]])
    understood = [set(nights_of(entry)) for entry in entries if not isinstance(entry, EventProblem)]
    taken = {night for entry in entries for night in nights_of(entry)}
    expected = [
        {check_in + timedelta(days=n) for n in range((check_out - check_in).days)}
        for check_in, check_out in EVENTS.values()
    ]
    assert sum(nights not in understood for nights in expected) <= 1
    assert set().union(*expected) <= taken
    assert len(entries) == len(EVENTS)


@pytest.mark.parametrize("length", range(len(LINES)))
def test_parser_returns_all_complete_events_of_a_truncated_calendar(length: int) -> None:
    try:
        entries = parse(LINES[:length])
    except InvalidFile:
        entries = []
    ended = "\n".join(LINES[:length])
    complete = [nights for event, nights in EVENTS.items() if event in ended]
    bookings = [entry for entry in entries if not isinstance(entry, EventProblem)]
    assert len(bookings) >= len(complete)
