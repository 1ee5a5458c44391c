"""Tests of the figures on the start page of the platform's admin, and of the list of hotels that the cards link to."""

import datetime
import time
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dlq.alerts.models import FailureFigures
from hotelagent import beat
from hotelagent.cards import duration
from hotelagent.overview import figures, heartbeats
from reminders import tasks as reminder_tasks
from reminders.models import Reminder, ReminderStatus, Suppression
from reminders.reservations.services import upsert_reservation
from tenants import services
from tenants.context import hotel_context, platform_context
from tenants.database.clock import database_now
from tenants.models import DueItem, Hotel, HotelFigures, Lease
from tests.programs import running_python

pytestmark = pytest.mark.django_db

START, LIST = "/admin/", "/admin/figures/"


def text_of(browser: Client, url: str) -> str:
    response = browser.get(url)
    assert response.status_code == 200
    return " ".join(unescape(response.content.decode()).split())


def card(browser: Client, title: str) -> Any:
    [found] = [card for card in browser.get(START).context["cards"] if str(card.title) == title]
    return found


def wait(hotel: Hotel, seconds: float, *, kind: str = "reminder") -> None:
    due_at = database_now() - timedelta(seconds=seconds)
    DueItem.objects.create(hotel=hotel, kind=kind, item_id=uuid4(), due_at=due_at, claim_at=due_at)


def test_due_queue_card_counts_waiting_items_and_names_the_age_of_the_oldest(
    operator: Client, hotel: Hotel, other_hotel: Hotel
) -> None:
    with platform_context():
        DueItem.objects.all().delete()
    assert (card(operator, "Due items waiting").value, card(operator, "Due items waiting").tone) == (
        "0",
        "good",
    )
    with platform_context():
        wait(hotel, 130)
        wait(other_hotel, 7_300)
        wait(hotel, -3_600)  # an item that is not due yet
    shown = card(operator, "Due items waiting")
    assert (shown.value, shown.note, shown.tone) == ("2", "The oldest item has waited for 2 hours.", "bad")


def test_items_of_a_suspended_hotel_do_not_wait_for_workers(operator: Client, hotel: Hotel) -> None:
    with platform_context():
        DueItem.objects.all().delete()
        wait(hotel, 130)
    assert card(operator, "Due items waiting").value == "1"
    services.suspend_hotel(hotel_id=hotel.id)
    assert card(operator, "Due items waiting").value == "0"


def test_hotels_with_the_longest_waits_are_listed_with_the_longest_wait_first(
    operator: Client, hotel: Hotel, other_hotel: Hotel
) -> None:
    with platform_context():
        DueItem.objects.all().delete()
        wait(hotel, 65)
        wait(hotel, 61)
        wait(other_hotel, 86_500)
        rows = figures.list_hotels("wait", limit=10)
    assert [(row.id, row.waiting_items) for row in rows] == [(other_hotel.id, 1), (hotel.id, 2)]
    page = text_of(operator, START)
    assert page.index("1 day") < page.index("1 minute")


def test_failures_are_listed_by_hotel_with_the_most_failures_first(
    operator: Client, hotel: Hotel, other_hotel: Hotel
) -> None:
    with platform_context():
        FailureFigures.objects.update_or_create(
            tenant_id=hotel.id, defaults={"open_by_status": {"permanent": 2, "in_doubt": 1}}
        )
        FailureFigures.objects.update_or_create(
            tenant_id=other_hotel.id, defaults={"open_by_status": {"scheduled": 40}}
        )
        rows = figures.list_hotels("failures", limit=10)
        assert [(row.name, row.open_failures) for row in rows] == [("Hotel Beta", 40), ("Hotel Alpha", 3)]
        assert len(figures.list_hotels("failures", limit=1)) == 1
    assert "Failures by hotel" in text_of(operator, START)
    of_hotels, of_platform = card(operator, "Failures of hotels"), card(operator, "Failures of the platform")
    assert (of_hotels.value, of_hotels.note, of_hotels.tone) == ("43", "Need attention: 3", "bad")
    assert (of_platform.value, of_platform.tone) == (0, "good")


def test_emails_of_the_last_seven_days_are_counted_by_the_periodic_task(
    operator: Client, hotel: Hotel
) -> None:
    with hotel_context(hotel):
        now = database_now()
        arrival = now.date() + timedelta(days=60)
        for number in ("R1", "R2"):
            upsert_reservation(
                external_id=number,
                arrival=arrival,
                departure=arrival + timedelta(days=2),
                guest_name="Ana Lima",
                guest_email=f"{number}@example.com",
                adults=2,
            )
        for days, reminder in zip((1, 2, 6, 8), Reminder.objects.order_by("id"), strict=True):
            sent_at = now - timedelta(days=days)
            changes = {"sent_at": sent_at, "planned_for": sent_at, "status": ReminderStatus.SENT}
            Reminder.objects.filter(pk=reminder.pk).update(**changes)
        Suppression.objects.create(email="a@example.com", reason="bounced")
        Suppression.objects.create(email="b@example.com", reason="manual")
    with platform_context():
        DueItem.objects.all().delete()
        assert reminder_tasks.count_all_mails() == 2
        assert set(DueItem.objects.values_list("kind", flat=True)) == {"mail_figures"}
    with hotel_context(hotel):
        reminder_tasks.count_mails([str(hotel.id)])
    with platform_context():
        stored = HotelFigures.objects.get()
        assert (stored.hotel_id, stored.mails_sent, stored.mails_bounced) == (hotel.id, 3, 1)
        assert not DueItem.objects.filter(hotel=hotel).exists()
    shown = card(operator, "E-mails in 7 days")
    assert (shown.value, shown.note, shown.tone) == ("3", "33.3 % bounced", "bad")


def test_hotels_without_the_newest_migrations_are_counted_and_listed(
    operator: Client, hotel: Hotel, other_hotel: Hotel
) -> None:
    name = "Hotels without the newest migrations"
    assert (card(operator, name).value, card(operator, name).tone) == (0, "good")
    with platform_context():
        Hotel.objects.filter(pk=hotel.pk).update(schema_version="old")
    shown = card(operator, name)
    assert (shown.value, shown.tone) == (1, "bad")
    listed = text_of(operator, shown.url)
    assert "Hotel Alpha" in listed
    assert "Hotel Beta" not in listed
    assert "Hotel Beta" in text_of(operator, "/admin/tenants/hotel/?migrations=current")


def test_new_hotels_and_all_hotels_are_counted_for_each_month() -> None:
    with platform_context():
        now = database_now()
        Hotel.objects.filter(slug="alpha").update(created_at=now - timedelta(days=800))
        Hotel.objects.filter(slug="beta").update(created_at=now)
        months = figures.count_by_month()
        assert len(months) == 12
        assert (months[0].new, months[0].total) == (0, 1)
        assert (months[-1].new, months[-1].total) == (1, 2)
        assert months[-1].first_day == now.date().replace(day=1)
        days = [month.first_day for month in months]
        assert days == sorted(set(days))
        assert days[0] == datetime.date(now.year - (now.month < 12), now.month % 12 + 1, 1)


def test_celery_beat_is_shown_as_alive_while_its_lease_is_renewed(operator: Client) -> None:
    with platform_context():
        Lease.objects.filter(name=beat.LEASE).delete()
    assert (card(operator, "Celery beat").value, card(operator, "Celery beat").tone) == ("stopped", "bad")
    with platform_context():
        renewed = database_now() + timedelta(seconds=beat.LEASE_SECONDS)
        Lease.objects.create(name=beat.LEASE, holder="host-1", expires_at=renewed)
    shown = card(operator, "Celery beat")
    assert (shown.value, shown.tone) == ("alive", "good")
    assert "host-1" in shown.note
    with platform_context():
        Lease.objects.update(expires_at=renewed - timedelta(seconds=beat.LEASE_SECONDS + 90))
    shown = card(operator, "Celery beat")
    assert (shown.value, shown.tone) == ("stopped", "bad")
    assert "1 minute" in shown.note


@pytest.mark.django_db(transaction=True)
def test_worker_is_shown_as_alive_for_a_minute_after_its_last_heartbeat(
    operator: Client, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (card(operator, "Workers alive").value, card(operator, "Workers alive").tone) == (0, "bad")
    name = f"worker-{uuid4()}@test"
    with running_python(
        *("-m", "celery", "--quiet", "-A", "hotelagent.celery", "worker", "--hostname", name),
        *("--pool", "solo", "--without-gossip", "--without-mingle", "--loglevel", "CRITICAL"),
    ) as worker:
        deadline = time.monotonic() + 60
        while not heartbeats.read_workers() and time.monotonic() < deadline:
            time.sleep(0.1)
        worker.kill()
    shown = card(operator, "Workers alive")
    assert (shown.value, shown.note, shown.tone) == (1, name, "good")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + heartbeats.MAX_AGE + 1)
    assert heartbeats.read_workers() == []


def test_start_page_opens_while_redis_is_unavailable(operator: Client, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert card(operator, "Workers alive").note == "Redis is not available."
    assert "Redis is not available." in text_of(operator, START)


def test_versions_of_the_code_and_the_servers_are_shown(operator: Client) -> None:
    page = text_of(operator, START)
    with platform_context(), connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        [version] = cursor.fetchone()
    assert version in page
    assert heartbeats.read_redis_version() in page


def test_start_page_runs_the_same_number_of_queries_for_any_number_of_hotels(operator: Client) -> None:
    def count_queries() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert operator.get(START).status_code == 200
        return len(queries)

    count_queries()
    few = count_queries()
    with platform_context():
        Hotel.objects.bulk_create(
            Hotel(slug=f"h{number}", name=f"H{number}", schema=f"hotel_h{number}", status="active")
            for number in range(100)
        )
        hotels = list(Hotel.objects.filter(slug__startswith="h"))
        FailureFigures.objects.bulk_create(
            FailureFigures(tenant_id=hotel.id, open_by_status={"permanent": 1}) for hotel in hotels
        )
    assert count_queries() == few


@pytest.mark.parametrize("order", ["failures", "wait", "mails", "bounces", "nonsense"])
def test_list_of_hotels_is_shown_with_each_order_and_with_an_unknown_order(
    operator: Client, order: str
) -> None:
    page = text_of(operator, f"{LIST}?order={order}")
    assert "Hotel Alpha" in page
    assert "Hotel Beta" in page


def test_list_of_hotels_is_for_platform_staff_only(staff: Client, operator: Client) -> None:
    assert operator.get(LIST).status_code == 200
    assert Client(SERVER_NAME="localhost").get(LIST).status_code == 302
    assert staff.get(LIST).status_code == 404


def test_start_page_of_a_hotel_has_no_card_of_the_platform(staff: Client) -> None:
    titles = {str(card.title) for card in staff.get(START).context["cards"]}
    assert titles
    assert not titles & {"Due items waiting", "Workers alive", "Celery beat"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 seconds"), (1, "1 second"), (119, "1 minute"), (7_199, "1 hour"), (200_000, "2 days")],
)
def test_duration_is_shown_in_the_largest_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text
