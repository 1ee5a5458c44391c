"""Tests of groups of failures: the times and code versions of their errors, and errors that occur again."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from audit.reading.search import timeline
from dlq import services
from dlq.events import NAMES
from dlq.groups.models import FailureGroup
from dlq.models import Failure
from dlq.retries import attempts
from hotelagent.celery import app
from tenants.context import hotel_context
from tenants.database.clock import database_now
from tenants.models import Hotel
from tests.dlq.conftest import Lamp, LampError, capture_failure, make_due


def group_of(failure: Failure) -> Any:
    return FailureGroup.objects.with_state().get(fingerprint=failure.fingerprint)


def make_older(fingerprint: str, age: timedelta) -> None:
    """Change the group so that its latest failure seems to have been captured earlier."""
    FailureGroup.objects.filter(fingerprint=fingerprint).update(last_seen_at=Now() - age)


def regressions(fingerprint: str) -> list[str]:
    return [event.data["version"] for event in timeline(kind="failure_group", identifier=fingerprint)]


@pytest.mark.django_db
def test_group_stores_when_and_in_which_code_versions_its_error_occurred(
    in_hotel: Hotel, lamp: Lamp, settings: Any
) -> None:
    settings.CODE_VERSION = "v1"
    failure = capture_failure(number=1)
    make_older(failure.fingerprint, timedelta(minutes=1))
    settings.CODE_VERSION = "v2"
    capture_failure(number=2)
    group = group_of(failure)
    assert group.versions == ["v2", "v1"]
    assert database_now() - group.last_seen_at < timedelta(seconds=30)


@pytest.mark.django_db
def test_last_seen_time_is_not_written_again_within_ten_seconds(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = capture_failure(number=1)
    make_older(failure.fingerprint, timedelta(seconds=5))
    before = group_of(failure).last_seen_at
    capture_failure(number=2)
    assert group_of(failure).last_seen_at == before
    make_older(failure.fingerprint, timedelta(seconds=11))
    capture_failure(number=3)
    assert group_of(failure).last_seen_at > before


@pytest.mark.django_db(transaction=True)
def test_capture_does_not_wait_for_a_transaction_that_has_locked_the_group(hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(hotel):
        failure = capture_failure(number=1)
        make_older(failure.fingerprint, timedelta(minutes=1))

    def in_other_connection(operation: Callable[[], object]) -> None:
        try:
            with hotel_context(hotel), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '200ms'")
                operation()
        finally:
            connection.close()

    with hotel_context(hotel), ThreadPoolExecutor(1) as pool, transaction.atomic():
        capture_failure(number=2)  # the capture updates the group's row
        pool.submit(in_other_connection, lambda: capture_failure(number=3)).result()
        # The control: an ordinary UPDATE of the group waits for the lock.
        with pytest.raises(OperationalError, match="lock timeout"):
            pool.submit(in_other_connection, lambda: FailureGroup.objects.update(note="")).result()
    with hotel_context(hotel):
        assert Failure.objects.count() == 3


@pytest.mark.django_db
def test_acknowledged_group_regresses_only_in_a_new_code_version(
    in_hotel: Hotel, lamp: Lamp, settings: Any
) -> None:
    settings.CODE_VERSION = "v1"
    failure = capture_failure(number=1)
    FailureGroup.objects.update(acknowledged_at=Now())
    make_older(failure.fingerprint, timedelta(minutes=1))
    capture_failure(number=2)
    assert group_of(failure).state == "acknowledged"
    settings.CODE_VERSION = "v2"
    capture_failure(number=3)
    capture_failure(number=4)
    group = group_of(failure)
    assert (group.state, group.regressed_version, group.acknowledged_at) == ("regressed", "v2", None)
    assert regressions(failure.fingerprint) == ["v2"]


@pytest.mark.django_db
def test_acknowledged_group_regresses_if_a_retry_fails_in_a_new_code_version(
    in_hotel: Hotel, lamp: Lamp, settings: Any
) -> None:
    settings.CODE_VERSION = "v1"
    failure = capture_failure()
    lamp.fail()
    make_due(failure)
    claimed = attempts.claim(failure_id=failure.id)
    assert claimed
    FailureGroup.objects.update(acknowledged_at=Now())
    settings.CODE_VERSION = "v2"
    attempts.record_failure(failure_id=failure.id, number=claimed.attempt, error=LampError("no current"))
    assert FailureGroup.objects.count() == 1
    assert group_of(failure).state == "regressed"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("days", "is_open", "state"), [(8, False, "regressed"), (8, True, "open"), (6, False, "open")]
)
def test_group_without_open_failures_regresses_when_it_occurs_again_after_a_week(
    in_hotel: Hotel, lamp: Lamp, days: int, is_open: bool, state: str
) -> None:
    failure = capture_failure(number=1)
    if not is_open:
        services.discard(failure_id=failure.id, reason="fixed")
    make_older(failure.fingerprint, timedelta(days=days))
    capture_failure(number=2)
    assert group_of(failure).state == state


@pytest.mark.django_db
def test_group_is_muted_until_the_given_time_or_number_of_failures(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = capture_failure(number=1)
    FailureGroup.objects.update(muted_from=failure.id, mute_limit=2)
    assert group_of(failure).state == "muted"
    capture_failure(number=2)
    assert group_of(failure).state == "muted"
    capture_failure(number=3)
    assert group_of(failure).state == "open"
    FailureGroup.objects.update(mute_limit=None, muted_until=Now() + timedelta(hours=1))
    assert group_of(failure).state == "muted"
    FailureGroup.objects.update(muted_until=F("muted_until") - timedelta(hours=1))
    assert group_of(failure).state == "open"


def test_each_task_of_the_project_has_a_label_for_staff() -> None:
    app.loader.import_default_modules()
    tasks = {
        name for name in app.tasks if name.partition(".")[0] in {"tenants", "audit", "locks", "reminders"}
    }
    assert len(tasks) > 15
    assert tasks - NAMES.keys() == set()
