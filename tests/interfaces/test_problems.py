"""Tests that every error of the REST API is a problem document."""

from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.core.signals import request_finished
from django.test import Client
from rest_framework.test import APIClient

from hotelagent.rest.problems import all_problems
from tenants.models import Hotel
from tests.interfaces.conftest import HOST

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("urls_of_test_views")]


def problem_of(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["type"] == f"/problems/{code}"
    assert body["status"] == status
    assert body["request_id"] == response["X-Request-ID"]
    assert body["title"]
    assert body["detail"]
    return body


@pytest.fixture
def client(api: APIClient) -> APIClient:
    api.raise_request_exception = False
    return api


def test_invalid_values_are_listed_with_json_pointers_to_the_fields(client: APIClient) -> None:
    body = {"number": "twelve", "nights": ["2030-01-01", "soon"]}
    problem = problem_of(client.post("/api/v1/thing/", body), 400, "invalid")
    assert {error["pointer"] for error in problem["errors"]} == {"/number", "/nights/1"}
    assert all(error["detail"] for error in problem["errors"])


def test_domain_error_response_contains_the_detail_and_the_extra_members(client: APIClient) -> None:
    problem = problem_of(
        client.post("/api/v1/thing/", {}, headers={"X-Outcome": "unavailable"}), 409, "test-room-unavailable"
    )
    assert problem["detail"] == "Room 12 is not available."
    assert problem["nights"] == ["2030-01-01"]


def test_extra_member_of_an_error_never_replaces_a_reserved_member(client: APIClient) -> None:
    problem = problem_of(
        client.post("/api/v1/thing/", {}, headers={"X-Outcome": "reserved"}), 409, "test-room-unavailable"
    )
    assert problem["room"] == 12


def test_body_that_is_not_json_returns_400(client: APIClient) -> None:
    response = client.post("/api/v1/thing/", "{", content_type="application/json")
    problem_of(response, 400, "bad-request")


def test_body_of_an_unsupported_media_type_returns_415(client: APIClient) -> None:
    response = client.post("/api/v1/thing/", "a=1", content_type="text/csv")
    problem = problem_of(response, 415, "unsupported-media-type")
    assert "`Content-Type: application/json`" in problem["detail"]


def test_unsupported_method_returns_405_with_the_supported_methods_in_allow(client: APIClient) -> None:
    response = client.delete("/api/v1/thing/")
    assert "`Allow` lists the supported methods" in problem_of(response, 405, "method-not-allowed")["detail"]
    assert {"GET", "POST"} <= set(response["Allow"].split(", "))


def test_unknown_url_returns_404(client: APIClient) -> None:
    problem_of(client.get("/api/v1/no/such/thing"), 404, "not-found")


def test_replacing_an_error_page_sends_the_request_finished_signal_only_once(
    client: APIClient,
) -> None:
    """The signal request_finished closes the database connection.

    If the signal were sent twice, the first signal would close the connection while middleware still needs it.
    """
    finished: list[object] = []

    def count(**kwargs: object) -> None:
        finished.append(kwargs)

    request_finished.connect(count)
    try:
        client.get("/api/v1/no/such/thing")  # the test client closes the response
    finally:
        request_finished.disconnect(count)
    assert len(finished) == 1


def test_unexpected_exception_is_logged_and_not_shown_to_the_client(
    client: APIClient, caplog: pytest.LogCaptureFixture
) -> None:
    response = client.post("/api/v1/thing/", {}, headers={"X-Outcome": "broken"})
    problem_of(response, 500, "server-error")
    assert b"hunter2" not in response.content
    assert any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize("debug", [True, False])
def test_exception_outside_of_rest_framework_returns_a_problem_document(
    client: APIClient, settings: Any, debug: bool
) -> None:
    settings.DEBUG = debug
    response = client.get("/api/v1/broken-page/")
    problem_of(response, 500, "server-error")
    assert b"guest@example.com" not in response.content


def test_statement_timeout_returns_503_with_retry_after(client: APIClient) -> None:
    response = client.post(
        "/api/v1/thing/", {}, headers={"X-Outcome": "slow", "Idempotency-Key": "starts-a-transaction"}
    )
    problem_of(response, 503, "unavailable")
    assert int(response["Retry-After"]) > 0


def test_error_outside_of_the_api_returns_an_html_page(staff: Client) -> None:
    response = staff.get("/no-such-page")
    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")
    assert "X-Request-ID" in response


def test_type_url_of_each_problem_opens_a_page_with_its_title(
    client_with: Callable[..., APIClient],
) -> None:
    browser = Client(SERVER_NAME=HOST)
    for problem in all_problems():
        response = browser.get(problem.type)
        assert response.status_code == 200
        assert str(problem.title) in unescape(response.text)
    assert browser.get("/problems/no-such-problem").status_code == 404


def test_problem_codes_are_unique() -> None:
    codes = [problem.code for problem in all_problems()]
    assert len(codes) == len(set(codes))
    assert all(code == code.lower() and " " not in code for code in codes)


def test_problem_title_and_detail_are_in_the_language_of_the_client(client: APIClient) -> None:
    response = client.get("/api/v1/no/such/thing", headers={"Accept-Language": "es"})
    assert problem_of(response, 404, "not-found")["title"] == "No encontrado"


def test_page_that_explains_a_problem_is_always_in_english(hotel: Hotel) -> None:
    browser = Client(SERVER_NAME=HOST, headers={"Accept-Language": "es"})
    assert "The request is malformed" in browser.get("/problems/bad-request").text
