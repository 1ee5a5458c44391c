"""One id from the caller through log and trail to the answer."""

import uuid

import pytest
from rest_framework.test import APIClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("test_views")]


def test_it_takes_over_the_callers_id(api: APIClient) -> None:
    response = api.get("/api/v1/thing/", headers={"X-Request-ID": "booking-engine-0042"})
    assert response["X-Request-ID"] == "booking-engine-0042"
    assert response.json()["request_id"] == "booking-engine-0042"


@pytest.mark.parametrize(
    "given", ["", "short", "a b c d e f g h", "x" * 65, "evil\tforged=1", 'quo"te"quote']
)
def test_it_makes_one_where_the_callers_is_none(api: APIClient, given: str) -> None:
    response = api.get("/api/v1/thing/", headers={"X-Request-ID": given})
    assert uuid.UUID(response["X-Request-ID"]).version == 7
    assert response.json()["request_id"] == response["X-Request-ID"]
