"""Tests of the page "Workers and queues" and of Flower, with a real Celery worker."""

import contextlib
import os
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.management import CommandError, call_command
from django.test import Client

from hotelagent.celery import app
from hotelagent.embedded import paths, ports
from hotelagent.overview import heartbeats, workers
from hotelagent.overview.workers import Queue, Worker
from tenants.context import platform_context
from tenants.tasks import schedule_daily
from tests.broker import close_broker_connections
from tests.dlq.workers import prefork_worker, wait_for
from tests.overview.slow_task import release, wait_until_released
from tests.programs import Program, run_python

PAGE = "/admin/workers/"
LOGIN = "operator:correct-horse-battery"


@pytest.fixture
def broker(settings: Any) -> Iterator[None]:
    """Let this process send its messages to the Redis server of the tests."""
    app.conf.update(broker_url=settings.REDIS_URL)
    close_broker_connections()
    yield
    close_broker_connections()


def text_of(browser: Client) -> str:
    response = browser.get(PAGE)
    assert response.status_code == 200
    return " ".join(unescape(response.content.decode()).split())


@contextlib.contextmanager
def running_flower(folder: Path) -> Iterator[str]:
    """Run `manage.py flower` until the end of the `with` block, and yield its URL."""
    port = ports.find_free_port()
    environment = {**os.environ, "WORKER_MONITOR_LOGIN": LOGIN}
    for name in ("output", "errors"):
        (folder / name).touch()
    flower = Program(
        *("manage.py", "flower", "--port", str(port)),
        environment=environment, folder=paths.CHECKOUT, files=folder,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: flower.has_ended() or status_of(f"{url}/healthcheck") == 200)
        assert not flower.has_ended(), flower.errors()
        yield url
    finally:
        flower.kill()


def call(url: str, *, login: str = "", method: str = "GET") -> requests.Response:
    return requests.request(method, url, auth=tuple(login.split(":")) if login else None, timeout=30)  # type: ignore[arg-type]


def status_of(url: str, *, login: str = "", method: str = "GET") -> int:
    """Return the status of the response, or 0 if no server listens."""
    try:
        return call(url, login=login, method=method).status_code
    except requests.ConnectionError:
        return 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(180)
def test_page_and_flower_show_a_real_worker_with_its_task_and_queue(
    operator: Client, broker: None, tmp_path: Path
) -> None:
    with prefork_worker(include="tests.overview.slow_task"), running_flower(tmp_path) as url:
        with platform_context():
            wait_until_released.delay()
        state = wait_for(
            lambda: (found := workers.read_state()).workers and found.workers[0].running and found
        )
        [worker] = state.workers
        assert (worker.responds, worker.processes, worker.queues) == (True, 2, ("celery",))
        assert [task.name for task in worker.running] == [wait_until_released.name]
        assert 0 <= worker.running[0].seconds < 60
        assert state.queues == [Queue("celery", 0, workers=1)]
        page = text_of(operator)
        assert f"{wait_until_released.name} (" in page
        assert worker.name in page
        assert status_of(f"{url}/api/workers") == 401
        assert status_of(f"{url}/api/workers", login="operator:a-wrong-password") == 401
        assert list(call(f"{url}/api/workers?refresh=1", login=LOGIN).json()) == [worker.name]
        # Without --allow-changes, a person with the login cannot stop the worker.
        assert status_of(f"{url}/api/worker/shutdown/{worker.name}", login=LOGIN, method="POST") == 403
        release()


@pytest.mark.django_db
def test_page_counts_messages_that_no_worker_has_received(operator: Client, broker: None) -> None:
    assert workers.read_state().queues == [Queue("celery", 0, workers=0)]
    with platform_context():
        for _message in range(3):
            schedule_daily.delay()
    assert workers.read_state().queues == [Queue("celery", 3, workers=0)]
    page = text_of(operator)
    assert "No worker is running." in page
    assert "<td>3</td>" in page


@pytest.mark.django_db
def test_page_shows_a_worker_that_has_stopped_responding(
    operator: Client, broker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeats, "read_workers", lambda: ["celery@stopped"])
    monkeypatch.setattr(workers, "TIMEOUT_SECONDS", 0.1)
    assert workers.read_state().workers == [Worker("celery@stopped", responds=False)]
    assert "This worker does not respond." in text_of(operator)


@pytest.mark.django_db
def test_page_without_redis_says_so(operator: Client, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert "Redis is not available." in text_of(operator)


@pytest.mark.django_db
def test_page_is_not_shown_without_a_login() -> None:
    assert Client(SERVER_NAME="localhost").get(PAGE).status_code == 302


@pytest.mark.parametrize("login", ["", "operator", "operator:short", "operator:with,comma,in,it"])
def test_flower_refuses_to_start_without_a_login_with_a_long_password(login: str, settings: Any) -> None:
    settings.WORKER_MONITOR_LOGIN = login
    with pytest.raises(CommandError, match="Set WORKER_MONITOR_LOGIN to user:password"):
        call_command("flower")


def test_flower_command_ends_with_an_error_without_a_login() -> None:
    done = run_python("manage.py", "flower", environment={**os.environ, "WORKER_MONITOR_LOGIN": ""})
    assert done.returncode == 1
    assert "Set WORKER_MONITOR_LOGIN" in done.stderr
