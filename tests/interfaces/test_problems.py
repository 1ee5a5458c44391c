"""Whatever goes wrong, a client gets a problem document."""

from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.core.signals import request_finished
from django.test import Client
from rest_framework.test import APIClient

from hotelagent.rest.problems import all_problems
from tests.interfaces.conftest import HOST

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("test_views")]


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
def quiet(api: APIClient) -> APIClient:
    api.raise_request_exception = False
    return api


def test_it_says_which_values_are_wrong_and_where(quiet: APIClient) -> None:
    body = {"number": "twelve", "nights": ["2030-01-01", "soon"]}
    problem = problem_of(quiet.post("/api/v1/thing/", body), 400, "invalid")
    assert {error["pointer"] for error in problem["errors"]} == {"/number", "/nights/1"}
    assert all(error["detail"] for error in problem["errors"])


def test_it_tells_a_domain_error_with_what_belongs_to_it(quiet: APIClient) -> None:
    problem = problem_of(
        quiet.post("/api/v1/thing/", {}, headers={"X-Outcome": "taken"}), 409, "test-room-taken"
    )
    assert problem["detail"] == "Room 12 is taken."
    assert problem["nights"] == ["2030-01-01"]


def test_it_refuses_a_body_that_is_no_json(quiet: APIClient) -> None:
    response = quiet.post("/api/v1/thing/", "{", content_type="application/json")
    problem_of(response, 400, "bad-request")


def test_it_refuses_another_media_type(quiet: APIClient) -> None:
    response = quiet.post("/api/v1/thing/", "a=1", content_type="text/csv")
    problem = problem_of(response, 415, "unsupported-media-type")
    assert "Send `Content-Type: application/json`" in problem["detail"]


def test_it_names_the_methods_it_takes(quiet: APIClient) -> None:
    response = quiet.delete("/api/v1/thing/")
    assert "`Allow` lists those" in problem_of(response, 405, "method-not-allowed")["detail"]
    assert {"GET", "POST"} <= set(response["Allow"].split(", "))


def test_it_answers_for_an_unknown_address(quiet: APIClient) -> None:
    problem_of(quiet.get("/api/v1/no/such/thing"), 404, "not-found")


def test_a_request_whose_page_becomes_a_problem_ends_once(quiet: APIClient) -> None:
    """Ending it is what lets the database's connection go: others may still need that when the page is replaced."""
    ended: list[object] = []

    def count(**told: object) -> None:
        ended.append(told)

    request_finished.connect(count)
    try:
        quiet.get("/api/v1/no/such/thing")  # whose client closes what it gets
    finally:
        request_finished.disconnect(count)
    assert len(ended) == 1


def test_it_hides_what_broke_and_logs_it(quiet: APIClient, caplog: pytest.LogCaptureFixture) -> None:
    response = quiet.post("/api/v1/thing/", {}, headers={"X-Outcome": "broken"})
    problem_of(response, 500, "server-error")
    assert b"hunter2" not in response.content
    assert any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize("debug", [True, False])
def test_it_answers_for_a_page_that_broke(quiet: APIClient, settings: Any, debug: bool) -> None:
    settings.DEBUG = debug
    response = quiet.get("/api/v1/broken-page/")
    problem_of(response, 500, "server-error")
    assert b"guest@example.com" not in response.content


def test_it_asks_to_come_back_when_the_database_is_too_slow(quiet: APIClient) -> None:
    response = quiet.post(
        "/api/v1/thing/", {}, headers={"X-Outcome": "slow", "Idempotency-Key": "to-be-in-a-transaction"}
    )
    problem_of(response, 503, "unavailable")
    assert int(response["Retry-After"]) > 0


def test_it_leaves_pages_for_people_to_people(staff: Client) -> None:
    response = staff.get("/no-such-page")
    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")
    assert "X-Request-ID" in response


def test_it_explains_each_problem_at_its_type(client_with: Callable[..., APIClient]) -> None:
    browser = Client(SERVER_NAME=HOST)
    for problem in all_problems():
        response = browser.get(problem.type)
        assert response.status_code == 200
        assert problem.title in unescape(response.text)
    assert browser.get("/problems/no-such-problem").status_code == 404


def test_codes_are_not_used_twice() -> None:
    codes = [problem.code for problem in all_problems()]
    assert len(codes) == len(set(codes))
    assert all(code == code.lower() and " " not in code for code in codes)
