"""The address of a request, taken at its word as bodies are."""

from typing import Any

import pytest
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db


def errors_of(response: Any) -> list[dict[str, str]]:
    assert response.status_code == 400, response.content
    found: list[dict[str, str]] = response.json()["errors"]
    return found


def test_a_parameter_that_is_not_there_is_named_with_those_that_are(api: APIClient) -> None:
    [error] = errors_of(api.get("/api/v1/reservations/?statuss=cancelled"))
    assert error["pointer"] == "?statuss"
    assert "arrival_from, arrival_until" in error["detail"]
    assert "page_size" in error["detail"]


@pytest.mark.parametrize("parameter", ["status=gone", "arrival_from=soon", "guest_email=%00"])
def test_a_wrong_value_is_told_as_the_parameters(api: APIClient, parameter: str) -> None:
    [error] = errors_of(api.get(f"/api/v1/reservations/?{parameter}"))
    assert error["pointer"] == f"?{parameter.partition('=')[0]}"


@pytest.mark.parametrize("size", ["0", "-5", "000", "abc", "1.5", "", "²"])
def test_a_page_has_a_whole_number_of_rows(api: APIClient, size: str) -> None:
    [error] = errors_of(api.get("/api/v1/rooms/", {"page_size": size}))
    assert error == {"pointer": "?page_size", "detail": "A whole number from 1 on."}


@pytest.mark.parametrize("size", ["1", "200", "100000", "9" * 5000])
def test_a_page_larger_than_the_largest_is_the_largest(api: APIClient, size: str) -> None:
    assert api.get("/api/v1/rooms/", {"page_size": size}).status_code == 200


def test_one_thing_is_read_whatever_else_its_address_says(api: APIClient) -> None:
    body = {"arrival": "2030-05-10", "departure": "2030-05-12", "guest_name": "Ana"}
    made = api.put("/api/v1/reservations/by-external-id/R1/", body).json()
    for address in (f"{made['id']}/?status=cancelled", f"{made['id']}/reminders/?status=sent"):
        assert api.get(f"/api/v1/reservations/{address}").status_code == 200


@pytest.mark.parametrize("debug", [True, False])
def test_who_writes_without_the_slash_is_told_and_not_led_on(
    api: APIClient, settings: Any, debug: bool
) -> None:
    settings.DEBUG = debug
    assert api.get("/api/v1/rooms").status_code == 301
    answer = api.put("/api/v1/reservations/by-external-id/R1", {})
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")
    assert "Addresses end in a slash" in answer.json()["detail"]


def test_a_body_of_brackets_is_the_clients_mistake(api: APIClient) -> None:
    answer = api.put(
        "/api/v1/reservations/by-external-id/R1/", "[" * 200_000, content_type="application/json"
    )
    assert (answer.status_code, answer.json()["detail"]) == (400, "The JSON is nested too deeply.")
