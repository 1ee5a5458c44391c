"""Tests that each method for sending statements selects the hotel, or raises an error that names an alternative."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, InternalError, ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext
from psycopg import sql

from tenants.context import TenantNotSet, hotel_context
from tenants.database.backend import cursor as cursor_module
from tenants.database.backend.base import REFUSED_OPTIONS, DatabaseWrapper
from tenants.database.functions import call_function
from tests.isolation.isolation_database import IsolationDatabase

INSERT = "INSERT INTO marker (hotel, n) VALUES (%s, %s)"


@pytest.fixture
def cursor(connected: IsolationDatabase) -> Iterator[Any]:
    with hotel_context(connected.tenant(0)), transaction.atomic(), connection.cursor() as open_cursor:
        yield open_cursor
        transaction.set_rollback(True)


@pytest.fixture
def autocommit_cursor(connected: IsolationDatabase) -> Iterator[Any]:
    with hotel_context(connected.tenant(0)), connection.cursor() as open_cursor:
        yield open_cursor
        open_cursor.execute("DELETE FROM marker WHERE n > 5")


def count(cursor: Any) -> int:
    cursor.execute("SELECT count(*) FROM marker WHERE n > 5")
    return int(cursor.fetchone()[0])


def test_execute_returns_only_the_results_of_the_callers_statement(cursor: Any) -> None:
    cursor.execute("SELECT hotel, n FROM marker ORDER BY n")
    assert [column.name for column in cursor.description] == ["hotel", "n"]
    assert (cursor.rowcount, cursor.statusmessage, cursor.rownumber) == (5, "SELECT 5", 0)
    assert cursor.fetchone() == ("h0", 1)
    assert cursor.fetchmany(2) == [("h0", 2), ("h0", 3)]
    assert len(cursor.fetchall()) == 2
    assert cursor.nextset() is None
    cursor.execute("UPDATE marker SET n = n")
    assert (cursor.rowcount, cursor.statusmessage, cursor.description) == (5, "UPDATE 5", None)


def test_execution_of_several_statements_returns_one_result_per_nextset_call(cursor: Any) -> None:
    cursor.execute("SELECT 1; UPDATE marker SET n = n; SELECT 3")
    assert cursor.fetchone() == (1,)
    assert cursor.nextset()
    assert cursor.rowcount == 5
    assert cursor.nextset()
    assert cursor.fetchone() == (3,)
    assert not cursor.nextset()
    assert len(list(cursor.results())) == 1


@pytest.mark.parametrize("query", ["", ";", "-- nothing", "/* nothing */"])
def test_empty_query_can_be_executed_without_a_tenant(connected: IsolationDatabase, query: str) -> None:
    with connection.cursor() as other:
        other.execute(query)
        assert other.description is None


def test_double_percent_sign_is_an_escape_only_in_statements_with_parameters(cursor: Any) -> None:
    cursor.execute("SELECT '100%', 7 % 4")
    assert cursor.fetchone() == ("100%", 3)
    cursor.execute("SELECT '100%%', %s || '%%;'", ["a;b"])
    assert cursor.fetchone() == ("100%", "a;b%;")
    cursor.execute("SELECT %(a)s, %(a)s", {"a": "x"})
    assert cursor.fetchone() == ("x", "x")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT hotel FROM marker",
        b"SELECT hotel FROM marker",
        sql.SQL("SELECT hotel FROM {}").format(sql.Identifier("marker")),
        "  -- a comment\n  select hotel from marker ;  ",
    ],
)
def test_execute_accepts_text_bytes_and_composed_queries(cursor: Any, query: Any) -> None:
    cursor.execute(query)
    assert {row[0] for row in cursor.fetchall()} == {"h0"}


def test_executemany_sets_rowcount_to_the_number_of_rows_of_all_statements(autocommit_cursor: Any) -> None:
    autocommit_cursor.executemany(INSERT, ((("h0"), 10 + n) for n in range(20)))
    assert autocommit_cursor.rowcount == 20
    assert count(autocommit_cursor) == 20
    autocommit_cursor.executemany(INSERT, [])
    assert autocommit_cursor.rowcount == 0


def test_executemany_with_a_returning_clause_yields_the_rows_of_each_statement(cursor: Any) -> None:
    cursor.cursor.executemany(INSERT + " RETURNING n", [("h0", 10), ("h0", 11)], returning=True)
    assert [list(result) for result in cursor.results()] == [[(10,)], [(11,)]]


def test_executemany_that_needs_several_round_trips_runs_in_one_transaction(
    autocommit_cursor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cursor_module, "BATCH_BYTES", 100)
    rows = [("h0", 10 + n) for n in range(20)]
    autocommit_cursor.executemany(INSERT, rows)
    assert (autocommit_cursor.rowcount, count(autocommit_cursor)) == (20, 20)
    with pytest.raises(IntegrityError):
        autocommit_cursor.executemany(INSERT, [*rows, (None, 1)])
    assert count(autocommit_cursor) == 20

    def failing_rows() -> Iterator[Any]:
        yield from rows
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        autocommit_cursor.executemany(INSERT, failing_rows())
    assert count(autocommit_cursor) == 20


def test_executemany_with_several_statements_is_refused(cursor: Any) -> None:
    with pytest.raises(ProgrammingError, match="one statement"):
        cursor.executemany("SELECT %s; SELECT 2", [(1,)])


def test_copy_reads_and_writes_the_hotels_table(autocommit_cursor: Any) -> None:
    with autocommit_cursor.copy("COPY marker (hotel, n) FROM STDIN") as copy:
        for n in range(3):
            copy.write_row(("h0", 10 + n))
    assert autocommit_cursor.rowcount == 3
    assert count(autocommit_cursor) == 3
    with autocommit_cursor.copy("COPY (SELECT hotel FROM marker WHERE n > %s) TO STDOUT", [5]) as copy:
        assert list(copy.rows()) == [("h0",)] * 3
    assert autocommit_cursor.rowcount == 3


def test_failing_copy_writes_nothing_and_leaves_a_usable_connection(autocommit_cursor: Any) -> None:
    def copy_in(row: Any, statement: str = "COPY marker (hotel, n) FROM STDIN") -> None:
        with autocommit_cursor.copy(statement) as copy:
            copy.write_row(row)

    # As in plain Django, copy() and stream() raise psycopg's errors.
    with pytest.raises(psycopg.DataError):
        copy_in(("h0", "not a number"))
    with pytest.raises(TypeError):
        copy_in(None)
    with pytest.raises(psycopg.ProgrammingError, match="no_such_table"):
        copy_in((), "COPY no_such_table FROM STDIN")
    with pytest.raises(psycopg.ProgrammingError, match="one statement"):
        copy_in((), "SELECT 1; COPY marker FROM STDIN")
    assert count(autocommit_cursor) == 0


def test_copy_statement_passed_to_execute_is_refused(autocommit_cursor: Any) -> None:
    with pytest.raises(ProgrammingError, match=r"cursor\.copy\(\)"):
        autocommit_cursor.execute("COPY marker (hotel) FROM STDIN")
    assert count(autocommit_cursor) == 0


@pytest.mark.parametrize("size", [1, 2])
def test_cursor_stream_reads_the_hotels_rows(connected: IsolationDatabase, size: int) -> None:
    with hotel_context(connected.tenant(0)), connection.cursor() as open_cursor:
        query = "SELECT hotel FROM marker WHERE n <= %s"
        assert list(open_cursor.stream(query, [5], size=size)) == [("h0",)] * 5
        for row in open_cursor.stream("SELECT n FROM generate_series(1, 100000) n", size=size):
            assert row == (1,)
            break
        open_cursor.execute("SELECT hotel FROM marker LIMIT 1")
        assert open_cursor.fetchone() == ("h0",)


def test_stream_refuses_several_statements_and_raises_the_error_of_a_failing_statement(cursor: Any) -> None:
    with pytest.raises(psycopg.ProgrammingError, match="one statement"):
        list(cursor.stream("SELECT 1; SELECT 2"))
    with pytest.raises(psycopg.errors.UndefinedColumn, match="LINE 1: SELECT no_such"):
        list(cursor.stream("SELECT no_such FROM marker"))


def test_callproc_runs_in_the_hotels_schema(cursor: Any) -> None:
    cursor.callproc("current_schemas", [False])
    assert cursor.fetchone()[0][0].startswith("hotel_")


def test_call_function_runs_in_the_hotels_schema_and_commits(
    connected: IsolationDatabase,
) -> None:
    with hotel_context(connected.tenant(1)):
        assert call_function("write_marker", {"hotel": "h1", "n": 2}) == ["h1"] * 6
        with connection.cursor() as other:
            other.execute("DELETE FROM marker WHERE id = (SELECT max(id) FROM marker) RETURNING hotel")
            assert other.fetchone() == ("h1",)


def test_rollback_of_a_transaction_undoes_the_changes_of_call_function(autocommit_cursor: Any) -> None:
    with transaction.atomic():
        call_function("write_marker", {"hotel": "h0", "n": 6})
        transaction.set_rollback(True)
    assert count(autocommit_cursor) == 0
    with transaction.atomic():
        call_function("write_marker", {"hotel": "h0", "n": 6})
        with pytest.raises(IntegrityError), transaction.atomic():
            call_function("write_marker", {"hotel": None, "n": 6})
    assert count(autocommit_cursor) == 1


def test_arguments_of_call_function_are_not_interpreted_as_sql(cursor: Any) -> None:
    for value in ("it's", '"', "\\", "'); DELETE FROM marker; --", "%s", "\u202eñ", "a\nb"):
        call_function("write_marker", {"hotel": value, "n": 6})
        cursor.execute("SELECT hotel FROM marker WHERE n = 6 ORDER BY id DESC LIMIT 1")
        assert cursor.fetchone() == (value,)


def test_errors_raised_by_call_function_equal_the_errors_of_a_cursor(connected: IsolationDatabase) -> None:
    with pytest.raises(TenantNotSet):
        call_function("write_marker", {})
    with hotel_context(connected.tenant(0)):
        with pytest.raises(
            ProgrammingError, match=r"function no_such\(unknown\) does not exist\nLINE 1: "
        ) as error:
            call_function("no_such", {})
        assert isinstance(error.value.__cause__, psycopg.errors.UndefinedFunction)
        with transaction.atomic():
            with suppress(ProgrammingError):
                call_function("no_such", {})
            with pytest.raises(InternalError, match="current transaction is aborted"):
                call_function("write_marker", {})
            transaction.set_rollback(True)
            with pytest.raises(transaction.TransactionManagementError):
                call_function("write_marker", {})


def test_call_function_is_recorded_by_capture_queries_context(
    connected: IsolationDatabase,
) -> None:
    with hotel_context(connected.tenant(0)), CaptureQueriesContext(connection) as seen, transaction.atomic():
        assert call_function("write_marker", {"hotel": "h0", "n": 2}) == ["h0"] * 6
        transaction.set_rollback(True)
    assert any(query["sql"].startswith("SELECT write_marker('{") for query in seen)


def test_statement_on_the_psycopg_connection_runs_in_the_hotels_schema(connected: IsolationDatabase) -> None:
    connection.ensure_connection()
    raw = connection.connection
    with hotel_context(connected.tenant(0)):
        assert raw.execute("SELECT hotel FROM marker LIMIT 1").fetchone() == ("h0",)
        with raw.transaction(), hotel_context(connected.tenant(1)):
            assert raw.execute("SELECT hotel FROM marker LIMIT 1").fetchone() == ("h1",)


def test_psycopg_methods_that_cannot_set_the_hotel_raise_not_supported_error(
    connected: IsolationDatabase,
) -> None:
    connection.ensure_connection()
    raw = connection.connection
    with hotel_context(connected.tenant(0)):
        with pytest.raises(psycopg.NotSupportedError, match=r"stream\(\)"):
            raw.cursor("named")
        with pytest.raises(psycopg.NotSupportedError, match="server-side"):
            connection.create_cursor("named")
        with pytest.raises(psycopg.NotSupportedError, match="Pipeline"), raw.pipeline():
            pass
        for psycopg_cursor in (psycopg.Cursor(raw), psycopg.ClientCursor(raw), psycopg.RawCursor(raw)):
            with pytest.raises(psycopg.NotSupportedError, match=r"django\.db\.connection"):
                psycopg_cursor.execute("SELECT 1")
        with pytest.raises(psycopg.NotSupportedError, match=r"direct_connection\(\)"):
            list(raw.notifies(timeout=0))
        with pytest.raises(psycopg.NotSupportedError, match="Two-phase"):
            raw.tpc_begin("x")
        with pytest.raises(psycopg.NotSupportedError, match="Prepared"):
            raw.execute("SELECT 1", prepare=True)
        with pytest.raises(psycopg.NotSupportedError, match="binary"):
            raw.cursor(binary=True).execute("SELECT 1")
        assert raw.execute("SELECT hotel FROM marker LIMIT 1").fetchone() == ("h0",)


def test_chunked_cursor_returns_rows_without_a_server_side_cursor(connected: IsolationDatabase) -> None:
    with hotel_context(connected.tenant(0)), connection.chunked_cursor() as chunked:
        chunked.execute("SELECT hotel FROM marker")
        assert chunked.fetchmany(2) == [("h0",), ("h0",)]


@pytest.mark.parametrize("option", sorted(REFUSED_OPTIONS))
def test_unsupported_database_option_is_refused(connected: IsolationDatabase, option: str) -> None:
    settings = {**connection.settings_dict, "OPTIONS": {**connection.settings_dict["OPTIONS"], option: True}}
    with pytest.raises(ImproperlyConfigured, match=option):
        DatabaseWrapper(settings).connect()


def test_captured_queries_contain_only_the_statements_of_the_caller(cursor: Any) -> None:
    with CaptureQueriesContext(connection) as log, connection.cursor() as logged:
        logged.execute("SELECT hotel FROM marker WHERE n = %s", [1])
        logged.executemany(INSERT, [("h0", 10), ("h0", 11)])
        with logged.copy("COPY marker TO STDOUT") as copy:
            list(copy)
    assert [query["sql"] for query in log.captured_queries] == [
        "SELECT hotel FROM marker WHERE n = 1",
        "2 times: " + INSERT,
        "COPY marker TO STDOUT",
    ]
