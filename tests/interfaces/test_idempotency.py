"""The same key: the same answer, and one effect."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection
from rest_framework.test import APIClient

from tenants.access import idempotency
from tenants.context import hotel_context
from tenants.models import Hotel, IdempotencyKey
from tests.interfaces.conftest import Thing

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("test_views")]
THING = "/api/v1/thing/"
KEY = {"Idempotency-Key": "9b1c0f5e-booking-77"}


@pytest.fixture
def quiet(api: APIClient) -> APIClient:
    api.raise_request_exception = False
    return api


def test_it_gives_the_first_answer_again(quiet: APIClient, made: Callable[[], int]) -> None:
    first = quiet.post(THING, {"number": 1}, headers=KEY)
    again = quiet.post(THING, {"number": 1}, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Location"] == first["Location"]
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert made() == 1


def test_without_a_key_it_makes_two(quiet: APIClient, made: Callable[[], int]) -> None:
    quiet.post(THING, {"number": 1})
    quiet.post(THING, {"number": 1})
    assert made() == 2


def test_the_order_of_members_does_not_matter(quiet: APIClient, made: Callable[[], int]) -> None:
    quiet.post(THING, '{"number": 1, "nights": []}', content_type="application/json", headers=KEY)
    again = quiet.post(THING, '{"nights":[],"number":1}', content_type="application/json", headers=KEY)
    assert again["Idempotency-Replayed"] == "true"
    assert made() == 1


def test_another_body_is_refused(quiet: APIClient, made: Callable[[], int]) -> None:
    quiet.post(THING, {"number": 1}, headers=KEY)
    other = quiet.post(THING, {"number": 2}, headers=KEY)
    assert other.status_code == 422
    assert other.json()["type"] == "/problems/idempotency-key-reused"
    assert made() == 1


def test_another_client_may_use_the_same_key(
    hotel: Hotel, quiet: APIClient, client_with: Callable[..., APIClient], made: Callable[[], int]
) -> None:
    first = quiet.post(THING, {"number": 1}, headers=KEY)
    other = client_with(hotel, "rooms:write").post(THING, {"number": 1}, headers=KEY)
    assert other.status_code == 201
    assert other.json() != first.json()
    assert made() == 2


def test_a_refusal_is_kept_and_its_effect_is_not(quiet: APIClient, made: Callable[[], int]) -> None:
    headers = {**KEY, "X-Outcome": "taken"}
    first = quiet.post(THING, {}, headers=headers)
    again = quiet.post(THING, {}, headers=KEY)  # it would succeed by now; the key has its answer
    assert first.status_code == again.status_code == 409
    assert again["Content-Type"] == "application/problem+json"
    assert again.json() == first.json()
    assert made() == 0


@pytest.mark.parametrize("outcome", ["broken", "503", "slow"])
def test_a_failure_is_not_kept(quiet: APIClient, made: Callable[[], int], outcome: str) -> None:
    failed = quiet.post(THING, {"number": 1}, headers={**KEY, "X-Outcome": outcome})
    assert failed.status_code >= 500
    assert made() == 0
    again = quiet.post(THING, {"number": 1}, headers=KEY)
    assert again.status_code == 201
    assert made() == 1


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "ñ", "two words"])
def test_a_malformed_key_is_refused(quiet: APIClient, made: Callable[[], int], key: str) -> None:
    response = quiet.post(THING, {"number": 1}, headers={"Idempotency-Key": key})
    assert response.status_code == 400
    assert made() == 0


def test_the_stored_answer_can_not_be_read_without_the_key(hotel: Hotel, quiet: APIClient) -> None:
    token = quiet.post(THING, {"number": 1}, headers=KEY).json()["token"]
    with hotel_context(hotel):
        row = IdempotencyKey.objects.get()
    assert token.encode() not in bytes(row.response)
    assert KEY["Idempotency-Key"].encode() not in bytes(row.response) + row.id.bytes


def test_old_answers_are_swept(in_hotel: Hotel) -> None:
    request = idempotency.IdempotentRequest.build(key="k", client="c", url="/", body={})
    idempotency.store(request, idempotency.StoredResponse(201, {}, None, {}))
    assert idempotency.delete_expired() == 0
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tenants_idempotencykey SET created_at = now() - interval '25 hours'")
    assert idempotency.delete_expired() == 1


@pytest.mark.django_db(transaction=True)
def test_while_the_first_runs_the_second_is_asked_to_wait(
    hotel: Hotel, quiet: APIClient, client_with: Callable[..., APIClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, leave = threading.Event(), threading.Event()

    def wait_inside() -> None:
        inside.set()
        assert leave.wait(10)

    original = Thing.post

    def slow_post(self: Thing, request: object) -> object:
        wait_inside()
        return original(self, request)  # type: ignore[arg-type]

    monkeypatch.setattr(Thing, "post", slow_post)
    answers: list[int] = []

    def first() -> None:
        try:
            answers.append(quiet.post(THING, {"number": 1}, headers=KEY).status_code)
        finally:
            connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(10)
    second = quiet.post(THING, {"number": 1}, headers=KEY)
    leave.set()
    thread.join()
    assert second.status_code == 409
    assert second.json()["type"] == "/problems/idempotency-in-flight"
    assert second["Retry-After"] == "1"
    assert answers == [201]
