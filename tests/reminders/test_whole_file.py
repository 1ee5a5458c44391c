"""Both hotels' real bookings lived through by a simulated clock, from the first booking to the last arrival.

What must go is computed from the file alone, in plain Python that knows nothing of ours. Bookings are stored as a
nightly file's are and cancelled one by one; what the queue has for the clock's moment goes to the sender, which
claims, decides, renders and hands each mail to Django's in-memory backend. A few weeks of one hotel here; `make
replay` takes the whole file.
"""

import csv
import gzip
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.core import mail
from django.utils import timezone

from reminders.models import LateBookingPolicy, Reminder, Reservation, ReservationStatus, Rule
from reminders.reservations.importing import columns, storing
from reminders.reservations.importing.parsing import Booking, Parser, flaw
from reminders.reservations.importing.storing import Item
from reminders.reservations.services import cancel_reservation
from reminders.sending import delivery
from tenants.models import DueItem, Hotel

#: Committed for good, mail by mail: a whole life in one transaction would be none, and its dead rows would pile up.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(7200)]
FILE = settings.BASE_DIR / "data" / "hotel_bookings.csv.gz"
LISBON = ZoneInfo("Europe/Lisbon")
DAY = timedelta(days=1)
TEN, BEFORE_TEN = time(10), time(9, 59, 59)
IS_WHOLE = os.environ.get("REPLAY") == "whole"
Row = dict[str, str]
#: (booking, days before arrival, day of sending)
Mail = tuple[str, int, str]


def rows_of(hotel: str) -> list[Row]:
    with gzip.open(FILE, "rt", newline="") as packed:
        rows = [row for row in csv.DictReader(packed) if row["hotel"] == hotel]
    # Nobody's night, or nobody's stay: refused at every door, see the tests of importing.
    sound = [row for row in rows if row["check_in"] < row["check_out"] and int(row["adults"]) > 0]
    return sound if IS_WHOLE else [row for row in sound if "2016-03-22" <= row["check_in"] <= "2016-03-31"]


def expected(rows: list[Row]) -> set[Mail]:
    """From the file alone: known on that morning, and not called off by then."""
    must_go = set()
    for row in rows:
        for days in (7, 1):
            morning = str(date.fromisoformat(row["check_in"]) - timedelta(days=days))
            cancelled_on = row["status_date"] if row["status"] == "Canceled" else "9999-12-31"
            if row["booked_on"] <= morning < cancelled_on:
                must_go.add((row["booking_id"], days, morning))
    return must_go


class Life:
    """One hotel's days."""

    def __init__(self, rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.parser = Parser(columns.find(list(rows[0]), given={}))
        self.booked: defaultdict[str, list[Row]] = defaultdict(list)
        self.called_off: defaultdict[str, list[str]] = defaultdict(list)
        for row in rows:
            self.booked[row["booked_on"]].append(row)
            if row["status"] == "Canceled":
                self.called_off[row["status_date"]].append(row["booking_id"])
        self.first = date.fromisoformat(min(self.booked))
        self.last = date.fromisoformat(max(row["check_in"] for row in rows))
        self.message_ids: Counter[str] = Counter()
        self.went_early = 0

    def live(self) -> None:
        day = self.first
        while day <= self.last + DAY:
            self.set_clock(day, time(0))
            self.store(self.booked[str(day)], day)
            numbers = self.called_off[str(day)]
            for reservation in Reservation.objects.filter(external_id__in=numbers):
                cancel_reservation(reservation_id=reservation.id)
            self.went_early += self.tick(day, BEFORE_TEN)
            self.tick(day, TEN)
            day += DAY

    def set_clock(self, day: date, at: time) -> datetime:
        now = datetime.combine(day, at, tzinfo=LISBON).astimezone(UTC)
        self.monkeypatch.setattr(timezone, "now", lambda: now)
        return now

    def store(self, rows: list[Row], day: date) -> None:
        items = []
        for row in rows:
            booking = self.parser.parse(0, list(row.values()))
            assert isinstance(booking, Booking)
            assert flaw(booking) is None
            booking.status, booking.status_date = ReservationStatus.BOOKED, None  # what is known by then
            items.append(Item(booking, None, is_refused=False))
        stored = storing.store(items, today=day, now=timezone.now())
        assert len(stored.reservations) == len(rows)

    def tick(self, day: date, at: time) -> int:
        """Hand out what is due by this clock, in the tick's batches, until nothing is: a batch that took too long
        by the real clock puts its rest back. The database has a clock of its own, so the queue is read here and
        not leased."""
        now = self.set_clock(day, at)
        due = DueItem.objects.filter(kind="reminder", due_at__lte=now).order_by("due_at")
        while batch := list(due.values_list("item_id", flat=True)[:100]):
            delivery.send_due(batch)
        found: list[mail.EmailMessage] = mail.outbox
        self.message_ids.update(str(message.extra_headers["Message-ID"]) for message in found)
        number = len(found)
        found.clear()
        return number


def sent() -> Iterator[Mail]:
    """What went, by the hotel's own clock."""
    found = Reminder.objects.filter(status="sent").values_list(
        "reservation__external_id", "rule__offset_days", "sent_at"
    )
    for number, days, sent_at in found.iterator():
        assert sent_at is not None
        at = sent_at.astimezone(LISBON)
        assert at.time() == TEN
        yield number, days, str(at.date())


@pytest.mark.parametrize("name", ["Resort Hotel", "City Hotel"] if IS_WHOLE else ["Resort Hotel"])
def test_exactly_what_the_file_says_goes_once_and_on_its_morning(
    in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    Rule.objects.update(late_policy=LateBookingPolicy.SKIP)
    rows = rows_of(name)
    life = Life(rows, monkeypatch)
    life.live()
    went, must_go = Counter(sent()), expected(rows)
    for days in (7, 1):
        numbers = [sum(mail[1] == days for mail in mails) for mails in (must_go, went)]
        print(
            f"{name}, {len(rows):,} bookings, {days} days before: {numbers[0]:,} expected, {numbers[1]:,} sent"
        )
    assert went == Counter(must_go)
    assert len(must_go) > 300
    assert life.went_early == 0
    assert (len(life.message_ids), life.message_ids.total()) == (len(must_go), len(must_go))
    assert not Reminder.objects.filter(status__in=["scheduled", "sending", "unknown", "failed"]).exists()
    assert not DueItem.objects.filter(kind="reminder").exists()
