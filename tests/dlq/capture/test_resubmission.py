"""Tests that an interrupted retry never loses a failure.

ServiceBusExplorer#476 reports such a loss: the failure was deleted before its copy arrived in the queue.
"""

from typing import Any

import pytest
from celery import current_app
from django.db import DatabaseError, connection, transaction

from dlq import services
from dlq.models import Failure
from dlq.retries import runner
from tenants.context import hotel_context
from tenants.models import DueItem, Hotel
from tests.broker import close_broker_connections
from tests.dlq.conftest import Lamp, capture_failure, failing_task, reload


def lose_connection() -> None:
    """End the database session of this process, as a crash of the process or of the server does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def retry_and_lose_connection(failure: Failure) -> None:
    with transaction.atomic():
        services.retry(failure_id=failure.id)
        lose_connection()


def move(failure: Failure, queue: list[dict[str, Any]]) -> None:
    """Delete the failure, and then send a copy of the failure to the queue, as other tools do.

    The connection is lost between these two steps.
    """
    failure.delete()
    lose_connection()
    queue.append(failure.payload)


@pytest.mark.django_db(transaction=True)
def test_retry_that_is_interrupted_before_its_commit_changes_nothing(hotel: Hotel, lamp: Lamp) -> None:
    """An interrupted retry keeps the failure.

    For comparison, `move` deletes the failure and then sends a copy of its message to the queue, as other tools do.
    If `move` is interrupted between these two steps, the failure is deleted and no copy is sent.
    """
    with hotel_context(hotel):
        failure = capture_failure(retry=False, room="1")
        with pytest.raises(DatabaseError):
            retry_and_lose_connection(failure)
        connection.close()
        kept = reload(failure)
        assert (kept.status, kept.payload) == ("permanent", {"lamp": 1, "room": "1"})
        assert not DueItem.objects.filter(item_id=failure.id).exists()

        sent: list[dict[str, Any]] = []
        with pytest.raises(DatabaseError):
            move(failure, sent)
        connection.close()
        assert (Failure.objects.count(), sent) == (0, [])


@pytest.mark.django_db
def test_failure_whose_task_cannot_be_sent_is_kept_and_scheduled_again(
    in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(current_app.conf, "broker_url", "redis://127.0.0.1:1/0")
    close_broker_connections()
    payload = {"args": [-1], "kwargs": {"colour": "blue"}}
    captured = services.capture(
        is_task=True, source="tests", name=failing_task.name, payload=payload, error=ValueError("dark")
    )
    services.retry(failure_id=captured.id)
    runner.retry_due(failure_id=captured.id)
    monkeypatch.undo()
    close_broker_connections()
    failure = Failure.objects.get()
    assert (failure.status, failure.payload, failure.retries) == ("scheduled", payload, 1)
    assert "OperationalError" in failure.error_type
