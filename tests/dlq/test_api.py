"""Tests of the REST API for failures in the dead-letter queue."""

import pytest
from rest_framework.test import APIClient

from dlq.models import Failure
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.dlq.conftest import NAME, Lamp, capture_failure, reload

pytestmark = pytest.mark.django_db

URL = "/api/v1/dlq/entries/"
REPORT = {
    "name": "gateway.booking",
    "payload": {"booking": "B-1", "guest": "Ana Silva"},
    "error_type": "Timeout",
    "error_message": "the PMS did not answer for ana@guests.example.com",
}


def client_with_scopes(hotel: Hotel, *scopes: str) -> APIClient:
    with hotel_context(hotel):
        _key, text = api_keys.create(name="tests", scopes=scopes)
    client = APIClient(SERVER_NAME=f"{hotel.slug}.localhost")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


def test_failure_reported_with_an_api_key_that_can_claim_it_is_scheduled(
    api: APIClient, hotel: Hotel
) -> None:
    response = api.post(URL, REPORT)
    assert response.status_code == 201
    body = response.json()
    assert body["payload"] == REPORT["payload"]
    assert "ana@" not in body["error_message"]
    assert body["status"] == "scheduled"  # the API key that reported the failure can claim it
    assert (body["source"], body["name"]) == ("tests", "external:tests:gateway.booking")
    assert [attempt["number"] for attempt in body["attempts"]] == [0]
    with hotel_context(hotel):
        assert str(Failure.objects.get().id) == body["id"]


@pytest.mark.parametrize(
    "path", ["", "entries/B-1/", "entries/B-1/retry/", "01a203e7-7538-7000-b926-fbd8a9dddc9d/"]
)
def test_wrong_failure_url_returns_404(api: APIClient, path: str) -> None:
    for response in (api.get(f"/api/v1/dlq/{path}"), api.post(f"/api/v1/dlq/{path}", REPORT)):
        assert (response.status_code, response.json()["type"]) == (404, "/problems/not-found")


def test_reporting_the_same_failure_again_increments_its_occurrences(api: APIClient) -> None:
    first = api.post(URL, REPORT).json()
    again = api.post(URL, REPORT)
    assert again.status_code == 200
    assert (again.json()["id"], again.json()["occurrences"]) == (first["id"], 2)


def test_failure_reported_twice_with_one_idempotency_key_is_counted_once(api: APIClient) -> None:
    first = api.post(URL, REPORT, headers={"Idempotency-Key": "one"})
    again = api.post(URL, REPORT, headers={"Idempotency-Key": "one"})
    assert again.json() == first.json()
    other = api.post(URL, {**REPORT, "name": "other"}, headers={"Idempotency-Key": "one"})
    assert other.status_code == 422


@pytest.mark.parametrize("missing", ["name", "payload", "error_type", "error_message"])
def test_failure_report_without_a_required_field_is_rejected(api: APIClient, missing: str) -> None:
    response = api.post(URL, {name: value for name, value in REPORT.items() if name != missing})
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == f"/{missing}"


@pytest.mark.parametrize("payload", [[], "text", 7, None])
def test_failure_report_whose_payload_is_not_a_json_object_is_rejected(
    api: APIClient, payload: object
) -> None:
    assert api.post(URL, {**REPORT, "payload": payload}).status_code == 400


def test_failure_list_with_filters_returns_matching_failures(
    api: APIClient, hotel: Hotel, lamp: Lamp
) -> None:
    with hotel_context(hotel):
        scheduled, permanent = capture_failure(room="1"), capture_failure(message="dark", retry=False)
    assert [row["id"] for row in api.get(URL).json()["results"]] == [str(permanent.id), str(scheduled.id)]
    for filters in (
        {"status": ["permanent", "discarded"]},
        {"fingerprint": permanent.fingerprint},
        {"since": permanent.last_seen_at.isoformat()},
    ):
        assert [row["id"] for row in api.get(URL, filters).json()["results"]] == [str(permanent.id)]
    assert "payload" not in api.get(URL).json()["results"][0]


def test_failure_detail_returns_payload_traceback_and_attempts(
    api: APIClient, hotel: Hotel, lamp: Lamp
) -> None:
    with hotel_context(hotel):
        failure = capture_failure(room="1")
    body = api.get(f"{URL}{failure.id}/").json()
    assert body["payload"] == {"lamp": 1, "room": "1"}
    assert "LampError" in body["traceback"]
    assert body["attempts"][0]["outcome"] == "failed"


def test_retry_endpoint_schedules_the_failure(api: APIClient, hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(hotel):
        failure = capture_failure(retry=False)
    response = api.post(f"{URL}{failure.id}/retry/")
    assert (response.status_code, response.json()["status"]) == (202, "scheduled")


def test_discard_requires_a_reason_and_an_open_failure(api: APIClient, hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(hotel):
        failure = capture_failure()
    url = f"{URL}{failure.id}/discard/"
    assert api.post(url, {}).status_code == 400
    assert api.post(url, {"reason": "  "}).status_code == 400
    response = api.post(url, {"reason": "sent manually"})
    assert (response.json()["status"], response.json()["discard_reason"]) == ("discarded", "sent manually")
    error = api.post(url, {"reason": "again"})
    assert (error.status_code, error.json()["type"]) == (409, "/problems/failure-state-error")
    assert error.json()["state"] == "discarded"


def test_reading_and_writing_failures_require_different_scopes(hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(hotel):
        failure = capture_failure()
    reader = client_with_scopes(hotel, "dlq:read")
    assert reader.get(URL).status_code == 200
    assert reader.post(URL, REPORT).status_code == 403
    assert reader.post(f"{URL}{failure.id}/retry/").status_code == 403
    writer = client_with_scopes(hotel, "dlq:write")
    assert writer.get(URL).status_code == 403
    assert writer.post(URL, REPORT).status_code == 201


def test_failure_of_another_hotel_is_not_found(
    api: APIClient, hotel: Hotel, other_hotel: Hotel, lamp: Lamp
) -> None:
    with hotel_context(other_hotel):
        failure = capture_failure()
    for path in ("", "retry/", "discard/"):
        response = (
            api.post(f"{URL}{failure.id}/{path}", {"reason": "x"}) if path else api.get(f"{URL}{failure.id}/")
        )
        assert response.status_code == 404
    with hotel_context(other_hotel):
        assert reload(failure).status == "scheduled"


def test_put_patch_and_delete_of_failures_are_not_allowed(api: APIClient, hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(hotel):
        failure = capture_failure()
    for method in ("put", "patch", "delete"):
        assert getattr(api, method)(f"{URL}{failure.id}/", {}).status_code == 405


def test_api_client_cannot_set_the_source_or_start_an_internal_retry_handler(
    hotel: Hotel, lamp: Lamp
) -> None:
    writer = client_with_scopes(hotel, "dlq:write")
    assert writer.post(URL, {**REPORT, "source": "reminders"}).status_code == 400
    body = writer.post(URL, {**REPORT, "name": NAME}).json()
    assert (body["status"], body["source"]) == ("permanent", "tests")
    error = writer.post(f"{URL}{body['id']}/retry/")
    assert error.json()["type"] == "/problems/failure-not-retryable"
    assert lamp.retried == []
