"""The probes answer by address, say what is wrong, and tell strangers nothing."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from hotelagent.monitoring import health, readiness
from tenants.context import platform_context

BY_ADDRESS = "10.1.2.3"  # as Kubernetes asks: no host that we know


@pytest.fixture
def probe() -> Client:
    return Client(SERVER_NAME=BY_ADDRESS)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    readiness._migrations_seen_at = float("-inf")
    yield
    readiness._migrations_seen_at = float("-inf")


def test_it_lives(probe: Client) -> None:
    response = probe.get("/health/live")
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    assert response.json() == {"status": "ok", "parts": {"requests": "ok", "threads": "ok", "disk": "ok"}}


def test_it_lives_without_a_database(probe: Client, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not settings.DATABASES[...] = ...: what stands inside a setting is not put back.
    monkeypatch.setitem(settings.DATABASES["default"], "PORT", "1")
    assert probe.get("/health/live").status_code == 200


def test_a_hung_request_is_an_end(monkeypatch: pytest.MonkeyPatch, rf: Any) -> None:
    inside, leave = threading.Event(), threading.Event()

    def hang(_request: Any) -> Any:
        inside.set()
        leave.wait(10)

    middleware = health.HealthMiddleware(hang)
    thread = threading.Thread(target=middleware, args=[rf.get("/")])
    thread.start()
    assert inside.wait(5)
    try:
        assert middleware(rf.get("/health/live")).status_code == 200
        monkeypatch.setattr(health, "HUNG_AFTER_SECONDS", 0.0)
        response = middleware(rf.get("/health/live"))
    finally:
        leave.set()
        thread.join()
    assert response.status_code == 503
    assert b"running for more than" in response.content
    assert middleware(rf.get("/health/live")).status_code == 200


def test_a_directory_that_takes_no_file_is_an_end(
    probe: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "gone"))
    response = probe.get("/health/live")
    assert response.status_code == 503
    assert "PROMETHEUS_MULTIPROC_DIR" in response.json()["parts"]["disk"]


@pytest.mark.django_db(transaction=True)
def test_it_is_ready(probe: Client) -> None:
    response = probe.get("/health/ready")
    assert response.json() == {"status": "ok", "parts": {"database": "ok", "migrations": "ok", "redis": "ok"}}
    assert response.status_code == 200


@pytest.mark.django_db(transaction=True)
def test_it_is_not_ready_while_a_migration_is_missing(probe: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = readiness.wanted_migrations() | {("tenants", "9999_of_tomorrow")}
    monkeypatch.setattr(readiness, "wanted_migrations", lambda: ahead)
    response = probe.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["parts"]["migrations"] == "1 not applied; run `manage.py migrate`"


def test_it_is_not_ready_without_redis(probe: Client, settings: Any) -> None:
    settings.REDIS_URL = "redis://:hunter2@127.0.0.1:1/0"
    response = probe.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["parts"]["redis"] == "not reachable (ConnectionError)"
    assert b"hunter2" not in response.content
    assert b"127.0.0.1" not in response.content


@pytest.mark.django_db(transaction=True)
def test_a_database_that_hangs_costs_two_seconds(probe: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    leave = threading.Event()

    def hang() -> str:
        leave.wait(10)
        return readiness.OK

    monkeypatch.setattr(readiness, "_database", hang)
    monkeypatch.setattr(readiness, "PART_SECONDS", 0.2)
    try:
        response = probe.get("/health/ready")
    finally:
        leave.set()
    assert response.status_code == 503
    assert response.json()["parts"]["database"].startswith("no answer within")
    assert response.json()["parts"]["redis"] == "ok"


def test_metrics_are_for_this_machine_only(settings: Any) -> None:
    settings.METRICS_TOKEN = ""
    client = Client(SERVER_NAME=BY_ADDRESS)
    assert client.get("/metrics", REMOTE_ADDR="127.0.0.1").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="::1").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="10.0.0.9").status_code == 404
    assert client.get("/metrics", REMOTE_ADDR="").status_code == 404
    # through a proxy on this machine
    assert client.get("/metrics", REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR="10.0.0.9").status_code == 404


def test_metrics_are_for_who_has_the_token(settings: Any) -> None:
    settings.METRICS_TOKEN = "a-long-token"
    client = Client(SERVER_NAME=BY_ADDRESS, REMOTE_ADDR="10.0.0.9")
    assert client.get("/metrics", headers={"Authorization": "Bearer a-long-token"}).status_code == 200
    assert client.get("/metrics", headers={"Authorization": "Bearer another"}).status_code == 404
    assert client.get("/metrics", REMOTE_ADDR="127.0.0.1").status_code == 404


@pytest.mark.django_db
def test_requests_are_counted_without_naming_anybody(hotel: Any, staff: Client) -> None:
    staff.get("/")
    staff.get("/no/such/page/for/guest@example.com")
    staff.generic("BREW", "/")
    page = Client(SERVER_NAME=BY_ADDRESS).get("/metrics").content.decode()
    assert 'hotelagent_request_seconds_count{method="GET",status="200",view="landing"}' in page
    assert 'method="other"' in page
    assert "alpha" not in page
    assert "example.com" not in page


def test_the_probes_leave_no_connection_behind(db: None) -> None:
    with platform_context(), connection.cursor() as cursor:
        readiness.parts()
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        before = cursor.fetchone()[0]
        for _ in range(3):
            readiness.parts()
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        assert cursor.fetchone()[0] <= before
