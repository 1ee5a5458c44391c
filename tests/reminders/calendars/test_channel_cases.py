"""Tests with calendars like those that caused errors in other systems. The files are in `feeds/`."""

import gzip
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from locks import services
from locks.models import Room
from locks.nights import Nights as Span
from reminders.models import LinkedCalendar, Reservation
from reminders.reservations.calendars import ical_parser, linked_import
from reminders.reservations.calendars import services as calendar_services
from reminders.reservations.calendars.content import CalendarContent
from reminders.tasks import sync_calendars
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.reminders.calendars.channel import Channel
from tests.reminders.calendars.conftest import Nights, nights, sync
from tests.reminders.conftest import Clock

pytestmark = pytest.mark.django_db
FEEDS = Path(__file__).parent / "feeds"
Link = Callable[..., tuple[LinkedCalendar, Channel]]


@pytest.fixture(autouse=True)
def _in_buenos_aires(in_hotel: Hotel, clock: Clock) -> Iterator[None]:
    clock("2026-11-29 12:00")
    in_hotel.time_zone = "America/Argentina/Buenos_Aires"
    with hotel_context(in_hotel):
        yield


def feed(name: str) -> bytes:
    return (FEEDS / f"{name}.ics").read_bytes()


def guests() -> list[str]:
    return list(Reservation.objects.order_by("arrival").values_list("guest_name", flat=True))


@pytest.mark.parametrize(
    ("name", "stays", "closures"),
    [
        ("bom-and-blank-lines", [("2027-06-10", "2027-06-12")], []),
        ("broken-sequence", [("2027-09-10", "2027-09-12"), ("2027-09-15", "2027-09-17")], []),
        ("closed-with-guest-name", [("2027-05-01", "2027-05-04")], [("2027-05-10", "2027-05-12")]),
        ("customized-time-zone", [("2027-10-04", "2027-10-08")], []),
        (
            "duration-with-hours",
            [("2027-01-10", "2027-01-13"), ("2027-01-20", "2027-01-21"), ("2027-01-25", "2027-01-27")],
            [],
        ),
        ("fold-inside-character", [("2027-03-01", "2027-03-03")], []),
        ("latin1", [("2027-11-20", "2027-11-22")], []),
        ("midnight-utc", [("2027-09-01", "2027-09-04")], []),
        ("mixed-date-and-time", [("2027-10-20", "2027-10-23")], []),
        ("no-uid", [("2027-02-03", "2027-02-05")], [("2027-02-10", "2027-02-12")]),
        ("php-warning-first", [("2027-06-15", "2027-06-17")], []),
        (
            "repeating-block",
            [],
            [
                ("2027-04-01", "2027-04-02"),
                ("2027-04-08", "2027-04-09"),
                ("2027-04-15", "2027-04-17"),
                ("2027-04-22", "2027-04-23"),
            ],
        ),
        ("smoobu-three-events", [("2027-11-01", "2027-11-04")], []),
        ("tentative", [("2027-11-10", "2027-11-12")], []),
        ("transparent", [("2027-03-10", "2027-03-12")], []),
        ("tzid-without-vtimezone", [("2027-10-15", "2027-10-18")], []),
        ("unfolded-description", [("2027-09-20", "2027-09-22"), ("2027-09-25", "2027-09-27")], []),
    ],
)
def test_repeated_imports_of_a_channel_calendar_result_in_the_same_stays_and_closures(
    link: Link, rooms: list[Room], name: str, stays: list[Nights], closures: list[Nights]
) -> None:
    calendar, _channel = link(feed(name))
    for _import in range(3):
        report = sync(calendar)
        assert report["rejected"] == report["without_room"] == []
        assert nights("confirmed", rooms[0]) == stays
        assert nights("closed", rooms[0]) == closures
        assert Reservation.objects.count() == len(stays)


@pytest.mark.parametrize(
    ("name", "guest", "status"),
    [
        ("closed-with-guest-name", "Jane Roe", "booked"),
        ("fold-inside-character", "Reserved for the long stay of the family Großmüller-Ångström", "booked"),
        ("latin1", "Familie Müller", "booked"),
        ("tentative", "Roe", "inquiry"),
    ],
)
def test_guest_name_and_reservation_status_are_read_from_the_calendar_of_a_channel(
    link: Link, name: str, guest: str, status: str
) -> None:
    calendar, _channel = link(feed(name))
    sync(calendar)
    assert (guests(), Reservation.objects.get().status) == ([guest], status)


def test_inquiry_that_the_guest_confirms_becomes_a_booking_in_the_same_room(
    link: Link, rooms: list[Room]
) -> None:
    calendar, channel = link(feed("tentative"))
    sync(calendar)
    channel.content = feed("tentative").replace(b"TENTATIVE", b"CONFIRMED")
    assert sync(calendar)["updated"] == 1
    assert Reservation.objects.get().status == "booked"
    assert nights("confirmed", rooms[0]) == [("2027-11-10", "2027-11-12")]


def test_same_uid_in_the_calendars_of_two_rooms_creates_a_reservation_for_each_room(
    link: Link, rooms: list[Room]
) -> None:
    calendars = [link(feed(f"same-uid-room-{letter}"), room=room)[0] for room, letter in enumerate("ab")]
    for calendar in calendars * 2:
        sync(calendar)
    assert [nights("confirmed", room) for room in rooms] == [[("2027-07-01", "2027-07-04")]] * 2
    assert Reservation.objects.count() == 2


def test_calendars_that_share_a_uid_do_not_change_each_others_reservations(
    link: Link, rooms: list[Room]
) -> None:
    first, channel = link(feed("same-uid-room-a"))
    second, _channel = link(feed("same-uid-different-stay-b"), room=1)
    for calendar in (first, second, first, second):
        assert sync(calendar)["updated"] == 0
    channel.content = feed("same-uid-room-a").replace(b"SUMMARY", b"STATUS:CANCELLED\r\nSUMMARY")
    assert sync(first)["cancelled"] == 1
    sync(second)
    assert [nights("confirmed", room) for room in rooms] == [[], [("2027-07-10", "2027-07-14")]]


def test_last_booking_is_cancelled_after_three_imports_of_an_empty_calendar(
    link: Link, rooms: list[Room]
) -> None:
    calendar, channel = link(feed("last-booking-cancelled-1"))
    sync(calendar)
    channel.content = feed("last-booking-cancelled-2")
    assert [sync(calendar)["removed"] for _import in range(3)] == [0, 0, 1]
    assert nights("confirmed", rooms[0]) == []


def test_closed_nights_that_move_forward_by_one_day_every_day_remain_one_closure(
    link: Link, rooms: list[Room]
) -> None:
    calendar, channel = link(feed("sliding-block-day1"))
    for day, closure in (("1", ("2027-08-29", "2027-11-02")), ("2", ("2027-08-30", "2027-11-03"))):
        channel.content = feed(f"sliding-block-day{day}")
        sync(calendar)
        assert nights("closed", rooms[0]) == [closure]
    assert Reservation.objects.count() == 1


def test_web_page_instead_of_a_calendar_is_reported_and_cancels_no_reservation(
    link: Link, rooms: list[Room]
) -> None:
    calendar, channel = link(feed("last-booking-cancelled-1"))
    sync(calendar)
    channel.content = (FEEDS / "html-with-200.html").read_bytes()
    for _import in range(5):
        calendar_services.sync_due_calendar(calendar.id)
        calendar.refresh_from_db()
        assert "web page" in calendar.error_message
    assert nights("confirmed", rooms[0]) == [("2027-06-01", "2027-06-04")]


def test_repeating_event_with_an_unclear_title_closes_its_nights_and_is_reported(
    link: Link, rooms: list[Room]
) -> None:
    content = (
        feed("repeating-block")
        .replace(b"Not available", b"Cleaning day")
        .replace(b"COUNT=4", b"UNTIL=20270415")
    )
    calendar, _channel = link(content)
    report = sync(calendar)
    assert nights("closed", rooms[0]) == [
        ("2027-04-01", "2027-04-02"), ("2027-04-08", "2027-04-09"), ("2027-04-15", "2027-04-17")
    ]  # fmt: skip
    [problem] = report["rejected"]
    assert problem["nights"][0] == {"check_in": "2027-04-01", "check_out": "2027-04-02"}
    assert "Repeating" in problem["detail"]


def test_import_of_recurrence_rules_without_occurrences_ends_within_seconds(
    link: Link, rooms: list[Room], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reminders.reservations.calendars.recurrence.MAX_SECONDS", 0.3)
    event = feed("repeating-block").partition(b"BEGIN:VEVENT")[2].partition(b"END:VEVENT")[0]
    event = event.replace(b"FREQ=WEEKLY;COUNT=4", b"FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30")
    events = [b"BEGIN:VEVENT" + event.replace(b"rep-1", b"%d" % n) + b"END:VEVENT\r\n" for n in range(1000)]
    calendar, _channel = link(b"BEGIN:VCALENDAR\r\n" + b"".join(events) + b"END:VCALENDAR\r\n")
    started = time.monotonic()
    report = sync(calendar)
    assert time.monotonic() - started < 20  # an import that expanded all rules would take minutes
    assert "too complex" in report["rejected"][-1]["detail"]
    assert nights("closed", rooms[0]) == [("2027-04-01", "2029-11-29")]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=WEEKLY;COUNT=3\r\nEXDATE;VALUE=DATE:20270408", ["2027-04-01", "2027-04-15"]),
        ("FREQ=MONTHLY;UNTIL=20270515T000000Z", ["2027-04-01", "2027-05-01"]),
        (
            "FREQ=DAILY;INTERVAL=7;COUNT=2\r\nRDATE;VALUE=DATE:20270601",
            ["2027-04-01", "2027-04-08", "2027-06-01"],
        ),
        # Rules that can't be expanded close all nights up to the horizon.
        ("FREQ=HOURLY", ["2027-04-01"]),
        ("FREQ=FORTNIGHTLY", ["2027-04-01"]),
        ("FREQ=DAILY;INTERVAL=0", ["2027-04-01"]),
    ],
)
def test_repeating_closure_closes_every_occurrence_of_its_recurrence_rule(
    link: Link, rooms: list[Room], monkeypatch: pytest.MonkeyPatch, rule: str, expected: list[str]
) -> None:
    monkeypatch.setattr("reminders.reservations.calendars.recurrence.MAX_SECONDS", 0.3)
    calendar, _channel = link(feed("repeating-block").replace(b"FREQ=WEEKLY;COUNT=4", rule.encode()))
    rejected = sync(calendar)["rejected"]
    closed = [night for night in nights("closed", rooms[0]) if night != ("2027-04-15", "2027-04-17")]
    if rejected:
        assert closed == [("2027-04-01", "2029-11-29")]
    else:
        assert [check_in for check_in, _check_out in closed] == [
            day for day in expected if day != "2027-04-15"
        ]


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda content: zlib.compress(content, wbits=-15)),
    ],
    ids=["gzip", "deflate", "deflate without a header"],
)
def test_compressed_calendar_is_imported(
    link: Link, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    calendar, channel = link(compress(feed("no-uid")))
    channel.headers = {"Content-Encoding": encoding}
    assert sync(calendar)["created"] == 1


@pytest.mark.parametrize(
    ("content", "encoding", "message"),
    [
        (b"\x1f\x8b damaged", "gzip", "is damaged"),
        (gzip.compress(b"x" * 1000)[:-12], "gzip", "is damaged"),
        (gzip.compress(b"x" * 5_000_001), "gzip", "too large"),
        (b"BEGIN:VCALENDAR", "br", "compression br"),
    ],
    ids=["no gzip", "cut off", "too large", "unknown"],
)
def test_compressed_calendar_that_is_damaged_or_too_large_or_unsupported_is_rejected(
    link: Link, content: bytes, encoding: str, message: str
) -> None:
    calendar, channel = link(content)
    channel.headers = {"Content-Encoding": encoding}
    calendar_services.sync_due_calendar(calendar.id)
    calendar.refresh_from_db()
    assert message in calendar.error_message


@pytest.mark.parametrize("charset", ["iso-8859-1", "utf-8", "no-such-charset", "punycode", ""])
def test_guest_name_in_latin_1_is_read_correctly_whatever_charset_the_channel_declares(
    link: Link, charset: str
) -> None:
    calendar, channel = link(feed("latin1"))
    channel.headers = {"Content-Type": f"text/calendar; charset={charset}"}
    sync(calendar)
    assert guests() == ["Familie Müller"]


@pytest.mark.parametrize(
    ("charset", "name"), [("koi8-r", "Иванов"), ("utf-16", "Müller"), ("iso-8859-1", "Ивáнов")]
)
def test_guest_name_that_is_not_utf_8_is_decoded_with_the_declared_charset(
    link: Link, charset: str, name: str
) -> None:
    text = feed("last-booking-cancelled-1").decode().replace("Reserved", name)
    calendar, channel = link(text.encode("utf-8" if charset == "iso-8859-1" else charset))
    channel.headers = {"Content-Type": f'text/calendar;charset="{charset}"'}
    sync(calendar)
    assert guests() == [name]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "requires a login"),
        (403, "refused the request"),
        (404, "withdrawn"),
        (410, "withdrawn"),
        (429, "too many"),
    ],
)
def test_error_message_after_a_refused_download_depends_on_the_http_status(
    link: Link, status: int, message: str
) -> None:
    calendar, channel = link(feed("no-uid"))
    channel.responses = [status]
    calendar_services.sync_due_calendar(calendar.id)
    calendar.refresh_from_db()
    assert message in calendar.error_message
    assert f"(status {status})" in calendar.error_message


def test_unexpected_error_in_one_calendar_does_not_stop_the_import_of_other_calendars(
    link: Link, rooms: list[Room], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing, _channel = link(feed("no-uid"))
    sibling, _channel = link(feed("good-sibling"), room=1)

    def fail_for_no_uid(content: CalendarContent, **options: Any) -> object:
        if not any("UID" in line for event in content.events for line in event.lines):
            raise RuntimeError("Jane Roe")
        return original(content, **options)

    original = ical_parser.parse_calendar
    monkeypatch.setattr(linked_import, "parse_calendar", fail_for_no_uid)
    sync_calendars([str(failing.id), str(sibling.id)])
    failing.refresh_from_db()
    assert failing.error_message == (
        "The calendar could not be imported because of an unexpected error (RuntimeError). The import will be "
        "retried automatically, and the operators can see the error."
    )
    assert nights("confirmed", rooms[1]) == [("2028-02-10", "2028-02-12")]


def test_calendar_linked_again_with_a_new_url_takes_over_its_earlier_reservations(
    link: Link, rooms: list[Room]
) -> None:
    old, _channel = link(feed("last-booking-cancelled-1"))
    sync(old)
    calendar_services.unlink_calendar(old.id)
    new, channel = link(feed("last-booking-cancelled-1"))
    assert (sync(new)["unchanged"], Reservation.objects.count()) == (1, 1)
    channel.content = feed("last-booking-cancelled-1").replace(
        b"DTEND;VALUE=DATE:20270604", b"DTEND;VALUE=DATE:20270606"
    )
    assert sync(new)["updated"] == 1
    assert nights("confirmed", rooms[0]) == [("2027-06-01", "2027-06-06")]


def test_calendar_import_keeps_a_reservation_whose_number_equals_the_uid_of_an_event(
    link: Link, book: Callable[..., Reservation]
) -> None:
    book("only-1@test", "2028-01-01", "2028-01-03", guest_name="Other Guest", guest_email="")
    calendar, channel = link(feed("last-booking-cancelled-1"))
    assert sync(calendar)["created"] == 1
    channel.content = feed("last-booking-cancelled-1").replace(b"SUMMARY", b"STATUS:CANCELLED\r\nSUMMARY")
    assert sync(calendar)["cancelled"] == 1
    assert {(row.guest_name, row.status) for row in Reservation.objects.all()} == {
        ("Other Guest", "booked"), ("Reserved", "cancelled")
    }  # fmt: skip


def test_channel_can_replace_its_closure_with_a_booking_of_the_same_nights(
    link: Link, rooms: list[Room]
) -> None:
    calendar, channel = link(feed("sliding-block-day1"))
    sync(calendar)
    channel.content = feed("sliding-block-day1").replace(b"Airbnb (Not available)", b"Reserved")
    report = sync(calendar)
    assert (report["created"], report["without_room"]) == (1, [])
    assert nights("confirmed", rooms[0])[-1] == ("2027-08-29", "2027-11-02")
    # The booking becomes shorter, and the channel closes the remaining nights.
    channel.content = (
        feed("sliding-block-day1")
        .replace(b"20271102", b"20271002")
        .replace(b"Airbnb (Not available)", b"Reserved")
    )
    sync(calendar)
    channel.content = feed("sliding-block-day1").replace(b"Airbnb (Not available)", b"Reserved")
    assert sync(calendar)["without_room"] == []


def test_booking_without_a_stay_because_of_a_closed_night_closes_its_other_nights(
    link: Link, rooms: list[Room]
) -> None:
    services.close_room(room=rooms[0].id, nights=Span(date(2027, 6, 2), date(2027, 6, 3)), reason="paint")
    calendar, _channel = link(feed("last-booking-cancelled-1"))
    for _import in range(2):
        [problem] = sync(calendar)["without_room"]
        assert problem["nights"] == [{"check_in": "2027-06-01", "check_out": "2027-06-04"}]
        assert nights("closed", rooms[0]) == [
            ("2027-06-01", "2027-06-02"), ("2027-06-02", "2027-06-03"), ("2027-06-03", "2027-06-04")
        ]  # fmt: skip


def test_events_with_the_same_uid_are_reported_and_occupy_all_their_nights(
    link: Link, rooms: list[Room]
) -> None:
    event = "BEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:{}\r\nDTEND;VALUE=DATE:{}\r\nSUMMARY:Roe\r\nEND:VEVENT\r\n"
    days = [("20270301", "20270303"), ("20270310", "20270312"), ("20270310", "20270312")]
    calendar, channel = link(b"")
    for _import in range(2):
        channel.content = (
            f"BEGIN:VCALENDAR\r\n{''.join(event.format(*d) for d in days)}END:VCALENDAR\r\n".encode()
        )
        assert len(sync(calendar)["warnings"]) == 3
        assert nights("confirmed", rooms[0]) == [("2027-03-01", "2027-03-03"), ("2027-03-10", "2027-03-12")]
    days = days[:1]  # Only one event with this UID is left.
    channel.content = f"BEGIN:VCALENDAR\r\n{event.format(*days[0])}END:VCALENDAR\r\n".encode()
    assert [(report["warnings"], report["removed"]) for report in (sync(calendar), sync(calendar))] == [
        ([], 0),
        ([], 1),
    ]
    assert nights("confirmed", rooms[0]) == [("2027-03-01", "2027-03-03")]


def test_booking_whose_dates_become_unreadable_keeps_its_nights(link: Link, rooms: list[Room]) -> None:
    calendar, channel = link(feed("last-booking-cancelled-1"))
    sync(calendar)
    channel.content = feed("last-booking-cancelled-1").replace(b"DTSTART", b"?").replace(b"DTEND", b"?")
    for _import in range(4):
        assert len(sync(calendar)["rejected"]) == 1
    assert nights("confirmed", rooms[0]) == [("2027-06-01", "2027-06-04")]


def test_incomplete_calendar_cancels_no_bookings(link: Link, rooms: list[Room]) -> None:
    calendar, channel = link(feed("unfolded-description"))
    sync(calendar)
    channel.content = feed("unfolded-description").partition(b"UID:desc-2")[0]
    for _import in range(4):
        assert "incomplete" in sync(calendar)["warnings"][-1]["detail"]
    assert len(nights("confirmed", rooms[0])) == 2
