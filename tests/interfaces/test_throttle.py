"""How much one client may ask, and what a Redis that is away does to it."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from rest_framework.settings import api_settings
from rest_framework.test import APIClient

from hotelagent.rest import throttling
from hotelagent.rest.throttling import ClientThrottle, Rate
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.interfaces.conftest import HOST, OTHER_HOST

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("test_views")]
THING = "/api/v1/thing/"


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_it_counts_and_then_refuses(hotel: Hotel, client_with: Callable[..., APIClient]) -> None:
    client = client_with(hotel, "rooms:read")
    answers = [client.get(THING) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0]["RateLimit-Policy"] == '"client";q=3;w=60'
    assert answers[0]["RateLimit"].startswith('"client";r=2;t=')
    assert answers[3]["RateLimit"].startswith('"client";r=0;')
    assert 0 < int(answers[3]["Retry-After"]) <= 20
    assert answers[3].json()["type"] == "/problems/throttled"


def test_a_client_does_not_use_up_anothers(hotel: Hotel, client_with: Callable[..., APIClient]) -> None:
    first, second = client_with(hotel, "rooms:read"), client_with(hotel, "rooms:read")
    for _ in range(4):
        first.get(THING)
    assert second.get(THING).status_code == 200


def test_who_guesses_keys_is_slowed_down_by_address(hotel: Hotel) -> None:
    client = APIClient(SERVER_NAME=HOST)
    guess = {"Authorization": "Bearer ha_abcdefghij_wrong"}
    assert [client.get(THING, headers=guess).status_code for _ in range(3)] == [401, 401, 429]
    elsewhere = APIClient(SERVER_NAME=HOST, REMOTE_ADDR="192.0.2.7")
    assert elsewhere.get(THING, headers=guess).status_code == 401
    assert APIClient(SERVER_NAME=OTHER_HOST).get(THING, headers=guess).status_code == 401


def test_no_more_get_in_at_once_than_the_rate_allows(in_hotel: Hotel) -> None:
    """A check and a write apart would let several in: the script is one step for Redis."""
    gate = threading.Barrier(16)
    let_in: list[bool] = []

    def ask() -> None:
        gate.wait(10)
        with hotel_context(in_hotel):
            verdict = ClientThrottle.check(policy="client", client="one", rate=Rate(5, 3600))
        assert verdict is not None
        let_in.append(verdict.allowed)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(let_in) == 5


def test_no_address_stands_in_redis(hotel: Hotel, redis_url: str) -> None:
    APIClient(SERVER_NAME=HOST, REMOTE_ADDR="198.51.100.23").get(THING)
    with redis.Redis.from_url(redis_url) as client:
        keys = [key.decode() for key in client.keys("*")]
    assert any("throttle" in key for key in keys)
    assert not any("198.51.100.23" in key for key in keys)


@pytest.mark.usefixtures("no_redis")
def test_without_redis_the_api_answers(hotel: Hotel, client_with: Callable[..., APIClient]) -> None:
    client = client_with(hotel, "rooms:read")
    answers = [client.get(THING) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert "RateLimit" not in answers[0]


@pytest.mark.usefixtures("no_redis")
def test_without_redis_it_does_not_ask_at_every_request(
    in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    script = throttling._script()

    def counted(**arguments: Any) -> Any:
        asked.append(arguments)
        return script(**arguments)

    monkeypatch.setattr(throttling, "_script", lambda: counted)
    for _ in range(5):
        assert ClientThrottle.check(policy="client", client="one", rate=Rate(5, 60)) is None
    assert len(asked) == 1
