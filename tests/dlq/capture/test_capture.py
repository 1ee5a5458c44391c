"""Tests that failed messages are captured: stored in the dead-letter queue and scheduled for retries."""

import uuid
from datetime import timedelta

import pytest
from django.db import DataError, connection, transaction
from django.test.utils import CaptureQueriesContext

from audit.reading.search import timeline
from dlq import services
from dlq.error_reports import report_texts
from dlq.groups.models import FailureGroup
from dlq.kinds.registry import DEFAULT_DELAYS
from dlq.models import AttemptOutcome, Failure
from dlq.retries import schedule
from tenants.context import hotel_context, platform_context
from tenants.models import DueItem, Hotel
from tests.dlq.conftest import NAME, Lamp, LampError, capture_failure


@pytest.mark.django_db
def test_capture_stores_payload_source_and_error(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = capture_failure(room="12", nights=["2026-03-01", "2026-03-02"])
    failure.refresh_from_db()
    assert failure.payload == {"lamp": 1, "room": "12", "nights": ["2026-03-01", "2026-03-02"]}
    assert (failure.is_task, failure.source, failure.name) == (False, "tests", NAME)
    assert failure.error_type == "tests.dlq.conftest.LampError"
    assert failure.error_message == "no current"


@pytest.mark.django_db
def test_capture_stores_the_first_error_as_attempt_0(in_hotel: Hotel, lamp: Lamp) -> None:
    [attempt] = capture_failure().attempts.all()
    assert (attempt.number, attempt.outcome, attempt.error_message) == (
        0,
        AttemptOutcome.FAILED,
        "no current",
    )


@pytest.mark.django_db
def test_captured_failure_is_retried_after_a_minute_and_expires_after_a_week(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    failure = capture_failure()
    assert failure.status == "scheduled"
    assert failure.next_retry_at is not None
    delay = (failure.next_retry_at - failure.created_at).total_seconds()
    assert 54 <= delay <= 66.1
    assert (
        timedelta(days=6, hours=23) < failure.expires_at - failure.created_at <= timedelta(days=7, seconds=1)
    )


@pytest.mark.django_db
def test_capture_adds_an_item_to_the_due_queue_for_the_retry(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = capture_failure()
    with platform_context():
        item = DueItem.objects.get(hotel=in_hotel, kind="failure", item_id=failure.id)
    assert item.due_at == failure.next_retry_at


@pytest.mark.django_db
def test_failure_captured_with_retry_false_is_permanent(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = capture_failure(retry=False)
    assert (failure.status, failure.next_retry_at) == ("permanent", None)
    with platform_context():
        assert not DueItem.objects.filter(item_id=failure.id).exists()


@pytest.mark.django_db
def test_failure_captured_without_a_retry_handler_is_permanent(in_hotel: Hotel) -> None:
    assert capture_failure().status == "permanent"


@pytest.mark.django_db
def test_rollback_removes_the_captured_failure_and_its_due_item(in_hotel: Hotel, lamp: Lamp) -> None:
    with transaction.atomic():
        failure = capture_failure()
        transaction.set_rollback(True)
    assert not Failure.objects.filter(id=failure.id).exists()
    with platform_context():
        assert not DueItem.objects.filter(item_id=failure.id).exists()


@pytest.mark.django_db
def test_capture_of_the_same_failure_again_increments_its_occurrences(in_hotel: Hotel, lamp: Lamp) -> None:
    first = capture_failure()
    again = capture_failure()
    assert again.id == first.id
    assert again.occurrences == 2


@pytest.mark.django_db
def test_capture_with_another_payload_creates_a_second_failure_in_the_same_group(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    first, other = capture_failure(room="1"), capture_failure(room="2")
    assert first.id != other.id
    assert first.fingerprint == other.fingerprint


@pytest.mark.django_db
def test_capture_after_the_failure_was_discarded_creates_a_new_failure(in_hotel: Hotel, lamp: Lamp) -> None:
    first = capture_failure()
    services.discard(failure_id=first.id, reason="a test")
    assert capture_failure().id != first.id


@pytest.mark.django_db
def test_fingerprint_ignores_ids_dates_and_long_numbers(in_hotel: Hotel, lamp: Lamp) -> None:
    error_messages = [
        f"lamp {uuid.uuid4()} of booking {number} on 2026-03-0{number % 9 + 1}" for number in (10042, 90917)
    ]
    assert len({capture_failure(message=text, n=text).fingerprint for text in error_messages}) == 1
    assert (
        capture_failure(message="lamp is away", room="1").fingerprint
        != capture_failure(message="lamp is dark", room="2").fingerprint
    )


@pytest.mark.django_db
def test_captured_failure_is_stored_only_in_the_current_hotel(
    hotel: Hotel, other_hotel: Hotel, lamp: Lamp
) -> None:
    with hotel_context(hotel):
        failure = capture_failure()
    for other_context in (hotel_context(other_hotel), platform_context()):
        with other_context:
            assert not Failure.objects.filter(id=failure.id).exists()


@pytest.mark.django_db
def test_capture_is_recorded_in_the_audit_trail_without_the_payload(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = capture_failure(guest="Ana Silva")
    [event] = timeline(kind="failure", identifier=failure.id)
    assert event.event == "failure.captured"
    assert "Ana" not in str(event.fields)


@pytest.mark.django_db
def test_repeated_failure_is_recorded_when_its_count_doubles(in_hotel: Hotel, lamp: Lamp) -> None:
    failures = [capture_failure(work_key="lamp 1") for _ in range(9)]
    assert len({failure.id for failure in failures}) == 1
    events = timeline(kind="failure", identifier=failures[0].id).order_by("id")
    assert [(event.event, event.data.get("occurrences")) for event in events] == [
        ("failure.captured", None),
        ("failure.repeated", 2),
        ("failure.repeated", 4),
        ("failure.repeated", 8),
    ]


@pytest.mark.django_db
def test_capture_shortens_long_messages_and_keeps_the_end_of_tracebacks(in_hotel: Hotel, lamp: Lamp) -> None:
    report = report_texts(type="X", message="m" * 10_000, traceback="t" * 100_000 + "the innermost frame")
    captured = services.capture(is_task=False, source="tests", name=NAME, payload={}, error=report)
    failure = Failure.objects.with_traceback().get(id=captured.id)
    assert len(failure.error_message) == 2_000
    assert failure.traceback.endswith("the innermost frame")
    assert len(failure.traceback) == 20_000


def test_retry_delays_are_one_two_and_four_minutes_with_jitter() -> None:
    for retries, seconds in enumerate((60, 120, 240)):
        delays = {schedule.retry_delay(retries, delays=DEFAULT_DELAYS) for _ in range(200)}
        assert len(delays) > 100
        assert all(delay and 0.9 * seconds <= delay.total_seconds() <= 1.1 * seconds for delay in delays)
    assert schedule.retry_delay(3, delays=DEFAULT_DELAYS) is None


@pytest.mark.django_db
def test_capture_executes_at_most_two_statements(in_hotel: Hotel, lamp: Lamp) -> None:
    with CaptureQueriesContext(connection) as queries:
        services.capture(is_task=False, source="tests", name=NAME, payload={}, error=LampError())
    statements = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
    assert len(statements) <= 2, statements


@pytest.mark.django_db
def test_repeated_errors_of_a_permanent_failure_store_attempts_and_one_regression_event(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    first = capture_failure(retry=False)
    for message in ("no lamp", "no house"):
        again = capture_failure(message=message, retry=False)
        assert (again.id, again.status, again.error_message) == (first.id, "permanent", message)
    assert again.regressed_at is not None
    assert [attempt.error_message for attempt in again.attempts.all()] == [
        "no current",
        "no lamp",
        "no house",
    ]
    recorded = [event.event for event in timeline(kind="failure", identifier=first.id)]
    assert recorded == ["failure.regressed", "failure.captured"]
    services.retry(failure_id=first.id)
    assert Failure.objects.get().regressed_at is None


@pytest.mark.django_db
def test_another_error_of_the_same_work_updates_the_open_failure(in_hotel: Hotel, lamp: Lamp) -> None:
    first = capture_failure(message="no current")
    assert capture_failure(message="no lamp").id == first.id
    assert capture_failure(work_key="lamp-1").id != first.id
    assert capture_failure(work_key="lamp-1", room="12").occurrences == 2


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "error",
    [
        UnprintableError(),
        type("E" * 500, (Exception,), {})("x"),
        LampError("\0 \ud83d"),
        LampError("x" * 5_000_000),
    ],
    ids=["unprintable", "long type", "invalid text", "long message"],
)
def test_capture_of_an_error_with_unstorable_values_creates_a_failure(
    in_hotel: Hotel, lamp: Lamp, error: Exception
) -> None:
    captured = services.capture(is_task=False, source="tests" * 50, name="n" * 500, payload={}, error=error)
    assert Failure.objects.get(id=captured.id).error_type


@pytest.mark.django_db(transaction=True)
def test_capture_in_a_transaction_that_has_failed_is_committed_separately(hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(hotel):
        with transaction.atomic(), connection.cursor() as cursor:
            with pytest.raises(DataError):
                cursor.execute("SELECT 1/0")
            failure_id = services.capture(
                is_task=False, source="tests", name=NAME, payload={}, error=LampError()
            ).id
            transaction.set_rollback(True)
        assert Failure.objects.get().id == failure_id


@pytest.mark.django_db
def test_failures_of_a_group_share_one_traceback(in_hotel: Hotel, lamp: Lamp) -> None:
    first, second = capture_failure(room="1"), capture_failure(room="2")
    assert FailureGroup.objects.get().fingerprint == first.fingerprint == second.fingerprint
    tracebacks = Failure.objects.with_traceback().values_list("traceback", flat=True)
    assert len(set(tracebacks)) == 1
    assert "LampError" in tracebacks[0]
