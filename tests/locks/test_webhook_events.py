"""Tests of webhook events: which changes are sent, and what their data contains."""

import datetime

import pytest
from django.db import connection, transaction

from locks import services
from locks.errors import RoomUnavailable
from locks.waiting_list.services import NewEntry, create_entry
from locks.webhooks import policy
from locks.webhooks.event_types import WebhookEvent
from locks.webhooks.models import Webhook, WebhookDelivery
from locks.webhooks.openapi import webhook_path_items
from locks.webhooks.publishing import publish_expiring_holds
from locks.webhooks.services import create_webhook
from tenants.models import DueItem
from tests.locks.conftest import SomeNights
from tests.locks.helpers import due_ids, run_due_tasks, send_due_deliveries
from tests.locks.receiver import Receiver, verify

pytestmark = pytest.mark.django_db


@pytest.fixture
def webhook_and_secret(receiver: Receiver, rooms: list[int]) -> tuple[Webhook, str]:
    """A webhook that subscribes to all events, and its signing secret."""
    return create_webhook(url=receiver.url, event_types=WebhookEvent.values)


def test_creation_and_confirmation_of_a_hold_are_sent_with_valid_signatures(
    receiver: Receiver, webhook_and_secret: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    _webhook, secret = webhook_and_secret
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1, 2), session="c7f1", reference="WEB-1")
    send_due_deliveries()  # Events that occurred in the same millisecond may be sent in any order.
    services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0)
    send_due_deliveries()
    assert receiver.event_types == ["hold.created", "hold.confirmed"]
    assert all(verify(secret, headers, body) for headers, body in receiver.requests)
    headers, body = receiver.requests[0]
    assert not verify(secret, headers, body.replace(b"WEB-1", b"WEB-2"))
    assert not verify(secret, {**headers, "webhook-timestamp": "1"}, body)
    data = receiver.bodies[0]["data"]
    assert data == {
        "hold": str(hold.id),
        "group": None,
        "room": rooms[0],
        "number": "101",
        "room_type": "double",
        "check_in": nights(1).check_in.isoformat(),
        "check_out": nights(3).check_in.isoformat(),
        "status": "held",
        "fencing_token": hold.fencing_token,
        "expires_at": data["expires_at"],
        "session": "c7f1",
        "reference": "WEB-1",
    }
    assert datetime.datetime.fromisoformat(data["expires_at"]) == hold.expires_at
    assert hold.token is not None
    assert hold.token.encode() not in b"".join(body for _headers, body in receiver.requests)
    assert receiver.bodies[1]["data"]["status"] == "confirmed"
    assert due_ids("webhook") == []


def test_data_of_sent_events_has_the_properties_of_the_openapi_description(
    receiver: Receiver, webhook_and_secret: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    create_entry(NewEntry(nights=nights(1), room=rooms[0]))
    services.move_allocation(hold.id, room=rooms[1], nights=nights(1))
    run_due_tasks()
    send_due_deliveries()
    data_by_type = {body["type"]: body["data"] for body in receiver.bodies}
    assert {"hold.created", "stay.moved", "waiting_list.offered"} == data_by_type.keys()
    for event_type, data in data_by_type.items():
        content = webhook_path_items()[event_type]["post"]["requestBody"]["content"]["application/json"][
            "schema"
        ]
        assert data.keys() == set(content["properties"]["data"]["required"])


def test_events_of_groups_expiries_and_forced_releases_are_sent(
    receiver: Receiver, webhook_and_secret: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    group = services.acquire_hold(rooms=rooms[:2], nights=nights(1))
    services.release_hold(group.id, token=group.token)
    forced = services.acquire_hold(rooms=rooms[:1], nights=nights(3))
    services.force_release_hold(forced.id, reason="no-show")
    expired = services.acquire_hold(rooms=rooms[:1], nights=nights(5))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE locks_allocation SET expires_at = now() - interval '1 s' WHERE id = %s", [expired.id]
        )
    services.expire_holds(ids=[expired.id])
    send_due_deliveries()
    assert sorted(receiver.event_types) == ["hold.created"] * 4 + ["hold.expired"] + ["hold.released"] * 3


def test_event_stay_moved_contains_the_old_and_the_new_room_and_dates(
    receiver: Receiver, webhook_and_secret: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1, 2), reference="WEB-1")
    moved = services.move_allocation(hold.id, room=rooms[1], nights=nights(4))
    services.move_allocation(hold.id, room=rooms[1], nights=nights(5))
    send_due_deliveries()
    first, second = (body["data"] for body in receiver.bodies if body["type"] == "stay.moved")
    assert (first["hold"], first["reference"], first["status"]) == (str(hold.id), "WEB-1", "held")
    assert (first["room"], first["number"], first["fencing_token"]) == (rooms[1], "102", moved.fencing_token)
    assert (first["check_in"], first["check_out"]) == (
        nights(4).check_in.isoformat(),
        nights(5).check_in.isoformat(),
    )
    assert first["moved_from"] == {
        "room": rooms[0],
        "number": "101",
        "room_type": "double",
        "check_in": nights(1).check_in.isoformat(),
        "check_out": nights(3).check_in.isoformat(),
    }
    assert second["moved_from"]["check_in"] == nights(4).check_in.isoformat()
    assert second["check_in"] == nights(5).check_in.isoformat()


def test_webhooks_receive_extensions_closures_and_added_stays(
    receiver: Receiver, webhook_and_secret: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    services.extend_hold(hold.id, token=hold.token)
    closure = services.close_room(room=rooms[1], nights=nights(1), reason="New bathroom")
    services.reopen_room(closure.id)
    later = nights(5)
    free = services.NewStay(rooms[0], later.check_in, later.check_out, reference="B-1")
    occupied = services.NewStay(rooms[0], nights(1).check_in, nights(1).check_out, reference="B-2")
    services.add_stays([free, occupied])
    send_due_deliveries()
    sent = {body["type"]: body["data"] for body in receiver.bodies}
    assert len(sent) == len(receiver.bodies)
    assert sent.keys() == {
        "hold.created", "hold.extended", "room.closed", "room.reopened", "stay.created",
    }  # fmt: skip
    assert sent["hold.extended"]["expires_at"] > sent["hold.created"]["expires_at"]
    assert (sent["room.closed"]["status"], sent["room.reopened"]["status"]) == ("closed", "cancelled")
    assert (sent["stay.created"]["hold"], sent["stay.created"]["reference"]) == (str(free.id), "B-1")


def test_move_that_fails_sends_no_event(
    receiver: Receiver, webhook_and_secret: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    services.acquire_hold(rooms=rooms[1:2], nights=nights(1))
    with pytest.raises(RoomUnavailable):
        services.move_allocation(hold.id, room=rooms[1], nights=nights(1))
    send_due_deliveries()
    assert "stay.moved" not in receiver.event_types


def test_event_stay_cancelled_is_sent_after_cancellations_by_owner_and_staff(
    receiver: Receiver, webhook_and_secret: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    for room in rooms[:2]:
        hold = services.acquire_hold(rooms=[room], nights=nights(1))
        services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0)
        if room == rooms[0]:
            services.cancel_confirmed_hold(hold.id, token=hold.token)
        else:
            services.cancel_stay(hold.id)
    send_due_deliveries()
    cancelled = [body["data"] for body in receiver.bodies if body["type"] == "stay.cancelled"]
    assert sorted((data["room"], data["status"]) for data in cancelled) == [
        (room, "cancelled") for room in rooms[:2]
    ]


def test_acquisition_that_is_rolled_back_sends_no_event(
    receiver: Receiver, webhook_and_secret: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    with transaction.atomic():
        services.acquire_hold(rooms=rooms[:1], nights=nights(1))
        transaction.set_rollback(True)
    send_due_deliveries()
    assert (receiver.requests, WebhookDelivery.objects.count()) == ([], 0)


def test_webhook_receives_only_the_events_it_subscribes_to(
    receiver: Receiver, rooms: list[int], nights: SomeNights
) -> None:
    create_webhook(url=receiver.url, event_types=["hold.released"])
    create_webhook(url=receiver.url, event_types=["hold.created"], active=False)
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    services.release_hold(hold.id, token=hold.token)
    send_due_deliveries()
    assert receiver.event_types == ["hold.released"]


def test_waiting_list_offered_event_contains_the_entry_but_no_token(
    receiver: Receiver, webhook_and_secret: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    entry = create_entry(NewEntry(nights=nights(1), room=rooms[0], reference="WEB-7"))
    services.release_hold(hold.id, token=hold.token)
    run_due_tasks()
    send_due_deliveries()
    [offer] = [body["data"] for body in receiver.bodies if body["type"] == "waiting_list.offered"]
    assert (offer["waiting_list_entry"], offer["reference"], offer["room"]) == (
        str(entry.id),
        "WEB-7",
        rooms[0],
    )
    assert offer["expires_at"]


def test_event_hold_expiring_soon_is_sent_again_only_after_an_extension(
    receiver: Receiver, webhook_and_secret: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))

    def count_warnings() -> int:
        return WebhookDelivery.objects.filter(event="hold.expiring_soon").count()

    def set_seconds_left(seconds: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE locks_allocation SET expires_at = now() + make_interval(secs => %s) WHERE id = %s",
                [seconds, hold.id],
            )

    publish_expiring_holds(due_ids("expiring"))
    [item] = DueItem.objects.filter(kind="expiring")
    assert hold.expires_at is not None
    assert item.due_at == hold.expires_at - datetime.timedelta(seconds=policy.EXPIRY_WARNING_SECONDS)
    assert count_warnings() == 0
    set_seconds_left(policy.EXPIRY_WARNING_SECONDS - 10)
    publish_expiring_holds([hold.id])
    assert count_warnings() == 1
    services.extend_hold(hold.id, token=hold.token)
    publish_expiring_holds([hold.id])
    assert count_warnings() == 1
    set_seconds_left(10)
    publish_expiring_holds([hold.id])
    assert count_warnings() == 2
    services.release_hold(hold.id, token=hold.token)
    publish_expiring_holds([hold.id])
    assert not DueItem.objects.filter(kind="expiring").exists()
