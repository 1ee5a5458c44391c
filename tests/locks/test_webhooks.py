"""Tests of webhook deliveries: retries, the final attempt and how failing webhooks are turned off."""

from typing import Any
from uuid import UUID

import pytest
from celery import current_app
from django.db import connection
from django.utils import translation

from audit.reading.search import timeline
from audit.registry import Outcome
from dlq.models import Failure
from locks import services
from locks.tasks import make_final_webhook_attempt, send_webhook_deliveries
from locks.webhooks import policy, signing
from locks.webhooks.delivery import deliver, make_final_attempt
from locks.webhooks.errors import WebhookDeliveryNotFound
from locks.webhooks.event_types import WebhookEvent
from locks.webhooks.models import Webhook, WebhookDelivery
from locks.webhooks.services import create_webhook, send_test_delivery, update_webhook
from tenants.context import platform_context
from tenants.models import DueItem
from tenants.tasks import tick
from tests.locks.conftest import SomeNights
from tests.locks.helpers import due_ids, events_of, make_deliveries_due, send_due_deliveries
from tests.locks.receiver import Receiver, verify

pytestmark = pytest.mark.django_db


@pytest.fixture
def webhook_and_secret(receiver: Receiver, rooms: list[int]) -> tuple[Webhook, str]:
    """A webhook that subscribes to all events, and its signing secret."""
    return create_webhook(url=receiver.url, event_types=WebhookEvent.values)


@pytest.mark.parametrize("answer", [500, 404, "drop", "redirect"])
def test_attempt_after_a_failed_attempt_sends_the_same_webhook_id(
    receiver: Receiver,
    webhook_and_secret: tuple[Webhook, str],
    rooms: list[int],
    nights: SomeNights,
    answer: int | str,
) -> None:
    webhook, secret = webhook_and_secret
    receiver.responses = [answer, 200]
    services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    send_due_deliveries()
    [delivery] = WebhookDelivery.objects.all()
    assert (delivery.status, delivery.attempts, len(receiver.requests)) == ("pending", 1, 1)
    assert delivery.error
    webhook.refresh_from_db()
    assert Webhook.objects.get().failing_since
    make_deliveries_due()
    send_due_deliveries()
    delivery.refresh_from_db()
    webhook.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("sent", 2)
    assert webhook.failing_since is None
    ids = {headers["webhook-id"] for headers, _body in receiver.requests}
    assert ids == {str(delivery.id)}
    assert all(verify(secret, headers, body) for headers, body in receiver.requests)


@pytest.mark.parametrize("answer", ["hang", "drip"])
def test_sending_a_test_event_to_a_slow_server_fails_at_the_timeout(
    receiver: Receiver, webhook_and_secret: tuple[Webhook, str], monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    receiver.responses = [answer]
    monkeypatch.setattr(policy, "REQUEST_TIMEOUT_SECONDS", 0.4)
    result = send_test_delivery(webhook_and_secret[0].id)
    assert not result.delivered
    assert "did not respond within" in result.error
    assert 300 < result.duration_ms < 5000


def test_deliver_during_the_backoff_sends_no_request(
    receiver: Receiver, webhook_and_secret: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    receiver.responses = [500]
    for room in rooms:
        services.acquire_hold(rooms=[room], nights=nights(1))
    send_due_deliveries()
    assert len(receiver.requests) == 1
    assert sorted(WebhookDelivery.objects.values_list("attempts", flat=True)) == [0, 0, 1]
    assert due_ids("webhook") == []
    assert DueItem.objects.filter(kind="webhook").count() == 3


def test_failed_delivery_is_retried_until_only_the_final_attempt_is_left(
    receiver: Receiver, webhook_and_secret: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    receiver.responses = [500]
    services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    [delivery] = WebhookDelivery.objects.all()
    delays = []
    for _ in policy.RETRY_DELAYS:
        assert deliver(delivery.id)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT due_at - now() FROM public.tenants_dueitem WHERE item_id = %s", [delivery.id]
            )
            delays.append(cursor.fetchone()[0].total_seconds())
        make_deliveries_due()
    assert all(
        expected <= delay <= expected * 1.11 + 2
        for expected, delay in zip(policy.RETRY_DELAYS, delays, strict=True)
    )
    assert not deliver(delivery.id)
    assert len(receiver.requests) == len(policy.RETRY_DELAYS)


def test_failed_final_attempt_can_be_retried_from_the_dead_letter_queue(
    receiver: Receiver, webhook_and_secret: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    receiver.responses = [500]
    services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    [delivery] = WebhookDelivery.objects.all()
    WebhookDelivery.objects.update(attempts=len(policy.RETRY_DELAYS))
    make_final_webhook_attempt.apply(args=[str(delivery.id)])
    delivery.refresh_from_db()
    assert (delivery.status, due_ids("webhook")) == ("failed", [])
    [failure] = Failure.objects.all()
    assert (failure.name, failure.payload["args"]) == (
        "locks.tasks.make_final_webhook_attempt",
        [str(delivery.id)],
    )
    assert "responded with HTTP status 500" in failure.error_message
    receiver.responses = [200]
    make_final_webhook_attempt.apply(args=failure.payload["args"])
    delivery.refresh_from_db()
    assert delivery.status == "sent"
    assert {headers["webhook-id"] for headers, _body in receiver.requests} == {str(delivery.id)}
    outcomes = timeline(kind="webhook", identifier=delivery.webhook_id).filter(
        event__startswith="webhook.deliver"
    )
    assert [(event.event, event.outcome) for event in outcomes] == [
        ("webhook.delivered", Outcome.SUCCESS),
        ("webhook.delivery_failed", Outcome.FAILED),
    ]
    assert {event.data["delivery"] for event in outcomes} == {str(delivery.id)}
    assert [event.data["attempts"] for event in outcomes] == [
        len(policy.RETRY_DELAYS) + 2,
        len(policy.RETRY_DELAYS) + 1,
    ]


def test_final_attempt_of_a_delivery_is_enqueued_as_a_separate_task(
    receiver: Receiver,
    webhook_and_secret: tuple[Webhook, str],
    rooms: list[int],
    nights: SomeNights,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    WebhookDelivery.objects.update(attempts=len(policy.RETRY_DELAYS))
    enqueued: list[str] = []
    monkeypatch.setattr(make_final_webhook_attempt, "try_delay", enqueued.append)
    ids = [str(delivery_id) for delivery_id in due_ids("webhook")]
    send_webhook_deliveries(ids)
    assert enqueued == ids
    assert due_ids("webhook") == []  # a later due item sends the delivery if the task is lost
    assert DueItem.objects.filter(kind="webhook").count() == 1


def test_response_410_gone_turns_the_webhook_off_and_pauses_its_deliveries(
    receiver: Receiver, webhook_and_secret: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    receiver.responses = [410]
    for room in rooms:
        services.acquire_hold(rooms=[room], nights=nights(1))
    send_due_deliveries()
    webhook_and_secret[0].refresh_from_db()
    assert not webhook_and_secret[0].active
    [event] = events_of("webhook.turned_off")
    assert event.data == {"host": "127.0.0.1", "reason": "gone"}
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"paused"}
    make_deliveries_due()
    send_due_deliveries()
    assert len(receiver.requests) == 1
    assert not DueItem.objects.filter(kind="webhook").exists()


def test_webhook_that_fails_for_days_is_turned_off(
    receiver: Receiver, webhook_and_secret: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    receiver.responses = [503]
    services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE locks_webhook SET failing_since = now() - interval '4 days'")
    send_due_deliveries()
    webhook_and_secret[0].refresh_from_db()
    assert not webhook_and_secret[0].active
    update_webhook(webhook_and_secret[0], changes={"active": True})
    assert webhook_and_secret[0].failing_since is None


def test_signing_secret_is_encrypted_with_the_setting_secret_key(
    webhook_and_secret: tuple[Webhook, str], settings: Any
) -> None:
    webhook, secret = webhook_and_secret
    stored = bytes(Webhook.objects.get().encrypted_secret)
    assert secret.encode() not in stored
    assert signing.decrypt_secret(stored, webhook_id=webhook.id) == secret
    settings.SECRET_KEY = "another" * 10
    with translation.override("es"):
        result = send_test_delivery(webhook.id)
    assert "SECRET_KEY ha cambiado" in result.error
    [event] = events_of("webhook.tested")
    assert event.data["outcome"] == "webhook-delivery-failed"
    assert event.description.endswith(": not delivered")


def test_final_attempt_of_a_deleted_delivery_raises_webhook_delivery_not_found(rooms: list[int]) -> None:
    with pytest.raises(WebhookDeliveryNotFound, match="was deleted"):
        make_final_attempt(UUID(int=1))


def test_scheduler_task_tick_sends_due_deliveries_to_a_worker(
    receiver: Receiver,
    webhook_and_secret: tuple[Webhook, str],
    rooms: list[int],
    nights: SomeNights,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = current_app.tasks["locks.tasks.send_webhook_deliveries"]
    monkeypatch.setattr(task, "apply_async", task.apply)  # Run the task in this thread.
    services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    with platform_context():
        assert tick() >= 1
    assert receiver.event_types == ["hold.created"]
    assert due_ids("webhook") == []
