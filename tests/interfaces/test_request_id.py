"""Tests of the header X-Request-ID in requests and responses."""

import uuid

import pytest
from rest_framework.test import APIClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("urls_of_test_views")]


def test_valid_request_id_of_the_client_is_returned(api: APIClient) -> None:
    response = api.get("/api/v1/thing/", headers={"X-Request-ID": "booking-engine-0042"})
    assert response["X-Request-ID"] == "booking-engine-0042"
    assert response.json()["request_id"] == "booking-engine-0042"


@pytest.mark.parametrize(
    "invalid", ["", "short", "a b c d e f g h", "x" * 65, "evil\tforged=1", 'quo"te"quote']
)
def test_invalid_request_id_of_the_client_is_replaced(api: APIClient, invalid: str) -> None:
    response = api.get("/api/v1/thing/", headers={"X-Request-ID": invalid})
    assert uuid.UUID(response["X-Request-ID"]).version == 7
    assert response.json()["request_id"] == response["X-Request-ID"]
