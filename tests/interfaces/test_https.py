"""Tests of how production settings handle plain HTTP requests, and of the header Strict-Transport-Security."""

from typing import Any

import pytest
from django.test import Client

from tenants import services
from tenants.models import Hotel

pytestmark = pytest.mark.django_db

HSTS = "Strict-Transport-Security"
DOMAIN = "booking.alpha.example"


@pytest.fixture(autouse=True)
def _https_only(settings: Any, hotel: Hotel) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.ALLOWED_HOSTS = ["*"]


@pytest.mark.parametrize("host", ["localhost", "alpha.localhost", "Alpha.localhost"])
def test_get_over_http_is_redirected_to_https(client: Client, host: str) -> None:
    response = client.get("/admin/?a=b", headers={"Host": host})
    assert response.status_code == 301
    assert response["Location"].lower() == f"https://{host}/admin/?a=b".lower()


@pytest.mark.parametrize("host", ["evil.example", "unknown.localhost", "alpha.localhost.evil.example", "a b"])
@pytest.mark.parametrize("path", ["/admin/", "/api/v1/locks/", "/static/hotelagent/icon.svg"])
def test_request_over_http_to_an_unknown_host_is_not_redirected(client: Client, host: str, path: str) -> None:
    response = client.get(path, headers={"Host": host})
    assert response.status_code == 404
    assert "Location" not in response


def test_post_over_http_to_the_api_is_refused_with_a_problem_document(client: Client) -> None:
    response = client.post("/api/v1/locks/", {}, headers={"Host": "alpha.localhost"})
    assert response.status_code == 403
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["type"] == "/problems/https-required"


def test_post_over_http_to_the_admin_is_refused(client: Client) -> None:
    response = client.post("/admin/login/", {}, headers={"Host": "localhost"})
    assert response.status_code == 403
    assert b"https://" in response.content


def test_error_for_a_proxy_without_x_forwarded_proto_names_the_header(client: Client) -> None:
    response = client.get("/admin/", headers={"Host": "localhost", "X-Forwarded-For": "203.0.113.7"})
    assert response.status_code == 500
    assert b"X-Forwarded-Proto" in response.content
    secure = {"Host": "localhost", "X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    assert client.get("/admin/login/", headers=secure).status_code == 200


def hsts(host: str) -> str | None:
    response = Client().get("/admin/login/", headers={"Host": host, "X-Forwarded-Proto": "https"})
    assert response.status_code == 200
    return response.headers.get(HSTS)


def test_hsts_header_includes_subdomains_only_on_the_platform_host(settings: Any, hotel: Hotel) -> None:
    services.add_domain(hotel_id=hotel.id, host=DOMAIN)
    assert hsts("localhost") is None
    settings.SECURE_HSTS_SECONDS = 3600
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True
    assert hsts("localhost") == hsts("alpha.localhost") == "max-age=3600; includeSubDomains; preload"
    assert hsts(DOMAIN) == "max-age=3600"
