"""Tests that exports contain all matching failures and no formulas, mask personal data and need constant memory."""

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from dlq import services
from dlq.exports import lines
from dlq.exports.lines import COLUMNS, ExportFormat, export
from dlq.kinds import registry
from dlq.kinds.registry import Kind
from dlq.models import Failure
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.dlq.alerts.test_alerts import copy_failures
from tests.dlq.conftest import NAME, Lamp, LampError, capture_failure

pytestmark = pytest.mark.django_db

URL = "/api/v1/dlq/export/"
ADMIN_URL = "/admin/dlq/failure/export/csv/"
MASK = "•••"
KIND = "tests.letter"


@pytest.fixture
def letter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Declare a kind of failure with a personal field, a secret field, and a field with harmless values."""
    schema = {
        "type": "object",
        "properties": {"room": {"type": "integer"}, "to": {"type": "string"}, "card": {"type": "string"}},
    }
    kind = Kind(name=KIND, schema=schema, personal_fields=("to",), secret_fields=("card",))
    monkeypatch.setitem(registry._kinds, KIND, kind)


def capture_letter() -> None:
    services.capture(
        is_task=False,
        source="tests",
        name=KIND,
        payload={"room": 7, "to": "ana@guests.example", "card": "4111111111111111"},
        error=LampError("no stamp"),
    )


def client_with_scopes(hotel: Hotel, *scopes: str) -> APIClient:
    with hotel_context(hotel):
        _key, text = api_keys.create(name="tests", scopes=scopes)
    client = APIClient(SERVER_NAME=f"{hotel.slug}.localhost")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


def content(response: Any) -> str:
    assert response.status_code == 200, response.content
    return b"".join(response.streaming_content).decode()


def read_csv(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def test_export_contains_only_the_failures_that_match_the_filters(
    api: APIClient, hotel: Hotel, lamp: Lamp
) -> None:
    with hotel_context(hotel):
        permanent, _scheduled = capture_failure(room="1", retry=False), capture_failure(room="2")
    response = api.get(URL, {"status": "permanent", "type": "csv"})
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="failures.csv"'
    [row] = read_csv(content(response))
    assert list(row) == list(COLUMNS)
    assert (row["id"], row["status"], row["error_message"]) == (str(permanent.id), "permanent", "no current")
    everything = [json.loads(line) for line in content(api.get(URL, {"type": "jsonl"})).splitlines()]
    assert len(everything) == 2
    assert list(everything[0]) == list(COLUMNS)


def test_export_without_matching_failures_is_empty(api: APIClient) -> None:
    assert read_csv(content(api.get(URL, {"name": "unknown"}))) == []
    assert content(api.get(URL, {"name": "unknown", "type": "jsonl"})) == ""


@pytest.mark.parametrize(
    "parameters", [{"status": "broken"}, {"nmae": "x"}, {"type": "xml"}, {"since": "yesterday"}]
)
def test_export_with_an_invalid_parameter_is_rejected(api: APIClient, parameters: dict[str, str]) -> None:
    response = api.get(URL, parameters)
    assert response.status_code == 400
    assert next(iter(parameters)) in response.json()["errors"][0]["pointer"]


def test_export_always_masks_secrets_and_masks_personal_values_without_the_payload_scope(
    hotel: Hotel, letter: None
) -> None:
    with hotel_context(hotel):
        capture_letter()
    payloads = []
    for scopes in (["dlq:read"], ["dlq:read", "dlq:payload"]):
        text = content(client_with_scopes(hotel, *scopes).get(URL, {"type": "jsonl"}))
        assert "4111" not in text
        payloads.append(json.loads(text)["payload"])
    assert payloads == [
        {"room": 7, "to": MASK, "card": "[secret]"},
        {"room": 7, "to": "ana@guests.example", "card": "[secret]"},
    ]


def test_reason_that_staff_entered_is_masked_without_the_scope_for_payloads(hotel: Hotel) -> None:
    with hotel_context(hotel):
        services.discard(failure_id=capture_failure().id, reason="Ana Silva called")
    [row] = read_csv(content(client_with_scopes(hotel, "dlq:read").get(URL)))
    assert row["discard_reason"] == MASK


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_exported_text_that_looks_like_a_formula_begins_with_an_apostrophe(
    api: APIClient, hotel: Hotel, start: str
) -> None:
    formula = f"{start}cmd|' /C calc'!A0"
    with hotel_context(hotel):
        failure = capture_failure()
        Failure.objects.filter(id=failure.id).update(error_message=formula, source=formula)
    [row] = read_csv(content(api.get(URL)))
    assert row["error_message"] == row["source"] == f"'{formula}"
    assert json.loads(content(api.get(URL, {"type": "jsonl"})))["source"] == formula


def test_export_is_recorded_without_the_text_that_was_searched(api: APIClient, hotel: Hotel) -> None:
    content(api.get(URL, {"text": "Ana Silva", "status": "permanent"}))
    [event] = api.get("/api/v1/audit/?event=failure.exported").json()["results"]
    assert event["data"] == {"format": "csv", "payloads": True, "criteria": ["status=['permanent']", "text"]}


def test_manager_exports_the_failures_that_match_the_filters(staff: Client, hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(hotel):
        capture_failure(room="1", retry=False)
        capture_failure(room="2")
    page = staff.get("/admin/dlq/failure/", {"status__exact": "permanent"}).content.decode()
    assert f"{ADMIN_URL}?status__exact=permanent" in page
    [row] = read_csv(content(staff.get(ADMIN_URL, {"status__exact": "permanent"})))
    assert json.loads(row["payload"]) == {"lamp": 1, "room": "1"}
    # Without a filter, the list and the export contain the failures that need a decision.
    assert read_csv(content(staff.get(ADMIN_URL))) == [row]
    assert len(read_csv(content(staff.get(ADMIN_URL, {"view": "all"})))) == 2


def test_front_desk_exports_masked_payloads(hotel: Hotel) -> None:
    client = Client(SERVER_NAME="alpha.localhost")
    with hotel_context(hotel):
        client.force_login(User.objects.create_user(username="desk", password=None, role=Role.FRONT_DESK))
        capture_failure(room="Ana")
    exported = content(client.get(ADMIN_URL, {"view": "all"}))
    assert "tests.lamp" in exported
    assert "Ana" not in exported


def test_export_is_produced_in_batches_that_together_contain_each_failure_once(
    in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "BATCH_SIZE", 7)
    monkeypatch.setattr(lines, "BATCH_BYTES", 100)
    capture_failure()
    copy_failures(30)
    exported = list(as_lines(ExportFormat.JSON_LINES))
    ids = [json.loads(line)["id"] for part in exported for line in part.splitlines()]
    assert ids == [str(failure_id) for failure_id in Failure.objects.values_list("id", flat=True)]
    assert len(exported) > 5


def as_lines(export_format: ExportFormat) -> Iterator[str]:
    return export(Failure.objects.all(), export_format=export_format, may_view=True, criteria=[])


def test_memory_of_an_export_does_not_depend_on_the_number_of_failures(in_hotel: Hotel) -> None:
    capture_failure()
    Failure.objects.update(payload={"lamp": "x" * 2_000})
    peaks = []
    for count in (600, 2_400):
        copy_failures(count)
        tracemalloc.start()
        size = sum(map(len, as_lines(ExportFormat.CSV)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert size > count * 2_000
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM dlq_failure WHERE work_key ~ '^[0-9]{1,5}$'")
    assert peaks[1] < peaks[0] * 1.3
    assert Failure.objects.filter(name=NAME).count() == 1
