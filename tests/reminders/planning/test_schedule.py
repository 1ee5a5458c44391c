"""Tests of computing when reminders are due, including clock changes and extreme time zones."""

from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reminders.local_time import local_to_utc
from reminders.models import LateBookingPolicy, Rule, RuleAnchor
from reminders.planning.schedule import manual_send_deadline, send_window

LISBON = ZoneInfo("Europe/Lisbon")
SANTIAGO = ZoneInfo("America/Santiago")
KIRITIMATI = ZoneInfo("Pacific/Kiritimati")  # UTC+14
LONG_BEFORE = datetime(2020, 1, 1, tzinfo=UTC)


def rule(at: str = "10:00", days: int = 1, **values: object) -> Rule:
    return Rule(
        name="test", offset_days=days, send_at=time.fromisoformat(at), **{"window_hours": 12, **values}
    )


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "day", "at", "expected"),
    [
        # In Lisbon, clocks are set from 01:00 to 02:00 on 31 March 2030, and from 02:00 to 01:00 on 27 October.
        (LISBON, "2030-03-31", "00:59", "2030-03-31 00:59"),
        # Clocks skip 01:30, so 02:30 summer time is used.
        (LISBON, "2030-03-31", "01:30", "2030-03-31 01:30"),
        (LISBON, "2030-03-31", "02:30", "2030-03-31 01:30"),
        # 01:30 occurs twice, and the first time is used.
        (LISBON, "2030-10-27", "01:30", "2030-10-27 00:30"),
        (LISBON, "2030-10-27", "02:30", "2030-10-27 02:30"),
        # In Santiago, clocks are set from 00:00 to 01:00 on 8 September 2030, and from 24:00 to 23:00 on 6 April.
        # Clocks skip 00:30, so 01:30 is used.
        (SANTIAGO, "2030-09-08", "00:30", "2030-09-08 04:30"),
        (SANTIAGO, "2030-09-08", "02:30", "2030-09-08 05:30"),
        # 23:30 occurs twice, and the first time is used.
        (SANTIAGO, "2030-04-06", "23:30", "2030-04-07 02:30"),
        (SANTIAGO, "2030-04-07", "02:30", "2030-04-07 06:30"),
        (KIRITIMATI, "2030-05-01", "10:00", "2030-04-30 20:00"),
    ],
)
def test_local_sending_time_is_converted_with_the_utc_offset_on_that_day(
    zone: ZoneInfo, day: str, at: str, expected: str
) -> None:
    assert local_to_utc(date.fromisoformat(day), time.fromisoformat(at), zone=zone) == utc(expected)


@pytest.mark.parametrize("zone", [LISBON, SANTIAGO, KIRITIMATI])
def test_send_windows_for_consecutive_arrivals_are_on_consecutive_days(zone: ZoneInfo) -> None:
    days = [date.fromordinal(date(2030, 1, 1).toordinal() + n) for n in range(366)]
    planned = [
        window.planned_for
        for day in days
        if (window := send_window(rule("02:30"), arrival=day, departure=day, zone=zone, now=LONG_BEFORE))
    ]
    assert len(planned) == 366
    assert planned == sorted(set(planned))
    assert {at.astimezone(zone).time() for at in planned} == {time(2, 30)}


def test_day_offset_keeps_the_local_time_and_hour_offset_counts_elapsed_hours() -> None:
    """The day before the arrival has only 23 hours, because daylight saving time begins."""
    stay: Any = {
        "arrival": date(2030, 3, 31),
        "departure": date(2030, 4, 2),
        "zone": LISBON,
        "now": LONG_BEFORE,
    }
    by_days = send_window(rule("10:00", days=1), **stay)
    by_hours = send_window(rule("10:00", days=0, offset_hours=24), **stay)
    assert by_days is not None
    assert by_hours is not None
    assert by_days.planned_for == utc("2030-03-30 10:00")
    assert by_hours.planned_for == utc("2030-03-30 09:00")


def test_reminder_after_departure_is_planned_relative_to_the_departure_date() -> None:
    after = rule("09:00", days=2, anchor=RuleAnchor.DEPARTURE)
    window = send_window(
        after, arrival=date(2030, 5, 1), departure=date(2030, 5, 4), zone=LISBON, now=LONG_BEFORE
    )
    assert window is not None
    assert window.planned_for == utc("2030-05-06 08:00")


@pytest.mark.parametrize(
    ("policy", "booked_at", "due_at", "is_skipped"),
    [
        ("skip", "2030-05-09 08:59", "2030-05-09 09:00", False),  # booked before the planned time
        ("skip", "2030-05-09 15:00", "2030-05-09 15:00", False),  # booked within the send window
        ("skip", "2030-05-09 21:01", "2030-05-09 21:01", True),
        ("send_now", "2030-05-09 21:01", "2030-05-09 21:01", False),
        ("send_now", "2030-05-10 22:59", "2030-05-10 22:59", False),
        ("send_now", "2030-05-10 23:00", None, False),  # midnight at the hotel: the day of arrival has ended
        ("skip", "2030-05-10 23:00", None, False),
    ],
)
def test_send_window_of_a_late_booking_depends_on_the_policy_of_the_rule(
    policy: str, booked_at: str, due_at: str | None, is_skipped: bool
) -> None:
    window = send_window(
        rule("10:00", late_policy=LateBookingPolicy(policy)),
        arrival=date(2030, 5, 10), departure=date(2030, 5, 12), zone=LISBON, now=utc(booked_at),
    )  # fmt: skip
    if due_at is None:
        assert window is None
    else:
        assert window is not None
        assert (max(window.planned_for, utc(booked_at)), window.is_skipped) == (utc(due_at), is_skipped)
        assert window.planned_for == utc("2030-05-09 09:00")


def test_send_window_ends_at_the_end_of_the_arrival_day() -> None:
    long_window = rule("10:00", days=0, window_hours=100)
    window = send_window(
        long_window, arrival=date(2030, 5, 10), departure=date(2030, 5, 12), zone=LISBON, now=LONG_BEFORE
    )
    assert window is not None
    assert window.send_until == utc("2030-05-10 23:00")
    assert (
        manual_send_deadline(long_window, arrival=date(2030, 5, 10), zone=LISBON, now=LONG_BEFORE)
        == window.send_until
    )
