"""Tests of the REST API of redrive jobs."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from dlq import tasks
from dlq.models import Failure
from dlq.redrives import progress
from dlq.redrives.models import Redrive
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.dlq.conftest import Lamp, capture_failure

pytestmark = pytest.mark.django_db

URL = "/api/v1/dlq/redrives/"
START = {"selection": {"status": ["permanent"]}, "dry_run": False}


@pytest.fixture
def failures(hotel: Hotel, lamp: Lamp) -> list[Failure]:
    """Store three permanent failures, one of which no worker can retry, and return them."""
    with hotel_context(hotel):
        failures = [capture_failure(room=str(number), retry=False) for number in range(3)]
        Failure.objects.filter(id=failures[2].id).update(name="tests.gone")
        return failures


def advance(hotel: Hotel) -> None:
    """Continue all redrive jobs, and retry the failures that they scheduled."""
    with hotel_context(hotel):
        for redrive in Redrive.objects.all():
            progress.advance(redrive_id=redrive.id)
        tasks.retry_due([str(failure.id) for failure in Failure.objects.filter(status="scheduled")])
        for redrive in Redrive.objects.all():
            progress.advance(redrive_id=redrive.id)


def test_dry_run_returns_numbers_and_a_sample_and_changes_nothing(
    api: APIClient, hotel: Hotel, failures: list[Failure]
) -> None:
    response = api.post(URL, {**START, "dry_run": True})
    assert response.status_code == 200
    body = response.json()
    assert (body["matched"], body["accepted"], body["refused"]) == (3, 2, {"no_handler": 1})
    assert [failure["id"] for failure in body["sample"]] == [str(failure.id) for failure in failures]
    with hotel_context(hotel):
        assert (Redrive.objects.count(), Failure.objects.filter(status="permanent").count()) == (0, 3)


def test_started_redrive_shows_its_progress_and_the_result_of_each_failure(
    api: APIClient, hotel: Hotel, failures: list[Failure]
) -> None:
    started = api.post(URL, {**START, "rate": 6000, "canary": 1, "max_failure_rate": 50})
    assert started.status_code == 201
    url = f"{URL}{started.json()['id']}/"
    assert started.json()["status"] == "canary"
    assert started.json()["requested_by"].startswith("tests")
    advance(hotel)
    with hotel_context(hotel):
        Redrive.objects.update(paced_until=failures[0].created_at)
    advance(hotel)
    body = api.get(url).json()
    assert (body["status"], body["succeeded"], body["refused"]) == ("finished", 2, {"no_handler": 1})
    results = api.get(f"{url}results/").json()["results"]
    assert [(entry["failure"], entry["result"]) for entry in results] == [
        (str(failures[2].id), "no_handler"),
        (str(failures[1].id), "succeeded"),
        (str(failures[0].id), "succeeded"),
    ]
    assert (results[0]["attempt"], results[1]["attempt"]) == (None, 1)
    [refused] = api.get(f"{url}results/", {"result": ["no_handler", "failed"]}).json()["results"]
    assert refused["failure"] == str(failures[2].id)
    page = api.get(f"{url}results/", {"page_size": 2}).json()
    rest = api.get(page["next"]).json()
    assert [entry["failure"] for entry in rest["results"]] == [str(failures[0].id)]
    assert api.get(rest["previous"]).json()["results"] == page["results"]
    assert [redrive["id"] for redrive in api.get(URL, {"status": "finished"}).json()["results"]] == [
        body["id"]
    ]


def test_redrive_can_be_paused_resumed_and_cancelled(
    api: APIClient, hotel: Hotel, failures: list[Failure]
) -> None:
    url = f"{URL}{api.post(URL, START).json()['id']}/"
    for operation, status in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        response = api.post(f"{url}{operation}/")
        assert (response.status_code, response.json()["status"]) == (200, status)
    error = api.post(f"{url}pause/")
    assert (error.status_code, error.json()["type"]) == (409, "/problems/redrive-state-error")
    assert error.json()["state"] == "cancelled"


def test_redrive_that_is_requested_twice_with_one_idempotency_key_starts_once(
    api: APIClient, hotel: Hotel, failures: list[Failure]
) -> None:
    first, again = (api.post(URL, START, headers={"Idempotency-Key": "one"}) for _ in range(2))
    assert first.json() == again.json()
    with hotel_context(hotel):
        assert Redrive.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "status", "pointer"),
    [
        ({"selection": {"state": "x"}}, 400, "/selection/state"),
        ({"selection": {"status": ["gone"]}}, 400, "/selection/status"),
        ({"selection": {"since": "soon"}}, 400, "/selection/since"),
        ({"selection": {"since": "2030-01-02T00:00Z", "until": "2030-01-01T00:00Z"}}, 422, None),
        ({"dry_run": None}, 400, "/dry_run"),
        ({"rate": 0}, 400, "/rate"),
        ({"max_failure_rate": 101}, 400, "/max_failure_rate"),
        ({"action": "discard"}, 422, None),
        ({"action": "discard", "discard_reason": "old", "rate": 5}, 422, None),
    ],
)
def test_redrive_with_an_invalid_value_is_refused(
    api: APIClient, failures: list[Failure], changes: dict[str, Any], status: int, pointer: str | None
) -> None:
    response = api.post(URL, {**START, **changes})
    assert response.status_code == status
    if pointer:
        assert response.json()["errors"][0]["pointer"].startswith(pointer)


def test_list_of_results_with_an_unknown_result_filter_returns_400(
    api: APIClient, failures: list[Failure]
) -> None:
    url = f"{URL}{api.post(URL, START).json()['id']}/results/"
    response = api.get(url, {"result": "gone"})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, "?result")


def test_reading_and_starting_redrives_require_different_scopes(
    hotel: Hotel, other_hotel: Hotel, api: APIClient, failures: list[Failure]
) -> None:
    url = f"{URL}{api.post(URL, START).json()['id']}/"
    with hotel_context(hotel):
        _key, secret = api_keys.create(name="reader", scopes=["dlq:read"])
    reader = APIClient(SERVER_NAME="alpha.localhost")
    reader.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert reader.get(f"{url}results/").status_code == 200
    assert [reader.post(path, START).status_code for path in (URL, f"{url}cancel/")] == [403, 403]
    with hotel_context(other_hotel):
        _key, secret = api_keys.create(name="other", scopes=["dlq:read", "dlq:write"])
    other = APIClient(SERVER_NAME="beta.localhost")
    other.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert [other.get(url).status_code, other.post(f"{url}cancel/").status_code] == [404, 404]
