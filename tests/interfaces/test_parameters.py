"""Tests of query parameters, trailing slashes and malformed bodies in requests to the REST API."""

from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from hotelagent.rest.middleware import MAX_BODY_BYTES
from tenants.models import Hotel

pytestmark = pytest.mark.django_db


def errors_of(response: Any) -> list[dict[str, str]]:
    assert response.status_code == 400, response.content
    found: list[dict[str, str]] = response.json()["errors"]
    return found


def test_unknown_query_parameter_returns_an_error_that_lists_the_allowed_parameters(api: APIClient) -> None:
    [error] = errors_of(api.get("/api/v1/reservations/?statuss=cancelled"))
    assert error["pointer"] == "?statuss"
    assert "arrival_from, arrival_until" in error["detail"]
    assert "page_size" in error["detail"]


@pytest.mark.parametrize("parameter", ["status=gone", "arrival_from=soon", "guest_email=%00"])
def test_invalid_query_parameter_value_returns_an_error_that_names_the_parameter(
    api: APIClient, parameter: str
) -> None:
    [error] = errors_of(api.get(f"/api/v1/reservations/?{parameter}"))
    assert error["pointer"] == f"?{parameter.partition('=')[0]}"


@pytest.mark.parametrize("size", ["0", "-5", "000", "abc", "1.5", "", "²", "+5", "201", "100000", "9" * 5000])
def test_page_size_that_is_not_a_number_from_1_to_200_returns_an_error(api: APIClient, size: str) -> None:
    [error] = errors_of(api.get("/api/v1/rooms/", {"page_size": size}))
    assert error == {"pointer": "?page_size", "detail": "Enter a whole number from 1 to 200."}


@pytest.mark.parametrize("size", ["1", "007", "200"])
def test_list_request_with_a_page_size_up_to_the_limit_returns_200(api: APIClient, size: str) -> None:
    assert api.get("/api/v1/rooms/", {"page_size": size}).status_code == 200


def test_query_parameter_format_of_a_list_is_refused_as_unknown(api: APIClient) -> None:
    [error] = errors_of(api.get("/api/v1/reservations/?format=xml"))
    assert error["pointer"] == "?format"


@pytest.mark.parametrize(
    ("url", "parameter"),
    [
        ("/api/v1/audit/stream/?limits=2", "limits"),
        ("/api/v1/locks/?room=0.5", "room"),
        ("/api/v1/locks/?room=0", "room"),
        ("/api/v1/rooms/?capacity=1.5", "capacity"),
        ("/api/v1/rooms/?floor=6e-20", "floor"),
    ],
)
def test_parameter_that_the_openapi_document_does_not_allow_is_refused(
    api: APIClient, url: str, parameter: str
) -> None:
    [error] = errors_of(api.get(url))
    assert error["pointer"].endswith(parameter)


def test_unknown_query_parameter_in_the_url_of_a_single_object_is_ignored(api: APIClient) -> None:
    body = {"arrival": "2030-05-10", "departure": "2030-05-12", "guest_name": "Ana"}
    reservation = api.put("/api/v1/reservations/by-external-id/R1/", body).json()
    for path in (f"{reservation['id']}/?status=cancelled", f"{reservation['id']}/reminders/?status=sent"):
        assert api.get(f"/api/v1/reservations/{path}").status_code == 200


@pytest.mark.parametrize("debug", [True, False])
def test_put_without_the_trailing_slash_returns_404_and_get_is_redirected(
    api: APIClient, settings: Any, debug: bool
) -> None:
    settings.DEBUG = debug
    assert api.get("/api/v1/rooms").status_code == 301
    response = api.put("/api/v1/reservations/by-external-id/R1", {})
    assert (response.status_code, response.json()["type"]) == (404, "/problems/not-found")
    assert "All URLs end with a slash" in response.json()["detail"]


@pytest.mark.parametrize("body", [r'{"\ud83d": 1}', r'{"check_in": "\ud83d"}', r'["\ud83d"]'])
def test_request_with_an_unpaired_surrogate_returns_400(api: APIClient, body: str) -> None:
    response = api.post("/api/v1/locks/", body, content_type="application/json")
    assert response.status_code == 400
    assert r"contains \ud83d, which is only one half of a surrogate pair" in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"[" * 200_000, "nested too deeply. At most 100 levels are allowed."),
        (b'{"a":' * 100 + b"[]" + b"}" * 100, "nested too deeply. At most 100 levels are allowed."),
        (b'{"room": 1, "room": 2}', 'several members with the name "/room". Send each name only once.'),
        (b'{"data": {"\\ud83d": 1, "\\ud83d": 2}}', r'several members with the name "/data/\ud83d"'),
        (b'{"a": {}, "list": [{}, {"b/c": [{"x": 1, "x": 1}]}]}', 'the name "/list/1/b~1c/0/x"'),
        (b'{"a": {"x": 1, "x": 2}, "a": 1}', 'the name "/a"'),
        (b'{"amount": 1e400}', "The number 1e400 is too large or too small"),
        (b'{"amount": -1e-400}', "The number -1e-400 is too large or too small"),
        (b'{"amount": NaN}', "NaN is not JSON"),
        (b'{"name": "\xff"}', "can't decode byte 0xff"),
    ],
)
def test_json_that_could_not_be_stored_exactly_returns_400_with_the_reason(
    api: APIClient, body: bytes, detail: str
) -> None:
    response = api.put("/api/v1/reservations/by-external-id/R1/", body, content_type="application/json")
    assert (response.status_code, response.json()["type"]) == (400, "/problems/bad-request")
    assert detail in response.json()["detail"]


def test_json_with_100_levels_of_nesting_and_extreme_numbers_is_accepted(api: APIClient) -> None:
    body = b'{"a": [0, -0.0, 0e5, 1e300], "b":' + b"[" * 99 + b"]" * 99 + b"}"
    response = api.put("/api/v1/reservations/by-external-id/R1/", body, content_type="application/json")
    assert response.json()["type"] == "/problems/invalid"


def test_body_of_ten_megabytes_returns_413(api: APIClient) -> None:
    body = b'{"name": "%s"}' % (b"a" * 10_000_000)
    response = api.put("/api/v1/reservations/by-external-id/R1/", body, content_type="application/json")
    assert (response.status_code, response.json()["type"]) == (413, "/problems/too-large")


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/calendar", "multipart/form-data; boundary=x", "text/x-unknown"]
)
def test_body_over_the_limit_of_all_content_types_returns_413(api: APIClient, content_type: str) -> None:
    body = "x" * (MAX_BODY_BYTES + 1)
    response = api.generic("POST", "/api/v1/reservations/import-calendar/", body, content_type)
    assert (response.status_code, response.json()["type"]) == (413, "/problems/too-large")


def test_upload_over_the_limit_to_the_login_page_returns_413_before_it_is_read(
    client: Client, hotel: Hotel
) -> None:
    """The CSRF check reads the form even if the client is anonymous, so Django would store the uploaded file."""
    headers = {"host": "alpha.localhost", "accept-language": "es"}

    class Unread:
        def read(self, *_: object) -> bytes:
            raise AssertionError("The body was read.")

        readline = read

    environ: dict[str, Any] = {"wsgi.input": Unread(), "CONTENT_LENGTH": str(MAX_BODY_BYTES + 1)}
    response = client.post("/admin/login/", headers=headers, **environ)
    assert response.status_code == 413
    assert "10 MB" in response.content.decode()
