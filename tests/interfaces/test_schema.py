"""Tests that the OpenAPI schema describes every operation: summary, scope, idempotency and errors."""

import functools
import json
from typing import Any

import pytest
import yaml
from django.test import Client
from django.urls import clear_url_caches
from rest_framework.test import APIClient

from tenants.models import Hotel
from tests.interfaces.conftest import HOST

pytestmark = pytest.mark.django_db
METHODS = {"get", "post", "put", "patch", "delete"}


def request_schema(host: str) -> dict[str, Any]:
    response = Client(SERVER_NAME=host).get("/api/schema/?format=json")
    assert response.status_code == 200, response.content
    document: dict[str, Any] = json.loads(response.content)
    return document


@functools.cache
def schema_of(host: str) -> dict[str, Any]:
    """Return the OpenAPI schema of the host. The schema is requested only once."""
    return request_schema(host)


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]


def missing_parts(document: dict[str, Any]) -> list[str]:
    """Return a message for each part that an operation of the OpenAPI schema lacks, such as its summary.

    Each message contains a hint about how to add the missing part.
    """
    missing = []
    for name, operation in operations(document):
        if not operation.get("summary"):
            missing.append(f"{name}: no summary: add a docstring to the handler")
        if not operation.get("x-required-scope"):
            missing.append(f"{name}: no scope: add the method to the view's required_scopes")
        if "requestBody" in operation and name.startswith("POST") and _creates_something(operation):
            parameters = [parameter["name"] for parameter in operation.get("parameters", [])]
            if "Idempotency-Key" not in parameters:
                missing.append(
                    f"{name}: creates something without Idempotency-Key: derive the view from IdempotentMixin"
                )
        for status in ("400", "401", "403", "429", "500", "503"):
            response = operation["responses"].get(status, {})
            if reference := response.get("$ref"):
                response = document["components"]["responses"][reference.rpartition("/")[2]]
            content = response.get("content", {})
            if "application/problem+json" not in content:
                missing.append(f"{name}: no problem document for {status}")
    return missing


def _creates_something(operation: dict[str, Any]) -> bool:
    return bool({"201", "202"} & operation["responses"].keys())


@pytest.mark.parametrize("host", [HOST, "localhost"])
def test_openapi_schema_describes_summary_scope_idempotency_and_errors_of_each_operation(
    hotel: Any, host: str
) -> None:
    document = schema_of(host)
    assert operations(document)
    assert missing_parts(document) == []


@pytest.mark.parametrize("host", [HOST, "localhost"])
def test_schema_is_openapi_3_1_with_the_scope_of_each_operation(hotel: Any, host: str) -> None:
    document = schema_of(host)
    assert document["openapi"] == "3.1.0"
    assert document["components"]["securitySchemes"]["apiKey"]["scheme"] == "bearer"
    for _name, operation in operations(document):
        assert {"apiKey": [operation["x-required-scope"]]} in operation["security"]


def test_hotel_schema_and_platform_schema_share_only_the_urls_of_audit_trail_failures_and_usage(
    hotel: Any,
) -> None:
    hotels, platforms = schema_of(HOST)["paths"].keys(), schema_of("localhost")["paths"].keys()
    assert "/api/v1/hotels/" in platforms
    shared = {
        path
        for path in hotels & platforms
        if not path.startswith(("/api/v1/dlq", "/api/v1/audit", "/api/v1/usage"))
    }
    assert shared == set()


def test_undescribed_operation_is_reported_with_all_its_missing_parts() -> None:
    document: dict[str, Any] = {"paths": {"/x/": {"post": {"requestBody": {}, "responses": {"201": {}}}}}}
    assert len(missing_parts(document)) == 9


@pytest.mark.usefixtures("urls_of_test_views")
def test_schema_of_an_idempotent_post_lists_the_key_header_and_its_errors(hotel: Any) -> None:
    clear_url_caches()
    post = request_schema(HOST)["paths"]["/api/v1/thing/"]["post"]
    assert "Idempotency-Key" in [parameter["name"] for parameter in post["parameters"]]
    assert {"409", "422"} <= post["responses"].keys()


@pytest.mark.parametrize("host", [HOST, "localhost"])
def test_documentation_page_loads_nothing_from_other_hosts(hotel: Any, host: str) -> None:
    response = Client(SERVER_NAME=host).get("/api/docs/")
    assert response.status_code == 200
    page = response.content.decode()
    assert "https://" not in page
    assert "http://" not in page
    assert "<style" not in page
    assert "script-src 'self'" in response["Content-Security-Policy"]
    script = Client(SERVER_NAME=host).get("/api/docs/?script=")
    assert script["Content-Type"].startswith("application/javascript")


def test_schema_introduction_and_tags_describe_the_api_of_the_requested_host(hotel: Hotel) -> None:
    documents = {host: schema_of(host) for host in (HOST, "localhost")}
    for document in documents.values():
        for word in ("Authorization: Bearer", "Idempotency-Key", "/problems/", "Retry-After"):
            assert word in document["info"]["description"]
        used = {tag for _name, operation in operations(document) for tag in operation["tags"]}
        assert {tag["name"] for tag in document["tags"]} == used
    assert "Book a room" in documents[HOST]["info"]["description"]
    assert "Book a room" not in documents["localhost"]["info"]["description"]


@pytest.mark.parametrize("host", [HOST, "localhost"])
def test_schema_as_yaml_equals_the_schema_as_json(hotel: Hotel, host: str) -> None:
    response = Client(SERVER_NAME=host).get("/api/schema/")
    assert response.headers["Content-Type"].startswith("application/vnd.oai.openapi")
    assert yaml.safe_load(response.content) == schema_of(host)


def test_options_request_returns_the_methods_and_no_body(api: APIClient) -> None:
    response = api.options("/api/v1/dlq/entries/claim/")
    assert (response.status_code, response.content, response["Allow"]) == (204, b"", "POST, OPTIONS")


@pytest.mark.parametrize(
    ("time", "status"),
    [("2031-07-01T09:00:00-21:43", 200), ("0001-01-01T00:00:00+18:00", 400), ("2031-07-01T09:00:00Z", 200)],
)
def test_filter_by_a_time_with_an_unusual_offset_is_not_a_server_error(
    api: APIClient, time: str, status: int
) -> None:
    for url, name in (("/reminders/", "planned_until"), ("/dlq/entries/", "until"), ("/audit/", "since")):
        assert api.get(f"/api/v1{url}", {name: time}).status_code == status, url


def test_search_for_events_before_1970_returns_no_event(api: APIClient) -> None:
    response = api.get("/api/v1/audit/", {"until": "1195-01-18T18:53:56Z"})
    assert (response.status_code, response.json()["results"]) == (200, [])


@pytest.mark.parametrize("url", ["/api/v1/locks/", "/api/v1/calendars/"])
def test_filter_by_a_room_that_does_not_exist_returns_an_empty_list(api: APIClient, url: str) -> None:
    response = api.get(url, {"room": 999_999})
    assert (response.status_code, response.json()["results"]) == (200, [])


def test_request_with_unknown_fields_is_refused_as_the_schema_says(api: APIClient) -> None:
    body = schema_of(HOST)["components"]["schemas"]["CreateHoldRequest"]
    assert body["additionalProperties"] is False
    assert api.post("/api/v1/locks/", {"chek_in": "2031-07-01"}).status_code == 400
