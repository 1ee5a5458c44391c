"""Test that simulates two years of one hotel, from the first booking to the last arrival.

The test stores and cancels bookings day by day, and sends the due reminders. The sent reminders are compared with the
expected reminders, which are computed from the rows of the bookings alone. `make test` simulates a few days of one
hotel, and `make replay` simulates all bookings of both hotels.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.utils import timezone

from reminders.models import LateBookingPolicy, Reminder, Reservation, Rule
from reminders.reservations.importing import storing
from reminders.reservations.importing.booking import Booking
from reminders.reservations.importing.columns.mapping import map_columns
from reminders.reservations.importing.parsing import RowParser
from reminders.reservations.services import cancel_reservation
from reminders.sending import batch
from tenants.models import DueItem, Hotel
from tests import bookings
from tests.bookings import Row

#: The simulation commits after every message, because a transaction of two years would keep all dead rows.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(7200)]
LISBON = ZoneInfo("Europe/Lisbon")
ONE_DAY = timedelta(days=1)
TEN, BEFORE_TEN = time(10), time(9, 59, 59)
IS_WHOLE = os.environ.get("REPLAY") == "whole"
#: The simulated days include the last Sunday of March 2016, when the clocks in Lisbon went forward.
SAMPLE = {"first": date(2016, 3, 25), "last": date(2016, 3, 29)}
#: A sent reminder is a tuple of booking number, days before arrival, and date of sending.
SentReminder = tuple[str, int, str]


def valid_rows(hotel: str) -> list[Row]:
    rows = bookings.booking_rows(hotel, **({} if IS_WHOLE else SAMPLE))
    return [row for row in rows if bookings.is_valid(row)]


def expected_reminders(rows: list[Row]) -> set[SentReminder]:
    """Return the reminders that must be sent.

    A reminder must be sent if the booking exists on the reminder's due day and is not cancelled on that day.
    """
    reminders = set()
    for row in rows:
        for days in (7, 1):
            morning = str(date.fromisoformat(row["check_in"]) - timedelta(days=days))
            cancelled_on = row["status_date"] if row["status"] == "Canceled" else "9999-12-31"
            if row["booked_on"] <= morning < cancelled_on:
                reminders.add((row["booking_id"], days, morning))
    return reminders


class Simulation:
    """A simulation of the bookings, cancellations and sent reminders of one hotel, day by day."""

    def __init__(self, rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.parser = RowParser(map_columns(list(rows[0]), overrides={}))
        self.booked: defaultdict[str, list[Row]] = defaultdict(list)
        self.cancelled: defaultdict[str, list[str]] = defaultdict(list)
        for row in rows:
            self.booked[row["booked_on"]].append(row)
            if row["status"] == "Canceled":
                self.cancelled[row["status_date"]].append(row["booking_id"])
        self.first = date.fromisoformat(min(self.booked))
        self.last = date.fromisoformat(max(row["check_in"] for row in rows))
        self.message_ids: Counter[str] = Counter()
        self.sent_before_ten = 0

    def run(self) -> None:
        day = self.first
        while day <= self.last + ONE_DAY:
            self.set_clock(day, time(0))
            self.store(self.booked[str(day)])
            numbers = self.cancelled[str(day)]
            for reservation in Reservation.objects.filter(external_id__in=numbers):
                cancel_reservation(reservation_id=reservation.id)
            self.sent_before_ten += self.send_due(day, BEFORE_TEN)
            self.send_due(day, TEN)
            day += ONE_DAY

    def set_clock(self, day: date, at: time) -> datetime:
        now = datetime.combine(day, at, tzinfo=LISBON).astimezone(UTC)
        self.monkeypatch.setattr(timezone, "now", lambda: now)
        return now

    def store(self, rows: list[Row]) -> None:
        """Store bookings that were all made on one day, as if a file were imported on that day.

        Each guest gets an e-mail address.
        """
        batch = []
        for row in rows:
            as_booked = row | {"status": "Confirmed", "status_date": ""}
            booking = self.parser.parse(0, list(as_booked.values()))
            assert isinstance(booking, Booking)
            booking.guest_name, booking.guest_email = "Ana Lima", f"{booking.number}@example.com"
            batch.append(booking)
        if batch:
            assert storing.store_batch(batch).created == len(rows)

    def send_due(self, day: date, at: time) -> int:
        """Send the due reminders in batches of up to 100, and return the number of messages.

        The test selects the reminders that are due at the simulated time. A worker would select the reminders that are
        due at the current time of the database.
        """
        now = self.set_clock(day, at)
        due = DueItem.objects.filter(kind="reminder", due_at__lte=now).order_by("due_at")
        while ids := list(due.values_list("item_id", flat=True)[:100]):
            batch.send_due(ids)
        messages: list[mail.EmailMessage] = mail.outbox
        self.message_ids.update(str(message.extra_headers["Message-ID"]) for message in messages)
        count = len(messages)
        messages.clear()
        return count


def sent_reminders() -> Iterator[SentReminder]:
    """Yield the reminders that were sent, with the date of sending in the hotel's time zone."""
    reminders = Reminder.objects.filter(status="sent").values_list(
        "reservation__external_id", "rule__offset_days", "sent_at"
    )
    for number, days, sent_at in reminders.iterator():
        assert sent_at is not None
        local = sent_at.astimezone(LISBON)
        assert local.time() == TEN
        yield number, days, str(local.date())


@pytest.mark.parametrize("name", bookings.HOTELS if IS_WHOLE else ["Resort Hotel"])
def test_simulated_hotel_sends_exactly_the_expected_reminders_on_the_right_mornings(
    in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    Rule.objects.update(late_policy=LateBookingPolicy.SKIP)
    rows = valid_rows(name)
    simulation = Simulation(rows, monkeypatch)
    simulation.run()
    sent, expected = Counter(sent_reminders()), expected_reminders(rows)
    print(f"{name}, {bookings.SOURCE}: {len(rows):,} bookings")
    for days in (7, 1):
        counts = [sum(reminder[1] == days for reminder in reminders) for reminders in (expected, sent)]
        print(f"  {days} days before arrival: {counts[0]:,} reminders expected, {counts[1]:,} sent")
    assert sent == Counter(expected)
    assert len(expected) > 150
    assert simulation.sent_before_ten == 0
    messages = simulation.message_ids
    assert (len(messages), messages.total()) == (len(expected), len(expected))
    assert not Reminder.objects.filter(status__in=["scheduled", "sending", "unknown", "failed"]).exists()
    assert not DueItem.objects.filter(kind="reminder").exists()
