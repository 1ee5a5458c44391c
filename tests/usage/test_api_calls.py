"""Tests of the count of API calls in Redis."""

import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import redis
from django.test import Client
from rest_framework.settings import api_settings
from rest_framework.test import APIClient

from hotelagent.rest import call_counts
from tenants.access import api_keys
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel
from tenants.scopes import PLATFORM_SCOPES
from tests.conftest import ALPHA_HOST

pytestmark = pytest.mark.django_db
ROOMS = "/api/v1/rooms/"


def calls_of(hotel: Hotel) -> int:
    today = datetime.datetime.now(ZoneInfo(hotel.time_zone)).date()
    return call_counts.read_counts(hotel.tenant, [today])[today]


def test_requests_with_an_api_key_are_counted_also_if_they_fail(hotel: Hotel, api: APIClient) -> None:
    assert [api.get(ROOMS).status_code, api.get(f"{ROOMS}999/").status_code] == [200, 404]
    assert calls_of(hotel) == 2


def test_requests_without_a_valid_api_key_are_not_counted(hotel: Hotel, staff: Client) -> None:
    stranger = APIClient(SERVER_NAME=ALPHA_HOST)
    assert stranger.get(ROOMS).status_code == 401
    stranger.credentials(HTTP_AUTHORIZATION="Bearer ha_x_y")
    assert stranger.get(ROOMS).status_code == 401
    assert staff.get(ROOMS).status_code == 200
    assert calls_of(hotel) == 0


def test_requests_that_the_rate_limit_refuses_are_not_counted(
    hotel: Hotel, api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = {"client": "2/min", "anonymous": "2/min"}
    monkeypatch.setattr(api_settings, "DEFAULT_THROTTLE_RATES", rates, raising=False)
    assert [api.get(ROOMS).status_code for _ in range(4)] == [200, 200, 429, 429]
    assert calls_of(hotel) == 2


def test_calls_of_other_hotels_and_of_the_platform_are_counted_separately(
    hotel: Hotel, other_hotel: Hotel, api: APIClient
) -> None:
    with hotel_context(other_hotel):
        _key, secret = api_keys.create(name="beta", scopes=["rooms:read"])
    beta = APIClient(SERVER_NAME="beta.localhost")
    beta.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    with platform_context():
        _key, secret = api_keys.create(name="operations", scopes=PLATFORM_SCOPES)
    operator = APIClient(SERVER_NAME="localhost")
    operator.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert [client.get(path).status_code for client, path in (
        (api, ROOMS), (beta, ROOMS), (beta, ROOMS), (operator, "/api/v1/hotels/"),
    )] == [200] * 4  # fmt: skip
    assert (calls_of(hotel), calls_of(other_hotel)) == (1, 2)


def test_counts_of_api_calls_expire(hotel: Hotel, api: APIClient, redis_url: str) -> None:
    api.get(ROOMS)
    with redis.Redis.from_url(redis_url) as client:
        left: Any = client.ttl(call_counts.key_of_today(hotel.tenant))
    assert 0 <= call_counts.KEEP_DAYS * 86_400 - left < 60
