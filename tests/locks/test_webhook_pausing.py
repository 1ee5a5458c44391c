"""Tests that the deliveries of a webhook that is turned off are paused and not lost."""

import threading

import pytest
from django.db import connection, transaction
from django.test import Client

from dlq.models import Failure
from locks import services
from locks.tasks import make_final_webhook_attempt
from locks.webhooks import policy
from locks.webhooks.delivery import deliver
from locks.webhooks.event_types import WebhookEvent
from locks.webhooks.models import Webhook, WebhookDelivery
from locks.webhooks.services import create_webhook, update_webhook
from tenants.context import Actor, actor_context, hotel_context
from tenants.models import DueItem, Hotel
from tests.locks.conftest import SomeNights
from tests.locks.helpers import make_deliveries_due, send_due_deliveries
from tests.locks.receiver import Receiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def webhook(receiver: Receiver, rooms: list[int], nights: SomeNights) -> Webhook:
    """A webhook with two pending deliveries, one of which has failed once."""
    webhook, _secret = create_webhook(url=receiver.url, event_types=WebhookEvent.values)
    receiver.responses = [503]
    for room in rooms[:2]:
        services.acquire_hold(rooms=[room], nights=nights(1))
    send_due_deliveries()
    receiver.requests.clear()
    receiver.responses = [204]
    webhook.refresh_from_db()
    return webhook


def turn(webhook: Webhook, *, on: bool) -> None:
    update_webhook(webhook, changes={"active": on})


def statuses() -> list[str]:
    return sorted(WebhookDelivery.objects.values_list("status", flat=True))


def test_deliveries_paused_while_the_webhook_is_off_are_sent_when_it_is_turned_on(
    receiver: Receiver, webhook: Webhook
) -> None:
    turn(webhook, on=False)
    assert statuses() == ["paused", "paused"]
    assert not DueItem.objects.filter(kind="webhook").exists()
    assert not Failure.objects.exists()
    turn(webhook, on=True)
    assert set(WebhookDelivery.objects.values_list("attempts", "error")) == {(0, None)}
    send_due_deliveries()
    assert statuses() == ["sent", "sent"]
    assert receiver.event_types == ["hold.created", "hold.created"]


def test_events_that_occur_while_the_webhook_is_off_are_not_sent_later(
    receiver: Receiver, webhook: Webhook, rooms: list[int], nights: SomeNights
) -> None:
    turn(webhook, on=False)
    services.acquire_hold(rooms=rooms[2:], nights=nights(1))
    turn(webhook, on=True)
    send_due_deliveries()
    assert len(receiver.requests) == 2


def test_delivery_that_becomes_due_while_the_webhook_is_off_is_paused(
    receiver: Receiver, webhook: Webhook
) -> None:
    Webhook.objects.update(active=False)  # the deliveries are stored already
    make_deliveries_due()
    send_due_deliveries()
    assert (receiver.requests, statuses()) == ([], ["paused", "paused"])
    assert not DueItem.objects.filter(kind="webhook").exists()


def test_final_attempt_while_the_webhook_is_off_pauses_the_delivery(
    receiver: Receiver, webhook: Webhook
) -> None:
    Webhook.objects.update(active=False)
    delivery = WebhookDelivery.objects.order_by("id")[0]
    make_final_webhook_attempt.apply(args=[str(delivery.id)])
    assert (receiver.requests, statuses()) == ([], ["paused", "paused"])
    make_final_webhook_attempt.apply(args=[str(delivery.id)])
    assert not Failure.objects.exists()


def test_turning_off_a_webhook_keeps_its_failures_in_the_dead_letter_queue(
    receiver: Receiver, webhook: Webhook
) -> None:
    receiver.responses = [503]
    WebhookDelivery.objects.update(attempts=len(policy.RETRY_DELAYS))
    delivery = WebhookDelivery.objects.order_by("id")[0]
    make_final_webhook_attempt.apply(args=[str(delivery.id)])
    turn(webhook, on=False)
    assert statuses() == ["failed", "paused"]
    make_final_webhook_attempt.apply(args=[str(delivery.id)])
    assert "The webhook is off. Turn it on" in Failure.objects.latest("id").error_message
    receiver.responses = [204]
    turn(webhook, on=True)
    make_final_webhook_attempt.apply(args=[str(delivery.id)])
    send_due_deliveries()
    assert statuses() == ["sent", "sent"]


def test_deliveries_page_filtered_by_paused_shows_paused_deliveries(staff: Client, webhook: Webhook) -> None:
    turn(webhook, on=False)
    assert b"paused" in staff.get("/admin/locks/webhookdelivery/?status__exact=paused").content


@pytest.mark.django_db(transaction=True)
def test_delivery_paused_while_the_webhook_is_turned_on_does_not_stay_paused(
    hotel: Hotel, webhook: Webhook, receiver: Receiver
) -> None:
    """A worker reads that the webhook is off, and then waits for the row lock of the webhook.

    Meanwhile, a user turns the webhook on.
    """
    Webhook.objects.update(active=False)
    make_deliveries_due()
    [delivery, _other] = WebhookDelivery.objects.order_by("id")

    def run_worker() -> None:
        try:
            with hotel_context(hotel):
                deliver(delivery.id)
        finally:
            connection.close()

    worker = threading.Thread(target=run_worker)
    with transaction.atomic():
        turn(webhook, on=True)
        worker.start()
        with connection.cursor() as cursor:
            is_waiting = False
            while not is_waiting:  # until the worker waits for the row lock
                assert worker.is_alive()
                cursor.execute(
                    "SELECT EXISTS (SELECT FROM pg_locks "
                    "WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
                )
                [is_waiting] = cursor.fetchone()
    worker.join()
    send_due_deliveries()
    assert "paused" not in statuses()


def test_due_items_of_resumed_deliveries_name_the_person_who_turned_the_webhook_on(webhook: Webhook) -> None:
    def initiators() -> set[str | None]:
        return set(DueItem.objects.filter(kind="webhook").values_list("initiator", flat=True))

    assert initiators() == {None}
    turn(webhook, on=False)
    with actor_context(Actor("user", "0198c0de-0000-7000-8000-000000000001", "ana")):
        turn(webhook, on=True)
    assert initiators() == {"user:0198c0de-0000-7000-8000-000000000001"}
