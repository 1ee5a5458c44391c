"""Tests that run the example client of the documentation against a server process."""

import contextlib
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from dlq.models import Attempt, Failure
from dlq.retries import runner
from hotelagent.embedded import paths, ports
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.dlq.external.clients import expire_lease, make_due
from tests.dlq.workers import wait_for

CLIENT = paths.CHECKOUT / "dlq/static/dlq/example_client.py"


class ExampleClient:
    """The example client with an API key of the hotel. Each call of `run` starts a process."""

    def __init__(self, hotel: Hotel, port: int) -> None:
        with hotel_context(hotel):
            _key, text = api_keys.create(name="example", scopes=["dlq:write", "dlq:work"])
        self.environment = {
            **os.environ,
            "HOTELAGENT_URL": f"http://{hotel.slug}.localhost",
            "HOTELAGENT_KEY": text,
            # The hotel's host name has no DNS record, so the client uses the server as an HTTP proxy.
            "http_proxy": f"http://{ports.LOOPBACK}:{port}",
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(CLIENT), *arguments], env=self.environment, stdout=subprocess.PIPE, text=True
        )

    def report(self, data: str) -> uuid.UUID:
        """Report a failed message with this JSON, make the failure due, and return the id of the failure."""
        with self.start("report", data) as process:
            failure_id = (process.communicate(timeout=20)[0]).strip()
        make_due(failure_id)
        return uuid.UUID(failure_id)

    @contextlib.contextmanager
    def working(self, *options: str) -> Iterator[Any]:
        """Run the example client, which processes failures, until the end of the `with` block. Then kill the client."""
        with self.start("work", *options) as process:
            try:
                yield process
            finally:
                process.kill()


@pytest.fixture
def client(transactional_db: None, hotel: Hotel, gunicorn_port: int) -> Iterator[ExampleClient]:
    with hotel_context(hotel):
        yield ExampleClient(hotel, gunicorn_port)
    connection.close()


def wait_for_status(failure_id: uuid.UUID, status: str) -> None:
    wait_for(lambda: Failure.objects.filter(id=failure_id, status=status).exists(), seconds=20)


def kill_in_the_middle(client: ExampleClient, failure_id: uuid.UUID, *options: str) -> str:
    """Kill the client after it has extended the lease of a failure and before it reports the result.

    Then end the lease of the killed client. Return the line that the client printed.
    """
    with client.working(*options) as process:
        output: str = process.stdout.readline()
        claimed = Failure.objects.get(id=failure_id)
        extended = Failure.objects.filter(id=failure_id, claimed_until__gt=claimed.claimed_until)
        wait_for(extended.exists, seconds=20)
    assert Failure.objects.get(id=failure_id).status == "retrying"
    expire_lease(str(failure_id))
    runner.retry_due(failure_id=failure_id)
    return output


def test_example_client_processes_the_failures_that_the_client_reported(client: ExampleClient) -> None:
    failure_id = client.report('{"booking": "B-1", "nights": 1}')
    broken_id = client.report('{"booking": "B-2"}')
    with client.working() as process:
        wait_for_status(failure_id, "resolved")
        wait_for_status(broken_id, "permanent")
        assert process.stdout.readline() == f"Night 1 of B-1 ({failure_id})\n"
    failed = Attempt.objects.get(failure_id=broken_id, number=1)
    assert (failed.outcome, failed.error_type, failed.error_message) == ("failed", "KeyError", "'nights'")


def test_work_of_a_killed_idempotent_example_client_is_claimed_by_another_client(
    client: ExampleClient,
) -> None:
    failure_id = client.report('{"booking": "B-1", "nights": 1000}')
    output = kill_in_the_middle(client, failure_id, "--idempotent")
    make_due(str(failure_id))
    with client.working("--idempotent") as process:
        assert process.stdout.readline() == output
    outcomes = (
        Attempt.objects.filter(failure_id=failure_id).order_by("number").values_list("outcome", flat=True)
    )
    assert list(outcomes) == ["failed", "lost", "running"]


def test_killed_example_client_that_is_not_idempotent_leaves_its_failure_in_doubt(
    client: ExampleClient,
) -> None:
    failure_id = client.report('{"booking": "B-1", "nights": 1000}')
    kill_in_the_middle(client, failure_id)
    assert Failure.objects.get(id=failure_id).status == "in_doubt"


def test_documentation_links_to_the_example_client(hotel: Hotel) -> None:
    schema = Client(SERVER_NAME="alpha.localhost").get("/api/schema/?format=json").json()
    assert "/static/dlq/example_client.py" in schema["info"]["description"]
