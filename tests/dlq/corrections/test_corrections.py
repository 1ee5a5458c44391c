"""Tests of the service that corrects the payload of a failure and retries it."""

import decimal
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from celery import current_app

from audit.models import Event
from audit.reading.search import timeline
from dlq import payloads, services
from dlq.corrections import patches
from dlq.corrections.services import correct_and_retry
from dlq.errors import (
    FailureConflict,
    FailureNotFound,
    FailureNotRetryable,
    FailureStateError,
    InvalidPatch,
    InvalidPayload,
)
from dlq.kinds import registry
from dlq.kinds.registry import Kind
from dlq.models import Failure, FailureStatus
from dlq.redrives.models import Redrive, RedriveAction, RedriveResult
from dlq.redrives.refusals import TRAITS, Traits, refusal, with_traits
from dlq.retries import runner
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.dlq.conftest import NAME, Lamp, LampError, capture_failure, failing_task, make_due, reload

pytestmark = pytest.mark.django_db

SCHEMA = {
    "type": "object",
    "properties": {
        "lamp": {"type": "integer", "minimum": 1},
        "room": {"type": "string"},
        "to": {"type": "string", "format": "email"},
        "card": {"type": "object", "properties": {"number": {"type": "string"}}},
    },
    "required": ["lamp"],
}


@pytest.fixture
def declared(lamp: Lamp, monkeypatch: pytest.MonkeyPatch) -> Kind:
    """Declare the kind of the failures in these tests with a schema, a personal field and a secret field."""
    kind = Kind(
        name=NAME,
        handler=lamp.handle,
        schema=SCHEMA,
        personal_fields=("to",),
        secret_fields=("card.number",),
    )
    monkeypatch.setitem(registry._kinds, NAME, kind)
    return kind


def replace_with(payload: Any) -> Callable[[Any], Any]:
    return lambda _current: payload


def has_version(failure: Failure) -> Callable[[str], bool]:
    """Return a function that compares an entity tag with that of the failure, as for the header If-Match."""
    return lambda version: version == failure.version


def correct(failure: Failure, payload: Any) -> Failure:
    """Correct the failure if it still has the version that was read before."""
    correct_and_retry(failure_id=failure.id, may_change=has_version(failure), change=replace_with(payload))
    return reload(failure)


def run(failure: Failure) -> Failure:
    make_due(failure)
    runner.retry_due(failure_id=failure.id)
    return reload(failure)


def events_of(failure: Failure, name: str) -> list[Event]:
    return list(timeline(kind="failure", identifier=failure.id).filter(event=name).order_by("id"))


def test_corrected_payload_is_used_by_the_retry_and_the_original_is_kept(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = capture_failure(retry=False, to="ana@guests.exmaple.com")
    corrected = correct(failure, {"lamp": 1, "to": "ana@guests.example.com"})
    assert corrected.status == FailureStatus.SCHEDULED
    resolved = run(failure)
    assert resolved.status == FailureStatus.RESOLVED
    assert lamp.retried == [{"lamp": 1, "to": "ana@guests.example.com"}]
    assert resolved.payload == {"lamp": 1, "to": "ana@guests.exmaple.com"}


def test_second_correction_keeps_the_original_payload_and_records_a_second_event(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    lamp.fail()
    failure = capture_failure(retry=False, room="1")
    correct(failure, {"lamp": 1, "room": "2"})
    run(failure)
    corrected = correct(reload(failure), {"lamp": 1, "room": "2", "floor": 3})
    assert corrected.payload == {"lamp": 1, "room": "1"}
    assert corrected.corrected_payload == {"lamp": 1, "room": "2", "floor": 3}
    assert corrected.corrections == 2
    assert [event.fields["fields"] for event in events_of(failure, "failure.corrected")] == [
        ["/room"],
        ["/floor"],
    ]


def test_failure_that_occurs_again_after_its_correction_is_counted_and_stays_corrected(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    failure = capture_failure(room="1")
    corrected = correct(failure, {"lamp": 1, "room": "2"})
    assert corrected.work_key == failure.work_key
    again = capture_failure(room="1")
    assert (again.id, again.occurrences) == (failure.id, 2)
    assert again.corrected_payload == {"lamp": 1, "room": "2"}


def test_all_further_retries_use_the_corrected_payload(in_hotel: Hotel, lamp: Lamp) -> None:
    lamp.fail()
    failure = correct(capture_failure(retry=False), {"lamp": 2})
    statuses = [run(failure).status for _retry in range(3)]
    assert statuses == [FailureStatus.SCHEDULED, FailureStatus.SCHEDULED, FailureStatus.PERMANENT]
    assert lamp.retried == [{"lamp": 2}] * 3


def test_correction_of_an_outdated_version_is_refused_and_changes_nothing(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    read_by_both = capture_failure(retry=False)
    correct(read_by_both, {"lamp": 2})
    with pytest.raises(FailureConflict):
        correct(read_by_both, {"lamp": 3})
    assert reload(read_by_both).corrected_payload == {"lamp": 2}
    correct_and_retry(failure_id=read_by_both.id, change=replace_with({"lamp": 4}))
    assert reload(read_by_both).corrected_payload == {"lamp": 4}


def test_failure_version_changes_with_the_status_the_attempt_and_the_correction(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    lamp.fail()
    failure = capture_failure()
    versions = [failure.version, run(failure).version, correct(reload(failure), {"lamp": 2}).version]
    services.discard(failure_id=failure.id, reason="done")
    versions.append(reload(failure).version)
    assert len(set(versions)) == 4


@pytest.mark.parametrize("status", [FailureStatus.RESOLVED, FailureStatus.DISCARDED, FailureStatus.RETRYING])
def test_failure_that_is_closed_or_being_retried_cannot_be_corrected(
    in_hotel: Hotel, lamp: Lamp, status: str
) -> None:
    failure = capture_failure()
    Failure.objects.filter(id=failure.id).update(status=status)
    with pytest.raises(FailureStateError):
        correct_and_retry(failure_id=failure.id, change=replace_with({"lamp": 2}))
    assert reload(failure).corrected_payload is None


def test_unknown_failure_and_failure_without_a_handler_cannot_be_corrected(in_hotel: Hotel) -> None:
    with pytest.raises(FailureNotFound):
        correct_and_retry(failure_id=uuid.uuid4(), change=replace_with({}))
    failure = capture_failure()
    with pytest.raises(FailureNotRetryable):
        correct(failure, {"lamp": 2})
    assert reload(failure).corrected_payload is None


def test_error_of_an_invalid_correction_names_the_field_and_not_its_value(
    in_hotel: Hotel, declared: Kind
) -> None:
    failure = capture_failure(retry=False)
    with pytest.raises(InvalidPayload) as refused:
        correct(failure, {"lamp": "nobody@guests.example.com"})
    assert refused.value.extra["errors"] == {"lamp": ["The value must have the type integer."]}
    assert "nobody" not in refused.value.detail
    assert reload(failure).version == failure.version
    assert events_of(failure, "failure.corrected") == []


def test_audit_event_of_a_correction_contains_no_personal_or_secret_values(
    in_hotel: Hotel, declared: Kind
) -> None:
    failure = capture_failure(retry=False, to="a@guests.exmaple.com", card={"number": "4111"})
    after = {"lamp": 2, "to": "a@guests.example.com", "card": {"number": "4222"}, "a@b.example": "x"}
    correct(failure, after)
    (event,) = events_of(failure, "failure.corrected")
    patch = {operation["path"]: operation for operation in event.fields["patch"]}
    assert patch == {
        "/lamp": {"op": "replace", "path": "/lamp", "value": 2},
        "/to": {"op": "replace", "path": "/to"},
        "/card/number": {"op": "replace", "path": "/card/number"},
        "/[redacted]": {"op": "add", "path": "/[redacted]"},
    }


def test_audit_event_of_a_correction_without_a_schema_contains_no_values(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = correct(
        capture_failure(retry=False, room="1"), {"lamp": 1, "room": "2", "nights": [1, {"n": 2}]}
    )
    (event,) = events_of(failure, "failure.corrected")
    assert sorted(event.fields["fields"]) == ["/nights", "/room"]
    assert all("value" not in operation for operation in event.fields["patch"])
    assert "corrected the data of a failure (tests.lamp)" in event.description


def test_correction_keeps_secret_values_that_are_not_entered_again(
    in_hotel: Hotel, lamp: Lamp, declared: Kind
) -> None:
    failure = capture_failure(retry=False, card={"number": "4111"})
    seen: list[Any] = []

    def change(payload: Any) -> Any:
        seen.append(payload)
        return {**payload, "lamp": 2}

    correct_and_retry(failure_id=failure.id, may_change=has_version(failure), change=change)
    assert seen == [{"lamp": 1, "card": {"number": "[secret]"}}]
    run(failure)
    assert lamp.retried == [{"lamp": 2, "card": {"number": "4111"}}]


def test_secret_value_cannot_be_copied_to_a_field_that_people_see(in_hotel: Hotel, declared: Kind) -> None:
    failure = capture_failure(retry=False, card={"number": "4111"})
    copy = [{"op": "copy", "from": "/card/number", "path": "/room"}]
    correct_and_retry(
        failure_id=failure.id,
        may_change=has_version(failure),
        change=lambda payload: patches.apply(copy, payload),
    )
    corrected = reload(failure).corrected_payload
    assert corrected == {"lamp": 1, "card": {"number": "[secret]"}, "room": "[secret]"}
    assert payloads.restore(reload(failure)) == {"lamp": 1, "card": {"number": "4111"}, "room": "[secret]"}


def test_corrected_secret_value_is_encrypted_and_the_original_value_is_kept(
    in_hotel: Hotel, lamp: Lamp, declared: Kind
) -> None:
    failure = capture_failure(retry=False, card={"number": "4111"})
    corrected = correct(failure, {"lamp": 1, "card": {"number": "4222"}})
    assert corrected.corrected_payload == {"lamp": 1, "card": {"number": "[secret]"}}
    assert b"4222" not in bytes(corrected.corrected_secrets or b"")
    assert corrected.secrets == failure.secrets
    again = correct(corrected, {"lamp": 2, "card": {"number": "[secret]"}})
    assert payloads.restore(again) == {"lamp": 2, "card": {"number": "4222"}}


def test_secret_value_of_a_list_item_cannot_be_moved_to_another_item(
    in_hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = Kind(name=NAME, handler=lamp.handle, secret_fields=("guests.*.card",))
    monkeypatch.setitem(registry._kinds, NAME, kind)
    guests = [{"name": "Ana", "card": "4111"}, {"name": "Eva", "card": "4222"}]
    failure = capture_failure(retry=False, guests=guests)
    shown = [{**guest, "card": "[secret]"} for guest in guests]
    for changed in (shown[1:], shown[::-1]):
        with pytest.raises(InvalidPayload) as refused:
            correct(failure, {"lamp": 1, "guests": changed})
        assert "guests.0.card" in refused.value.extra["errors"]
    correct(failure, {"lamp": 2, "guests": shown})
    assert payloads.restore(reload(failure)) == {"lamp": 2, "guests": guests}
    correct(reload(failure), {"lamp": 2, "guests": guests[1:]})
    assert payloads.restore(reload(failure)) == {"lamp": 2, "guests": guests[1:]}


def test_secret_placeholder_in_a_field_without_a_stored_secret_value_is_refused(
    in_hotel: Hotel, declared: Kind
) -> None:
    with pytest.raises(InvalidPayload) as refused:
        correct(capture_failure(retry=False), {"lamp": 1, "card": {"number": "[secret]"}})
    assert list(refused.value.extra["errors"]) == ["card.number"]


def test_payload_that_is_encrypted_as_a_whole_can_be_replaced(
    in_hotel: Hotel, lamp: Lamp, declared: Kind
) -> None:
    failure = capture_failure(retry=False, lamp="broken", card={"number": "4111"})
    assert failure.payload == "[secret]"
    with pytest.raises(InvalidPayload):
        correct(failure, "[secret]")
    correct(failure, {"lamp": 1, "card": {"number": "4222"}})
    run(failure)
    assert lamp.retried == [{"lamp": 1, "card": {"number": "4222"}}]


def test_correction_of_a_task_keeps_value_types_and_requires_arguments(in_hotel: Hotel, eager: None) -> None:
    booking = uuid.uuid4()
    captured = services.capture(
        is_task=True,
        source="tests",
        name=failing_task.name,
        payload={"args": [-1], "kwargs": {"colour": decimal.Decimal("1.50"), "booking": booking}},
        error=LampError("broken"),
    )
    failure = Failure.objects.get(id=captured.id)
    invalid: Any
    for invalid in ({"args": [1]}, {"args": {}, "kwargs": {}}, {"args": [], "kwargs": {}, "other": 1}):
        with pytest.raises(InvalidPayload):
            correct(failure, invalid)
    correct_and_retry(
        failure_id=failure.id,
        may_change=has_version(failure),
        change=lambda payload: {**payload, "args": [1]},
    )
    failure = reload(failure)
    assert payloads.restore(failure) == {
        "args": [1],
        "kwargs": {"colour": decimal.Decimal("1.50"), "booking": booking},
    }


def test_corrected_task_runs_with_the_corrected_arguments(in_hotel: Hotel, eager: None) -> None:
    failing_task.try_delay(-1)
    failure = Failure.objects.get()
    assert current_app.tasks[failure.name]
    correct(failure, {"args": [7], "kwargs": {}})
    assert run(failure).status == FailureStatus.RESOLVED


@pytest.mark.parametrize(
    "payload",
    [
        {"lamp": "\0"},
        {"lamp": "\ud83d"},
        {"lamp": float("inf")},
        {"lamp": {"__type__": "uuid", "__value__": "x"}},
        ["lamp"],
        None,
        "lamp",
    ],
)
def test_correction_that_cannot_be_stored_exactly_is_refused(
    in_hotel: Hotel, lamp: Lamp, payload: Any
) -> None:
    failure = capture_failure(retry=False)
    with pytest.raises(InvalidPayload):
        correct(failure, payload)
    assert reload(failure).version == failure.version


def test_payload_that_cannot_be_restored_can_be_corrected_and_sent(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = capture_failure(retry=False, text=object())
    with pytest.raises(FailureNotRetryable):
        services.retry(failure_id=failure.id)
    traits = with_traits(Failure.objects.all())
    redrive = Redrive(action=RedriveAction.RETRY)
    assert refusal(Traits(*traits.values_list(*TRAITS).get()), redrive) == RedriveResult.UNREADABLE
    correct(failure, {"lamp": 1, "text": "readable"})
    assert refusal(Traits(*traits.values_list(*TRAITS).get()), redrive) is None
    assert run(failure).status == FailureStatus.RESOLVED
    assert lamp.retried == [{"lamp": 1, "text": "readable"}]
    assert reload(failure).original is not None


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ([{"op": "replace", "path": "/none", "value": 1}], 0),
        (
            [
                {"op": "add", "path": "/a", "value": 1},
                {"op": "test", "path": "/lamp", "value": "x@y.example"},
            ],
            1,
        ),
        ([{"op": "append", "path": "/room", "value": "x"}], 0),
        ([{"op": "add"}], 0),
        ([{"op": "add", "path": "no-slash", "value": 1}], 0),
        ([{"path": "/lamp"}], 0),
        ([{"op": "move", "from": "/lamp", "path": "/lamp/x"}], 0),
        ([[]], 0),
        ([7], 0),
    ],
)
def test_error_of_a_refused_patch_contains_the_number_of_the_failed_operation(patch: Any, field: int) -> None:
    with pytest.raises(InvalidPatch) as refused:
        patches.apply(patch, {"lamp": 1, "room": "ana@guests.example.com"})
    assert list(refused.value.extra["errors"]["patch"]) == [field]
    assert "@" not in str(refused.value.extra)


def test_patch_that_makes_the_payload_too_long_is_refused() -> None:
    doubling = [{"op": "copy", "from": "", "path": "/a"}, {"op": "copy", "from": "", "path": "/b"}]
    with pytest.raises(InvalidPatch):
        patches.apply(doubling * 30, {"text": "x" * 1000})
    with pytest.raises(InvalidPatch):
        patches.apply(doubling * 60, {})


def test_patch_of_a_deeply_nested_or_very_long_payload_replaces_the_whole_payload() -> None:
    deep: Any = 1
    for _level in range(900):
        deep = [deep]
    for before, after in (({"a": deep}, {"a": [deep]}), ({"a": "x" * 2_000_000}, {"a": "y"})):
        assert patches.difference(before, after) == [{"op": "replace", "path": "", "value": after}]
    assert patches.difference({"a": "x" * 2_000_000}, {"a": "x" * 2_000_000}) == []


def test_correction_of_a_failure_of_another_hotel_raises_not_found(
    hotel: Hotel, other_hotel: Hotel, lamp: Lamp
) -> None:
    with hotel_context(hotel):
        failure = capture_failure()
    with hotel_context(other_hotel), pytest.raises(FailureNotFound):
        correct(failure, {"lamp": 2})
