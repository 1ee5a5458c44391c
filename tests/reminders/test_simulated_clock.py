"""Real bookings lived through day by day: exactly the mails that the file says must go, each on its morning."""

import csv
import gzip
from collections import defaultdict
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.utils import timezone

from reminders.models import LateBookingPolicy, Reminder, Reservation, Rule
from reminders.reservations.services import cancel_reservation, upsert_reservation
from reminders.sending import delivery
from tenants.models import DueItem, Hotel
from tests.servers import MailServer

pytestmark = pytest.mark.django_db
LISBON = ZoneInfo("Europe/Lisbon")
SHIPPED = settings.BASE_DIR / "data" / "hotel_bookings.csv.gz"
#: Around the last Sunday of March 2016, when Lisbon's clocks went forward.
FIRST, LAST = "2016-03-26", "2016-03-28"


def bookings() -> list[dict[str, str]]:
    with gzip.open(SHIPPED, "rt") as packed:
        return [
            row
            for row in csv.DictReader(packed)
            if FIRST <= row["check_in"] <= LAST
            and row["hotel"] == "Resort Hotel"
            and row["check_in"] < row["check_out"]
            and row["adults"] != "0"
        ]


def expected(rows: list[dict[str, str]]) -> set[tuple[str, int, str]]:
    """(booking, days before, day of sending), from the file alone."""
    must_go = set()
    for row in rows:
        for days in (7, 1):
            day = f"{date.fromisoformat(row['check_in']) - timedelta(days=days)}"
            known = row["booked_on"] <= day
            called_off = row["status"] == "Canceled" and row["status_date"] <= day
            if known and not called_off:
                must_go.add((row["booking_id"], days, day))
    return must_go


def test_exactly_what_the_file_says_goes(
    in_hotel: Hotel, smtp: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    Rule.objects.update(late_policy=LateBookingPolicy.SKIP)
    rows = bookings()
    booked, called_off = defaultdict(list), defaultdict(list)
    for row in rows:
        booked[row["booked_on"]].append(row)
        if row["status"] == "Canceled":
            called_off[row["status_date"]].append(row["booking_id"])
    went: list[tuple[str, int, str]] = []
    every_morning = {
        f"{date.fromisoformat(FIRST) + timedelta(days=n)}" for n in range(-8, 6)
    }  # those on which something may go
    for day in sorted({*booked, *called_off, *every_morning}):
        set_clock(monkeypatch, day, time(0))
        for row in booked[day]:
            store(row)
        for number in called_off[day]:
            cancel_reservation(reservation_id=Reservation.objects.get(external_id=number).id)
        went += send(monkeypatch, day, time(9, 59))
        assert all(sent_on != day for *_rest, sent_on in went)  # nothing before its time
        went += send(monkeypatch, day, time(10))
    assert len(went) == len(set(went)) == len(smtp.accepted) > 100
    assert set(went) == expected(rows)
    assert len({message["Message-ID"] for message in smtp.accepted}) == len(went)


def set_clock(monkeypatch: pytest.MonkeyPatch, day: str, at: time) -> datetime:
    now = datetime.combine(date.fromisoformat(day), at, tzinfo=LISBON)
    monkeypatch.setattr(timezone, "now", lambda: now)
    return now


def store(row: dict[str, str]) -> None:
    upsert_reservation(
        external_id=row["booking_id"],
        arrival=date.fromisoformat(row["check_in"]),
        departure=date.fromisoformat(row["check_out"]),
        guest_name="A guest",
        guest_email=f"{row['booking_id']}@example.com",
        adults=int(row["adults"]),
    )


def send(monkeypatch: pytest.MonkeyPatch, day: str, at: time) -> list[tuple[str, int, str]]:
    """Hand out what is due by this clock, as the tick would."""
    now = set_clock(monkeypatch, day, at)
    due = DueItem.objects.filter(kind="reminder", due_at__lte=now).values_list("item_id", flat=True)
    before = set(Reminder.objects.filter(status="sent").values_list("id", flat=True))
    delivery.send_due(list(due))
    new = Reminder.objects.filter(status="sent").exclude(id__in=before).select_related("reservation", "rule")
    return [(r.reservation.external_id, r.rule.offset_days, day) for r in new]
