"""The functions of the benchmark `external_claims`: they create failures and claim the failures over REST."""

import time
from functools import cache
from http import HTTPStatus

from django.core.management import call_command
from django.db import connection
from django.db.models.functions import Now
from django.test import Client

from dlq.kinds.namespaces import external_name
from dlq.models import Failure, FailureStatus
from tenants import services
from tenants.access import api_keys
from tenants.context import hotel_context, platform_context
from tenants.database.connections import direct_connection
from tenants.models import Hotel

CLIENT, KIND = "pms", "booking"

_INSERT = """
INSERT INTO dlq_failure (
    id, is_task, source, name, work_key, ordering_key, payload, original_type, error_type, error_message, fingerprint,
    status, retries, attempt, occurrences, next_retry_at, created_at, last_seen_at, expires_at, discard_reason, task_id,
    request_id)
SELECT tenants_uuid7(), false, %(client)s, %(name)s, md5(number::text || clock_timestamp()), '', '{}', '', 'Error',
    'failed', '0000000000000000', 'scheduled', 0, 0, 1, now(), now(), now(), now() + interval '7 days', '', '', ''
FROM generate_series(1, %(count)s) AS number
"""


def prepare(hotels: dict[str, tuple[int, int]]) -> None:
    """Create hotels. `hotels` maps each slug to the number of waiting failures and the number of closed failures."""
    call_command("migrate", verbosity=0)
    for slug, (waiting, closed) in hotels.items():
        services.create_hotel(slug=slug, name=slug)
        with direct_connection(), hotel_context(_hotel(slug)), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            _insert(closed)
            # Failures are closed by an update, which leaves old row versions in the table and in its indexes.
            Failure.objects.update(status=FailureStatus.RESOLVED, closed_at=Now(), next_retry_at=None)
            _insert(waiting)
        with direct_connection(), hotel_context(_hotel(slug)), connection.cursor() as cursor:
            cursor.execute("ANALYZE dlq_failure")


def _insert(count: int) -> None:
    with connection.cursor() as cursor:
        values: dict[str, str | int] = {"client": CLIENT, "name": external_name(CLIENT, KIND), "count": count}
        cursor.execute(_INSERT, values)


@cache
def _hotel(slug: str) -> Hotel:
    with platform_context():
        return Hotel.objects.get(slug=slug)


@cache
def _client(slug: str) -> Client:
    with hotel_context(_hotel(slug)):
        _key, text = api_keys.create(name=CLIENT, scopes=["dlq:work"])
    return Client(SERVER_NAME=f"{slug}.localhost", headers={"Authorization": f"Bearer {text}"})


def claim(slug: str, count: int) -> float:
    """Claim `count` failures of the hotel, one in each request. Return the mean duration of a request in seconds."""
    client = _client(slug)
    client.get("/api/v1/dlq/entries/not-a-failure/")  # opens the database connection before the measurement
    started = time.perf_counter()
    for _ in range(count):
        body = {"kinds": [KIND], "lease_seconds": 600}
        response = client.post("/api/v1/dlq/entries/claim/", body, content_type="application/json")
        if response.status_code != HTTPStatus.OK or len(response.json()["entries"]) != 1:
            raise RuntimeError(f"{response.status_code} {response.content[:300]!r}")
    return (time.perf_counter() - started) / count
