"""Test that simulates several days. Each expected reminder is sent exactly once, on the right morning."""

from collections import defaultdict
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from reminders.models import LateBookingPolicy, Reminder, Reservation, Rule
from reminders.reservations.services import cancel_reservation, upsert_reservation
from reminders.sending import batch
from tenants.models import DueItem, Hotel
from tests.bookings import Row, booking_rows, is_valid
from tests.servers import MailServer

pytestmark = pytest.mark.django_db
LISBON = ZoneInfo("Europe/Lisbon")
#: The simulated days include the last Sunday of March 2016, when the clocks in Lisbon went forward.
FIRST, LAST = date(2016, 3, 26), date(2016, 3, 28)


def expected_reminders(rows: list[Row]) -> set[tuple[str, int, str]]:
    """Return the reminders that must be sent, each as a tuple of booking number, days before arrival, and sending date.

    The reminders are computed from the booking rows, without using hotelagent's code.
    """
    reminders = set()
    for row in rows:
        for days in (7, 1):
            day = f"{date.fromisoformat(row['check_in']) - timedelta(days=days)}"
            is_known = row["booked_on"] <= day
            is_cancelled = row["status"] == "Canceled" and row["status_date"] <= day
            if is_known and not is_cancelled:
                reminders.add((row["booking_id"], days, day))
    return reminders


def test_reminders_sent_on_simulated_days_equal_the_reminders_computed_from_the_bookings(
    in_hotel: Hotel, smtp: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    Rule.objects.update(late_policy=LateBookingPolicy.SKIP)
    rows = [row for row in booking_rows("Resort Hotel", first=FIRST, last=LAST) if is_valid(row)]
    booked, cancelled = defaultdict(list), defaultdict(list)
    for row in rows:
        booked[row["booked_on"]].append(row)
        if row["status"] == "Canceled":
            cancelled[row["status_date"]].append(row["booking_id"])
    sent: list[tuple[str, int, str]] = []
    days_of_reminders = {f"{FIRST + timedelta(days=n)}" for n in range(-8, 6)}
    for day in sorted({*booked, *cancelled, *days_of_reminders}):
        set_clock(monkeypatch, day, time(0))
        for row in booked[day]:
            store(row)
        for number in cancelled[day]:
            cancel_reservation(reservation_id=Reservation.objects.get(external_id=number).id)
        sent += send_due(monkeypatch, day, time(9, 59))
        assert all(sent_on != day for *_reminder, sent_on in sent)  # no reminder is sent before 10:00
        sent += send_due(monkeypatch, day, time(10))
    assert len(sent) == len(set(sent)) == len(smtp.accepted) > 100
    assert set(sent) == expected_reminders(rows)
    assert len({message["Message-ID"] for message in smtp.accepted}) == len(sent)


def set_clock(monkeypatch: pytest.MonkeyPatch, day: str, at: time) -> datetime:
    now = datetime.combine(date.fromisoformat(day), at, tzinfo=LISBON)
    monkeypatch.setattr(timezone, "now", lambda: now)
    return now


def store(row: Row) -> None:
    upsert_reservation(
        external_id=row["booking_id"],
        arrival=date.fromisoformat(row["check_in"]),
        departure=date.fromisoformat(row["check_out"]),
        guest_name="A guest",
        guest_email=f"{row['booking_id']}@example.com",
        adults=int(row["adults"]),
    )


def send_due(monkeypatch: pytest.MonkeyPatch, day: str, at: time) -> list[tuple[str, int, str]]:
    """Send the reminders that are due at this time, as the scheduler and the workers do. Return the sent reminders."""
    now = set_clock(monkeypatch, day, at)
    due = DueItem.objects.filter(kind="reminder", due_at__lte=now).values_list("item_id", flat=True)
    before = set(Reminder.objects.filter(status="sent").values_list("id", flat=True))
    batch.send_due(list(due))
    new = Reminder.objects.filter(status="sent").exclude(id__in=before).select_related("reservation", "rule")
    return [(r.reservation.external_id, r.rule.offset_days, day) for r in new]
