"""Tests of the bulk upsert of reservations: in the request, and by a worker."""

import json
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from audit.models import Event
from reminders.file_imports import bulk as bulk_files
from reminders.file_imports import worker
from reminders.models import FileImport, Reminder, Reservation
from reminders.reservations import bulk
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import Hotel
from tenants.scopes import HOTEL_SCOPES
from tests.conftest import ALPHA_HOST

pytestmark = pytest.mark.django_db

URL = "/api/v1/reservations/bulk/"


def row(number: str, **fields: Any) -> dict[str, Any]:
    return {
        "external_id": number,
        "arrival": "2031-07-01",
        "departure": "2031-07-04",
        "guest_name": "Ana Lima",
        "guest_email": "ana@example.com",
        **fields,
    }


def send(api: APIClient, *rows: Any, **headers: str) -> Any:
    """Send the rows as JSON Lines. A row that is a `str` is sent unchanged as a line."""
    body = "\n".join(item if isinstance(item, str) else json.dumps(item) for item in rows)
    return api.post(URL, body, content_type="application/jsonl", headers=headers)


def test_each_row_has_the_effect_of_a_put_and_a_second_request_changes_nothing(
    api: APIClient, hotel: Hotel
) -> None:
    api.put(
        "/api/v1/reservations/by-external-id/R1/", {k: v for k, v in row("R1").items() if k != "external_id"}
    )
    rows = [row("R1", adults=2), row("R2"), row("R3", status="cancelled")]
    response = send(api, *rows)
    assert response.status_code == 200
    body = response.json()
    assert {name: body[name] for name in ("rows", "created", "updated", "unchanged", "rejected")} == {
        "rows": 3, "created": 2, "updated": 1, "unchanged": 0, "rejected": 0,
    }  # fmt: skip
    assert [(result["row"], result["external_id"], result["result"]) for result in body["results"]] == [
        (1, "R1", "updated"),
        (2, "R2", "created"),
        (3, "R3", "created"),
    ]
    for result in body["results"]:
        stored = api.get(f"/api/v1/reservations/{result['id']}/").json()
        assert stored["external_id"] == result["external_id"]
        assert result["problem"] is None
    with hotel_context(hotel):
        assert Reservation.objects.get(external_id="R1").adults == 2
        assert Reminder.objects.filter(reservation__external_id="R2", status="scheduled").exists()
        assert not Reminder.objects.filter(reservation__external_id="R3").exists()
    assert [result["result"] for result in send(api, *rows).json()["results"]] == ["unchanged"] * 3


def test_rejected_rows_have_an_error_and_the_other_rows_are_stored(api: APIClient, hotel: Hotel) -> None:
    rows = [
        row("R1", departure="2031-06-30"),
        "",
        "{",
        '{"external_id": "R4", "external_id": "R4b"}',
        row("R5", guestname="Ana"),
        row("R6", adults=0, children="2"),
        {"external_id": "R7", "arrival": "2031-07-01"},
        "[1]",
        row("R9"),
        row(" R9 "),
        row("R11", arrival="soon", language="klingon-language"),
        row("R12", guest_name="a\x00b"),
        row("R13", adults=99_999_999_999),
    ]
    response = send(api, *rows)
    assert response.status_code == 200
    body = response.json()
    assert (body["rows"], body["created"], body["rejected"]) == (12, 2, 10)
    problems = {result["row"]: result["problem"] for result in body["results"] if result["problem"]}
    assert set(problems) == {1, 3, 4, 5, 6, 7, 8, 10, 11, 13}
    assert {problem["type"] for problem in problems.values()} == {"/problems/invalid-reservation"}
    assert {problem["status"] for problem in problems.values()} == {422}
    pointers = {
        number: {error["pointer"] for error in problem["errors"]} for number, problem in problems.items()
    }
    assert pointers == {
        1: {"/departure"}, 3: {""}, 4: {""}, 5: {"/guestname"}, 6: {"/adults", "/children"},
        7: {"/departure", "/guest_name"}, 8: {""}, 10: {"/external_id"}, 11: {"/arrival", "/language"},
        13: {"/adults"},
    }  # fmt: skip
    assert problems[10]["errors"][0]["detail"] == "Row 9 has the same number."
    assert '"/external_id"' in problems[4]["detail"]
    with hotel_context(hotel):
        stored = dict(Reservation.objects.values_list("external_id", "guest_name"))
    assert stored == {"R9": "Ana Lima", "R12": "a b"}


def test_row_that_is_not_utf_8_is_rejected_and_the_other_rows_are_stored(api: APIClient) -> None:
    damaged = json.dumps(row("R1", guest_name="@")).encode().replace(b"@", b"Mu\xf1oz")
    body = damaged + b"\n" + json.dumps(row("R2")).encode()
    results = api.post(URL, body, content_type="application/x-ndjson").json()["results"]
    assert [result["result"] for result in results] == ["rejected", "created"]
    assert results[0]["problem"]["detail"] == "The line is not valid UTF-8."


def client_of_key(hotel: Hotel, *scopes: str) -> APIClient:
    with hotel_context(hotel):
        _key, secret = api_keys.create(name="limited", scopes=scopes)
    client = APIClient(SERVER_NAME=ALPHA_HOST)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def test_bulk_request_needs_json_lines_and_the_scope(api: APIClient, hotel: Hotel) -> None:
    assert api.post(URL, [row("R1")], format="json").status_code == 415
    reader = client_of_key(hotel, *(HOTEL_SCOPES.keys() - {"reservations:write"}))
    assert send(reader, row("R1")).status_code == 403
    assert send(client_of_key(hotel, "reservations:write"), row("R1")).status_code == 200


def test_repeated_request_with_an_idempotency_key_returns_the_first_results(api: APIClient) -> None:
    first, second = (send(api, row("R1"), **{"Idempotency-Key": "nightly-1"}) for _ in range(2))
    assert second["Idempotency-Replayed"] == "true"
    assert [result["result"] for result in second.json()["results"]] == ["created"]
    assert first.json() == second.json()


def test_rows_of_a_large_request_are_stored_by_a_worker(
    api: APIClient, hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_files, "BATCH_SIZE", 70)
    rows = [row(f"R{number}") for number in range(1, bulk.MAX_ROWS_IN_REQUEST + 1)]
    assert send(api, *rows).status_code == 200
    rows[3] = row("R4", adults=3)
    rows[4] = row("R5", departure="2031-07-01")
    response = send(api, *rows, row("new"), row("R1"))
    assert (response.status_code, response["Retry-After"]) == (202, "2")
    job = api.get(response["Location"])
    assert job.json() == response.json()
    assert (job.json()["status"], job.json()["kind"], job.json()["rows"]) == ("importing", "bulk", 202)
    assert job["Retry-After"] == "2"
    with hotel_context(hotel):
        worker.run(FileImport.objects.get().id)
    finished = api.get(response["Location"])
    body = finished.json()
    assert (body["status"], body["finished_rows"], "Retry-After" in finished) == ("finished", 202, False)
    assert body["counts"] == {
        "created": 1, "updated": 1, "unchanged": 198, "cancelled": 0, "rejected": 2,
    }  # fmt: skip
    assert body["error"] == ""
    lines = [json.loads(line) for line in api.get(body["problems"]).getvalue().splitlines()]
    assert [(line["row"], line["external_id"], line["result"]) for line in lines] == [
        (5, "R5", "rejected"),
        (202, "R1", "rejected"),
    ]
    assert lines[0]["problem"]["type"] == "/problems/invalid-reservation"
    assert lines[0]["problem"]["errors"][0]["pointer"] == "/departure"
    with hotel_context(hotel):
        created = Event.objects.filter(event="reservation.created").order_by("-id").first()
        assert created is not None
        assert created.initiator_kind == "key"
        assert "created reservation new" in created.description
        assert Event.objects.filter(event="personal_data.read").exists()
    assert api.get("/api/v1/imports/?status=finished&kind=bulk").json()["results"] == [body]
    assert api.delete(response["Location"]).status_code == 204
    assert api.get(response["Location"]).status_code == 404


def test_worker_continues_a_bulk_import_after_the_last_stored_batch(
    api: APIClient, hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_files, "BATCH_SIZE", 100)
    rows = [row(f"R{number}") for number in range(1, 202)]
    assert send(api, *rows, row("R1")).status_code == 202
    store = bulk.BulkUpsert.store

    def store_or_die(self: bulk.BulkUpsert, batch: Any) -> Any:
        if batch[0][0] > 100:
            raise KeyboardInterrupt  # the worker does not catch this exception
        return store(self, batch)

    with hotel_context(hotel):
        uploaded = FileImport.objects.get()
        monkeypatch.setattr(bulk.BulkUpsert, "store", store_or_die)
        with pytest.raises(KeyboardInterrupt):
            worker.run(uploaded.id)
        assert Reservation.objects.count() == 100
        monkeypatch.setattr(bulk.BulkUpsert, "store", store)
        FileImport.objects.update(lease_ends_at=timezone.now())
        worker.run(uploaded.id)
        uploaded.refresh_from_db()
    assert uploaded.status == "finished"
    assert uploaded.counts == {"created": 201, "updated": 0, "unchanged": 0, "rejected": 1}


def test_running_import_can_be_stopped_and_not_deleted(api: APIClient) -> None:
    rows = [row(f"R{number}") for number in range(201)]
    url = send(api, *rows)["Location"]
    refused = api.delete(url)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/file-import-state-error")
    assert api.post(f"{url}stop/").json()["status"] == "stopped"
    assert api.delete(url).status_code == 204


def test_body_with_too_many_rows_or_bytes_is_refused(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    too_long = "{}\n" * (bulk.MAX_ROWS + 1)
    refused = api.post(URL, too_long, content_type="application/jsonl")
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid-file")
    assert "20,001" in refused.json()["detail"]
    refused = api.post(URL, "x" * 8_000_001, content_type="application/jsonl")
    assert (refused.status_code, refused.json()["type"]) == (413, "/problems/too-large")


def test_bulk_request_without_a_body_stores_nothing(api: APIClient) -> None:
    response = api.post(URL, b"", content_type="application/jsonl")
    assert (response.status_code, response.json()["rows"]) == (200, 0)
