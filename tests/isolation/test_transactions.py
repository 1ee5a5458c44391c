"""What travels when, and that nothing wrong stays behind after an error or an interruption."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import (
    IntegrityError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    connection,
    transaction,
)
from psycopg.pq import TransactionStatus

from tenants.context import hotel_context, platform_context
from tests.isolation.world import World


def ask(query: str, params: Any = None) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        return cursor.fetchone() if cursor.description else None


@contextmanager
def messages(tmp_path: Path) -> Iterator[list[str]]:
    """The queries that libpq sends meanwhile, one string a message."""
    connection.ensure_connection()
    sent: list[str] = []
    with (tmp_path / "trace").open("w+") as trace:
        connection.connection.pgconn.trace(trace.fileno())
        try:
            yield sent
        finally:
            connection.connection.pgconn.untrace()
        trace.seek(0)
        sent += re.split(r"^\S+ \S+\tF\t\d+\tQuery\t", trace.read(), flags=re.MULTILINE)[1:]


def test_begin_travels_with_the_first_statement(connected: World, tmp_path: Path) -> None:
    with hotel_context(connected.tenant(0)), messages(tmp_path) as sent, transaction.atomic():
        ask("UPDATE marker SET n = n")
    assert len(sent) == 2
    assert "BEGIN" in sent[0]
    assert "SET LOCAL ROLE" in sent[0]
    assert "UPDATE marker" in sent[0]
    assert "COMMIT" in sent[1]


def test_an_empty_transaction_sends_nothing(connected: World, tmp_path: Path) -> None:
    with messages(tmp_path) as sent, transaction.atomic():
        pass
    assert sent == []


def test_a_savepoint_is_no_round_trip_more_than_djangos(connected: World, tmp_path: Path) -> None:
    tenant = connected.tenant(0)
    with hotel_context(tenant), messages(tmp_path) as sent, transaction.atomic(), transaction.atomic():
        ask("SELECT 1")
    assert len(sent) == 4  # BEGIN; SAVEPOINT - SELECT - RELEASE - COMMIT
    assert "SAVEPOINT" in sent[0]


def test_connecting_sends_no_statement(connected: World, tmp_path: Path) -> None:
    with messages(tmp_path) as sent, hotel_context(connected.tenant(0)):
        ask("SELECT 1")
    assert len(sent) == 1


def test_a_syntax_error_in_the_first_statement_leaves_no_transaction_open(connected: World) -> None:
    with hotel_context(connected.tenant(0)):
        with pytest.raises(ProgrammingError), transaction.atomic():
            ask("SELEKT")
        assert connection.connection.pgconn.transaction_status == TransactionStatus.IDLE
        with suppress(ProgrammingError), transaction.atomic():
            with suppress(ProgrammingError), transaction.atomic():
                ask("SELEKT")
            assert ask("SELECT hotel FROM marker LIMIT 1") == ("h0",)


def test_the_isolation_level_can_be_said_first_in_a_transaction(connected: World) -> None:
    with hotel_context(connected.tenant(0)), transaction.atomic():
        ask("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        assert ask("SELECT current_setting('transaction_isolation')") == ("serializable",)
    connection.close()
    connection.settings_dict["OPTIONS"]["isolation_level"] = psycopg.IsolationLevel.REPEATABLE_READ
    with hotel_context(connected.tenant(0)), transaction.atomic():
        assert ask("SELECT current_setting('transaction_isolation')") == ("repeatable read",)


def test_other_settings_may_be_set_for_the_transaction(connected: World) -> None:
    with hotel_context(connected.tenant(0)), transaction.atomic():
        ask("SET LOCAL lock_timeout = '123ms'")
        assert ask("SHOW lock_timeout") == ("123ms",)
    with platform_context():
        assert ask("SHOW lock_timeout") == ("0",)


def test_transaction_control_by_hand_keeps_the_hotel(connected: World) -> None:
    with hotel_context(connected.tenant(0)):
        for end in ("COMMIT", "ROLLBACK"):
            ask("BEGIN")
            assert connection.connection.pgconn.transaction_status == TransactionStatus.INTRANS
            assert ask("SELECT hotel FROM marker LIMIT 1") == ("h0",)
            ask(end)
            assert ask("SELECT hotel FROM marker LIMIT 1") == ("h0",)


def test_an_error_points_into_the_statement_that_was_written(connected: World) -> None:
    with hotel_context(connected.tenant(0)):
        with pytest.raises(ProgrammingError) as error:
            ask("SELECT 1,\n  no_such\nFROM marker")
        assert "LINE 2:   no_such\n" in str(error.value)
        assert isinstance(error.value.__cause__, psycopg.errors.UndefinedColumn)
        assert error.value.__cause__.diag.statement_position == "13"
        assert error.value.__cause__.diag.message_primary == 'column "no_such" does not exist'
        with transaction.atomic(), pytest.raises(ProgrammingError, match="LINE 1: SELEKT"):
            ask("SELEKT")


def test_errors_come_as_djangos(connected: World) -> None:
    with hotel_context(connected.tenant(0)):
        with pytest.raises(IntegrityError) as error:
            ask("INSERT INTO marker (hotel) VALUES (NULL)")
        assert error.value.__cause__.diag.column_name == "hotel"  # type: ignore[union-attr]
        with pytest.raises(ProgrammingError, match="placeholders"):
            ask("SELECT %s", [1, 2])


def test_what_only_the_server_knows_to_need_no_transaction_names_the_direct_route(connected: World) -> None:
    with psycopg.connect(connected.superuser_url, autocommit=True) as owner:
        owner.execute("CREATE OR REPLACE PROCEDURE public.commits() LANGUAGE plpgsql AS 'BEGIN COMMIT; END'")
    with hotel_context(connected.tenant(0)):
        with pytest.raises(Exception, match="invalid transaction termination"):
            ask("CALL public.commits()")
        with pytest.raises(NotSupportedError, match="direct_connection"):
            ask("/* at the server */ ALTER SYSTEM SET work_mem = '4MB'")


def test_a_statement_that_is_cancelled_leaves_no_wrong_hotel(connected: World) -> None:
    with hotel_context(connected.tenant(1)):
        with pytest.raises(OperationalError, match="statement timeout"), transaction.atomic():
            ask("SET LOCAL statement_timeout = '50ms'; SELECT pg_sleep(10)")
        assert ask("SELECT hotel FROM marker LIMIT 1") == ("h1",)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell lets what it starts in the background ignore interruptions."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interruption_leaves_no_wrong_hotel(connected: World, interruptible: None) -> None:
    with hotel_context(connected.tenant(1)):
        ask("SELECT 1")
        timer = threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT])
        timer.start()
        with pytest.raises(KeyboardInterrupt), transaction.atomic():
            ask("SELECT pg_sleep(10)")
        timer.join()
        with hotel_context(connected.tenant(2)):
            assert ask("SELECT hotel FROM marker LIMIT 1") == ("h2",)


def test_a_server_that_hangs_up_is_felt_and_forgotten(connected: World) -> None:
    with hotel_context(connected.tenant(1)):
        (pid,) = ask("SELECT pg_backend_pid()")
        with psycopg.connect(connected.superuser_url, autocommit=True) as owner:
            owner.execute("SELECT pg_terminate_backend(%s)", [pid])
        # The pooler may hide it: it connects anew, and the client hears nothing.
        with suppress(OperationalError):
            ask("SELECT pg_sleep(1)")
            ask("SELECT 1")
        connection.close_if_unusable_or_obsolete()
        assert ask("SELECT hotel FROM marker LIMIT 1") == ("h1",)
