"""Tests that a retry gets exactly the payload that was captured, with values of every type."""

import datetime
import decimal
import math
import uuid
from typing import Any

import pytest

from dlq import services
from dlq.errors import FailureNotRetryable
from dlq.models import Failure
from dlq.retries import runner
from tenants.models import Hotel
from tests.dlq.conftest import NAME, Lamp, LampError, make_due, reload

pytestmark = pytest.mark.django_db


def captured_failure(payload: dict[str, Any]) -> Failure:
    captured = services.capture(is_task=False, source="tests", name=NAME, payload=payload, error=LampError())
    return Failure.objects.get(id=captured.id)


@pytest.mark.parametrize(
    "value",
    [
        uuid.UUID(int=7),
        datetime.date(2026, 2, 28),
        datetime.datetime(2026, 2, 28, 12, 30, 15, 123456, tzinfo=datetime.UTC),
        datetime.time(12, 30),
        decimal.Decimal("10.10"),
        b"\x00\xff",
        1.0,
        2**70,
        {"__type__": "uuid", "__value__": "not a uuid"},
        {1: "one"},
    ],
    ids=str,
)
def test_automatic_retry_gets_a_payload_value_with_the_type_that_was_captured(
    in_hotel: Hotel, lamp: Lamp, value: object
) -> None:
    failure = captured_failure({"key": [value]})
    assert failure.status == "scheduled"
    make_due(failure)
    runner.retry_due(failure_id=failure.id)
    assert lamp.retried == [{"key": [value]}]
    assert type(lamp.retried[0]["key"][0]) is type(value)


@pytest.mark.parametrize("value", ["nul \0 inside", "half a pair \ud83d", math.inf, 1e300], ids=ascii)
def test_payload_that_jsonb_cannot_store_is_sent_unchanged_after_a_manual_retry(
    in_hotel: Hotel, lamp: Lamp, value: object
) -> None:
    failure = captured_failure({"key": [value]})
    assert (failure.status, list(failure.payload)) == ("permanent", ["key"])
    services.retry(failure_id=failure.id)
    lamp.fail()
    runner.retry_due(failure_id=failure.id)
    assert lamp.retried == [{"key": [value]}]
    assert reload(failure).status == "permanent"  # a failed manual retry is not followed by automatic retries


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("value", [object(), {1, 2}, nested(5_000)], ids=["object", "set", "nested"])
def test_payload_that_cannot_be_restored_is_kept_but_not_retried(
    in_hotel: Hotel, lamp: Lamp, value: object
) -> None:
    failure = captured_failure({"key": value})
    assert failure.status == "permanent"
    with pytest.raises(FailureNotRetryable):
        services.retry(failure_id=failure.id)
