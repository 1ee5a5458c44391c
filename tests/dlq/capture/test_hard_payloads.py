"""Tests that a failure is captured even if its payload, error or texts contain values that PostgreSQL rejects."""

import json
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from dlq import payloads, services
from dlq.capture_request import Origin
from dlq.errors import FailureNotRetryable
from dlq.kinds.subjects import Subject, find_subjects, subject_finder
from dlq.models import Failure
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel
from tests.dlq.capture.test_lost_tasks import send_raw
from tests.dlq.conftest import NAME, Lamp, LampError
from tests.dlq.worker_tasks import fail
from tests.dlq.workers import messages, prefork_worker, wait_for


class HostileError(Exception):
    """An error that raises another error whenever it is formatted."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no text")

    def __json__(self) -> str:
        raise OSError("no JSON")


def nested(levels: int) -> list[Any]:
    value: list[Any] = ["the innermost"]
    for _ in range(levels - 1):
        value = [value]
    return value


def circular() -> list[Any]:
    value: list[Any] = ["Ana"]
    value.append(value)
    return value


def capture(payload: Any, **options: Any) -> Failure:
    arguments: dict[str, Any] = {"is_task": False, "source": "tests", "name": NAME, "error": LampError()}
    return Failure.objects.get(id=services.capture(payload=payload, **{**arguments, **options}).id)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "payload",
    [{"text": "x" * 10_000_000}, {"ids": [7] * 1_000_000}, nested(300), ["a", {"list": 1}], "text", None],
    ids=["10 MB text", "a million items", "300 levels", "list", "text", "nothing"],
)
def test_unusual_payload_is_captured_and_retried_unchanged(
    in_hotel: Hotel, lamp: Lamp, payload: object
) -> None:
    failure = capture(payload)
    assert (failure.status, payloads.restore(failure)) == ("scheduled", payload)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "payload", [{"big": 1e300}, {"big": float("inf")}, {"\udcff": "\udcff"}, {"a": "\0"}], ids=ascii
)
def test_payload_that_jsonb_would_change_is_kept_exactly(
    in_hotel: Hotel, lamp: Lamp, payload: object
) -> None:
    failure = capture(payload)
    assert (failure.status, payloads.restore(failure)) == ("permanent", payload)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("payload", "kept"),
    [
        (nested(1_000), "the innermost"),
        ({"deep": nested(50_000)}, "the innermost"),
        (circular(), "Ana"),
        ({"guest": "Ana", "object": Hostile()}, "Ana"),
        ({"number": 10**5000}, hex(10**5000)),
        ({"guest": {"Ana"}}, "Ana"),
    ],
    ids=["1,000 levels", "50,000 levels", "circular", "hostile object", "long number", "set"],
)
def test_payload_that_json_cannot_represent_is_kept_as_text(
    in_hotel: Hotel, lamp: Lamp, payload: object, kept: str
) -> None:
    failure = capture(payload)
    assert failure.status == "permanent"
    assert kept in bytes(failure.original or b"").decode()
    with pytest.raises(FailureNotRetryable):
        services.retry(failure_id=failure.id)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "texts",
    [
        {"name": "nul \0 and half a pair \ud83d"},
        {"source": "nul \0 and half a pair \ud83d"},
        {"work_key": "\0" * 500},
        {"ordering_key": "\ud83d" * 500},
        {"error": HostileError()},
        {"error": type("E" * 500, (Exception,), {})("x" * 10_000_000)},
        {"origin": Origin("\0" * 500, "\ud83d" * 500)},
    ],
    ids=["name", "source", "work key", "ordering key", "hostile error", "long error", "origin"],
)
def test_failure_with_texts_that_postgresql_cannot_store_is_captured(
    in_hotel: Hotel, lamp: Lamp, texts: dict[str, Any]
) -> None:
    assert capture({"room": "12"}, **texts).payload == {"room": "12"}


@pytest.mark.django_db
def test_failure_pages_are_shown_if_the_subject_finder_raises_an_error(
    staff: Client, hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlq.kinds.subjects._subject_finders", {})

    @subject_finder(NAME)
    def find(failures: Any) -> dict[Any, Subject]:
        return {failure.id: Subject(failure.payload["room"], "/") for failure in failures}

    with hotel_context(hotel):
        good, bad = capture({"room": "12"}), capture(["12"])
        assert find_subjects([good])[good.id].title == "12"
    assert staff.get("/admin/dlq/failure/").status_code == 200
    assert staff.get(f"/admin/dlq/failure/{bad.id}/change/").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_each_celery_message_with_an_unusual_body_is_captured_as_one_failure(hotel: Hotel) -> None:
    deep = b"[[" + b"[" * 998 + b'"deep"' + b"]" * 998 + b"], {}, {}]"
    bodies = {
        "10 MB": b'[["' + b"x" * 10_000_000 + b'"], {}, {}]',
        "1,000 levels": deep,
        "invalid UTF-8": b'[["\xff"], {}, {}]',
        "a list": b"[1]",
        "1e400": b"[[1e400], {}, {}]",
        "duplicate keys": b'[[], {"guest": "first", "guest": "last"}, {}]',
        "NUL": b'[["\\u0000"], {}, {}]',
    }
    for name, body in bodies.items():
        send_raw(body, task=fail.name, id=name, hotel=str(hotel.id))
    send_raw(b"[[], {}, {}]", task="\0" * 500, id="name", hotel=str(hotel.id))
    with prefork_worker():
        wait_for(lambda: not messages())
    with hotel_context(hotel):
        failures = {failure.task_id: failure for failure in Failure.objects.all()}
        assert failures.keys() == {*bodies, "name"}
        assert len(failures["10 MB"].payload["args"][0]) == 10_000_000
        assert bytes(failures["1,000 levels"].original or b"") == deep
        assert bytes(failures["invalid UTF-8"].original or b"") == bodies["invalid UTF-8"]
        assert payloads.restore(failures["1e400"])["args"] == [float("inf")]
        assert payloads.restore(failures["NUL"])["args"] == ["\0"]
        # If a key occurs twice, JSON parsers return the last value, so the worker ran the task with this value.
        assert failures["duplicate keys"].payload["kwargs"] == {"guest": "last"}
        with pytest.raises(FailureNotRetryable):  # valid JSON, but not the body of a task
            services.retry(failure_id=failures["a list"].id)
    with platform_context():
        assert not Failure.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("report", "status"),
    [
        (b'{"name": "n", "payload": [1], "error_type": "E", "error_message": "m"}', 400),
        (b'{"name": "n", "payload": {"a": 1, "a": 2}, "error_type": "E", "error_message": "m"}', 400),
        (b'{"name": "n", "payload": {"a": 1e400}, "error_type": "E", "error_message": "m"}', 400),
        (b'{"name": "n", "payload": {"a": "\\u0000"}, "error_type": "E", "error_message": "m"}', 201),
    ],
    ids=["list", "duplicate keys", "1e400", "NUL"],
)
def test_report_with_an_unusual_payload_is_refused_or_stored_exactly(
    api: APIClient, hotel: Hotel, report: bytes, status: int
) -> None:
    response = api.post("/api/v1/dlq/entries/", report, content_type="application/json")
    assert response.status_code == status, response.content
    with hotel_context(hotel):
        stored = [payloads.restore(failure) for failure in Failure.objects.all()]
    assert stored == ([json.loads(report)["payload"]] if status == 201 else [])
