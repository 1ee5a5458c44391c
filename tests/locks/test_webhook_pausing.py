"""A webhook that is switched off while it was still to be told something: nothing of it is lost."""

import threading

import pytest
from django.db import connection, transaction
from django.test import Client

from dlq.models import Failure
from locks import services
from locks.tasks import send_last
from locks.webhooks import policy
from locks.webhooks.delivery import deliver
from locks.webhooks.models import Webhook, WebhookDelivery
from locks.webhooks.services import create_webhook, update_webhook
from locks.webhooks.topics import TOPICS
from tenants.context import hotel_context
from tenants.models import DueItem, Hotel
from tests.locks.conftest import SomeNights
from tests.locks.helpers import due_now, send_due
from tests.locks.receiver import Receiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def webhook(receiver: Receiver, rooms: list[int], nights: SomeNights) -> Webhook:
    """One that has failed once, with two notices before it."""
    made, _secret = create_webhook(url=receiver.url, topics=list(TOPICS))
    receiver.answers = [503]
    for room in rooms[:2]:
        services.acquire_hold(rooms=[room], nights=nights(1))
    send_due()
    receiver.requests.clear()
    receiver.answers = [204]
    made.refresh_from_db()
    return made


def switch(webhook: Webhook, *, on: bool) -> None:
    update_webhook(webhook, changes={"active": on})


def statuses() -> list[str]:
    return sorted(WebhookDelivery.objects.values_list("status", flat=True))


def test_what_is_pending_waits_and_is_sent_once_it_is_on_again(receiver: Receiver, webhook: Webhook) -> None:
    switch(webhook, on=False)
    assert statuses() == ["paused", "paused"]
    assert not DueItem.objects.filter(kind="webhook").exists()
    assert not Failure.objects.exists()
    switch(webhook, on=True)
    assert set(WebhookDelivery.objects.values_list("attempts", "error")) == {(0, None)}
    send_due()
    assert statuses() == ["sent", "sent"]
    assert receiver.kinds == ["hold.created", "hold.created"]


def test_it_is_told_of_nothing_that_happened_while_it_was_off(
    receiver: Receiver, webhook: Webhook, rooms: list[int], nights: SomeNights
) -> None:
    switch(webhook, on=False)
    services.acquire_hold(rooms=rooms[2:], nights=nights(1))
    switch(webhook, on=True)
    send_due()
    assert len(receiver.requests) == 2


def test_a_notice_that_was_written_at_that_moment_waits_too(receiver: Receiver, webhook: Webhook) -> None:
    Webhook.objects.update(active=False)  # whoever wrote the notices had seen it on
    due_now()
    send_due()
    assert (receiver.requests, statuses()) == ([], ["paused", "paused"])
    assert not DueItem.objects.filter(kind="webhook").exists()


def test_the_last_try_waits_as_well(receiver: Receiver, webhook: Webhook) -> None:
    Webhook.objects.update(active=False)
    last = WebhookDelivery.objects.order_by("id")[0]
    send_last.apply(args=[str(last.id)])
    assert (receiver.requests, statuses()) == ([], ["paused", "paused"])
    send_last.apply(args=[str(last.id)])
    assert not Failure.objects.exists()


def test_what_failed_for_good_before_stays_with_the_failures(receiver: Receiver, webhook: Webhook) -> None:
    receiver.answers = [503]
    WebhookDelivery.objects.update(attempts=len(policy.NOTICE_WAITS))
    last = WebhookDelivery.objects.order_by("id")[0]
    send_last.apply(args=[str(last.id)])
    switch(webhook, on=False)
    assert statuses() == ["failed", "paused"]
    send_last.apply(args=[str(last.id)])
    assert "switched off: switch it on" in Failure.objects.latest("id").error_message
    receiver.answers = [204]
    switch(webhook, on=True)
    send_last.apply(args=[str(last.id)])
    send_due()
    assert statuses() == ["sent", "sent"]


def test_the_page_shows_what_waits(staff: Client, webhook: Webhook) -> None:
    switch(webhook, on=False)
    assert b"paused" in staff.get("/admin/locks/webhookdelivery/?status__exact=paused").content


@pytest.mark.django_db(transaction=True)
def test_one_that_is_switched_on_at_that_moment_leaves_none_behind(
    hotel: Hotel, webhook: Webhook, receiver: Receiver
) -> None:
    """A worker has seen the webhook off and is about to let its notice wait, while somebody switches it on."""
    Webhook.objects.update(active=False)
    due_now()
    [notice, _other] = WebhookDelivery.objects.order_by("id")

    def work() -> None:
        try:
            with hotel_context(hotel):
                deliver(notice.id)
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    with transaction.atomic():
        switch(webhook, on=True)
        worker.start()
        with connection.cursor() as cursor:
            waits = False
            while not waits:  # for the row that is locked here
                assert worker.is_alive()
                cursor.execute(
                    "SELECT EXISTS (SELECT FROM pg_locks "
                    "WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
                )
                [waits] = cursor.fetchone()
    worker.join()
    send_due()
    assert "paused" not in statuses()
