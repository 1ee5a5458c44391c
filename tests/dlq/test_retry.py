from datetime import timedelta

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db.models import F

from audit.selectors import timeline
from dlq import attempts, services
from dlq.errors import FailureNotFound, FailureNotRetryable, FailureStateError, NonRetryableError
from dlq.models import Failure, Outcome
from hotelagent.core.ids import uuid7
from tenants.context import platform_context
from tenants.database.clock import database_now
from tenants.models import DueItem, Hotel
from tests.dlq.conftest import Broken, Lamp, captured, make_due, reread

pytestmark = pytest.mark.django_db


def _try(failure: Failure) -> Failure:
    make_due(failure)
    attempts.retry_due(failure_id=failure.id)
    return reread(failure)


def _due_items(failure: Failure) -> list[DueItem]:
    with platform_context():
        return list(DueItem.objects.filter(item_id=failure.id))


def test_a_retry_that_works_resolves_it_and_keeps_it(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = _try(captured(room="12"))
    assert lamp.sent == [{"lamp": 1, "room": "12"}]
    assert (failure.status, failure.attempts) == ("resolved", 1)
    assert [attempt.outcome for attempt in failure.tries.all()] == [Outcome.FAILED, Outcome.SUCCEEDED]
    assert _due_items(failure) == []


def test_a_retry_that_fails_is_counted_as_failed_and_nothing_is_deleted(in_hotel: Hotel, lamp: Lamp) -> None:
    lamp.breaks("still no current")
    failure = _try(captured())
    assert (failure.status, failure.attempts, failure.error_message) == ("scheduled", 1, "still no current")
    first, second = failure.tries.all()
    assert (first.error_message, second.error_message) == ("no current", "still no current")
    assert second.outcome == Outcome.FAILED
    assert second.ended_at is not None
    [due] = _due_items(failure)
    assert due.due_at == failure.next_retry_at


def test_after_three_failed_retries_it_is_permanent(in_hotel: Hotel, lamp: Lamp) -> None:
    lamp.breaks()
    failure = captured()
    statuses = [_try(failure).status for _ in range(3)]
    assert statuses == ["scheduled", "scheduled", "permanent"]
    assert len(lamp.sent) == 3
    assert reread(failure).tries.count() == 4
    assert _due_items(failure) == []


def test_the_waits_grow(in_hotel: Hotel, lamp: Lamp) -> None:
    lamp.breaks()
    failure = captured()
    for seconds in (120, 240):
        before = database_now()
        after = _try(failure).next_retry_at
        assert after is not None
        assert 0.9 * seconds <= (after - before).total_seconds() <= 1.1 * seconds + 5


def test_it_is_not_tried_before_its_time(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = captured()
    attempts.retry_due(failure_id=failure.id)
    assert lamp.sent == []
    assert reread(failure).status == "scheduled"


@pytest.mark.parametrize("status", ["retrying", "resolved", "permanent", "discarded"])
def test_only_what_is_scheduled_is_tried(in_hotel: Hotel, lamp: Lamp, status: str) -> None:
    failure = captured()
    make_due(failure)
    Failure.objects.filter(id=failure.id).update(
        status=status, claimed_until=F("created_at") + timedelta(hours=1)
    )
    attempts.retry_due(failure_id=failure.id)
    assert lamp.sent == []
    assert reread(failure).status == status


def test_an_unknown_id_is_nothing_to_do(in_hotel: Hotel, lamp: Lamp) -> None:
    attempts.retry_due(failure_id=uuid7())


def test_a_retrier_that_gives_up_ends_the_retries(in_hotel: Hotel, lamp: Lamp) -> None:
    def refuse(_failure: Failure) -> None:
        raise NonRetryableError from Broken("550 no such lamp")

    lamp.behave = refuse
    failure = _try(captured())
    assert (failure.status, failure.error_message) == ("permanent", "550 no such lamp")


def test_after_a_week_it_is_not_tried_by_itself_but_kept(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = captured()
    Failure.objects.filter(id=failure.id).update(expires_at=F("created_at") - timedelta(seconds=1))
    assert _try(failure).status == "permanent"
    assert lamp.sent == []
    assert timeline(kind="failure", identifier=failure.id)[0].event == "failure.expired"


def test_a_worker_that_died_is_a_lost_attempt_and_the_next_one_follows(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = captured()
    make_due(failure)
    assert attempts.claim(failure_id=failure.id) is not None  # and dies
    [due] = _due_items(failure)
    assert due.due_at == reread(failure).claimed_until
    Failure.objects.filter(id=failure.id).update(claimed_until=F("created_at") - timedelta(seconds=1))
    attempts.retry_due(failure_id=failure.id)
    failure = reread(failure)
    assert failure.status == "scheduled"
    assert [attempt.outcome for attempt in failure.tries.all()] == [Outcome.FAILED, Outcome.LOST]
    assert _try(failure).status == "resolved"


def test_what_kills_every_worker_is_given_up(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = captured()
    for _ in range(3):
        make_due(failure)
        assert attempts.claim(failure_id=failure.id) is not None
        Failure.objects.filter(id=failure.id).update(claimed_until=F("created_at") - timedelta(seconds=1))
        attempts.retry_due(failure_id=failure.id)
    assert reread(failure).status == "permanent"


def test_a_worker_that_comes_back_after_its_claim_ended_changes_nothing(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = captured()
    make_due(failure)
    late = attempts.claim(failure_id=failure.id)
    assert late is not None
    Failure.objects.filter(id=failure.id).update(claimed_until=F("created_at") - timedelta(seconds=1))
    attempts.retry_due(failure_id=failure.id)
    assert not attempts.succeeded(failure_id=failure.id, number=late.attempts)
    assert not attempts.failed(failure_id=failure.id, number=late.attempts, error=Broken())
    assert reread(failure).status == "scheduled"


def test_running_out_of_time_is_a_failed_attempt_and_stops_the_batch(in_hotel: Hotel, lamp: Lamp) -> None:
    def takes_for_ever(_failure: Failure) -> None:
        raise SoftTimeLimitExceeded

    lamp.behave = takes_for_ever
    failure = captured()
    make_due(failure)
    with pytest.raises(SoftTimeLimitExceeded):
        attempts.retry_due(failure_id=failure.id)
    assert reread(failure).status == "scheduled"


def test_a_person_can_have_it_sent_again_after_it_was_given_up(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = captured(retry=False)
    services.retry(failure_id=failure.id)
    assert reread(failure).status == "scheduled"
    [due] = _due_items(failure)
    assert due.due_at <= database_now()
    attempts.retry_due(failure_id=failure.id)
    assert reread(failure).status == "resolved"


def test_once_more_after_three_that_failed_is_one_try_and_then_permanent_again(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    lamp.breaks()
    failure = captured()
    for _ in range(3):
        _try(failure)
    services.retry(failure_id=failure.id)
    attempts.retry_due(failure_id=failure.id)
    failure = reread(failure)
    assert (failure.status, failure.attempts) == ("permanent", 4)


@pytest.mark.parametrize("status", ["retrying", "resolved", "discarded"])
def test_what_is_not_waiting_is_neither_retried_nor_discarded(
    in_hotel: Hotel, lamp: Lamp, status: str
) -> None:
    failure = captured()
    Failure.objects.filter(id=failure.id).update(status=status)
    with pytest.raises(FailureStateError) as refused:
        services.retry(failure_id=failure.id)
    assert refused.value.extra == {"state": status}
    with pytest.raises(FailureStateError):
        services.discard(failure_id=failure.id, reason="a test")
    assert reread(failure).status == status


def test_what_nobody_here_can_send_again_says_so(in_hotel: Hotel) -> None:
    with pytest.raises(FailureNotRetryable):
        services.retry(failure_id=captured().id)


def test_what_is_not_there_is_said_to_be_missing(in_hotel: Hotel) -> None:
    with pytest.raises(FailureNotFound):
        services.retry(failure_id=uuid7())


def test_a_discard_keeps_the_entry_and_the_reason(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = captured()
    services.discard(failure_id=failure.id, reason="the guest called")
    failure = reread(failure)
    assert (failure.status, failure.discard_reason) == ("discarded", "the guest called")
    assert _due_items(failure) == []


def test_the_trail_tells_each_act(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = captured(retry=False)
    services.retry(failure_id=failure.id)
    lamp.breaks()
    attempts.retry_due(failure_id=failure.id)
    lamp.behave = lambda _failure: None
    _try(failure)
    told = [event.event for event in timeline(kind="failure", identifier=failure.id)]
    assert told == [
        "failure.resolved",
        "failure.retry_failed",
        "failure.retry_requested",
        "failure.captured",
    ]
