"""Each way round a plain execute() carries the hotel, or is refused with an error that says what to do."""

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
from tests.isolation.world import World

INSERT = "INSERT INTO marker (hotel, n) VALUES (%s, %s)"


@pytest.fixture
def cursor(connected: World) -> Iterator[Any]:
    with hotel_context(connected.tenant(0)), transaction.atomic(), connection.cursor() as made:
        yield made
        transaction.set_rollback(True)


@pytest.fixture
def committing(connected: World) -> Iterator[Any]:
    with hotel_context(connected.tenant(0)), connection.cursor() as made:
        yield made
        made.execute("DELETE FROM marker WHERE n > 5")


def count(cursor: Any) -> int:
    cursor.execute("SELECT count(*) FROM marker WHERE n > 5")
    return int(cursor.fetchone()[0])


def test_the_answer_is_the_statements_own(cursor: Any) -> None:
    cursor.execute("SELECT hotel, n FROM marker ORDER BY n")
    assert [column.name for column in cursor.description] == ["hotel", "n"]
    assert (cursor.rowcount, cursor.statusmessage, cursor.rownumber) == (5, "SELECT 5", 0)
    assert cursor.fetchone() == ("h0", 1)
    assert cursor.fetchmany(2) == [("h0", 2), ("h0", 3)]
    assert len(cursor.fetchall()) == 2
    assert cursor.nextset() is None
    cursor.execute("UPDATE marker SET n = n")
    assert (cursor.rowcount, cursor.statusmessage, cursor.description) == (5, "UPDATE 5", None)


def test_several_statements_answer_one_after_the_other(cursor: Any) -> None:
    cursor.execute("SELECT 1; UPDATE marker SET n = n; SELECT 3")
    assert cursor.fetchone() == (1,)
    assert cursor.nextset()
    assert cursor.rowcount == 5
    assert cursor.nextset()
    assert cursor.fetchone() == (3,)
    assert not cursor.nextset()
    assert len(list(cursor.results())) == 1


@pytest.mark.parametrize("query", ["", ";", "-- nothing", "/* nothing */"])
def test_an_empty_query_is_answered_as_by_psycopg(connected: World, query: str) -> None:
    with connection.cursor() as bare:
        bare.execute(query)
        assert bare.description is None


def test_percent_signs_are_left_alone_without_parameters_and_doubled_with_them(cursor: Any) -> None:
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
        "  -- first a comment\n  select hotel from marker ;  ",
    ],
)
def test_a_query_may_be_text_bytes_or_composed(cursor: Any, query: Any) -> None:
    cursor.execute(query)
    assert {row[0] for row in cursor.fetchall()} == {"h0"}


def test_executemany_counts_all_rows(committing: Any) -> None:
    committing.executemany(INSERT, ((("h0"), 10 + n) for n in range(20)))
    assert committing.rowcount == 20
    assert count(committing) == 20
    committing.executemany(INSERT, [])
    assert committing.rowcount == 0


def test_executemany_returns_the_rows_of_each(cursor: Any) -> None:
    cursor.cursor.executemany(INSERT + " RETURNING n", [("h0", 10), ("h0", 11)], returning=True)
    assert [list(result) for result in cursor.results()] == [[(10,)], [(11,)]]


def test_executemany_over_several_messages_stands_or_falls_as_one(
    committing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cursor_module, "BATCH_BYTES", 100)
    rows = [("h0", 10 + n) for n in range(20)]
    committing.executemany(INSERT, rows)
    assert (committing.rowcount, count(committing)) == (20, 20)
    with pytest.raises(IntegrityError):
        committing.executemany(INSERT, [*rows, (None, 1)])
    assert count(committing) == 20

    def broken() -> Iterator[Any]:
        yield from rows
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        committing.executemany(INSERT, broken())
    assert count(committing) == 20


def test_executemany_takes_one_statement(cursor: Any) -> None:
    with pytest.raises(ProgrammingError, match="one statement"):
        cursor.executemany("SELECT %s; SELECT 2", [(1,)])


def test_copy_goes_in_and_out_of_the_hotel(committing: Any) -> None:
    with committing.copy("COPY marker (hotel, n) FROM STDIN") as copy:
        for n in range(3):
            copy.write_row(("h0", 10 + n))
    assert committing.rowcount == 3
    assert count(committing) == 3
    with committing.copy("COPY (SELECT hotel FROM marker WHERE n > %s) TO STDOUT", [5]) as copy:
        assert list(copy.rows()) == [("h0",)] * 3
    assert committing.rowcount == 3


def test_a_copy_that_fails_leaves_nothing_and_the_connection_whole(committing: Any) -> None:
    def copy_in(row: Any, statement: str = "COPY marker (hotel, n) FROM STDIN") -> None:
        with committing.copy(statement) as copy:
            copy.write_row(row)

    # As in plain Django, what copy() and stream() raise is psycopg's own.
    with pytest.raises(psycopg.DataError):
        copy_in(("h0", "not a number"))
    with pytest.raises(TypeError):
        copy_in(None)
    with pytest.raises(psycopg.ProgrammingError, match="no_such_table"):
        copy_in((), "COPY no_such_table FROM STDIN")
    with pytest.raises(psycopg.ProgrammingError, match="one statement"):
        copy_in((), "SELECT 1; COPY marker FROM STDIN")
    assert count(committing) == 0


def test_copy_by_execute_is_refused_before_it_begins(committing: Any) -> None:
    with pytest.raises(ProgrammingError, match=r"cursor\.copy\(\)"):
        committing.execute("COPY marker (hotel) FROM STDIN")
    assert count(committing) == 0


@pytest.mark.parametrize("size", [1, 2])
def test_stream_reads_row_by_row(connected: World, size: int) -> None:
    with hotel_context(connected.tenant(0)), connection.cursor() as made:
        query = "SELECT hotel FROM marker WHERE n <= %s"
        assert list(made.stream(query, [5], size=size)) == [("h0",)] * 5
        for row in made.stream("SELECT n FROM generate_series(1, 100000) n", size=size):
            assert row == (1,)
            break
        made.execute("SELECT hotel FROM marker LIMIT 1")
        assert made.fetchone() == ("h0",)


def test_stream_takes_one_statement_and_tells_its_error(cursor: Any) -> None:
    with pytest.raises(psycopg.ProgrammingError, match="one statement"):
        list(cursor.stream("SELECT 1; SELECT 2"))
    with pytest.raises(psycopg.errors.UndefinedColumn, match="LINE 1: SELECT no_such"):
        list(cursor.stream("SELECT no_such FROM marker"))


def test_callproc_carries_the_hotel(cursor: Any) -> None:
    cursor.callproc("current_schemas", [False])
    assert cursor.fetchone()[0][0].startswith("hotel_")


def test_a_call_of_a_function_carries_the_hotel_and_commits_by_itself(connected: World) -> None:
    with hotel_context(connected.tenant(1)):
        assert call_function("write_marker", {"hotel": "h1", "n": 2}) == ["h1"] * 6
        with connection.cursor() as other:
            other.execute("DELETE FROM marker WHERE id = (SELECT max(id) FROM marker) RETURNING hotel")
            assert other.fetchone() == ("h1",)


def test_a_call_stands_or_falls_with_its_transaction(committing: Any) -> None:
    with transaction.atomic():
        call_function("write_marker", {"hotel": "h0", "n": 6})
        transaction.set_rollback(True)
    assert count(committing) == 0
    with transaction.atomic():
        call_function("write_marker", {"hotel": "h0", "n": 6})
        with pytest.raises(IntegrityError), transaction.atomic():
            call_function("write_marker", {"hotel": None, "n": 6})
    assert count(committing) == 1


def test_what_a_call_is_given_is_data(cursor: Any) -> None:
    for given in ("it's", '"', "\\", "'); DELETE FROM marker; --", "%s", "\u202eñ", "a\nb"):
        call_function("write_marker", {"hotel": given, "n": 6})
        cursor.execute("SELECT hotel FROM marker WHERE n = 6 ORDER BY id DESC LIMIT 1")
        assert cursor.fetchone() == (given,)


def test_a_call_raises_the_errors_of_a_cursor(connected: World) -> None:
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


def test_a_call_is_seen_by_who_watches(connected: World) -> None:
    with hotel_context(connected.tenant(0)), CaptureQueriesContext(connection) as seen, transaction.atomic():
        assert call_function("write_marker", {"hotel": "h0", "n": 2}) == ["h0"] * 6
        transaction.set_rollback(True)
    assert any(query["sql"].startswith("SELECT write_marker('{") for query in seen)


def test_a_procedure_by_psycopgs_own_connection_carries_it_too(connected: World) -> None:
    connection.ensure_connection()
    raw = connection.connection
    with hotel_context(connected.tenant(0)):
        assert raw.execute("SELECT hotel FROM marker LIMIT 1").fetchone() == ("h0",)
        with raw.transaction(), hotel_context(connected.tenant(1)):
            assert raw.execute("SELECT hotel FROM marker LIMIT 1").fetchone() == ("h1",)


def test_what_cannot_carry_the_hotel_is_refused(connected: World) -> None:
    connection.ensure_connection()
    raw = connection.connection
    with hotel_context(connected.tenant(0)):
        with pytest.raises(psycopg.NotSupportedError, match=r"stream\(\)"):
            raw.cursor("named")
        with pytest.raises(psycopg.NotSupportedError, match="server-side"):
            connection.create_cursor("named")
        with pytest.raises(psycopg.NotSupportedError, match="Pipeline"), raw.pipeline():
            pass
        for foreign in (psycopg.Cursor(raw), psycopg.ClientCursor(raw), psycopg.RawCursor(raw)):
            with pytest.raises(psycopg.NotSupportedError, match=r"django\.db\.connection"):
                foreign.execute("SELECT 1")
        with pytest.raises(psycopg.NotSupportedError, match=r"direct_connection\(\)"):
            list(raw.notifies(timeout=0))
        with pytest.raises(psycopg.NotSupportedError, match="Two-phase"):
            raw.tpc_begin("x")
        with pytest.raises(psycopg.NotSupportedError, match="Prepared"):
            raw.execute("SELECT 1", prepare=True)
        with pytest.raises(psycopg.NotSupportedError, match="binary"):
            raw.cursor(binary=True).execute("SELECT 1")
        assert raw.execute("SELECT hotel FROM marker LIMIT 1").fetchone() == ("h0",)


def test_an_iterator_reads_through_an_ordinary_cursor(connected: World) -> None:
    with hotel_context(connected.tenant(0)), connection.chunked_cursor() as chunked:
        chunked.execute("SELECT hotel FROM marker")
        assert chunked.fetchmany(2) == [("h0",), ("h0",)]


@pytest.mark.parametrize("option", sorted(REFUSED_OPTIONS))
def test_options_that_a_hotel_cannot_travel_with_are_refused(connected: World, option: str) -> None:
    settings = {**connection.settings_dict, "OPTIONS": {**connection.settings_dict["OPTIONS"], option: True}}
    with pytest.raises(ImproperlyConfigured, match=option):
        DatabaseWrapper(settings).connect()


def test_the_log_of_queries_shows_what_was_asked_and_not_what_was_sent(cursor: Any) -> None:
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
