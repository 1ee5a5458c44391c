"""Every operation of every app says what it does, what it needs and how it fails."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import clear_url_caches

from tenants.models import Hotel
from tests.interfaces.conftest import HOST

pytestmark = pytest.mark.django_db
METHODS = {"get", "post", "put", "patch", "delete"}


def schema_of(host: str) -> dict[str, Any]:
    response = Client(SERVER_NAME=host).get("/api/schema/?format=json")
    assert response.status_code == 200, response.content
    document: dict[str, Any] = json.loads(response.content)
    return document


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {address}", operation)
        for address, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]


def complaints(document: dict[str, Any]) -> list[str]:
    found = []
    for name, operation in operations(document):
        if not operation.get("summary"):
            found.append(f"{name}: no summary; give the handler a docstring")
        if not operation.get("x-required-scope"):
            found.append(f"{name}: no scope; name it in the view's required_scopes")
        if "requestBody" in operation and name.startswith("POST") and _makes_something(operation):
            parameters = [parameter["name"] for parameter in operation.get("parameters", [])]
            if "Idempotency-Key" not in parameters:
                found.append(
                    f"{name}: makes something and takes no Idempotency-Key; derive from IdempotentMixin"
                )
        for status in ("400", "401", "403", "429", "500", "503"):
            content = operation["responses"].get(status, {}).get("content", {})
            if "application/problem+json" not in content:
                found.append(f"{name}: no problem document for {status}")
    return found


def _makes_something(operation: dict[str, Any]) -> bool:
    return bool({"201", "202"} & operation["responses"].keys())


@pytest.mark.parametrize("host", [HOST, "localhost"])
def test_no_operation_is_silent(hotel: Any, host: str) -> None:
    document = schema_of(host)
    assert operations(document)
    assert complaints(document) == []


@pytest.mark.parametrize("host", [HOST, "localhost"])
def test_it_is_openapi_3_1_with_both_ways_in(hotel: Any, host: str) -> None:
    document = schema_of(host)
    assert document["openapi"] == "3.1.0"
    assert document["components"]["securitySchemes"]["apiKey"]["scheme"] == "bearer"
    for _name, operation in operations(document):
        assert {"apiKey": [operation["x-required-scope"]]} in operation["security"]


def test_a_hotels_schema_and_the_platforms_share_nothing(hotel: Any) -> None:
    hotels, platforms = schema_of(HOST)["paths"].keys(), schema_of("localhost")["paths"].keys()
    assert "/api/v1/hotels/" in platforms
    shared = {
        address for address in hotels & platforms if not address.startswith(("/api/v1/dlq", "/api/v1/audit"))
    }
    assert shared == set()


def test_the_guard_sees_an_operation_without_them() -> None:
    silent: dict[str, Any] = {"paths": {"/x/": {"post": {"requestBody": {}, "responses": {"201": {}}}}}}
    found = complaints(silent)
    assert len(found) == 9


@pytest.mark.usefixtures("test_views")
def test_an_idempotent_post_says_so(hotel: Any) -> None:
    clear_url_caches()
    post = schema_of(HOST)["paths"]["/api/v1/thing/"]["post"]
    assert "Idempotency-Key" in [parameter["name"] for parameter in post["parameters"]]
    assert {"409", "422"} <= post["responses"].keys()


@pytest.mark.parametrize("host", [HOST, "localhost"])
def test_the_documentation_needs_nothing_from_elsewhere(hotel: Any, host: str) -> None:
    response = Client(SERVER_NAME=host).get("/api/docs/")
    assert response.status_code == 200
    page = response.content.decode()
    assert "https://" not in page
    assert "http://" not in page
    assert "<style" not in page
    assert "script-src 'self'" in response["Content-Security-Policy"]
    script = Client(SERVER_NAME=host).get("/api/docs/?script=")
    assert script["Content-Type"].startswith("application/javascript")


def test_it_says_how_to_begin(hotel: Hotel) -> None:
    documents = {host: schema_of(host) for host in (HOST, "localhost")}
    for document in documents.values():
        for word in ("Authorization: Bearer", "Idempotency-Key", "/problems/", "Retry-After"):
            assert word in document["info"]["description"]
        used = {tag for _name, operation in operations(document) for tag in operation["tags"]}
        assert {tag["name"] for tag in document["tags"]} == used
    assert "Book a room" in documents[HOST]["info"]["description"]
    assert "Book a room" not in documents["localhost"]["info"]["description"]
