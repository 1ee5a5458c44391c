"""Tests of the metrics of failures. Each value equals a count of rows in the tables, even after a worker was killed."""

import multiprocessing
import os
import re
import signal
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from audit.models import Event
from dlq import tasks
from dlq.alerts import failure_counts
from dlq.alerts.models import FailureFigures
from dlq.groups.models import FailureGroup
from dlq.models import Attempt, Failure
from dlq.retention import clean_up as retention
from dlq.retries import attempts, runner
from hotelagent.core import metrics
from hotelagent.core.ids import first_uuid7_at
from tenants.context import hotel_context, platform_context
from tenants.database.clock import database_now
from tenants.models import DueItem, Hotel
from tenants.queue import dispatch
from tests.dlq.conftest import Lamp, capture_failure, make_due

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _always_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failure_counts, "MIN_INTERVAL", 0.0)
    monkeypatch.setattr(failure_counts, "MAX_SHARE", 1_000_000.0)


def read_page() -> dict[str, float]:
    """Return the metrics of failures on the page `/metrics`, by name and labels."""
    page = Client(SERVER_NAME="10.0.0.1", REMOTE_ADDR="127.0.0.1").get("/metrics").content.decode()
    assert "alpha" not in page
    samples = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name.startswith("dlq_") and not sample.name.endswith("_created"):
                labels = ",".join(sample.labels.values())
                samples[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return samples


def count_tables() -> dict[str, float]:
    """Count rows in the tables of the current hotel, and return the expected values of the metrics."""
    retries = Attempt.objects.filter(number__gt=0)
    counts: dict[str, float] = {
        "dlq_messages_total{task}": Failure.objects.filter(is_task=True).count(),
        "dlq_messages_total{message}": Failure.objects.filter(is_task=False).count(),
        "dlq_permanent_failures_total": Event.objects.filter(data__status="permanent").count()
        + Event.objects.filter(event="failure.expired").count(),
        "dlq_messages_expired_total": Event.objects.filter(event="failure.expired").count(),
        "dlq_groups_total": FailureGroup.objects.count(),
        "dlq_retry_latency_seconds_count": retries.exclude(outcome="running").count(),
    }
    for outcome in ("succeeded", "failed", "lost"):
        counts[f"dlq_retries_total{{{outcome}}}"] = retries.filter(outcome=outcome).count()
    for status in ("scheduled", "retrying", "in_doubt", "permanent"):
        counts[f"dlq_queue_size{{{status}}}"] = Failure.objects.filter(status=status).count()
    return counts


def fail_and_retry(lamp: Lamp) -> None:
    """Store failures in several statuses, so that the tests can compare the metrics with the stored rows."""
    lamp.fail()
    failed, expired, running, resolved, _scheduled = (capture_failure(room=str(room)) for room in range(5))
    capture_failure(room="permanent", retry=False)
    Failure.objects.filter(id=expired.id).update(expires_at=F("created_at") - timedelta(days=1))
    for failure in (failed, expired):
        make_due(failure)
        runner.retry_due(failure_id=failure.id)
    make_due(running)
    attempts.claim(failure_id=running.id)
    lamp.behaviour = lambda _failure: None
    make_due(resolved)
    runner.retry_due(failure_id=resolved.id)


def test_metrics_equal_counts_over_the_tables_of_all_hotels(
    hotel: Hotel, other_hotel: Hotel, lamp: Lamp
) -> None:
    expected: dict[str, float] = {}
    for current in (hotel, other_hotel):
        with hotel_context(current):
            fail_and_retry(lamp)
            failure_counts.count_failures()
            for name, number in count_tables().items():
                expected[name] = expected.get(name, 0) + number
    page = read_page()
    assert {name: page[name] for name in expected} == expected
    assert expected["dlq_messages_total{message}"] == 12
    assert expected["dlq_messages_expired_total"] == 2
    assert page["dlq_retry_latency_seconds_bucket{+Inf}"] == page["dlq_retry_latency_seconds_count"] == 4
    assert 0 < page["dlq_oldest_message_age_seconds"] < 60


def capture_and_die(hotel: Hotel, counter: Counter) -> None:
    connection.close()
    with hotel_context(hotel):
        for room in range(3):
            capture_failure(room=str(room))
            counter.inc()
    os.kill(os.getpid(), signal.SIGKILL)


def test_metrics_include_the_failures_that_a_worker_captured_before_it_was_killed(
    hotel: Hotel,
) -> None:
    """As a negative control, a counter in the memory of the worker does not include these failures."""
    counter = Counter("captured", "Captured failures", registry=CollectorRegistry())
    connection.close()
    worker = multiprocessing.get_context("fork").Process(target=capture_and_die, args=[hotel, counter])
    worker.start()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL
    with hotel_context(hotel):
        failure_counts.count_failures()
        stored = Failure.objects.count()
    assert read_page()["dlq_messages_total{message}"] == stored == 3
    assert counter._value.get() == 0


def test_totals_do_not_decrease_when_old_failures_are_deleted(
    in_hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_and_retry(lamp)
    before = failure_counts.count_failures().totals
    # From now on, the metrics treat the counts of all rows as final.
    monkeypatch.setattr(failure_counts, "COMMIT_DELAY", timedelta(seconds=-10))
    monkeypatch.setattr(failure_counts, "ATTEMPT_DELAY", timedelta(seconds=-10))
    Failure.objects.filter(status="retrying").update(status="discarded", closed_at=database_now())
    assert failure_counts.count_failures().totals == before
    Failure.objects.update(status="discarded", closed_at=database_now() - timedelta(days=400))
    monkeypatch.setattr(retention, "first_uuid7_at", lambda _moment: uuid.UUID(int=2**128 - 1))
    retention.clean_up()
    assert not Failure.objects.exists()
    assert failure_counts.count_failures().totals == before
    assert failure_counts.count_failures().open_by_status == {}


def test_rows_of_a_running_transaction_are_counted_once_after_the_commit(in_hotel: Hotel, lamp: Lamp) -> None:
    capture_failure(room="1")
    assert failure_counts.count_failures().totals["messages:message"] == 1
    capture_failure(room="2")
    assert failure_counts.count_failures().totals["messages:message"] == 2
    assert failure_counts.count_failures().settled == {}


def test_failures_are_counted_for_metrics_at_most_once_per_minute(
    in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    failure_counts.count_failures()
    capture_failure()
    assert failure_counts.count_failures().totals == {}


def test_periodic_task_counts_the_failures_of_the_platform_and_of_each_hotel(
    hotel: Hotel, other_hotel: Hotel, eager: None
) -> None:
    for current in (hotel, other_hotel):
        with hotel_context(current):
            capture_failure()
    with platform_context():
        capture_failure()
        tasks.watch_all()
        dispatch.dispatch_due_items()
        assert FailureFigures.objects.count() == 3
        assert not DueItem.objects.filter(kind="failure_watch").exists()
    assert read_page()["dlq_messages_total{message}"] == 3


def test_totals_keep_the_failures_of_a_deleted_hotel_but_gauges_do_not(hotel: Hotel) -> None:
    with hotel_context(hotel):
        capture_failure()
        failure_counts.count_failures()
    with platform_context():
        FailureFigures.objects.filter(tenant_id=hotel.id).update(tenant_id=first_uuid7_at(database_now()))
    page = read_page()
    assert (page["dlq_messages_total{message}"], page["dlq_queue_size{scheduled}"]) == (1, 0)


def test_metrics_are_omitted_if_the_database_does_not_respond(monkeypatch: pytest.MonkeyPatch) -> None:
    [registered] = [entry for entry in metrics._database_metrics if entry.name == "dlq"]

    def fail() -> list[object]:
        raise OSError

    monkeypatch.setattr(registered, "read", fail)
    page = Client(SERVER_NAME="10.0.0.1", REMOTE_ADDR="127.0.0.1").get("/metrics").content.decode()
    assert not re.search("^dlq_", page, re.MULTILINE)
    assert "hotelagent_request_seconds" in page
