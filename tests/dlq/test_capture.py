import uuid
from datetime import timedelta

import pytest
from django.db import transaction

from audit.selectors import timeline
from dlq import policy, services
from dlq.models import Failure, Kind, Outcome
from dlq.reports import reported
from tenants.context import hotel_context, platform_context
from tenants.models import DueItem, Hotel
from tests.dlq.conftest import NAME, Broken, Lamp, captured


@pytest.mark.django_db
def test_it_keeps_all_that_sending_again_needs(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = captured(room="12", nights=["2026-03-01", "2026-03-02"])
    failure.refresh_from_db()
    assert failure.payload == {"lamp": 1, "room": "12", "nights": ["2026-03-01", "2026-03-02"]}
    assert (failure.kind, failure.source, failure.name) == ("message", "tests", NAME)
    assert failure.error_type == "tests.dlq.conftest.Broken"
    assert failure.error_message == "no current"


@pytest.mark.django_db
def test_the_first_failure_is_attempt_number_0(in_hotel: Hotel, lamp: Lamp) -> None:
    [attempt] = captured().tries.all()
    assert (attempt.number, attempt.outcome, attempt.error_message) == (0, Outcome.FAILED, "no current")


@pytest.mark.django_db
def test_it_is_due_in_about_a_minute_and_lives_a_week(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = captured()
    assert failure.status == "scheduled"
    assert failure.next_retry_at is not None
    wait = (failure.next_retry_at - failure.created_at).total_seconds()
    assert 54 <= wait <= 66.1
    assert (
        timedelta(days=6, hours=23) < failure.expires_at - failure.created_at <= timedelta(days=7, seconds=1)
    )


@pytest.mark.django_db
def test_the_due_queue_has_it_at_that_moment(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = captured()
    with platform_context():
        due = DueItem.objects.get(hotel=in_hotel, kind="failure", item_id=failure.id)
    assert due.due_at == failure.next_retry_at


@pytest.mark.django_db
def test_what_can_t_be_helped_waits_for_a_person(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = captured(retry=False)
    assert (failure.status, failure.next_retry_at) == ("permanent", None)
    with platform_context():
        assert not DueItem.objects.filter(item_id=failure.id).exists()


@pytest.mark.django_db
def test_what_nobody_here_can_send_again_waits_for_a_person(in_hotel: Hotel) -> None:
    assert captured().status == "permanent"


@pytest.mark.django_db
def test_a_rollback_takes_the_failure_and_its_due_item_along(in_hotel: Hotel, lamp: Lamp) -> None:
    with transaction.atomic():
        failure = captured()
        transaction.set_rollback(True)
    assert not Failure.objects.filter(id=failure.id).exists()
    with platform_context():
        assert not DueItem.objects.filter(item_id=failure.id).exists()


@pytest.mark.django_db
def test_the_same_failure_of_the_same_work_is_one_entry_seen_twice(in_hotel: Hotel, lamp: Lamp) -> None:
    first = captured()
    again = captured()
    assert again.id == first.id
    assert again.occurrences == 2


@pytest.mark.django_db
def test_other_work_that_fails_alike_is_an_entry_of_its_own_in_the_same_group(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    first, other = captured(room="1"), captured(room="2")
    assert first.id != other.id
    assert first.fingerprint == other.fingerprint


@pytest.mark.django_db
def test_what_was_closed_and_fails_again_is_a_new_entry(in_hotel: Hotel, lamp: Lamp) -> None:
    first = captured()
    services.discard(failure_id=first.id, reason="a test")
    assert captured().id != first.id


@pytest.mark.django_db
def test_ids_dates_and_long_numbers_don_t_split_a_group(in_hotel: Hotel, lamp: Lamp) -> None:
    texts = [
        f"lamp {uuid.uuid4()} of booking {number} on 2026-03-0{number % 9 + 1}" for number in (10042, 90917)
    ]
    assert len({captured(text=text, n=text).fingerprint for text in texts}) == 1
    assert captured(text="lamp is away").fingerprint != captured(text="lamp is dark").fingerprint


@pytest.mark.django_db
def test_each_hotel_keeps_its_own(hotel: Hotel, other_hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(hotel):
        failure = captured()
    for elsewhere in (hotel_context(other_hotel), platform_context()):
        with elsewhere:
            assert not Failure.objects.filter(id=failure.id).exists()


@pytest.mark.django_db
def test_the_trail_says_that_it_arrived_and_nothing_of_its_payload(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = captured(guest="Ana Silva")
    [event] = timeline(kind="failure", identifier=failure.id)
    assert event.event == "failure.captured"
    assert "Ana" not in str(event.data)


@pytest.mark.django_db
@pytest.mark.parametrize("odd", ["nul \0 inside", "half a pair \ud83d", float("nan"), float("inf")])
def test_it_is_stored_whatever_stands_in_it(in_hotel: Hotel, lamp: Lamp, odd: object) -> None:
    failure = services.capture(
        kind=Kind.MESSAGE,
        source="tests",
        name=NAME,
        payload={"odd": [odd]},
        error=Broken(f"because of {odd}"),
    )
    failure.refresh_from_db()
    assert list(failure.payload) == ["odd"]


@pytest.mark.django_db
def test_a_very_long_error_is_cut_and_its_end_kept(in_hotel: Hotel, lamp: Lamp) -> None:
    long = reported(type="X", message="m" * 10_000, traceback="t" * 100_000 + "the innermost frame")
    failure = services.capture(kind=Kind.MESSAGE, source="tests", name=NAME, payload={}, error=long)
    assert len(failure.error_message) == 2_000
    assert failure.traceback.endswith("the innermost frame")
    assert len(failure.traceback) == 20_000


def test_the_delays_are_one_two_and_four_minutes_with_a_tenth_of_jitter() -> None:
    for attempts, seconds in enumerate((60, 120, 240)):
        waits = {policy.delay(attempts) for _ in range(200)}
        assert len(waits) > 100
        assert all(wait and 0.9 * seconds <= wait.total_seconds() <= 1.1 * seconds for wait in waits)
    assert policy.delay(3) is None
