"""What webhooks are told of: written with the change, each with what the description promises."""

import datetime

import pytest
from django.db import connection, transaction

from locks import services
from locks.errors import RoomUnavailable
from locks.waiting_list.services import NewEntry, create_entry
from locks.webhooks import policy
from locks.webhooks.described import described
from locks.webhooks.models import Webhook, WebhookDelivery
from locks.webhooks.publishing import publish_expiring_holds
from locks.webhooks.services import create_webhook
from locks.webhooks.topics import TOPICS
from tenants.models import DueItem
from tests.locks.conftest import SomeNights
from tests.locks.helpers import due, send_due, work
from tests.locks.receiver import Receiver, verify

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(receiver: Receiver, rooms: list[int]) -> tuple[Webhook, str]:
    """A webhook that is told of everything, and its secret."""
    return create_webhook(url=receiver.url, topics=list(TOPICS))


def test_the_life_of_a_hold_is_told_in_signed_notices(
    receiver: Receiver, made: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    _webhook, secret = made
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1, 2), session="c7f1", reference="WEB-1")
    send_due()  # what happens within a millisecond is told in any order
    services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0)
    send_due()
    assert receiver.kinds == ["hold.created", "hold.confirmed"]
    assert all(verify(secret, headers, body) for headers, body in receiver.requests)
    headers, body = receiver.requests[0]
    assert not verify(secret, headers, body.replace(b"WEB-1", b"WEB-2"))
    assert not verify(secret, {**headers, "webhook-timestamp": "1"}, body)
    told = receiver.bodies[0]["data"]
    assert told == {
        "hold": str(hold.id),
        "group": None,
        "room": rooms[0],
        "number": "101",
        "room_type": "double",
        "check_in": nights(1).check_in.isoformat(),
        "check_out": nights(3).check_in.isoformat(),
        "status": "held",
        "fencing_token": hold.fencing_token,
        "expires_at": told["expires_at"],
        "session": "c7f1",
        "reference": "WEB-1",
    }
    assert datetime.datetime.fromisoformat(told["expires_at"]) == hold.expires_at
    assert hold.token is not None
    assert hold.token.encode() not in b"".join(body for _headers, body in receiver.requests)
    assert receiver.bodies[1]["data"]["status"] == "confirmed"
    assert due("webhook") == []


def test_what_is_sent_is_what_the_description_says(
    receiver: Receiver, made: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    create_entry(NewEntry(nights=nights(1), room=rooms[0]))
    services.move_allocation(hold.id, room=rooms[1], nights=nights(1))
    work()
    send_due()
    told = {body["type"]: body["data"] for body in receiver.bodies}
    assert {"hold.created", "stay.moved", "waiting_list.offered"} == told.keys()
    for topic, data in told.items():
        content = described()[topic]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert data.keys() == set(content["properties"]["data"]["required"])


def test_a_group_an_expiry_and_staff_s_release_are_told_too(
    receiver: Receiver, made: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    group = services.acquire_hold(rooms=rooms[:2], nights=nights(1))
    services.release_hold(group.id, token=group.token)
    forced = services.acquire_hold(rooms=rooms[:1], nights=nights(3))
    services.force_release_hold(forced.id, reason="no-show")
    lapsed = services.acquire_hold(rooms=rooms[:1], nights=nights(5))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE locks_allocation SET expires_at = now() - interval '1 s' WHERE id = %s", [lapsed.id]
        )
    services.expire_holds(ids=[lapsed.id])
    send_due()
    assert sorted(receiver.kinds) == ["hold.created"] * 4 + ["hold.expired"] + ["hold.released"] * 3


def test_a_move_says_where_from_and_where_to(
    receiver: Receiver, made: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1, 2), reference="WEB-1")
    moved = services.move_allocation(hold.id, room=rooms[1], nights=nights(4))
    services.move_allocation(hold.id, room=rooms[1], nights=nights(5))
    send_due()
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


def test_a_move_that_is_refused_is_told_to_nobody(
    receiver: Receiver, made: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    services.acquire_hold(rooms=rooms[1:2], nights=nights(1))
    with pytest.raises(RoomUnavailable):
        services.move_allocation(hold.id, room=rooms[1], nights=nights(1))
    send_due()
    assert "stay.moved" not in receiver.kinds


def test_a_stay_that_is_cancelled_is_told_whoever_cancels_it(
    receiver: Receiver, made: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    for room in rooms[:2]:
        hold = services.acquire_hold(rooms=[room], nights=nights(1))
        services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0)
        if room == rooms[0]:
            services.cancel_confirmed_hold(hold.id, token=hold.token)
        else:
            services.cancel_stay(hold.id)
    send_due()
    told = [body["data"] for body in receiver.bodies if body["type"] == "stay.cancelled"]
    assert sorted((one["room"], one["status"]) for one in told) == [(room, "cancelled") for room in rooms[:2]]


def test_what_is_rolled_back_is_told_to_nobody(
    receiver: Receiver, made: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    with transaction.atomic():
        services.acquire_hold(rooms=rooms[:1], nights=nights(1))
        transaction.set_rollback(True)
    send_due()
    assert (receiver.requests, WebhookDelivery.objects.count()) == ([], 0)


def test_it_is_told_only_of_what_it_asked_for(
    receiver: Receiver, rooms: list[int], nights: SomeNights
) -> None:
    create_webhook(url=receiver.url, topics=["hold.released"])
    create_webhook(url=receiver.url, topics=["hold.created"], active=False)
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    services.release_hold(hold.id, token=hold.token)
    send_due()
    assert receiver.kinds == ["hold.released"]


def test_an_offer_to_who_waits_is_told_without_a_token(
    receiver: Receiver, made: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    entry = create_entry(NewEntry(nights=nights(1), room=rooms[0], reference="WEB-7"))
    services.release_hold(hold.id, token=hold.token)
    work()
    send_due()
    [offer] = [body["data"] for body in receiver.bodies if body["type"] == "waiting_list.offered"]
    assert (offer["waiting_list_entry"], offer["reference"], offer["room"]) == (
        str(entry.id),
        "WEB-7",
        rooms[0],
    )
    assert offer["expires_at"]


def test_a_hold_that_ends_soon_is_told_once_and_again_after_an_extension(
    receiver: Receiver, made: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))

    def warned() -> int:
        return WebhookDelivery.objects.filter(event="hold.expiring_soon").count()

    def ends_in(seconds: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE locks_allocation SET expires_at = now() + make_interval(secs => %s) WHERE id = %s",
                [seconds, hold.id],
            )

    publish_expiring_holds(due("expiring"))
    [item] = DueItem.objects.filter(kind="expiring")
    assert hold.expires_at is not None
    assert item.due_at == hold.expires_at - datetime.timedelta(seconds=policy.WARNING_SECONDS)
    assert warned() == 0
    ends_in(policy.WARNING_SECONDS - 10)
    publish_expiring_holds([hold.id])
    assert warned() == 1
    services.extend_hold(hold.id, token=hold.token)
    publish_expiring_holds([hold.id])
    assert warned() == 1
    ends_in(10)
    publish_expiring_holds([hold.id])
    assert warned() == 2
    services.release_hold(hold.id, token=hold.token)
    publish_expiring_holds([hold.id])
    assert not DueItem.objects.filter(kind="expiring").exists()
