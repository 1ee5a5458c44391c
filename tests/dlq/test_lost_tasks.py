"""Tests that no task is lost, whatever ends it: the hard time limit, a killed process, or a database that is down."""

import pytest

from dlq import services, tasks
from dlq.models import Failure
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel
from tests.dlq.worker_tasks import fail, fail_by_signal, hang
from tests.dlq.workers import database_outage, messages, prefork_worker, runs, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def test_task_that_exceeds_the_hard_time_limit_is_captured_in_its_hotel_and_its_retry_as_an_attempt(
    hotel: Hotel,
) -> None:
    with hotel_context(hotel):
        hang.delay("Ana")
        with prefork_worker():
            failure = wait_for(lambda: Failure.objects.filter(name=hang.name).first())
            assert failure.payload == {"args": ["Ana"], "kwargs": {}}
            assert "TimeLimitExceeded" in failure.error_type
            services.retry(failure_id=failure.id)
            tasks.retry_due.delay([str(failure.id)])
            wait_for(lambda: Failure.objects.filter(retries=1, status="scheduled").first())
        assert (Failure.objects.count(), failure.attempts.count()) == (1, 2)
    with platform_context():
        assert not Failure.objects.exists()


def test_task_that_fails_while_postgresql_is_down_is_captured_later(hotel: Hotel) -> None:
    with prefork_worker():
        with hotel_context(hotel):
            fail.delay("before")
            wait_for(lambda: Failure.objects.filter(name=fail.name).first())
        with database_outage():
            with hotel_context(hotel):
                fail.delay("Ana")
                fail_by_signal.delay("control")
            wait_for(lambda: "control" in runs())
            wait_for(lambda: any(b'"redelivered": true' in message for message in messages()))
        wait_for(lambda: not messages())
    with hotel_context(hotel):
        assert {tuple(failure.payload["args"]) for failure in Failure.objects.all()} == {
            ("before",),
            ("Ana",),
        }
    with platform_context():
        assert not Failure.objects.exists()  # the control was lost
