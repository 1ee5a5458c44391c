"""The rules of time, on the days when clocks are changed and at the far ends of the world."""

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
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def rule(at: str = "10:00", days: int = 1, **values: object) -> Rule:
    return Rule(
        name="test", offset_days=days, send_at=time.fromisoformat(at), **{"window_hours": 12, **values}
    )


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "day", "at", "expected"),
    [
        # Lisbon goes from 01:00 to 02:00 on 31 March 2030, and from 02:00 back to 01:00 on 27 October.
        (LISBON, "2030-03-31", "00:59", "2030-03-31 00:59"),
        (
            LISBON,
            "2030-03-31",
            "01:30",
            "2030-03-31 01:30",
        ),  # never shown: an hour on, 02:30 by the new clock
        (LISBON, "2030-03-31", "02:30", "2030-03-31 01:30"),
        (LISBON, "2030-10-27", "01:30", "2030-10-27 00:30"),  # shown twice: the first
        (LISBON, "2030-10-27", "02:30", "2030-10-27 02:30"),
        # Santiago goes from 24:00 to 01:00 on 8 September 2030, and from 24:00 back to 23:00 on 6 April.
        (SANTIAGO, "2030-09-08", "00:30", "2030-09-08 04:30"),  # never shown: 01:30 by the new clock
        (SANTIAGO, "2030-09-08", "02:30", "2030-09-08 05:30"),
        (SANTIAGO, "2030-04-06", "23:30", "2030-04-07 02:30"),  # shown twice: the first
        (SANTIAGO, "2030-04-07", "02:30", "2030-04-07 06:30"),
        (KIRITIMATI, "2030-05-01", "10:00", "2030-04-30 20:00"),
    ],
)
def test_it_reads_local_times_by_the_hotels_clock(zone: ZoneInfo, day: str, at: str, expected: str) -> None:
    assert local_to_utc(date.fromisoformat(day), time.fromisoformat(at), zone=zone) == utc(expected)


@pytest.mark.parametrize("zone", [LISBON, SANTIAGO, KIRITIMATI])
def test_it_plans_each_day_of_a_year_once_and_in_order(zone: ZoneInfo) -> None:
    days = [date.fromordinal(date(2030, 1, 1).toordinal() + n) for n in range(366)]
    planned = [
        found.planned_for
        for day in days
        if (found := send_window(rule("02:30"), arrival=day, departure=day, zone=zone, now=LONG_AGO))
    ]
    assert len(planned) == 366
    assert planned == sorted(set(planned))
    assert {at.astimezone(zone).time() for at in planned} == {time(2, 30)}


def test_it_counts_days_by_the_calendar_and_hours_by_the_clock() -> None:
    """Across the spring change, a day before is 23 hours and 24 hours before are 24."""
    stay: Any = {"arrival": date(2030, 3, 31), "departure": date(2030, 4, 2), "zone": LISBON, "now": LONG_AGO}
    by_days = send_window(rule("10:00", days=1), **stay)
    by_hours = send_window(rule("10:00", days=0, offset_hours=24), **stay)
    assert by_days is not None
    assert by_hours is not None
    assert by_days.planned_for == utc("2030-03-30 10:00")
    assert by_hours.planned_for == utc("2030-03-30 09:00")


def test_it_counts_from_the_departure_too() -> None:
    after = rule("09:00", days=2, anchor=RuleAnchor.DEPARTURE)
    found = send_window(
        after, arrival=date(2030, 5, 1), departure=date(2030, 5, 4), zone=LISBON, now=LONG_AGO
    )
    assert found is not None
    assert found.planned_for == utc("2030-05-06 08:00")


@pytest.mark.parametrize(
    ("policy", "known", "due", "is_skipped"),
    [
        ("skip", "2030-05-09 08:59", "2030-05-09 09:00", False),  # known in time
        ("skip", "2030-05-09 15:00", "2030-05-09 15:00", False),  # within its window: at once
        ("skip", "2030-05-09 21:01", "2030-05-09 21:01", True),
        ("send_now", "2030-05-09 21:01", "2030-05-09 21:01", False),
        ("send_now", "2030-05-10 22:59", "2030-05-10 22:59", False),
        ("send_now", "2030-05-10 23:00", None, False),  # midnight at the hotel: the day of arrival is over
        ("skip", "2030-05-10 23:00", None, False),
    ],
)
def test_it_treats_late_bookings_by_the_rule(
    policy: str, known: str, due: str | None, is_skipped: bool
) -> None:
    found = send_window(
        rule("10:00", late_policy=LateBookingPolicy(policy)),
        arrival=date(2030, 5, 10), departure=date(2030, 5, 12), zone=LISBON, now=utc(known),
    )  # fmt: skip
    if due is None:
        assert found is None
    else:
        assert found is not None
        assert (max(found.planned_for, utc(known)), found.is_skipped) == (utc(due), is_skipped)
        assert found.planned_for == utc("2030-05-09 09:00")


def test_it_lets_nothing_go_after_the_day_of_arrival() -> None:
    long_window = rule("10:00", days=0, window_hours=100)
    found = send_window(
        long_window, arrival=date(2030, 5, 10), departure=date(2030, 5, 12), zone=LISBON, now=LONG_AGO
    )
    assert found is not None
    assert found.send_until == utc("2030-05-10 23:00")
    assert (
        manual_send_deadline(long_window, arrival=date(2030, 5, 10), zone=LISBON, now=LONG_AGO)
        == found.send_until
    )
