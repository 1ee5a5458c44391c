"""Tests that secret fields of payloads are encrypted in the database, and that only the retry handler gets them."""

import json
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from dlq import payloads, services
from dlq.errors import FailureNotRetryable
from dlq.kinds import registry
from dlq.kinds.registry import Kind
from dlq.models import Failure
from dlq.retries import runner
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.dlq.conftest import NAME, Lamp, LampError, make_due, reload

pytestmark = pytest.mark.django_db

CARD = "tok-4242-secret"
PAYLOAD = {
    "room": "12",
    "card": {"number": CARD, "year": 2031},
    "guests": [{"name": "Zoraida", "pin": "98765"}],
}
SCHEMA = {"properties": {"room": {"type": "string"}, "card": {"type": "object"}, "guests": {"type": "array"}}}


@pytest.fixture(autouse=True)
def kind(monkeypatch: pytest.MonkeyPatch, lamp: Lamp) -> Kind:
    kind = Kind(
        name=NAME,
        handler=lamp.handle,
        schema=SCHEMA,
        personal_fields=["guests.*.name"],
        secret_fields=["card", "card.number", "guests.*.pin"],
    )
    monkeypatch.setitem(registry._kinds, NAME, kind)
    return kind


def capture(payload: Any = PAYLOAD, error: Exception | None = None) -> Failure:
    captured = services.capture(
        is_task=False, source="tests", name=NAME, payload=payload, error=error or LampError()
    )
    return Failure.objects.get(id=captured.id)


def stored_text() -> str:
    """Return everything that the tables of the dead-letter queue and of the audit trail contain, as text."""
    tables = ("dlq_failure", "dlq_attempt", "dlq_failuregroup", "audit_event")
    with connection.cursor() as cursor:
        texts = []
        for table in tables:
            cursor.execute(f"SELECT coalesce(json_agg(t)::text, '') FROM {table} AS t")
            texts.append(cursor.fetchone()[0])
    return "".join(texts)


def is_stored(text: str) -> bool:
    """Return whether the database contains the text in a text column or in a `bytea` column."""
    return text in stored_text() or text.encode().hex() in stored_text()


def test_secret_fields_are_stored_encrypted_and_decrypted_for_the_handler(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    failure = capture()
    assert is_stored("Zoraida")  # the control: the guest's name is not a secret field
    assert not is_stored(CARD)
    assert not is_stored("98765")
    assert failure.payload == {
        "room": "12",
        "card": "[secret]",
        "guests": [{"name": "Zoraida", "pin": "[secret]"}],
    }
    make_due(failure)
    runner.retry_due(failure_id=failure.id)
    assert lamp.retried == [PAYLOAD]
    assert not is_stored(CARD)


def test_secret_fields_are_masked_in_the_rest_api_and_in_the_admin(
    api: APIClient, staff: Any, hotel: Hotel
) -> None:
    with hotel_context(hotel):
        failure = capture()
    for text in (
        api.get(f"/api/v1/dlq/entries/{failure.id}/").content.decode(),
        staff.get(f"/admin/dlq/failure/{failure.id}/change/").content.decode(),
    ):
        assert "[secret]" in text
        assert CARD not in text


def test_stored_error_messages_contain_no_secret_or_personal_values_of_the_payload(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    failure = capture(error=LampError(f"Zoraida paid with {CARD} in 12"))
    assert failure.error_message == "[redacted] paid with [redacted] in 12"
    lamp.fail(f"no money on {CARD} of Zoraida")
    make_due(failure)
    runner.retry_due(failure_id=failure.id)
    assert reload(failure).error_message == "no money on [redacted] of [redacted]"
    assert not is_stored(CARD)


@pytest.mark.parametrize("value", ["nul \0", float("inf"), {1: "one"}, {1, 2}], ids=str)
def test_secret_value_that_jsonb_cannot_store_is_encrypted(in_hotel: Hotel, value: object) -> None:
    failure = capture({"room": "12", "card": {"number": CARD, "value": value}})
    assert (failure.payload["card"], failure.status) == ("[secret]", "scheduled")
    restored = payloads.restore(failure)["card"]
    assert restored == {"number": CARD, "value": value} or isinstance(value, set)
    assert CARD in str(restored)
    assert not is_stored(CARD)


def test_payload_that_does_not_match_its_schema_is_encrypted_as_a_whole(in_hotel: Hotel) -> None:
    wrong = {"room": 12, "cards": [CARD]}
    failure = capture(wrong, error=LampError(f"cannot charge {CARD}"))
    assert (failure.status, failure.payload) == ("permanent", "[secret]")
    assert payloads.restore(failure) == wrong
    assert not is_stored(CARD)


def test_bytes_of_a_message_that_cannot_be_decoded_are_encrypted(in_hotel: Hotel) -> None:
    failure = capture(payloads.StoredPayload({"text": CARD}, f"{{{CARD}".encode(), "application/json"))
    assert failure.status == "permanent"
    assert not is_stored(CARD)
    with pytest.raises(FailureNotRetryable):
        services.retry(failure_id=failure.id)


def test_payloads_that_differ_only_in_a_secret_are_stored_as_two_failures(in_hotel: Hotel) -> None:
    other = {**PAYLOAD, "card": {"number": "another"}}
    assert capture().id == capture(json.loads(json.dumps(PAYLOAD))).id
    assert capture(other).id != capture().id


def test_secrets_copied_to_another_failure_or_hotel_cannot_be_decrypted(
    hotel: Hotel, other_hotel: Hotel
) -> None:
    with hotel_context(hotel):
        failure, other = capture(), capture({**PAYLOAD, "room": "13"})
        assert payloads.restore(failure) == PAYLOAD
        other.secrets = failure.secrets
        with pytest.raises(FailureNotRetryable, match="SECRET_KEY"):
            payloads.restore(other)
    with hotel_context(other_hotel), pytest.raises(FailureNotRetryable, match="SECRET_KEY"):
        payloads.restore(failure)
