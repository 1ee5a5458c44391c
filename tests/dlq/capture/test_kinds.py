"""Tests of the declaration of kinds of failures: the schema of the payload, the delays of retries, and the ordering
key.
"""

from typing import Any

import pytest
from rest_framework.test import APIClient

from dlq import services
from dlq.errors import FailureNotRetryable, InvalidPayload
from dlq.kinds import registry
from dlq.kinds.checks import check_kinds
from dlq.kinds.registry import Kind, declared_kinds, failure_kind, find_kind
from dlq.kinds.schemas import find_problems
from dlq.models import Failure
from dlq.retries import runner
from hotelagent.core.ids import uuid7
from tenants.context import hotel_context
from tenants.models import Hotel
from tenants.queue import due
from tenants.queue.celery_task import get_task
from tests.dlq.conftest import NAME, Lamp, LampError, make_due, reload

SCHEMA = {
    "type": "object",
    "required": ["room"],
    "additionalProperties": False,
    "properties": {
        "room": {"type": "string", "maxLength": 5},
        "colour": {"enum": ["red", "green"]},
        "guests": {"type": "array", "items": {"type": "object", "properties": {"id": {"format": "uuid"}}}},
    },
}


def declare(monkeypatch: pytest.MonkeyPatch, lamp: Lamp, **declaration: Any) -> None:
    monkeypatch.setitem(registry._kinds, NAME, Kind(name=NAME, handler=lamp.handle, **declaration))


def capture(payload: Any, **options: Any) -> Failure:
    captured = services.capture(
        is_task=False, source="tests", name=NAME, payload=payload, error=LampError(), **options
    )
    return Failure.objects.get(id=captured.id)


@pytest.mark.parametrize(
    ("payload", "problems"),
    [
        ({}, ["room: This value is required."]),
        ({"room": 12}, ["room: The value must have the type string."]),
        ({"room": "Ana Silva"}, ["room: The value must satisfy the rule maxLength=5."]),
        ({"room": "12", "colour": "Ana"}, ["colour: The value must be one of these: red, green."]),
        ({"room": "12", "Ana": 1}, ["Remove the fields that the schema does not allow."]),
        ({"room": "12", "guests": [{"id": "Ana"}]}, ["guests.0.id: The value must have the format uuid."]),
        (["Ana"], ["The value must have the type object."]),
        ({"room": "12", "colour": "red"}, []),
    ],
    ids=str,
)
def test_payload_problems_name_the_field_and_the_rule_but_no_value(payload: Any, problems: list[str]) -> None:
    assert [str(problem) for problem in find_problems(Kind(name=NAME, schema=SCHEMA), payload)] == problems


def test_payload_problems_do_not_name_undeclared_keys() -> None:
    schema = {"additionalProperties": {"type": "integer"}}
    [problem] = find_problems(Kind(name=NAME, schema=schema), {"ana@example.com": "Ana"})
    assert str(problem) == "*: The value must have the type integer."


@pytest.mark.django_db
def test_failure_with_an_invalid_payload_is_captured_but_not_retried_until_corrected(
    in_hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, lamp, schema=SCHEMA)
    assert capture({"room": "12"}).status == "scheduled"  # the control: a valid payload is scheduled
    failure = capture({"room": "Ana Silva"})
    assert (failure.status, failure.payload) == ("permanent", {"room": "Ana Silva"})
    with pytest.raises(InvalidPayload, match="room: The value must satisfy the rule") as error:
        services.retry(failure_id=failure.id)
    assert "Ana" not in str(error.value)
    Failure.objects.filter(id=failure.id).update(payload={"room": "12"})
    services.retry(failure_id=failure.id)
    runner.retry_due(failure_id=failure.id)
    assert reload(failure).status == "resolved"


@pytest.mark.django_db
def test_rest_api_shows_why_the_payload_of_a_failure_is_not_valid(
    api: APIClient, hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, lamp, schema=SCHEMA)
    with hotel_context(hotel):
        failure = capture({"room": 12})
    url = f"/api/v1/dlq/entries/{failure.id}/"
    assert api.get(url).json()["payload_problems"] == ["room: The value must have the type string."]
    response = api.post(f"{url}retry/")
    assert (response.status_code, response.json()["type"]) == (422, "/problems/invalid-payload")
    [error] = response.json()["errors"]
    assert error["detail"] == "The value must have the type string."
    assert api.post(f"{url}discard/", {"reason": "x"}).json()["payload_problems"] == []


@pytest.mark.django_db
def test_admin_page_shows_why_the_payload_is_not_valid(
    staff: Any, hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, lamp, schema=SCHEMA)
    with hotel_context(hotel):
        failure = capture({"room": 12})
    page = staff.get(f"/admin/dlq/failure/{failure.id}/change/").content.decode()
    assert "room: The value must have the type string." in page


@pytest.mark.django_db
def test_retry_delays_of_a_kind_of_failure_are_used_by_capture_and_by_retries(
    in_hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, lamp, delays=[1000, 2000])
    lamp.fail()
    failure = capture({})
    waits = [(failure.next_retry_at - failure.created_at).total_seconds()] if failure.next_retry_at else []
    for _ in range(2):
        make_due(failure)
        runner.retry_due(failure_id=failure.id)
        failure = reload(failure)
        if failure.next_retry_at:
            waits.append((failure.next_retry_at - failure.last_seen_at).total_seconds())
    assert failure.status == "permanent"
    assert [round(wait, -3) for wait in waits] == [1000, 2000]


@pytest.mark.django_db
def test_failure_of_a_kind_without_retry_delays_is_permanent(
    in_hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, lamp, delays=[])
    assert capture({}).status == "permanent"


@pytest.mark.django_db
def test_capture_stores_the_ordering_key_that_the_kind_of_failure_reads_from_the_payload(
    in_hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, lamp, ordering_key=lambda payload: payload["booking"])
    assert capture({"booking": "B-1"}).ordering_key == "B-1"
    assert capture({"booking": "B-2"}, ordering_key="given").ordering_key == "given"
    keys = [capture({"booking": "B" * 200 + end}).ordering_key for end in "12"]
    assert len(set(keys)) == 2
    failure = capture({"other": 1})  # for this payload, the function `ordering_key` raises KeyError
    assert (failure.ordering_key, failure.status) == ("", "scheduled")


def test_second_declaration_of_a_kind_of_failure_is_refused(
    monkeypatch: pytest.MonkeyPatch, lamp: Lamp
) -> None:
    declare(monkeypatch, lamp)
    with pytest.raises(ValueError, match="already declared"):
        failure_kind(NAME, is_idempotent=False)(lamp.handle)
    assert find_kind(NAME).is_idempotent


@pytest.mark.parametrize(
    ("declaration", "codes"),
    [
        ({"schema": {"type": "text"}}, ["dlq.E001"]),
        ({"schema": {"$ref": "https://example.com/schema.json"}}, ["dlq.E002"]),
        ({"personal_fields": ["guest..email"]}, ["dlq.E003"]),
        ({"schema": SCHEMA, "secret_fields": ["card"]}, ["dlq.E004"]),
        ({"schema": SCHEMA, "personal_fields": ["guests.*.email"]}, ["dlq.E004"]),
        ({"delays": [60, -1]}, ["dlq.E005"]),
        ({"delays": [7 * 86400]}, ["dlq.E005"]),
        ({"time_limit": 1000}, ["dlq.E006"]),
        ({"schema": SCHEMA, "personal_fields": ["guests.*.id"], "delays": [], "time_limit": 5}, []),
    ],
    ids=str,
)
def test_system_check_reports_a_wrong_declaration_of_a_kind_of_failure(
    monkeypatch: pytest.MonkeyPatch, lamp: Lamp, declaration: dict[str, Any], codes: list[str]
) -> None:
    monkeypatch.setattr(registry, "_kinds", {})
    declare(monkeypatch, lamp, **declaration)
    assert [message.id for message in check_kinds()] == codes


@pytest.mark.django_db
def test_failure_without_a_handler_is_kept_until_the_handler_is_deployed_again(
    api: APIClient, staff: Any, hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hotel_context(hotel):
        failure, permanent = capture({"room": "1"}), capture({"room": "2"}, retry=False)
        with monkeypatch.context() as patch:
            patch.delitem(registry._kinds, NAME)
            make_due(failure)
            runner.retry_due(failure_id=failure.id)
            with pytest.raises(FailureNotRetryable, match="no retry handler"):
                services.retry(failure_id=permanent.id)
            url = f"/api/v1/dlq/entries/{failure.id}/"
            assert api.get(url).json()["has_code"] is False
            page = staff.get(f"/admin/dlq/failure/{failure.id}/change/").content.decode()
            assert f"This version of the application has no code for {NAME}." in page
        kept = reload(failure)
        assert (kept.status, kept.retries, lamp.retried) == ("scheduled", 0, [])
        assert api.get(url).json()["has_code"] is True
        make_due(failure)
        runner.retry_due(failure_id=failure.id)
        services.retry(failure_id=permanent.id)
        runner.retry_due(failure_id=permanent.id)
        assert (reload(failure).status, reload(permanent).status) == ("resolved", "resolved")


IDS = [str(uuid7()), str(uuid7())]


@pytest.mark.parametrize(
    ("name", "payload", "wrong"),
    [
        ("reminders.send", {"reminder": IDS[0], "to": "ana@"}, {"to": "ana@example.com"}),
        *(
            (kind.task, {"args": [IDS], "kwargs": {}}, {"args": IDS, "kwargs": {}})
            for kind in due.kinds().values()
        ),
        *(
            (task, {"args": [IDS[0]], "kwargs": {}}, {"args": [7], "kwargs": {}})
            for task in (
                "reminders.tasks.sync_calendar",
                "tenants.tasks.provision_hotel",
                "locks.tasks.make_final_webhook_attempt",
            )
        ),
    ],
)
def test_schema_of_each_declared_kind_accepts_only_valid_payloads(
    name: str, payload: dict[str, Any], wrong: dict[str, Any]
) -> None:
    assert find_problems(find_kind(name), payload) == []
    assert find_problems(find_kind(name), wrong) != []


def test_all_declared_kinds_of_failures_pass_the_system_checks_and_name_existing_tasks() -> None:
    assert check_kinds() == []
    names = {kind.name for kind in declared_kinds() if kind.handler is None and ".tasks." in kind.name}
    assert {get_task(name).name for name in names} == names
