"""Tests of the number of network messages in a transaction, and of connections after errors and interruptions."""

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
from tenants.database.connections import direct_connection
from tests.isolation.isolation_database import IsolationDatabase


def query(statement: str, params: Any = None) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchone() if cursor.description else None


@contextmanager
def sent_messages(tmp_path: Path) -> Iterator[list[str]]:
    """Yield a list. On exit, the list receives the queries that libpq has sent, as one string per network message."""
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


def test_begin_is_sent_in_the_same_message_as_the_first_statement(
    connected: IsolationDatabase, tmp_path: Path
) -> None:
    with hotel_context(connected.tenant(0)), sent_messages(tmp_path) as sent, transaction.atomic():
        query("UPDATE marker SET n = n")
    assert len(sent) == 2
    assert "BEGIN" in sent[0]
    assert "SET LOCAL ROLE" in sent[0]
    assert "UPDATE marker" in sent[0]
    assert "COMMIT" in sent[1]


def test_transaction_without_statements_sends_nothing_to_the_database(
    connected: IsolationDatabase, tmp_path: Path
) -> None:
    with sent_messages(tmp_path) as sent, transaction.atomic():
        pass
    assert sent == []


def test_transaction_with_a_savepoint_sends_no_more_messages_than_in_plain_django(
    connected: IsolationDatabase, tmp_path: Path
) -> None:
    tenant = connected.tenant(0)
    with hotel_context(tenant), sent_messages(tmp_path) as sent, transaction.atomic(), transaction.atomic():
        query("SELECT 1")
    assert len(sent) == 4  # BEGIN with SAVEPOINT, SELECT, RELEASE, COMMIT
    assert "SAVEPOINT" in sent[0]


def test_first_query_on_a_new_connection_needs_only_one_round_trip(
    connected: IsolationDatabase, tmp_path: Path
) -> None:
    with sent_messages(tmp_path) as sent, hotel_context(connected.tenant(0)):
        query("SELECT 1")
    assert len(sent) == 1


def test_syntax_error_in_the_first_statement_leaves_no_open_transaction(
    connected: IsolationDatabase,
) -> None:
    with hotel_context(connected.tenant(0)):
        with pytest.raises(ProgrammingError), transaction.atomic():
            query("SELEKT")
        assert connection.connection.pgconn.transaction_status == TransactionStatus.IDLE
        with suppress(ProgrammingError), transaction.atomic():
            with suppress(ProgrammingError), transaction.atomic():
                query("SELEKT")
            assert query("SELECT hotel FROM marker LIMIT 1") == ("h0",)


def test_isolation_level_can_be_set_at_the_start_of_a_transaction(connected: IsolationDatabase) -> None:
    with hotel_context(connected.tenant(0)), transaction.atomic():
        query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        assert query("SELECT current_setting('transaction_isolation')") == ("serializable",)
    connection.close()
    connection.settings_dict["OPTIONS"]["isolation_level"] = psycopg.IsolationLevel.REPEATABLE_READ
    with hotel_context(connected.tenant(0)), transaction.atomic():
        assert query("SELECT current_setting('transaction_isolation')") == ("repeatable read",)


def test_set_local_by_the_caller_lasts_until_the_end_of_the_transaction(
    connected: IsolationDatabase,
) -> None:
    with hotel_context(connected.tenant(0)), transaction.atomic():
        query("SET LOCAL lock_timeout = '123ms'")
        assert query("SHOW lock_timeout") == ("123ms",)
    with platform_context():
        assert query("SHOW lock_timeout") == ("0",)


def test_statement_after_manual_transaction_control_runs_in_the_current_hotel(
    connected: IsolationDatabase,
) -> None:
    with hotel_context(connected.tenant(0)):
        for end in ("COMMIT", "ROLLBACK"):
            query("BEGIN")
            assert connection.connection.pgconn.transaction_status == TransactionStatus.INTRANS
            assert query("SELECT hotel FROM marker LIMIT 1") == ("h0",)
            query(end)
            assert query("SELECT hotel FROM marker LIMIT 1") == ("h0",)


def test_error_position_is_counted_from_the_start_of_the_callers_statement(
    connected: IsolationDatabase,
) -> None:
    with hotel_context(connected.tenant(0)):
        with pytest.raises(ProgrammingError) as error:
            query("SELECT 1,\n  no_such\nFROM marker")
        assert "LINE 2:   no_such\n" in str(error.value)
        assert isinstance(error.value.__cause__, psycopg.errors.UndefinedColumn)
        assert error.value.__cause__.diag.statement_position == "13"
        assert error.value.__cause__.diag.message_primary == 'column "no_such" does not exist'
    with (
        hotel_context(connected.tenant(0)),
        direct_connection(),
        transaction.atomic(),
        pytest.raises(ProgrammingError, match="LINE 1: SELEKT"),
    ):
        query("SELEKT")


def test_database_errors_are_raised_as_the_exceptions_of_django(connected: IsolationDatabase) -> None:
    with hotel_context(connected.tenant(0)):
        with pytest.raises(IntegrityError) as error:
            query("INSERT INTO marker (hotel) VALUES (NULL)")
        assert error.value.__cause__.diag.column_name == "hotel"  # type: ignore[union-attr]
        with pytest.raises(ProgrammingError, match="placeholders"):
            query("SELECT %s", [1, 2])


def test_statement_that_cannot_run_in_a_transaction_is_refused(
    connected: IsolationDatabase,
) -> None:
    with psycopg.connect(connected.superuser_url, autocommit=True) as owner:
        owner.execute("CREATE OR REPLACE PROCEDURE public.commits() LANGUAGE plpgsql AS 'BEGIN COMMIT; END'")
    with hotel_context(connected.tenant(0)):
        with pytest.raises(Exception, match="invalid transaction termination"):
            query("CALL public.commits()")
        with pytest.raises(NotSupportedError, match="direct_connection"):
            query("/* comment */ ALTER SYSTEM SET work_mem = '4MB'")


def test_statement_after_a_statement_timeout_runs_in_the_current_hotel(connected: IsolationDatabase) -> None:
    with hotel_context(connected.tenant(1)):
        with pytest.raises(OperationalError, match="statement timeout"), transaction.atomic():
            query("SET LOCAL statement_timeout = '50ms'; SELECT pg_sleep(10)")
        assert query("SELECT hotel FROM marker LIMIT 1") == ("h1",)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Make SIGINT raise KeyboardInterrupt during the test.

    Without this fixture, the test fails if a shell runs it in the background, because such a process ignores SIGINT.
    """
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


def test_statement_after_a_keyboard_interrupt_runs_in_the_current_hotel(
    connected: IsolationDatabase, interruptible: None
) -> None:
    with hotel_context(connected.tenant(1)):
        query("SELECT 1")
        timer = threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT])
        timer.start()
        with pytest.raises(KeyboardInterrupt), transaction.atomic():
            query("SELECT pg_sleep(10)")
        timer.join()
        with hotel_context(connected.tenant(2)):
            assert query("SELECT hotel FROM marker LIMIT 1") == ("h2",)


def test_statement_after_a_lost_connection_runs_in_the_current_hotel(
    connected: IsolationDatabase,
) -> None:
    with hotel_context(connected.tenant(1)):
        (pid,) = query("SELECT pg_backend_pid()")
        with psycopg.connect(connected.superuser_url, autocommit=True) as owner:
            owner.execute("SELECT pg_terminate_backend(%s)", [pid])
        # A pooler may hide the loss: it reconnects, and the client gets no error.
        with suppress(OperationalError):
            query("SELECT pg_sleep(1)")
            query("SELECT 1")
        connection.close_if_unusable_or_obsolete()
        assert query("SELECT hotel FROM marker LIMIT 1") == ("h1",)
