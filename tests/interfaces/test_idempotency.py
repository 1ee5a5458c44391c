"""Tests of the header Idempotency-Key. A request that is repeated with the same key is executed only once."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection
from rest_framework.test import APIClient

from tenants.access import idempotency
from tenants.context import hotel_context
from tenants.models import Hotel, IdempotencyKey
from tests.interfaces.conftest import Thing

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("urls_of_test_views")]
THING = "/api/v1/thing/"
KEY = {"Idempotency-Key": "9b1c0f5e-booking-77"}


@pytest.fixture
def client(api: APIClient) -> APIClient:
    api.raise_request_exception = False
    return api


def test_repeated_request_returns_the_first_response_and_is_executed_once(
    client: APIClient, created_count: Callable[[], int]
) -> None:
    first = client.post(THING, {"number": 1}, headers=KEY)
    again = client.post(THING, {"number": 1}, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Location"] == first["Location"]
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert created_count() == 1


def test_repeated_request_without_an_idempotency_key_is_executed_twice(
    client: APIClient, created_count: Callable[[], int]
) -> None:
    client.post(THING, {"number": 1})
    client.post(THING, {"number": 1})
    assert created_count() == 2


def test_request_repeated_with_json_members_in_another_order_returns_the_first_response(
    client: APIClient, created_count: Callable[[], int]
) -> None:
    client.post(THING, '{"number": 1, "nights": []}', content_type="application/json", headers=KEY)
    again = client.post(THING, '{"nights":[],"number":1}', content_type="application/json", headers=KEY)
    assert again["Idempotency-Replayed"] == "true"
    assert created_count() == 1


def test_idempotency_key_reused_with_another_body_is_refused(
    client: APIClient, created_count: Callable[[], int]
) -> None:
    client.post(THING, {"number": 1}, headers=KEY)
    other = client.post(THING, {"number": 2}, headers=KEY)
    assert other.status_code == 422
    assert other.json()["type"] == "/problems/idempotency-key-reused"
    assert created_count() == 1


def test_idempotency_key_reused_by_another_client_does_not_return_the_first_response(
    hotel: Hotel, client: APIClient, client_with: Callable[..., APIClient], created_count: Callable[[], int]
) -> None:
    first = client.post(THING, {"number": 1}, headers=KEY)
    other = client_with(hotel, "rooms:write").post(THING, {"number": 1}, headers=KEY)
    assert other.status_code == 201
    assert other.json() != first.json()
    assert created_count() == 2


def test_client_error_response_is_stored_and_the_inserted_rows_are_rolled_back(
    client: APIClient, created_count: Callable[[], int]
) -> None:
    headers = {**KEY, "X-Outcome": "unavailable"}
    first = client.post(THING, {}, headers=headers)
    again = client.post(THING, {}, headers=KEY)  # without the idempotency key, this request would succeed
    assert first.status_code == again.status_code == 409
    assert again["Content-Type"] == "application/problem+json"
    assert again.json() == first.json()
    assert created_count() == 0


@pytest.mark.parametrize("outcome", ["broken", "503", "slow"])
def test_server_error_response_is_not_stored_and_the_request_can_be_repeated(
    client: APIClient, created_count: Callable[[], int], outcome: str
) -> None:
    failed = client.post(THING, {"number": 1}, headers={**KEY, "X-Outcome": outcome})
    assert failed.status_code >= 500
    assert created_count() == 0
    again = client.post(THING, {"number": 1}, headers=KEY)
    assert again.status_code == 201
    assert created_count() == 1


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "ñ", "two words"])
def test_malformed_idempotency_key_returns_400(
    client: APIClient, created_count: Callable[[], int], key: str
) -> None:
    response = client.post(THING, {"number": 1}, headers={"Idempotency-Key": key})
    assert response.status_code == 400
    assert created_count() == 0


def test_stored_response_is_encrypted_and_the_idempotency_key_is_not_stored(
    hotel: Hotel, client: APIClient
) -> None:
    token = client.post(THING, {"number": 1}, headers=KEY).json()["token"]
    with hotel_context(hotel):
        row = IdempotencyKey.objects.get()
    assert token.encode() not in bytes(row.response)
    assert KEY["Idempotency-Key"].encode() not in bytes(row.response) + row.id.bytes


def test_stored_responses_are_deleted_after_the_retention_period(in_hotel: Hotel) -> None:
    request = idempotency.IdempotentRequest.build(key="k", client="c", url="/", body={})
    idempotency.store(request, idempotency.StoredResponse(201, {}, None, {}))
    assert idempotency.delete_expired() == 0
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tenants_idempotencykey SET created_at = now() - interval '25 hours'")
    assert idempotency.delete_expired() == 1


@pytest.mark.django_db(transaction=True)
def test_request_repeated_while_the_first_is_running_is_refused_with_retry_after(
    hotel: Hotel, client: APIClient, client_with: Callable[..., APIClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, finish = threading.Event(), threading.Event()

    original = Thing.post

    def slow_post(self: Thing, request: object) -> object:
        entered.set()
        assert finish.wait(10)
        return original(self, request)  # type: ignore[arg-type]

    monkeypatch.setattr(Thing, "post", slow_post)
    statuses: list[int] = []

    def first() -> None:
        try:
            statuses.append(client.post(THING, {"number": 1}, headers=KEY).status_code)
        finally:
            connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(10)
    second = client.post(THING, {"number": 1}, headers=KEY)
    finish.set()
    thread.join()
    assert second.status_code == 409
    assert second.json()["type"] == "/problems/idempotency-in-flight"
    assert second["Retry-After"] == "1"
    assert statuses == [201]
