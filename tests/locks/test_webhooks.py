"""Webhooks: signed, sent at least once, and kept where people see what was not taken."""

from typing import Any
from uuid import UUID

import pytest
from celery import current_app
from django.db import connection
from django.utils import translation

from dlq.models import Failure
from locks import services
from locks.tasks import send_last, send_notices
from locks.webhooks import policy, sealing, sending
from locks.webhooks.delivery import deliver, make_final_attempt
from locks.webhooks.models import Webhook, WebhookDelivery
from locks.webhooks.services import create_webhook, send_test_delivery, update_webhook
from locks.webhooks.topics import TOPICS
from tenants.context import platform_context
from tenants.models import DueItem
from tenants.tasks import tick
from tests.locks.conftest import SomeNights
from tests.locks.helpers import due, due_now, events_of, send_due
from tests.locks.receiver import Receiver, verify

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(receiver: Receiver, rooms: list[int]) -> tuple[Webhook, str]:
    """A webhook that is told of everything, and its secret."""
    return create_webhook(url=receiver.url, topics=list(TOPICS))


@pytest.mark.parametrize("answer", [500, 404, "drop", "redirect"])
def test_what_is_not_taken_comes_again_later_with_the_same_id(
    receiver: Receiver, made: tuple[Webhook, str], rooms: list[int], nights: SomeNights, answer: int | str
) -> None:
    webhook, secret = made
    receiver.answers = [answer, 200]
    services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    send_due()
    [notice] = WebhookDelivery.objects.all()
    assert (notice.status, notice.attempts, len(receiver.requests)) == ("pending", 1, 1)
    assert notice.error
    webhook.refresh_from_db()
    assert Webhook.objects.get().failing_since
    due_now()
    send_due()
    notice.refresh_from_db()
    webhook.refresh_from_db()
    assert (notice.status, notice.attempts) == ("sent", 2)
    assert webhook.failing_since is None
    ids = {headers["webhook-id"] for headers, _body in receiver.requests}
    assert ids == {str(notice.id)}
    assert all(verify(secret, headers, body) for headers, body in receiver.requests)


@pytest.mark.parametrize("answer", ["hang", "drip"])
def test_who_takes_too_long_is_cut_off(
    receiver: Receiver, made: tuple[Webhook, str], monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    receiver.answers = [answer]
    monkeypatch.setattr(sending, "SECONDS", 0.4)
    tested = send_test_delivery(made[0].id)
    assert not tested.delivered
    assert "did not respond within" in tested.error
    assert 300 < tested.milliseconds < 5000


def test_a_webhook_that_just_failed_is_left_alone(
    receiver: Receiver, made: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    receiver.answers = [500]
    for room in rooms:
        services.acquire_hold(rooms=[room], nights=nights(1))
    send_due()
    assert len(receiver.requests) == 1
    assert sorted(WebhookDelivery.objects.values_list("attempts", flat=True)) == [0, 0, 1]
    assert due("webhook") == []
    assert DueItem.objects.filter(kind="webhook").count() == 3


def test_waits_grow_to_a_day_and_then_people_have_it(
    receiver: Receiver, made: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    receiver.answers = [500]
    services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    [notice] = WebhookDelivery.objects.all()
    waits = []
    for _ in policy.NOTICE_WAITS:
        assert deliver(notice.id)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT due_at - now() FROM public.tenants_dueitem WHERE item_id = %s", [notice.id]
            )
            waits.append(cursor.fetchone()[0].total_seconds())
        due_now()
    assert all(wait <= real <= wait * 1.11 + 2 for wait, real in zip(policy.NOTICE_WAITS, waits, strict=True))
    assert not deliver(notice.id)
    assert len(receiver.requests) == len(policy.NOTICE_WAITS)


def test_the_last_failure_is_in_the_dlq_and_sent_again_from_there(
    receiver: Receiver, made: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    receiver.answers = [500]
    services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    [notice] = WebhookDelivery.objects.all()
    WebhookDelivery.objects.update(attempts=len(policy.NOTICE_WAITS))
    send_last.apply(args=[str(notice.id)])
    notice.refresh_from_db()
    assert (notice.status, due("webhook")) == ("failed", [])
    [failure] = Failure.objects.all()
    assert (failure.name, failure.payload["args"]) == ("locks.tasks.send_last", [str(notice.id)])
    assert "answered 500" in failure.error_message
    receiver.answers = [200]
    send_last.apply(args=failure.payload["args"])
    notice.refresh_from_db()
    assert notice.status == "sent"
    assert {headers["webhook-id"] for headers, _body in receiver.requests} == {str(notice.id)}


def test_the_worker_hands_the_last_try_to_a_task_of_its_own(
    receiver: Receiver,
    made: tuple[Webhook, str],
    rooms: list[int],
    nights: SomeNights,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    WebhookDelivery.objects.update(attempts=len(policy.NOTICE_WAITS))
    handed: list[str] = []
    monkeypatch.setattr(send_last, "delay", handed.append)
    ids = [str(notice) for notice in due("webhook")]
    send_notices(ids)
    assert handed == ids
    assert due("webhook") == []  # but it is due again should that task be lost
    assert DueItem.objects.filter(kind="webhook").count() == 1


def test_gone_switches_it_off(
    receiver: Receiver, made: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    receiver.answers = [410]
    for room in rooms:
        services.acquire_hold(rooms=[room], nights=nights(1))
    send_due()
    made[0].refresh_from_db()
    assert not made[0].active
    [event] = events_of("webhook.disabled")
    assert event.data == {"host": "127.0.0.1", "why": "it answered 410 Gone"}
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"paused"}
    due_now()
    send_due()
    assert len(receiver.requests) == 1
    assert not DueItem.objects.filter(kind="webhook").exists()


def test_days_of_nothing_but_failures_switch_it_off(
    receiver: Receiver, made: tuple[Webhook, str], rooms: list[int], nights: SomeNights
) -> None:
    receiver.answers = [503]
    services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE locks_webhook SET failing_since = now() - interval '4 days'")
    send_due()
    made[0].refresh_from_db()
    assert not made[0].active
    update_webhook(made[0], changes={"active": True})
    assert made[0].failing_since is None


def test_the_secret_is_sealed_where_it_is_stored(made: tuple[Webhook, str], settings: Any) -> None:
    webhook, secret = made
    stored = bytes(Webhook.objects.get().encrypted_secret)
    assert secret.encode() not in stored
    assert sealing.unseal(stored, webhook=webhook.id) == secret
    settings.SECRET_KEY = "another" * 10
    with translation.override("es"):
        tested = send_test_delivery(webhook.id)
    assert "otra SECRET_KEY" in tested.error
    [told] = events_of("webhook.tested")
    assert told.data["outcome"] == "webhook-delivery-failed"  # in no language
    assert told.description.endswith("it was not delivered")


def test_a_notice_that_is_forgotten_says_so(rooms: list[int]) -> None:
    with pytest.raises(Exception, match="is forgotten"):
        make_final_attempt(UUID(int=1))


def test_the_tick_hands_a_notice_to_a_worker(
    receiver: Receiver,
    made: tuple[Webhook, str],
    rooms: list[int],
    nights: SomeNights,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = current_app.tasks["locks.tasks.send_notices"]
    monkeypatch.setattr(task, "apply_async", task.apply)  # the worker is this thread
    services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    with platform_context():
        assert tick() >= 1
    assert receiver.kinds == ["hold.created"]
    assert due("webhook") == []
