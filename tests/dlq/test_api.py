import pytest
from rest_framework.test import APIClient

from dlq.models import Failure
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.dlq.conftest import Lamp, captured, reread

pytestmark = pytest.mark.django_db

URL = "/api/v1/dlq/"
REPORT = {
    "source": "channel-gateway",
    "name": "gateway.booking",
    "payload": {"booking": "B-1", "guest": "Ana Silva"},
    "error_type": "Timeout",
    "error_message": "the PMS did not answer for ana@guests.example.com",
}


def _client(hotel: Hotel, *scopes: str) -> APIClient:
    with hotel_context(hotel):
        _key, text = api_keys.create(name="tests", scopes=scopes)
    client = APIClient(SERVER_NAME=f"{hotel.slug}.localhost")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


def test_another_system_reports_a_failure(api: APIClient, hotel: Hotel) -> None:
    answer = api.post(URL, REPORT)
    assert answer.status_code == 201
    told = answer.json()
    assert told["payload"] == REPORT["payload"]
    assert "ana@" not in told["error_message"]
    assert told["status"] == "permanent"  # nothing here can send it again
    assert [attempt["number"] for attempt in told["tries"]] == [0]
    with hotel_context(hotel):
        assert str(Failure.objects.get().id) == told["id"]


def test_the_same_report_twice_is_one_failure_seen_twice(api: APIClient) -> None:
    first = api.post(URL, REPORT).json()
    again = api.post(URL, REPORT)
    assert again.status_code == 200
    assert (again.json()["id"], again.json()["occurrences"]) == (first["id"], 2)


def test_the_same_idempotency_key_is_counted_once(api: APIClient) -> None:
    first = api.post(URL, REPORT, headers={"Idempotency-Key": "one"})
    again = api.post(URL, REPORT, headers={"Idempotency-Key": "one"})
    assert again.json() == first.json()
    other = api.post(URL, {**REPORT, "name": "other"}, headers={"Idempotency-Key": "one"})
    assert other.status_code == 422


@pytest.mark.parametrize("missing", ["source", "name", "payload", "error_type", "error_message"])
def test_a_report_lacks_nothing(api: APIClient, missing: str) -> None:
    answer = api.post(URL, {name: value for name, value in REPORT.items() if name != missing})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == f"/{missing}"


@pytest.mark.parametrize("payload", [[], "text", 7, None])
def test_a_payload_is_an_object(api: APIClient, payload: object) -> None:
    assert api.post(URL, {**REPORT, "payload": payload}).status_code == 400


def test_it_lists_and_narrows(api: APIClient, hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(hotel):
        waiting, given_up = captured(room="1"), captured(text="dark", retry=False)
    assert [row["id"] for row in api.get(URL).json()["results"]] == [str(given_up.id), str(waiting.id)]
    for narrowed in (
        {"status": ["permanent", "discarded"]},
        {"fingerprint": given_up.fingerprint},
        {"since": given_up.last_seen_at.isoformat()},
    ):
        assert [row["id"] for row in api.get(URL, narrowed).json()["results"]] == [str(given_up.id)]
    assert "payload" not in api.get(URL).json()["results"][0]


def test_one_tells_its_payload_its_traceback_and_its_attempts(
    api: APIClient, hotel: Hotel, lamp: Lamp
) -> None:
    with hotel_context(hotel):
        failure = captured(room="1")
    told = api.get(f"{URL}{failure.id}/").json()
    assert told["payload"] == {"lamp": 1, "room": "1"}
    assert "Broken" in told["traceback"]
    assert told["tries"][0]["outcome"] == "failed"


def test_sending_again_is_planned(api: APIClient, hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(hotel):
        failure = captured(retry=False)
    answer = api.post(f"{URL}{failure.id}/retry/")
    assert (answer.status_code, answer.json()["status"]) == (202, "scheduled")


def test_a_discard_needs_a_reason(api: APIClient, hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(hotel):
        failure = captured()
    url = f"{URL}{failure.id}/discard/"
    assert api.post(url, {}).status_code == 400
    assert api.post(url, {"reason": "  "}).status_code == 400
    answer = api.post(url, {"reason": "done by hand"})
    assert (answer.json()["status"], answer.json()["discard_reason"]) == ("discarded", "done by hand")
    refused = api.post(url, {"reason": "again"})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/failure-state-error")
    assert refused.json()["state"] == "discarded"


def test_reading_and_acting_are_scopes_of_their_own(hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(hotel):
        failure = captured()
    reader = _client(hotel, "dlq:read")
    assert reader.get(URL).status_code == 200
    assert reader.post(URL, REPORT).status_code == 403
    assert reader.post(f"{URL}{failure.id}/retry/").status_code == 403
    writer = _client(hotel, "dlq:write")
    assert writer.get(URL).status_code == 403
    assert writer.post(URL, REPORT).status_code == 201


def test_a_failure_of_another_hotel_is_not_there(
    api: APIClient, hotel: Hotel, other_hotel: Hotel, lamp: Lamp
) -> None:
    with hotel_context(other_hotel):
        failure = captured()
    for path in ("", "retry/", "discard/"):
        answer = (
            api.post(f"{URL}{failure.id}/{path}", {"reason": "x"}) if path else api.get(f"{URL}{failure.id}/")
        )
        assert answer.status_code == 404
    with hotel_context(other_hotel):
        assert reread(failure).status == "scheduled"


def test_a_failure_is_neither_changed_nor_deleted_over_rest(api: APIClient, hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(hotel):
        failure = captured()
    for method in ("put", "patch", "delete"):
        assert getattr(api, method)(f"{URL}{failure.id}/", {}).status_code == 405
