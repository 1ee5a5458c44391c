"""Tests of the health probes `/health/live` and `/health/ready`, and of the metrics endpoint."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from whitenoise.storage import CompressedManifestStaticFilesStorage

from hotelagent.monitoring import health, readiness
from tenants import host_routing
from tenants.context import platform_context

#: Kubernetes sends probes to the IP address of a pod, which belongs to no hotel.
IP_ADDRESS = "10.1.2.3"


@pytest.fixture
def probe() -> Client:
    return Client(SERVER_NAME=IP_ADDRESS)


@pytest.fixture(autouse=True)
def _reset_migrations_cache() -> Iterator[None]:
    readiness._migrations_checked_at = float("-inf")
    yield
    readiness._migrations_checked_at = float("-inf")


def test_live_probe_returns_ok(probe: Client) -> None:
    response = probe.get("/health/live")
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    assert response.json() == {"status": "ok", "parts": {"requests": "ok", "threads": "ok", "disk": "ok"}}


def test_live_probe_without_a_database_returns_ok(
    probe: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The fixture `settings` restores settings, but not the members of a dict that is a setting.
    monkeypatch.setitem(settings.DATABASES["default"], "PORT", "1")
    assert probe.get("/health/live").status_code == 200


def test_live_probe_returns_503_while_a_request_hangs(monkeypatch: pytest.MonkeyPatch, rf: Any) -> None:
    entered, finish = threading.Event(), threading.Event()

    def hang(_request: Any) -> Any:
        entered.set()
        finish.wait(60)

    middleware = health.HealthMiddleware(hang)
    thread = threading.Thread(target=middleware, args=[rf.get("/")])
    thread.start()
    assert entered.wait(30)
    try:
        assert middleware(rf.get("/health/live")).status_code == 200
        monkeypatch.setattr(health, "HUNG_AFTER_SECONDS", 0.0)
        response = middleware(rf.get("/health/live"))
    finally:
        finish.set()
        thread.join()
    assert response.status_code == 503
    assert b"running for more than" in response.content
    assert middleware(rf.get("/health/live")).status_code == 200


def test_live_probe_with_an_unwritable_metrics_directory_returns_503(
    probe: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "gone"))
    response = probe.get("/health/live")
    assert response.status_code == 503
    assert "PROMETHEUS_MULTIPROC_DIR" in response.json()["parts"]["disk"]


@pytest.mark.django_db(transaction=True)
def test_ready_probe_without_collected_static_files_returns_503_and_names_collectstatic(
    probe: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = CompressedManifestStaticFilesStorage(location=tmp_path)
    monkeypatch.setattr(readiness, "staticfiles_storage", storage)
    response = probe.get("/health/ready")
    assert response.status_code == 503
    assert "collectstatic" in response.json()["parts"]["static"]
    (tmp_path / "staticfiles.json").write_text(
        '{"version": "1.1", "paths": {"a.css": "a.1.css"}, "hash": ""}'
    )
    collected = CompressedManifestStaticFilesStorage(location=tmp_path)
    monkeypatch.setattr(readiness, "staticfiles_storage", collected)
    assert probe.get("/health/ready").json()["parts"]["static"] == "ok"


@pytest.mark.django_db(transaction=True)
def test_ready_probe_returns_ok(probe: Client) -> None:
    response = probe.get("/health/ready")
    assert response.json() == {
        "status": "ok",
        "parts": {"database": "ok", "migrations": "ok", "routing": "ok", "redis": "ok", "static": "ok"},
    }
    assert response.status_code == 200


@pytest.mark.django_db(transaction=True)
def test_ready_probe_with_an_unapplied_migration_returns_503(
    probe: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    required = readiness.required_migrations() | {("tenants", "9999_future")}
    monkeypatch.setattr(readiness, "required_migrations", lambda: required)
    response = probe.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["parts"]["migrations"] == "1 not applied; run `manage.py migrate`"


@pytest.mark.django_db(transaction=True)
def test_ready_probe_with_an_unreadable_routing_table_returns_503(
    probe: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_version: int) -> Any:
        raise ValueError("a row cannot be read")

    monkeypatch.setattr(host_routing, "_read_table", fail)
    response = probe.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["parts"]["routing"] == "not readable (ValueError)"


def test_ready_probe_without_redis_returns_503_without_the_redis_password(
    probe: Client, settings: Any
) -> None:
    settings.REDIS_URL = "redis://:hunter2@127.0.0.1:1/0"
    response = probe.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["parts"]["redis"] == "not reachable (ConnectionError)"
    assert b"hunter2" not in response.content
    assert b"127.0.0.1" not in response.content


@pytest.mark.django_db(transaction=True)
def test_ready_probe_with_a_hanging_database_returns_503_at_the_time_limit(
    probe: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = threading.Event()

    def hang() -> str:
        finish.wait(60)
        return readiness.OK

    monkeypatch.setattr(readiness, "_check_database", hang)
    monkeypatch.setattr(readiness, "TIMEOUT_SECONDS", 2.0)
    try:
        response = probe.get("/health/ready")
    finally:
        finish.set()
    assert response.status_code == 503
    assert response.json()["parts"]["database"].startswith("no response within")
    assert response.json()["parts"]["redis"] == "ok"


def test_metrics_page_without_a_configured_token_is_served_to_this_machine_only(settings: Any) -> None:
    settings.METRICS_TOKEN = ""
    client = Client(SERVER_NAME=IP_ADDRESS)
    assert client.get("/metrics", REMOTE_ADDR="127.0.0.1").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="::1").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="10.0.0.9").status_code == 404
    assert client.get("/metrics", REMOTE_ADDR="").status_code == 404
    # A request through a proxy on this machine.
    assert client.get("/metrics", REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR="10.0.0.9").status_code == 404


def test_metrics_page_with_a_configured_token_requires_the_token(
    settings: Any,
) -> None:
    settings.METRICS_TOKEN = "a-long-token"
    client = Client(SERVER_NAME=IP_ADDRESS, REMOTE_ADDR="10.0.0.9")
    assert client.get("/metrics", headers={"Authorization": "Bearer a-long-token"}).status_code == 200
    assert client.get("/metrics", headers={"Authorization": "Bearer another"}).status_code == 404
    assert client.get("/metrics", REMOTE_ADDR="127.0.0.1").status_code == 404


@pytest.mark.django_db
def test_metrics_of_requests_contain_no_hotel_name_and_no_url_path(hotel: Any, staff: Client) -> None:
    staff.get("/")
    staff.get("/no/such/page/for/guest@example.com")
    staff.generic("BREW", "/")
    page = Client(SERVER_NAME=IP_ADDRESS).get("/metrics").content.decode()
    assert 'hotelagent_request_seconds_count{method="GET",status="200",view="landing"}' in page
    assert 'method="other"' in page
    assert "alpha" not in page
    assert "example.com" not in page


def test_metrics_page_contains_the_version_of_the_code(
    settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings.CODE_VERSION = "v2"
    client = Client(SERVER_NAME=IP_ADDRESS)
    assert 'hotelagent_version_info{version="v2"} 1.0' in client.get("/metrics").text
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    assert 'hotelagent_version_info{version="v2"} 1.0' in client.get("/metrics").text


def test_ready_probe_closes_its_database_connections(db: None) -> None:
    with platform_context(), connection.cursor() as cursor:
        readiness.check_parts()
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        before = cursor.fetchone()[0]
        for _ in range(3):
            readiness.check_parts()
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        assert cursor.fetchone()[0] <= before


_WRITER = """
from hotelagent.core import metrics
metrics.counter("tests_total", "A counter.").inc()
"""


def _write_metrics(directory: Path, code: str = _WRITER) -> subprocess.CompletedProcess[str]:
    """Write metrics to the directory in a separate process. Wait until the process ends, and return its result."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "content", [bytes(range(256)) * 20, b"", b"\0" * 7, b"\x10\0\0\0\0\0\0\0\xff\xff\xff\x7f1234"]
)
def test_metrics_page_leaves_out_a_damaged_metrics_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    assert _write_metrics(tmp_path).returncode == 0
    assert _write_metrics(tmp_path).returncode == 0
    (tmp_path / "counter_99999.db").write_bytes(content)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    for _ in range(2):
        response = Client(SERVER_NAME=IP_ADDRESS).get("/metrics")
        assert response.status_code == 200
        assert "tests_total 2.0" in response.text


def test_process_starts_despite_a_damaged_metrics_file_of_its_process_id(
    tmp_path: Path,
) -> None:
    damage = (
        "import os, pathlib\n"
        f"pathlib.Path({str(tmp_path)!r}, f'counter_{{os.getpid()}}.db').write_bytes(bytes(range(256)) * 20)\n"
    )
    result = _write_metrics(tmp_path, damage + _WRITER)
    assert result.returncode == 0, result.stderr
