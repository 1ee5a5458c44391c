"""Tests of the collector of the daily usage of hotels."""

import datetime
from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import redis
from django.db import connection

from dlq import services as failures
from dlq.error_reports import report_texts
from hotelagent.core.ids import first_uuid7_at
from hotelagent.rest import call_counts
from hotelagent.usage import USAGE_DUE, collector, tasks
from locks import services as rooms
from locks.models import Allocation, Room
from locks.nights import Nights
from reminders.models import Reminder, ReminderStatus, Reservation
from reminders.reservations.services import upsert_reservation
from tenants import services
from tenants.context import hotel_context, platform_context
from tenants.models import DueItem, Hotel, HotelUsage, User
from tenants.queue import dispatch
from tenants.scopes import Role

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
#: An hour after midnight in Lisbon, the time zone of the hotel Alpha. In UTC it is still the day before in summer.
NOW = datetime.datetime(2031, 7, 10, 0, 30, tzinfo=UTC)
TODAY = datetime.date(2031, 7, 10)
Clock = Callable[[datetime.datetime], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return a function that sets the time at which the collector counts."""
    return lambda now: monkeypatch.setattr(collector, "database_now", lambda: now)


@pytest.fixture(autouse=True)
def _clock(set_clock: Clock, hotel: Hotel) -> None:
    set_clock(NOW)
    with platform_context():
        Hotel.objects.update(created_at=NOW - 100 * DAY)
        DueItem.objects.all().delete()


def usage(hotel: Hotel) -> dict[datetime.date, HotelUsage]:
    with platform_context():
        return {row.day: row for row in HotelUsage.objects.filter(hotel=hotel)}


def local_time(day: int, hour: int, minute: int = 0) -> datetime.datetime:
    """Return the time on a day of July 2031 at which clocks in Lisbon show this hour."""
    return datetime.datetime(2031, 7, day, hour, minute, tzinfo=ZoneInfo("Europe/Lisbon"))


def reserve(number: str, created_at: datetime.datetime) -> None:
    """Create a reservation with an id of this time, as if it had been created then."""
    upsert_reservation(
        external_id=number, arrival=TODAY + 60 * DAY, departure=TODAY + 62 * DAY, guest_name="Ana Lima",
        guest_email=f"{number}@example.com", adults=2,
    )  # fmt: skip
    old_id = Reservation.objects.get(external_id=number).pk
    new_id = UUID(int=first_uuid7_at(created_at).int + old_id.int % 2**62)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        for table, column in (("reminders_reminder", "reservation_id"), ("reminders_reservation", "id")):
            cursor.execute(f"UPDATE {table} SET {column} = %s WHERE {column} = %s", [new_id, old_id])


def test_day_of_a_hotel_is_counted_from_midnight_to_midnight_in_its_time_zone(hotel: Hotel) -> None:
    with hotel_context(hotel):
        reserve("before", local_time(8, 23, 59))
        reserve("first", local_time(9, 0, 1))
        reserve("last", local_time(9, 23, 59))
        reserve("after", local_time(10, 0, 1))
        changes = (
            (local_time(9, 0, 1), "sent"),
            (local_time(8, 23, 59), "sent"),
            (local_time(9, 12), "failed"),
        )
        for (at, status), reminder in zip(changes, Reminder.objects.order_by("id"), strict=False):
            sent_at = at if status == "sent" else None
            Reminder.objects.filter(pk=reminder.pk).update(
                status=ReminderStatus(status), sent_at=sent_at, planned_for=at
            )
        collector.count_usage()
    row = usage(hotel)[TODAY - DAY]
    assert (row.reservations, row.reminders_sent, row.reminders_failed) == (2, 1, 1)
    assert (row.counted_at, row.day) == (NOW, datetime.date(2031, 7, 9))
    assert usage(hotel)[TODAY - 2 * DAY].reservations == 1


def test_stays_holds_failures_staff_and_storage_are_counted(hotel: Hotel, set_clock: Clock) -> None:
    now = datetime.datetime.now(UTC)
    with platform_context():
        Hotel.objects.update(created_at=now - DAY)
    with hotel_context(hotel):
        today = now.astimezone(ZoneInfo(hotel.time_zone)).date()
        ids = [Room.objects.create(number=str(number), room_type="Double").pk for number in range(3)]
        for room in ids:
            rooms.acquire_hold(rooms=[room], nights=Nights(today, today + 2 * DAY))
        # A stay of two nights, the second of which is the night of tomorrow.
        stay = Allocation.objects.order_by("id").first()
        assert stay is not None
        Allocation.objects.filter(pk=stay.pk).update(status="confirmed", expires_at=None)
        failures.capture(
            is_task=False, source="pms", name="booking", payload={}, retry=False,
            error=report_texts(type="Refused", message="No room"),
        )  # fmt: skip
        User.objects.create_user(username="ana", password=None, role=Role.MANAGER)
        User.objects.create_user(username="left", password=None, role=Role.MANAGER, is_active=False)
        # Ended holds are deleted after some days, but still count.
        Allocation.objects.filter(status="held").delete()
        set_clock(now + DAY)
        collector.count_usage()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n "
                "ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relkind IN ('r', 'S')",
                [hotel.schema],
            )
            [size] = cursor.fetchone()
    row = usage(hotel)[today]
    assert (row.stays, row.holds, row.failures_open, row.staff) == (1, 3, 1, 1)
    assert row.storage_bytes == size
    assert size > 100_000


def test_second_count_of_the_usage_of_a_day_changes_nothing(hotel: Hotel, set_clock: Clock) -> None:
    with hotel_context(hotel):
        reserve("first", local_time(9, 12))
        assert collector.count_usage() == collector.CATCH_UP_DAYS
        before = usage(hotel)
        reserve("late", local_time(9, 13))
        set_clock(NOW + timedelta(hours=3))
        assert collector.count_usage() == 0
    assert {day: row.id for day, row in usage(hotel).items()} == {day: row.id for day, row in before.items()}
    assert usage(hotel)[TODAY - DAY].reservations == 1


def test_days_of_an_outage_are_counted_later_without_numbers_that_are_only_known_on_the_day(
    hotel: Hotel, set_clock: Clock, redis_url: str
) -> None:
    with hotel_context(hotel):
        collector.count_usage()
        reserve("during", local_time(11, 12))
        with redis.Redis.from_url(redis_url) as client:
            client.set(call_counts._key(hotel.tenant, datetime.date(2031, 7, 11)), 7)
        set_clock(NOW + 4 * DAY)
        assert collector.count_usage() == 4
    rows = usage(hotel)
    missed, last = rows[datetime.date(2031, 7, 11)], rows[datetime.date(2031, 7, 13)]
    assert (missed.reservations, missed.api_calls) == (1, 7)
    assert (missed.storage_bytes, missed.staff, missed.failures_open) == (None, None, None)
    assert last.storage_bytes
    assert (last.staff, last.failures_open, last.api_calls) == (0, 0, 0)


def test_first_count_of_a_hotel_leaves_the_api_calls_of_older_days_unknown(hotel: Hotel) -> None:
    with platform_context():
        Hotel.objects.update(created_at=NOW - 3 * DAY)
    with hotel_context(hotel):
        assert collector.count_usage() == 3
    assert [row.api_calls for _day, row in sorted(usage(hotel).items())] == [None, None, 0]


def test_each_hotel_is_scheduled_once_after_its_own_midnight(
    hotel: Hotel, other_hotel: Hotel, set_clock: Clock
) -> None:
    """The clock shows 01:30 in Lisbon (Alpha) and 20:30 of the day before in New York (Beta)."""
    with platform_context():
        for row in (hotel, other_hotel):
            yesterday = NOW.astimezone(ZoneInfo(row.time_zone)).date() - DAY
            HotelUsage.objects.create(
                hotel=row, day=yesterday if row == other_hotel else yesterday - DAY, counted_at=NOW,
                reservations=0, stays=0, holds=0, reminders_sent=0, reminders_failed=0,
            )  # fmt: skip
        assert tasks.schedule_counts() == 1
        assert list(DueItem.objects.filter(kind=USAGE_DUE).values_list("hotel_id", flat=True)) == [hotel.id]
        assert tasks.schedule_counts() == 0  # the due item already exists
        set_clock(NOW + timedelta(hours=5))
        assert tasks.schedule_counts() == 1
        assert DueItem.objects.filter(kind=USAGE_DUE, hotel=other_hotel).exists()


def test_hotel_with_an_unknown_time_zone_does_not_stop_the_other_hotels(
    hotel: Hotel, other_hotel: Hotel
) -> None:
    with platform_context():
        Hotel.objects.filter(pk=other_hotel.pk).update(time_zone="Mars/Olympus")
        assert tasks.schedule_counts() == 1
        assert DueItem.objects.get(kind=USAGE_DUE).hotel_id == hotel.id


def test_usage_counts_of_suspended_and_new_hotels_are_not_scheduled(hotel: Hotel, other_hotel: Hotel) -> None:
    services.suspend_hotel(hotel_id=hotel.id)
    with platform_context():
        Hotel.objects.filter(pk=other_hotel.pk).update(created_at=NOW)
        assert tasks.schedule_counts() == 0
    services.resume_hotel(hotel_id=hotel.id)
    with platform_context():
        assert tasks.schedule_counts() == 1


@pytest.mark.django_db(transaction=True)
def test_failed_count_of_one_hotel_does_not_stop_the_counts_of_other_hotels(
    hotel: Hotel, other_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    count_day = collector._count_day

    def fail_in_alpha(day: datetime.date, zone: ZoneInfo) -> Any:
        if zone.key == hotel.time_zone:
            raise RuntimeError("the table is locked")
        return count_day(day, zone)

    monkeypatch.setattr(collector, "_count_day", fail_in_alpha)
    sent: list[str] = []
    monkeypatch.setattr(dispatch, "_send_separately", lambda _kind, hotel_id, _ids: sent.append(hotel_id))
    with platform_context():
        tasks.schedule_counts()
        dispatch.handle_combined_message(
            kind_name=USAGE_DUE,
            batches=[(str(row.id), [str(row.id)]) for row in (hotel, other_hotel)],
            redelivered=False,
        )
    assert usage(hotel) == {}
    assert len(usage(other_hotel)) == collector.CATCH_UP_DAYS
    assert sent == [str(hotel.id)]  # a separate message, whose failure the dead-letter queue captures


def test_count_without_redis_fails_and_stores_nothing(hotel: Hotel, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with hotel_context(hotel), pytest.raises(redis.RedisError):
        collector.count_usage()
    assert usage(hotel) == {}


def test_usage_rows_are_deleted_after_their_retention_period(hotel: Hotel, settings: Any) -> None:
    settings.USAGE_KEEP_DAYS = 20
    with hotel_context(hotel):
        collector.count_usage()
    with platform_context():
        tasks.schedule_counts()
    assert min(usage(hotel)) == datetime.date(2031, 7, 10) - 20 * DAY


def test_hotels_without_recent_usage_rows_are_counted_as_behind(
    hotel: Hotel, other_hotel: Hotel, set_clock: Clock
) -> None:
    with hotel_context(hotel):
        collector.count_usage()
    with platform_context():
        assert collector.count_hotels_behind() == 1
        Hotel.objects.filter(pk=other_hotel.pk).update(created_at=NOW - DAY)
        assert collector.count_hotels_behind() == 0
        set_clock(NOW + 4 * DAY)
        assert collector.count_hotels_behind() == 2


def test_role_of_a_hotel_reads_only_its_own_usage(hotel: Hotel, other_hotel: Hotel) -> None:
    for row in (hotel, other_hotel):
        with hotel_context(row):
            collector.count_usage()
    with hotel_context(hotel):
        assert set(HotelUsage.objects.values_list("hotel_id", flat=True)) == {hotel.id}
        with pytest.raises(Exception, match="permission denied"):
            HotelUsage.objects.all().delete()
