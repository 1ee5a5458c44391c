"""Tests of how reminders are counted in Prometheus metrics and in the admin."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from reminders import selectors
from reminders.models import Reminder, Reservation, Rule
from reminders.sending import batch
from reminders.services.suppressions import add_suppression
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.reminders.conftest import Clock
from tests.servers import MailServer

pytestmark = pytest.mark.django_db
Book = Callable[..., Reservation]


@contextmanager
def count_increase(name: str, **labels: str) -> Iterator[list[float]]:
    """Yield an empty list.

    At the end of the `with` block, append the increase of the Prometheus counter to the list.
    """
    increase: list[float] = []
    before = REGISTRY.get_sample_value(name, labels) or 0
    yield increase
    increase.append((REGISTRY.get_sample_value(name, labels) or 0) - before)


def send_all() -> None:
    batch.send_due(list(Reminder.objects.filter(status="scheduled").values_list("id", flat=True)))


@pytest.fixture
def booked(book: Book, clock: Clock, smtp: MailServer) -> Reservation:
    clock("2030-05-01 12:00")
    Rule.objects.filter(offset_days=7).update(is_active=False)
    return book("R1", "2030-05-10", "2030-05-12")


def test_new_reservation_increases_the_metrics_for_planned_reminders_and_planning_time(
    book: Book, clock: Clock
) -> None:
    clock("2030-05-08 12:00")
    with (
        count_increase("hotelagent_reminders_planned_total", status="scheduled") as scheduled,
        count_increase("hotelagent_reminders_planned_total", status="skipped") as skipped,
        count_increase("hotelagent_reminders_skipped_total", reason="late_booking") as late,
        count_increase("hotelagent_reminder_planning_seconds_count") as plannings,
    ):
        book("R1", "2030-05-10", "2030-05-12")
    assert (scheduled, skipped, late, plannings) == ([1], [1], [1], [1])


def test_sent_reminder_increases_the_metrics_for_sent_reminders_and_lateness(
    booked: Reservation, clock: Clock
) -> None:
    planned = Reminder.objects.get().planned_for
    clock(f"{planned + timedelta(seconds=30):%Y-%m-%d %H:%M:%S}")
    with (
        count_increase("hotelagent_reminders_total", outcome="sent") as sent,
        count_increase("hotelagent_reminder_late_seconds_sum") as late,
        count_increase("hotelagent_reminder_batch_seconds_count") as batches,
    ):
        send_all()
    assert (sent, batches) == ([1], [1])
    assert late == pytest.approx([30])


@pytest.mark.parametrize(
    ("reason", "prevent_sending"),
    [
        ("suppressed", lambda: add_suppression(email="r1@example.com")),
        ("no_email", lambda: Reservation.objects.update(guest_email="")),
        ("reservation_changed", lambda: Reservation.objects.update(status="cancelled")),
        ("window_passed", lambda: Reminder.objects.update(send_until=datetime(2030, 5, 2, tzinfo=UTC))),
    ],
)
def test_skipped_reminder_increases_the_metric_of_its_skip_reason(
    booked: Reservation, clock: Clock, reason: str, prevent_sending: Callable[[], object]
) -> None:
    prevent_sending()
    clock("2030-05-09 10:00")
    with (
        count_increase("hotelagent_reminders_skipped_total", reason=reason) as skipped,
        count_increase("hotelagent_reminders_total", outcome="skipped") as outcomes,
    ):
        send_all()
    assert (skipped, outcomes) == ([1], [1])
    assert Reminder.objects.get().skip_reason == reason


@pytest.mark.parametrize(
    ("answer", "outcome"), [("550 5.1.1 no such mailbox", "failed"), ("451 4.3.0 try later", "postponed")]
)
def test_rejected_message_increases_the_metric_of_its_outcome(
    booked: Reservation, clock: Clock, smtp: MailServer, answer: str, outcome: str
) -> None:
    smtp.refuse("r1@example.com", answer)
    clock("2030-05-09 10:00")
    with count_increase("hotelagent_reminders_total", outcome=outcome) as refused:
        send_all()
    assert refused == [1]


def test_message_with_an_unknown_outcome_increases_the_unknown_outcome_metric(
    booked: Reservation, clock: Clock, smtp: MailServer
) -> None:
    smtp.drop()
    clock("2030-05-09 10:00")
    with count_increase("hotelagent_reminders_total", outcome="unknown") as unknown:
        send_all()
    assert unknown == [1]


def test_reminder_skipped_by_the_daily_limit_increases_the_skip_metric(
    book: Book, booked: Reservation, clock: Clock
) -> None:
    Rule.objects.filter(offset_days=1).update(daily_limit=1)
    book("R2", "2030-05-10", "2030-05-12", guest_email="r1@example.com")
    clock("2030-05-09 10:00")
    with count_increase("hotelagent_reminders_skipped_total", reason="daily_limit") as skipped:
        send_all()
    assert skipped == [1]


MORNING = datetime(2030, 5, 8, 20, tzinfo=UTC)  # 10:00 on 9 May in Kiritimati, 14 hours ahead of UTC


@pytest.fixture
def kiritimati(hotel: Hotel, clock: Clock) -> Iterator[None]:
    """Set the time zone of the hotel to Kiritimati (UTC+14) and create eleven reminders.

    Nine reminders are planned for 9 May in Kiritimati, one for an hour before that day begins, and one for an hour
    after that day ends.
    """
    clock("2030-05-08 20:00")
    hotel.time_zone = "Pacific/Kiritimati"
    begins, ends = MORNING - timedelta(hours=10), MORNING + timedelta(hours=14)
    hour = timedelta(hours=1)
    reminders = [
        ("scheduled", MORNING + hour), ("scheduled", ends - hour), ("scheduled", MORNING - hour),
        ("sent", begins + hour), ("sent", MORNING - hour), ("unknown", MORNING), ("failed", MORNING),
        ("skipped", MORNING), ("cancelled", MORNING),
        ("sent", begins - hour), ("scheduled", ends + hour),
    ]  # fmt: skip
    with hotel_context(hotel):
        rule = Rule.objects.get(offset_days=1)
        for number, (status, planned_for) in enumerate(reminders):
            stay = Reservation.objects.create(
                external_id=f"R{number}",
                arrival=date(2030, 5, 10),
                departure=date(2030, 5, 12),
                guest_name="Ana",
            )
            Reminder.objects.create(
                reservation=stay, rule=rule, arrival=stay.arrival, planned_for=planned_for, send_until=ends,
                status=status,
            )  # fmt: skip
        yield


@pytest.mark.usefixtures("kiritimati")
def test_daily_counts_of_reminders_use_days_in_the_time_zone_of_the_hotel() -> None:
    counts = [(day.day.day, day.planned, day.sent, day.failed_or_unknown) for day in selectors.daily_counts()]
    assert len(counts) == 15
    assert [day for day in counts if any(day[1:])] == [(8, 1, 1, 0), (9, 7, 2, 2), (10, 1, 0, 0)]


@pytest.mark.usefixtures("kiritimati")
def test_status_summary_counts_reminders_until_midnight_in_the_time_zone_of_the_hotel() -> None:
    summary = selectors.status_summary()
    assert (summary.due_today, summary.late, summary.unknown) == (3, 1, 1)
