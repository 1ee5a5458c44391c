"""Tests that ended holds and webhook deliveries are deleted after a week, and that stays are kept."""

import datetime
from uuid import UUID

import pytest
from django.db import connection

from audit.models import Event
from hotelagent.core.ids import first_uuid7_at, uuid7
from locks import policy, services
from locks.models import Allocation
from locks.tasks import delete_ended_records
from locks.waiting_list.models import WaitingListEntry
from locks.waiting_list.services import NewEntry, cancel_entry, create_entry
from locks.webhooks.models import WebhookDelivery
from locks.webhooks.services import create_webhook
from tenants.context import hotel_context, platform_context
from tenants.models import DueItem, Hotel, HotelStatus
from tenants.queue import due
from tests.locks.conftest import SomeNights

pytestmark = pytest.mark.django_db

DAY = datetime.timedelta(days=1)


def set_age(allocation: UUID, days: float) -> UUID:
    """Replace the allocation's id with an id whose creation time is this many days ago, and return the new id.

    The daily clean-up reads the age of an allocation from the creation time in its id.
    """
    now = datetime.datetime.now(datetime.UTC)
    key = UUID(int=first_uuid7_at(now - days * DAY).int + (uuid7().int & 0xFFFF_FFFF))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE locks_allocation SET id = %s WHERE id = %s", [key, allocation])
    return key


def test_clean_up_deletes_only_old_holds_that_have_ended(rooms: list[int], nights: SomeNights) -> None:
    old, young = policy.DAYS_UNTIL_DELETION + 1, policy.DAYS_UNTIL_DELETION - 1
    released, recent, confirmed, cancelled, held = (
        services.acquire_hold(rooms=rooms[:1], nights=nights(start)) for start in (1, 2, 3, 4, 5)
    )
    for hold in (released, recent):
        services.release_hold(hold.id, token=hold.token)
    for hold in (confirmed, cancelled):
        services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0)
    services.cancel_stay(cancelled.id)
    set_age(released.id, old)
    kept = {set_age(recent.id, young), *(set_age(hold.id, old) for hold in (confirmed, cancelled, held))}
    assert services.delete_ended_records() == 1
    assert set(Allocation.objects.values_list("id", flat=True)) == kept
    event = Event.objects.get(event="retention.deleted")
    assert (event.data["kind"], event.data["count"]) == ("allocation", 1)
    assert services.delete_ended_records() == 0
    assert Event.objects.filter(event="retention.deleted").count() == 1


def test_clean_up_deletes_batches_until_no_old_hold_is_left(
    rooms: list[int], nights: SomeNights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("locks.services.retention.BATCH_SIZE", 2)
    for start in range(5):
        hold = services.acquire_hold(rooms=rooms[:1], nights=nights(start))
        services.release_hold(hold.id, token=hold.token)
        set_age(hold.id, 10)
    assert services.delete_ended_records() == 5
    assert services.delete_ended_records() == 0


def test_clean_up_deletes_old_waiting_list_entries_and_webhook_deliveries(
    rooms: list[int], nights: SomeNights
) -> None:
    create_webhook(url="http://127.0.0.1:9/", event_types=["hold.created"])
    for start in range(3):
        services.acquire_hold(rooms=rooms[:1], nights=nights(start))
    entry = create_entry(NewEntry(nights=nights(0), room=rooms[0]))
    cancel_entry(entry.id)
    sent, failed, ancient = WebhookDelivery.objects.order_by("id")
    now = datetime.datetime.now(datetime.UTC)
    WebhookDelivery.objects.filter(id=sent.id).update(status="sent", created_at=now - 8 * DAY)
    WebhookDelivery.objects.filter(id=failed.id).update(status="failed", created_at=now - 8 * DAY)
    WebhookDelivery.objects.filter(id=ancient.id).update(status="failed", created_at=now - 40 * DAY)
    WaitingListEntry.objects.update(ended_at=now - 8 * DAY)
    assert services.delete_ended_records() == 3
    assert list(WebhookDelivery.objects.values_list("id", flat=True)) == [failed.id]


def test_clean_up_is_scheduled_once_a_day_for_each_active_hotel(hotel: Hotel, other_hotel: Hotel) -> None:
    with platform_context():
        Hotel.objects.filter(id=other_hotel.id).update(status=HotelStatus.SUSPENDED)
        assert due.schedule_daily() == len([kind for kind in due.kinds().values() if kind.daily])
        assert due.schedule_daily() == 0
        [item] = DueItem.objects.filter(kind="ended")
        assert item.hotel_id == hotel.id
        assert item.due_at - datetime.datetime.now(datetime.UTC) < datetime.timedelta(hours=6)
        DueItem.objects.filter(kind="ended").update(due_at=item.due_at - DAY)
    with hotel_context(hotel):
        delete_ended_records([str(hotel.id)])
    with platform_context():
        assert not DueItem.objects.filter(kind="ended").exists()
