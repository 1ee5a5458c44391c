"""Tests of the rate limits, with and without Redis."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from rest_framework.settings import api_settings
from rest_framework.test import APIClient

from audit.models import Event
from audit.registry import Outcome
from hotelagent.rest import throttling
from hotelagent.rest.throttling import ClientThrottle, Rate
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.interfaces.conftest import HOST, OTHER_HOST

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("urls_of_test_views")]
THING = "/api/v1/thing/"


@pytest.fixture(autouse=True)
def _low_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {"client": "3/min", "anonymous": "2/min"}
    monkeypatch.setattr(api_settings, "DEFAULT_THROTTLE_RATES", rates, raising=False)


@pytest.fixture
def no_redis(settings: Any, unused_tcp_port: int) -> Iterator[None]:
    settings.REDIS_URL = f"redis://127.0.0.1:{unused_tcp_port}/0"
    script = throttling._script
    script.cache_clear()
    yield
    script.cache_clear()
    ClientThrottle._resume_at = 0.0


@pytest.fixture
def unused_tcp_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_request_above_the_rate_limit_is_throttled_with_retry_after(
    hotel: Hotel, client_with: Callable[..., APIClient]
) -> None:
    client = client_with(hotel, "rooms:read")
    responses = [client.get(THING) for _ in range(4)]
    assert [response.status_code for response in responses] == [200, 200, 200, 429]
    assert responses[0]["RateLimit-Policy"] == '"client";q=3;w=60'
    assert responses[0]["RateLimit"].startswith('"client";r=2;t=')
    assert responses[3]["RateLimit"].startswith('"client";r=0;')
    assert 0 < int(responses[3]["Retry-After"]) <= 20
    assert responses[3].json()["type"] == "/problems/throttled"


def test_exceeded_rate_limit_is_recorded_once_per_client(
    hotel: Hotel, client_with: Callable[..., APIClient]
) -> None:
    client, other = client_with(hotel, "rooms:read"), client_with(hotel, "rooms:read")
    with hotel_context(hotel):  # earlier tests may have left events in the database
        earlier = list(Event.objects.values_list("id", flat=True))
    for _request in range(6):
        client.get(THING)
    for _request in range(4):
        other.get(THING)
    with hotel_context(hotel):
        events = list(Event.objects.filter(event="rate_limit.exceeded").exclude(id__in=earlier))
    assert [(event.actor_kind, event.outcome) for event in events] == [("key", Outcome.DENIED)] * 2
    assert len({event.actor_id for event in events}) == 2
    assert events[0].data == {"policy": "client", "requests": 3, "seconds": 60}


def test_throttled_client_does_not_affect_another_client(
    hotel: Hotel, client_with: Callable[..., APIClient]
) -> None:
    first, second = client_with(hotel, "rooms:read"), client_with(hotel, "rooms:read")
    for _ in range(4):
        first.get(THING)
    assert second.get(THING).status_code == 200


def test_client_with_wrong_api_keys_is_throttled_by_ip_address(hotel: Hotel) -> None:
    client = APIClient(SERVER_NAME=HOST)
    wrong_key = {"Authorization": "Bearer ha_abcdefghij_wrong"}
    assert [client.get(THING, headers=wrong_key).status_code for _ in range(3)] == [401, 401, 429]
    elsewhere = APIClient(SERVER_NAME=HOST, REMOTE_ADDR="192.0.2.7")
    assert elsewhere.get(THING, headers=wrong_key).status_code == 401
    assert APIClient(SERVER_NAME=OTHER_HOST).get(THING, headers=wrong_key).status_code == 401


def test_concurrent_requests_do_not_exceed_the_rate_limit(in_hotel: Hotel) -> None:
    """The Lua script reads and increments the counter atomically. Separate commands would allow too many requests."""
    barrier = threading.Barrier(16)
    allowed: list[bool] = []

    def send() -> None:
        barrier.wait(10)
        with hotel_context(in_hotel):
            result = ClientThrottle.check(policy="client", client="one", rate=Rate(5, 3600))
        assert result is not None
        allowed.append(result.allowed)

    threads = [threading.Thread(target=send) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(allowed) == 5


def test_redis_keys_of_throttles_do_not_contain_ip_addresses(hotel: Hotel, redis_url: str) -> None:
    APIClient(SERVER_NAME=HOST, REMOTE_ADDR="198.51.100.23").get(THING)
    with redis.Redis.from_url(redis_url) as client:
        keys = [key.decode() for key in client.keys("*")]
    assert any("throttle" in key for key in keys)
    assert not any("198.51.100.23" in key for key in keys)


@pytest.mark.usefixtures("no_redis")
def test_requests_are_allowed_while_the_throttle_cannot_reach_redis(
    hotel: Hotel, client_with: Callable[..., APIClient]
) -> None:
    client = client_with(hotel, "rooms:read")
    responses = [client.get(THING) for _ in range(5)]
    assert [response.status_code for response in responses] == [200] * 5
    assert "RateLimit" not in responses[0]


@pytest.mark.usefixtures("no_redis")
def test_throttle_does_not_use_redis_again_immediately_after_a_failure(
    in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = []
    script = throttling._script()

    def counting_script(**arguments: Any) -> Any:
        attempts.append(arguments)
        return script(**arguments)

    monkeypatch.setattr(throttling, "_script", lambda: counting_script)
    for _ in range(5):
        assert ClientThrottle.check(policy="client", client="one", rate=Rate(5, 60)) is None
    assert len(attempts) == 1
