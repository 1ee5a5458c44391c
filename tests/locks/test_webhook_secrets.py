"""Tests of the rotation of signing secrets: the receiver can verify each request with a valid secret."""

import datetime
from typing import Any

import pytest
from django.db import connection

from locks import services
from locks.webhooks.errors import WebhookNotFound
from locks.webhooks.event_types import WebhookEvent
from locks.webhooks.models import Webhook
from locks.webhooks.services import create_webhook, delete_webhook, rotate_secret, send_test_delivery
from tests.locks.receiver import Receiver, verify

pytestmark = pytest.mark.django_db

DAY = datetime.timedelta(days=1)
NO_OVERLAP = datetime.timedelta(0)


@pytest.fixture
def webhook_and_secret(receiver: Receiver, in_hotel: Any) -> tuple[Webhook, str]:
    return create_webhook(url=receiver.url, event_types=WebhookEvent.values)


def verify_test_request(webhook: Webhook, receiver: Receiver, *secrets: str) -> list[bool]:
    """Send a test request to the webhook. Return a boolean for each secret.

    The boolean is True if the receiver can verify the request with the secret.
    """
    assert send_test_delivery(webhook.id).delivered
    headers, body = receiver.requests[-1]
    assert len(headers["webhook-signature"].split(" ")) <= 2
    return [verify(secret, headers, body) for secret in secrets]


def end_overlap() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE locks_webhook SET previous_secret_expires_at = clock_timestamp() - interval '1 second'"
        )


def test_requests_are_signed_with_both_secrets_until_the_previous_secret_expires(
    receiver: Receiver, webhook_and_secret: tuple[Webhook, str]
) -> None:
    webhook, old = webhook_and_secret
    changed, new = rotate_secret(webhook.id, overlap=DAY)
    assert changed.previous_secret_expires_at is not None
    assert verify_test_request(webhook, receiver, old, new) == [True, True]
    end_overlap()
    assert verify_test_request(webhook, receiver, old, new) == [False, True]


def test_rotation_without_overlap_invalidates_the_previous_secret_immediately(
    receiver: Receiver, webhook_and_secret: tuple[Webhook, str]
) -> None:
    webhook, old = webhook_and_secret
    _changed, new = rotate_secret(webhook.id, overlap=NO_OVERLAP)
    assert verify_test_request(webhook, receiver, old, new) == [False, True]


def test_second_rotation_invalidates_the_first_secret_before_it_expires(
    receiver: Receiver, webhook_and_secret: tuple[Webhook, str]
) -> None:
    webhook, first = webhook_and_secret
    _changed, second = rotate_secret(webhook.id, overlap=DAY)
    _changed, third = rotate_secret(webhook.id, overlap=DAY)
    assert verify_test_request(webhook, receiver, first, second, third) == [False, True, True]


def test_rotation_after_a_change_of_secret_key_makes_the_webhook_work_again(
    receiver: Receiver, webhook_and_secret: tuple[Webhook, str], settings: Any
) -> None:
    webhook, old = webhook_and_secret
    settings.SECRET_KEY = "another" * 10
    assert "Rotate the secret" in send_test_delivery(webhook.id).error
    _changed, new = rotate_secret(webhook.id, overlap=DAY)
    assert verify_test_request(webhook, receiver, old, new) == [False, True]


def test_clean_up_deletes_previous_webhook_secrets_that_have_expired(
    webhook_and_secret: tuple[Webhook, str],
) -> None:
    webhook, _old = webhook_and_secret
    rotate_secret(webhook.id, overlap=DAY)
    services.delete_ended_records()
    with_previous_secret = Webhook.objects.filter(
        encrypted_previous_secret__isnull=False, previous_secret_expires_at__isnull=False
    )
    assert with_previous_secret.exists()
    end_overlap()
    services.delete_ended_records()
    assert not with_previous_secret.exists()


def test_rotation_of_a_deleted_webhook_raises_webhook_not_found(
    webhook_and_secret: tuple[Webhook, str],
) -> None:
    delete_webhook(webhook_and_secret[0])
    with pytest.raises(WebhookNotFound):
        rotate_secret(webhook_and_secret[0].id, overlap=DAY)
