"""Tests of the responses to platform staff while Redis is full, is a read-only replica, or is down."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.cache import caches
from django.test import Client
from waffle.models import Switch

from hotelagent.celery import app
from tenants import tasks
from tenants.context import platform_context
from tenants.models import Hotel, HotelStatus
from tests.broker import SeparateRedis, close_broker_connections

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["full", "read-only", "down"])
def degraded_redis(
    request: pytest.FixtureRequest, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Make the platform use a Redis server that accepts no writes.

    Return the reason: "full", "read-only" or "down".
    """
    with SeparateRedis(tmp_path / "valkey") as server:
        with redis.Redis.from_url(server.url) as client:
            if request.param == "full":
                client.config_set("maxmemory", 1)
            elif request.param == "read-only":
                client.replicaof("127.0.0.1", 1)
            else:
                server.kill()
        settings.REDIS_URL = server.url
        caches_before = settings.CACHES
        settings.CACHES = {name: {**cache, "LOCATION": server.url} for name, cache in caches_before.items()}
        monkeypatch.setattr(app.conf, "broker_url", server.url)
        close_broker_connections()
        yield request.param
    monkeypatch.undo()
    close_broker_connections()


def test_hotel_added_while_redis_is_unavailable_stays_in_the_status_provisioning(
    degraded_redis: str, operator: Client
) -> None:
    form = {"name": "Sol", "slug": "sol", "time_zone": "Europe/Madrid", "language": "es", "email": ""}
    response = operator.post("/admin/tenants/hotel/add/", form, follow=True)
    assert response.status_code == 200
    assert "The hotel is being provisioned" in response.text
    with platform_context():
        assert tasks.provision_pending() == 0
        Hotel.objects.filter(slug="sol").update(created_at="2000-01-01T00:00Z")
        assert tasks.provision_pending() == 0
        assert Hotel.objects.get(slug="sol").status == HotelStatus.PROVISIONING


def test_feature_flag_is_saved_while_redis_is_unavailable(degraded_redis: str, operator: Client) -> None:
    with platform_context():
        switch = Switch.objects.create(name="mail", active=False)
        response = operator.post(
            f"/admin/waffle/switch/{switch.pk}/change/", {"name": "mail", "active": "on", "note": ""}
        )
        assert response.status_code == 302
        switch.refresh_from_db()
        assert switch.active


def test_cache_behaves_as_if_empty_while_redis_is_unavailable(degraded_redis: str) -> None:
    with platform_context():
        cache = caches["default"]
        cache.set("a", 1)
        cache.set_many({"b": 2})
        assert cache.get("a", "absent") == "absent"
        assert cache.get_many(["a", "b"]) == {}
        assert "a" not in cache
        assert not cache.delete("a")


def test_ready_probe_without_a_writable_redis_returns_503_with_the_reason(
    degraded_redis: str,
) -> None:
    response = Client(SERVER_NAME="10.1.2.3").get("/health/ready")
    assert response.status_code == 503
    state = response.json()["parts"]["redis"]
    if degraded_redis == "down":
        assert state == "not reachable (ConnectionError)"
    else:
        assert state.startswith("does not accept writes")
