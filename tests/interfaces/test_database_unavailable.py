"""Tests of HTTP responses and Celery beat while the database is read-only or unreachable."""

import os
from collections.abc import Iterator

import psycopg
import pytest
from django.conf import settings
from django.db import DatabaseError, DataError, InternalError, connection, transaction
from django.test import Client
from psycopg import sql
from rest_framework.test import APIClient

from hotelagent import beat
from hotelagent.celery import app
from hotelagent.monitoring import readiness
from tenants.context import hotel_context
from tenants.database.availability import is_database_unavailable
from tenants.models import Hotel
from tests.servers import PgBouncer

pytestmark = pytest.mark.django_db(transaction=True)


def set_read_only(value: str) -> None:
    """Make new transactions of the test database read-only ("on", as on a standby server) or writable ("off")."""
    database = sql.Identifier(settings.DATABASES["default"]["NAME"])
    with psycopg.connect(
        os.environ["HOTELAGENT_TEST_SUPERUSER_URL"],
        autocommit=True,
        options="-c default_transaction_read_only=off",
    ) as superuser:
        superuser.execute(
            sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}").format(database, value)
        )
    connection.close()


@pytest.fixture
def read_only(api: APIClient, staff: Client) -> Iterator[None]:
    """Make the database read-only during the test, after the API key and the session were created."""
    set_read_only("on")
    yield
    set_read_only("off")


@pytest.mark.usefixtures("read_only")
def test_rest_write_to_a_read_only_database_returns_503_with_retry_after(api: APIClient) -> None:
    api.raise_request_exception = False
    body = {"room_type": "Standard", "check_in": "2030-05-01", "check_out": "2030-05-04"}
    response = api.post("/api/v1/locks/", body, headers={"Idempotency-Key": "4711"})
    assert response.status_code == 503
    assert response.json()["type"] == "/problems/unavailable"
    assert int(response["Retry-After"]) > 0


@pytest.mark.usefixtures("read_only")
def test_rest_read_from_a_read_only_database_succeeds(api: APIClient) -> None:
    assert api.get("/api/v1/rooms/").status_code == 200


@pytest.mark.usefixtures("read_only")
def test_admin_write_to_a_read_only_database_returns_503_with_retry_after(staff: Client) -> None:
    staff.raise_request_exception = False
    response = staff.post("/admin/locks/room/add/", {"number": "101", "room_type": "Standard", "capacity": 2})
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert "Temporarily unavailable" in response.text


@pytest.mark.usefixtures("read_only")
def test_programming_error_while_the_database_is_read_only_returns_a_500_page(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hotelagent.pages.render", lambda *_args, **_options: 1 / 0)
    staff.raise_request_exception = False
    assert staff.get("/").status_code == 500


@pytest.mark.usefixtures("read_only")
def test_ready_probe_with_a_read_only_database_returns_503() -> None:
    response = Client(SERVER_NAME="10.1.2.3").get("/health/ready")
    assert response.status_code == 503
    assert response.json()["parts"]["database"] == "read-only"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    sent: list[str] = []
    monkeypatch.setattr(
        beat.LeadingScheduler, "apply_async", lambda _self, entry, **_options: sent.append(entry.task)
    )
    return sent


def start_beat() -> beat.LeadingScheduler:
    scheduler = beat.LeadingScheduler(app=app)
    scheduler._finalize.cancel()  # the finalizer would use the database at exit, when the database no longer exists
    return scheduler


def test_beat_waits_until_the_database_is_writable_before_it_becomes_the_leader(
    sent: list[str],
) -> None:
    scheduler = start_beat()
    scheduler.tick()
    set_read_only("on")
    for _ in range(3):
        assert scheduler.tick() == beat.RENEW_SECONDS
    restarted = start_beat()
    restarted.tick()
    set_read_only("off")
    scheduler.tick()
    assert scheduler.is_leader
    scheduler.close()
    assert restarted.tick() < beat.RENEW_SECONDS


def test_beat_starts_and_stops_without_errors_while_the_database_is_unreachable(
    sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = start_beat()
    scheduler.tick()
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "PORT", "1")
    start_beat().tick()
    scheduler.close()
    assert not scheduler.is_leader


def end_own_connection() -> None:
    """Terminate the server process of the current connection, as a failover does.

    Django does not notice the lost connection until COMMIT.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone()
    with psycopg.connect(os.environ["HOTELAGENT_TEST_SUPERUSER_URL"], autocommit=True) as superuser:
        superuser.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def test_commit_on_a_lost_connection_behind_a_pooler_counts_as_database_unavailable(
    pgbouncer: PgBouncer, hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "PORT", str(pgbouncer.port))
    with (
        pytest.raises(InternalError, match="received 2 results") as caught,
        hotel_context(hotel),
        transaction.atomic(),
    ):
        end_own_connection()
    connection.close()
    assert is_database_unavailable(caught.value)


@pytest.mark.parametrize("statement", ["SELECT 1 / 0", "SELECT nothing", "SELECT 1 FROM nothing"])
def test_statement_error_does_not_count_as_database_unavailable(statement: str, platform: None) -> None:
    with pytest.raises(DatabaseError) as caught, connection.cursor() as cursor:
        cursor.execute(statement)
    assert not is_database_unavailable(caught.value)


def test_statement_in_a_failed_transaction_does_not_count_as_database_unavailable(platform: None) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        with pytest.raises(DataError):
            cursor.execute("SELECT 1 / 0")
        connection.needs_rollback = False
        with pytest.raises(InternalError) as caught:
            cursor.execute("SELECT 1")
        transaction.set_rollback(True)
    assert not is_database_unavailable(caught.value)


@pytest.fixture(autouse=True)
def _reset_migrations_cache() -> Iterator[None]:
    readiness._migrations_checked_at = float("-inf")
    yield
    readiness._migrations_checked_at = float("-inf")
