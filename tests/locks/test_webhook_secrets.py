"""A webhook's secret is rotated without a notice that the other side can't verify."""

import datetime
from typing import Any

import pytest
from django.db import connection

from locks import services
from locks.webhooks.errors import WebhookNotFound
from locks.webhooks.models import Webhook
from locks.webhooks.services import create_webhook, delete_webhook, rotate_secret, send_test_delivery
from locks.webhooks.topics import TOPICS
from tests.locks.receiver import Receiver, verify

pytestmark = pytest.mark.django_db

DAY = datetime.timedelta(days=1)
NONE = datetime.timedelta(0)


@pytest.fixture
def made(receiver: Receiver, in_hotel: Any) -> tuple[Webhook, str]:
    return create_webhook(url=receiver.url, topics=list(TOPICS))


def fits(webhook: Webhook, receiver: Receiver, *secrets: str) -> list[bool]:
    """Which of these secrets verify what is sent now."""
    assert send_test_delivery(webhook.id).delivered
    headers, body = receiver.requests[-1]
    assert len(headers["webhook-signature"].split(" ")) <= 2
    return [verify(secret, headers, body) for secret in secrets]


def overlap_ends() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE locks_webhook SET previous_secret_expires_at = clock_timestamp() - interval '1 second'"
        )


def test_both_sign_until_the_overlap_ends(receiver: Receiver, made: tuple[Webhook, str]) -> None:
    webhook, old = made
    changed, new = rotate_secret(webhook.id, overlap=DAY)
    assert changed.previous_secret_expires_at is not None
    assert fits(webhook, receiver, old, new) == [True, True]
    overlap_ends()
    assert fits(webhook, receiver, old, new) == [False, True]


def test_one_that_has_leaked_ends_at_once(receiver: Receiver, made: tuple[Webhook, str]) -> None:
    webhook, old = made
    _changed, new = rotate_secret(webhook.id, overlap=NONE)
    assert fits(webhook, receiver, old, new) == [False, True]


def test_a_rotation_in_the_overlap_ends_the_oldest(receiver: Receiver, made: tuple[Webhook, str]) -> None:
    webhook, first = made
    _changed, second = rotate_secret(webhook.id, overlap=DAY)
    _changed, third = rotate_secret(webhook.id, overlap=DAY)
    assert fits(webhook, receiver, first, second, third) == [False, True, True]


def test_rotating_is_the_way_out_after_a_change_of_the_key(
    receiver: Receiver, made: tuple[Webhook, str], settings: Any
) -> None:
    webhook, old = made
    settings.SECRET_KEY = "another" * 10
    assert "Rotate it" in send_test_delivery(webhook.id).error
    _changed, new = rotate_secret(webhook.id, overlap=DAY)
    assert fits(webhook, receiver, old, new) == [False, True]


def test_what_was_rotated_out_is_forgotten(made: tuple[Webhook, str]) -> None:
    webhook, _old = made
    rotate_secret(webhook.id, overlap=DAY)
    services.delete_ended_records()
    kept = Webhook.objects.filter(
        encrypted_previous_secret__isnull=False, previous_secret_expires_at__isnull=False
    )
    assert kept.exists()
    overlap_ends()
    services.delete_ended_records()
    assert not kept.exists()


def test_a_webhook_that_is_gone_has_none(made: tuple[Webhook, str]) -> None:
    delete_webhook(made[0])
    with pytest.raises(WebhookNotFound):
        rotate_secret(made[0].id, overlap=DAY)
