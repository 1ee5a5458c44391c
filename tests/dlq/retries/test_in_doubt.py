"""Tests of work that was done but whose result could not be stored.

The result is stored later, or a person decides whether the work is done again.
"""

from datetime import timedelta
from io import StringIO

import pytest
import redis
from django.conf import settings
from django.core.management import call_command
from django.db.models import F
from django.test import Client
from rest_framework.test import APIClient

from dlq import services, tasks
from dlq.models import Failure
from dlq.retries import runner
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.dlq.conftest import Lamp, capture_failure, make_due, reload
from tests.dlq.worker_tasks import RESULTS, RUNS
from tests.dlq.workers import database_outage, prefork_worker, runs, wait_for


def allow_end_of_work() -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.rpush(f"{RUNS}.allowed", "1")


def start_charge(guest: str) -> Failure:
    """Start a retry that charges a guest. The guest must not be charged twice.

    Return as soon as the worker has begun the retry.
    """
    captured = services.capture(
        is_task=False,
        source="tests",
        name="tests.dlq.charge",
        payload={"guest": guest},
        error=ZeroDivisionError(),
    )
    failure = Failure.objects.get(id=captured.id)
    make_due(failure)
    tasks.retry_due.delay([str(failure.id)])
    wait_for(lambda: guest in runs())
    return failure


@pytest.mark.django_db(transaction=True)
def test_work_that_succeeds_during_a_postgresql_outage_is_not_done_again(
    hotel: Hotel,
) -> None:
    with hotel_context(hotel), prefork_worker():
        short = start_charge("short outage")
        with database_outage():
            allow_end_of_work()
            wait_for(lambda: "not stored" in runs(RESULTS))
        wait_for(lambda: "stored" in runs(RESULTS))
        assert reload(short).status == "resolved"

        long = start_charge("long outage")
        noted = runs(RESULTS).count("not stored")
        with database_outage():
            allow_end_of_work()
            wait_for(lambda: runs(RESULTS).count("not stored") == noted + 3)
        Failure.objects.filter(id=long.id).update(claimed_until=F("created_at") - timedelta(seconds=1))
        runner.retry_due(failure_id=long.id)
        assert reload(long).status == "in_doubt"
        runner.retry_due(failure_id=long.id)
    assert [runs().count(guest) for guest in ("short outage", "long outage")] == [1, 1]


@pytest.mark.django_db
def test_person_can_see_retry_and_discard_failures_in_doubt(
    hotel: Hotel, lamp: Lamp, api: APIClient, staff: Client
) -> None:
    with hotel_context(hotel):
        failures = [capture_failure(room=str(number)) for number in range(3)]
        Failure.objects.update(status="in_doubt", next_retry_at=None)
        for failure in failures:
            runner.retry_due(failure_id=failure.id)
    assert lamp.retried == []
    url = "/api/v1/dlq/entries/"
    assert len(api.get(url, {"status": "in_doubt"}).json()["results"]) == 3
    assert "outcome unknown" in staff.get("/admin/dlq/failure/?status__exact=in_doubt").content.decode()
    assert api.post(f"{url}{failures[0].id}/retry/").json()["status"] == "scheduled"
    discarded = api.post(f"{url}{failures[1].id}/discard/", {"reason": "charged at the desk"})
    assert discarded.json()["status"] == "discarded"
    call_command("dlq_retry", str(failures[2].id), "--hotel", hotel.slug, stdout=StringIO())
    with hotel_context(hotel):
        assert reload(failures[2]).status == "scheduled"
