"""Tests of the payloads of failures over REST: who sees them, and how clients correct them."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from audit.reading.search import timeline
from dlq.kinds import registry
from dlq.kinds.registry import Kind
from dlq.models import Failure, FailureStatus
from dlq.payloads import restore
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.dlq.conftest import NAME, Lamp, capture_failure, reload
from tests.dlq.corrections.test_corrections import SCHEMA
from tests.dlq.external.clients import claim, make_client, report_due
from tests.dlq.test_api import client_with_scopes

pytestmark = pytest.mark.django_db

URL = "/api/v1/dlq/entries/"
PAYLOAD: dict[str, Any] = {
    "to": "ana@guests.exmaple.com",
    "card": {"number": "4111"},
    "ana@guests.example.com": "Ana",
}


@pytest.fixture(autouse=True)
def _kind(lamp: Lamp, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = Kind(
        name=NAME,
        handler=lamp.handle,
        schema=SCHEMA,
        personal_fields=("to",),
        secret_fields=("card.number",),
    )
    monkeypatch.setitem(registry._kinds, NAME, kind)


@pytest.fixture
def failure(hotel: Hotel) -> Failure:
    with hotel_context(hotel):
        return capture_failure(retry=False, **PAYLOAD)


def correct(api: APIClient, failure: Failure, *, if_match: str | None = None, **body: Any) -> Any:
    etag = api.get(f"{URL}{failure.id}/")["ETag"] if if_match is None else if_match
    return api.post(f"{URL}{failure.id}/correct/", body, headers={"If-Match": etag} if etag else {})


def views(hotel: Hotel, failure: Failure) -> int:
    with hotel_context(hotel):
        return timeline(kind="failure", identifier=failure.id).filter(event="failure.payload_viewed").count()


def test_client_with_the_payload_scope_sees_personal_values_but_no_secrets(
    api: APIClient, hotel: Hotel, failure: Failure
) -> None:
    api.get(f"{URL}{failure.id}/")
    body = api.get(f"{URL}{failure.id}/").json()
    assert views(hotel, failure) == 1
    assert body["payload"] == {"lamp": 1, **PAYLOAD, "card": {"number": "[secret]"}}
    assert (body["payload_is_masked"], body["original_payload"], body["correction"]) == (False, None, None)
    api.get(URL)
    assert views(hotel, failure) == 1
    other_key = client_with_scopes(hotel, "dlq:read", "dlq:payload")
    assert other_key.get(f"{URL}{failure.id}/").json()["payload"] == body["payload"]
    assert views(hotel, failure) == 2


def test_client_without_the_payload_scope_sees_no_personal_values(hotel: Hotel, failure: Failure) -> None:
    reader = client_with_scopes(hotel, "dlq:read")
    body = reader.get(f"{URL}{failure.id}/").json()
    assert body["payload"] == {
        "lamp": 1,
        "to": "•••",
        "card": {"number": "[secret]"},
        "[redacted]": "•••",
    }
    assert body["payload_is_masked"] is True
    assert views(hotel, failure) == 0


def test_client_without_the_payload_scope_sees_no_values_of_an_unregistered_kind_of_failure(
    hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch, failure: Failure
) -> None:
    monkeypatch.delitem(registry._kinds, NAME)
    body = client_with_scopes(hotel, "dlq:read").get(f"{URL}{failure.id}/").json()
    assert body["payload"] == {
        "lamp": "•••",
        "to": "•••",
        "card": {"number": "[secret]"},
        "[redacted]": "•••",
    }


def test_correction_with_a_json_patch_schedules_a_retry_and_shows_the_difference(
    api: APIClient, hotel: Hotel, failure: Failure
) -> None:
    patch = [{"op": "replace", "path": "/to", "value": "ana@guests.example.com"}]
    response = correct(api, failure, patch=patch)
    body = response.json()
    assert (response.status_code, body["status"]) == (202, FailureStatus.SCHEDULED)
    assert body["payload"]["to"] == "ana@guests.example.com"
    assert body["original_payload"]["to"] == "ana@guests.exmaple.com"
    assert body["correction"] == patch
    assert response["ETag"] == api.get(f"{URL}{failure.id}/")["ETag"]
    masked = client_with_scopes(hotel, "dlq:read").get(f"{URL}{failure.id}/").json()
    assert masked["correction"] == [{"op": "replace", "path": "/to", "value": "•••"}]


def test_correction_with_a_payload_keeps_masked_secrets_and_hides_new_secrets(
    api: APIClient, hotel: Hotel, failure: Failure
) -> None:
    kept = correct(api, failure, payload={"lamp": 2, "card": {"number": "[secret]"}})
    assert kept.status_code == 202
    with hotel_context(hotel):
        assert restore(reload(failure)) == {"lamp": 2, "card": {"number": "4111"}}
    entered = correct(api, failure, payload={"lamp": 2, "card": {"number": "4222"}}).json()
    assert {"op": "replace", "path": "/card/number", "value": "[secret]"} in entered["correction"]
    assert "4222" not in str(entered)


def test_second_correction_of_the_same_version_is_refused_with_412(api: APIClient, failure: Failure) -> None:
    etag = api.get(f"{URL}{failure.id}/")["ETag"]
    assert correct(api, failure, if_match=etag, payload={"lamp": 2}).status_code == 202
    response = correct(api, failure, if_match=etag, payload={"lamp": 3})
    assert (response.status_code, response.json()["type"]) == (412, "/problems/failure-conflict")
    assert correct(api, failure, if_match="*", payload={"lamp": 3}).status_code == 202


def test_correction_without_if_match_is_refused_with_428(api: APIClient, failure: Failure) -> None:
    response = correct(api, failure, if_match="", payload={"lamp": 2})
    assert (response.status_code, response.json()["type"]) == (428, "/problems/version-required")


def test_invalid_correction_returns_the_field_and_the_reason(api: APIClient, failure: Failure) -> None:
    response = correct(api, failure, payload={"lamp": 0, "card": {"number": 4111}})
    assert (response.status_code, response.json()["type"]) == (422, "/problems/invalid-payload")
    assert response.json()["errors"] == [
        {"pointer": "/payload/lamp", "detail": "The value must satisfy the rule minimum=1."},
        {"pointer": "/payload/card/number", "detail": "The value must have the type string."},
    ]


def test_correction_with_a_nul_character_returns_an_error_for_the_payload(
    api: APIClient, failure: Failure
) -> None:
    response = correct(api, failure, payload={"lamp": 1, "room": "a\0b"})
    assert response.json()["errors"][0]["pointer"] == "/payload"


@pytest.mark.parametrize(
    "body",
    [{}, {"payload": []}, {"patch": {}}, {"patch": [1]}, {"payload": {}, "patch": []}, {"other": 1}],
)
def test_correction_needs_either_a_payload_or_a_patch(
    api: APIClient, failure: Failure, body: dict[str, Any]
) -> None:
    response = correct(api, failure, **body)
    assert (response.status_code, response.json()["type"]) == (400, "/problems/invalid")


def test_patch_that_cannot_be_applied_returns_422_and_names_the_operation(
    api: APIClient, failure: Failure
) -> None:
    response = correct(api, failure, patch=[{"op": "replace", "path": "/none", "value": 1}])
    assert (response.status_code, response.json()["type"]) == (422, "/problems/invalid-patch")
    assert response.json()["errors"][0]["pointer"] == "/patch/0"


def test_external_handler_claims_the_corrected_payload(api: APIClient, hotel: Hotel) -> None:
    pms = make_client(hotel)
    failure_id = report_due(pms, hotel, payload={"booking": "B-1", "nights": 0})
    [entry] = claim(pms)
    result = {
        "fencing_token": entry["fencing_token"],
        "retry": False,
        "error_type": "Invalid",
        "error_message": "0",
    }
    assert pms.post(f"{URL}{failure_id}/fail/", result).status_code == 200
    patch = [{"op": "replace", "path": "/nights", "value": 2}]
    with hotel_context(hotel):
        failure = Failure.objects.get(id=failure_id)
    assert correct(api, failure, patch=patch).status_code == 202
    [again] = claim(pms)
    assert (again["id"], again["payload"]) == (failure_id, {"booking": "B-1", "nights": 2})


def test_correction_requires_the_scopes_to_write_and_to_view_payloads(hotel: Hotel, failure: Failure) -> None:
    for scopes, missing in (({"dlq:write"}, "dlq:payload"), ({"dlq:payload"}, "dlq:write")):
        client = client_with_scopes(hotel, "dlq:read", *scopes)
        response = correct(client, failure, payload={"lamp": 2})
        assert (response.status_code, response.json()["required_scope"]) == (403, missing)


def test_correction_of_a_closed_failure_is_refused_with_409(api: APIClient, failure: Failure) -> None:
    api.post(f"{URL}{failure.id}/discard/", {"reason": "sent manually"})
    response = correct(api, failure, payload={"lamp": 2})
    assert (response.status_code, response.json()["type"]) == (409, "/problems/failure-state-error")


def test_correction_repeated_with_the_same_idempotency_key_is_made_once(
    api: APIClient, hotel: Hotel, failure: Failure
) -> None:
    headers = {"If-Match": api.get(f"{URL}{failure.id}/")["ETag"], "Idempotency-Key": "one"}
    url = f"{URL}{failure.id}/correct/"
    first, again = (api.post(url, {"payload": {"lamp": 2}}, headers=headers) for _ in range(2))
    assert (again.status_code, again.json(), again["ETag"]) == (202, first.json(), first["ETag"])
    with hotel_context(hotel):
        assert reload(failure).corrections == 1
