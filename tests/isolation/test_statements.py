"""Tests of the classification of SQL statements by their text.

The database backend refuses some kinds of statements, such as statements that change the session.
"""

import pytest

from tenants.database.backend.statements import StatementKind, classify, classify_template

KINDS = [
    ("SELECT 1", StatementKind.PLAIN),
    ("select 'a;commit'", StatementKind.PLAIN),
    ("SELECT $$;COMMIT;$$", StatementKind.PLAIN),
    ("SELECT $tag$;COMMIT;$tag$, E'\\';COMMIT;'", StatementKind.PLAIN),
    ("/* COMMIT; /* nested */ ; */ SELECT 1", StatementKind.PLAIN),
    ('SELECT "commit;" -- ; COMMIT', StatementKind.PLAIN),
    ("WITH x AS (SELECT 1) SELECT * FROM x", StatementKind.PLAIN),
    ("SET LOCAL statement_timeout = '2s'", StatementKind.PLAIN),
    ("SET CONSTRAINTS fk IMMEDIATE", StatementKind.PLAIN),
    ("SELECT pg_advisory_xact_lock(1)", StatementKind.PLAIN),
    ("SELECT * FROM pg_settings", StatementKind.PLAIN),
    ("SELECT 'pg_temp', 'set_config(1)'", StatementKind.PLAIN),
    ("SELECT pg_temperature FROM pg_temples.marker", StatementKind.PLAIN),
    ("SHOW lock_timeout", StatementKind.PLAIN),
    ("NOTIFY rooms", StatementKind.PLAIN),
    ("CALL p()", StatementKind.PLAIN),
    ("LOCK TABLE marker IN SHARE MODE", StatementKind.PLAIN),
    ("REFRESH MATERIALIZED VIEW CONCURRENTLY v", StatementKind.PLAIN),
    ("CREATE TABLE concurrently_used (a int)", StatementKind.PLAIN),
    ("DECLARE c CURSOR FOR SELECT 1", StatementKind.PLAIN),
    ("SELECT set_config FROM settings", StatementKind.PLAIN),
    ("EXPLAIN ANALYZE SELECT 1", StatementKind.PLAIN),
    ("endless", StatementKind.UNKNOWN),
    ("", StatementKind.EMPTY),
    (" ; ;-- nothing", StatementKind.EMPTY),
    ("COMMIT", StatementKind.TRANSACTION_CONTROL),
    ("-- done\n commit ;", StatementKind.TRANSACTION_CONTROL),
    ("ROLLBACK TO SAVEPOINT s", StatementKind.TRANSACTION_CONTROL),
    ("RELEASE SAVEPOINT s", StatementKind.TRANSACTION_CONTROL),
    ("START TRANSACTION READ ONLY", StatementKind.TRANSACTION_CONTROL),
    ("SET CONSTRAINTS ALL IMMEDIATE", StatementKind.TRANSACTION_MODE),
    ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", StatementKind.TRANSACTION_MODE),
    ("SET statement_timeout = 0", StatementKind.SESSION_STATE),
    ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", StatementKind.SESSION_STATE),
    ("SET search_path TO other", StatementKind.SESSION_STATE),
    ("SET LOCAL search_path TO other", StatementKind.SESSION_STATE),
    ('SET LOCAL "search_path" TO other', StatementKind.SESSION_STATE),
    ("SET LOCAL ROLE other", StatementKind.SESSION_STATE),
    ("set role other", StatementKind.SESSION_STATE),
    ("RESET ROLE", StatementKind.SESSION_STATE),
    ("RESET ALL", StatementKind.SESSION_STATE),
    ("DISCARD ALL", StatementKind.SESSION_STATE),
    ("PREPARE p AS SELECT 1", StatementKind.SESSION_STATE),
    ("PREPARE TRANSACTION 'x'", StatementKind.SESSION_STATE),
    ("COMMIT PREPARED 'x'", StatementKind.SESSION_STATE),
    ("EXECUTE p", StatementKind.SESSION_STATE),
    ("DEALLOCATE p", StatementKind.SESSION_STATE),
    ("LISTEN rooms", StatementKind.SESSION_STATE),
    ("UNLISTEN *", StatementKind.SESSION_STATE),
    ("LOAD 'x'", StatementKind.SESSION_STATE),
    ("CREATE TEMP TABLE t (a int)", StatementKind.SESSION_STATE),
    ("CREATE TEMP TABLE t (a int) ON COMMIT DROP", StatementKind.SESSION_STATE),
    ("SELECT * INTO pg_temp.x FROM marker", StatementKind.SESSION_STATE),
    ("SELECT * INTO Temp x FROM marker", StatementKind.SESSION_STATE),
    ("SELECT * INTO TABLE pg_temp_3.x FROM marker", StatementKind.SESSION_STATE),
    ("EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1", StatementKind.SESSION_STATE),
    ("EXPLAIN (ANALYZE) EXECUTE p", StatementKind.SESSION_STATE),
    ("INSERT INTO pg_temp.marker VALUES (1)", StatementKind.SESSION_STATE),
    ("CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", StatementKind.SESSION_STATE),
    ("CREATE TYPE pg_temp.t AS (a int)", StatementKind.SESSION_STATE),
    ("CREATE TEMP SEQUENCE s", StatementKind.SESSION_STATE),
    ("DO $$ BEGIN CREATE TEMP TABLE t (a int); END $$", StatementKind.SESSION_STATE),
    ("DO $$ BEGIN PERFORM set_config('x.y', 'z', false); END $$", StatementKind.SESSION_STATE),
    ("UPDATE pg_settings SET setting = '1s' WHERE name = 'statement_timeout'", StatementKind.SESSION_STATE),
    ("UPDATE pg_catalog.pg_settings SET setting = '1s'", StatementKind.SESSION_STATE),
    ("WITH x AS (UPDATE pg_settings SET setting = '1s' RETURNING 1) SELECT 1", StatementKind.SESSION_STATE),
    ("""SELECT "set_config"('x.y', 'z', false)""", StatementKind.SESSION_STATE),
    ("SELECT pg_catalog . set_config /* */ ('x.y', 'z', false)", StatementKind.SESSION_STATE),
    (r"""SELECT U&"set\005fconfig"('x.y', 'z', false)""", StatementKind.SESSION_STATE),
    ("SELECT query_to_xml('SELECT set_config(...)', true, true, '')", StatementKind.SESSION_STATE),
    ("SET LOCAL SESSION AUTHORIZATION other", StatementKind.SESSION_STATE),
    ("SET LOCAL SCHEMA 'other'", StatementKind.SESSION_STATE),
    ("CHECKPOINT", StatementKind.SESSION_STATE),
    ("CREATE TEMPORARY VIEW v AS SELECT 1", StatementKind.SESSION_STATE),
    ("CREATE TABLE pg_temp.t (a int)", StatementKind.SESSION_STATE),
    ("SELECT 1 INTO TEMP t", StatementKind.SESSION_STATE),
    ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", StatementKind.SESSION_STATE),
    ("SELECT pg_advisory_lock(1)", StatementKind.SESSION_STATE),
    ("SELECT PG_TRY_ADVISORY_LOCK (1)", StatementKind.SESSION_STATE),
    ("SELECT pg_advisory_unlock_all()", StatementKind.SESSION_STATE),
    ("SELECT set_config('search_path', 'x', true)", StatementKind.SESSION_STATE),
    ("WITH x AS (SELECT set_config('role', 'x', false)) SELECT 1", StatementKind.SESSION_STATE),
    ("SELECT 1; SET search_path TO other", StatementKind.SESSION_STATE),
    ("VACUUM marker", StatementKind.NON_TRANSACTIONAL),
    ("CREATE INDEX CONCURRENTLY ON marker (n)", StatementKind.NON_TRANSACTIONAL),
    ("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON marker (n)", StatementKind.NON_TRANSACTIONAL),
    ("REINDEX TABLE CONCURRENTLY marker", StatementKind.NON_TRANSACTIONAL),
    ("ALTER TABLE marker DETACH PARTITION p CONCURRENTLY", StatementKind.NON_TRANSACTIONAL),
    ("CLUSTER", StatementKind.NON_TRANSACTIONAL),
    ("REINDEX (VERBOSE) DATABASE x", StatementKind.CLUSTER),
    ("ALTER DATABASE x SET TABLESPACE y", StatementKind.CLUSTER),
    ("CREATE DATABASE x", StatementKind.CLUSTER),
    ("DROP DATABASE x", StatementKind.CLUSTER),
    ("ALTER SYSTEM SET work_mem = '4MB'", StatementKind.CLUSTER),
    ("COPY marker FROM STDIN", StatementKind.COPY),
    ("COPY (SELECT 1) TO STDOUT", StatementKind.COPY),
    ("SELECT 1; COMMIT; SELECT 2", StatementKind.TRANSACTION_CONTROL),
    ("BEGIN; SELECT 1; END", StatementKind.TRANSACTION_CONTROL),
    ("SELECT 'x' -- ;\n; rollback", StatementKind.TRANSACTION_CONTROL),
]


@pytest.mark.parametrize(("text", "kind"), KINDS)
def test_classify_returns_the_kind_of_a_statement(text: str, kind: StatementKind) -> None:
    assert classify(text).kind is kind


@pytest.mark.parametrize(("text", "kind"), KINDS)
def test_classify_of_a_statement_too_long_for_the_cache_returns_its_kind(
    text: str, kind: StatementKind
) -> None:
    assert classify(text + " " * 5000).kind is kind


def test_classify_returns_the_keyword_that_determined_the_kind_of_the_statement() -> None:
    assert classify("SELECT 1; ROLLBACK").keywords == "ROLLBACK"
    assert classify("select set_config('a', 'b', true)").keywords == "set_config"


@pytest.mark.parametrize(
    "text", ["SELECT 'open", 'SELECT "open', "SELECT $$open", "/* open", "SELECT E'open\\'"]
)
def test_classify_with_an_unterminated_string_or_comment_returns_unknown(text: str) -> None:
    assert classify(text + "; COMMIT").kind is StatementKind.UNKNOWN


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM marker WHERE n = %s AND hotel LIKE 'a%%' LIMIT %s",
        "SELECT n %% 2 FROM marker WHERE n IN (%(first)s, %(second)s)",
        "INSERT INTO marker (hotel, n) VALUES " + ", ".join(["(%s, %s)"] * 1000),
    ],
)
def test_classify_template_with_placeholders_for_values_returns_plain(text: str) -> None:
    statement = classify_template(text)
    assert statement is not None
    assert statement.kind is StatementKind.PLAIN


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'a %s b'",
        "SELECT 1 -- %s",
        "SELECT /* %s */ 1",
        "SELECT $$ %s $$, %s",
        "SELECT 'a %s, %s b'" + " " * 5000,
        "SELECT 'a %%s, %s b'" + " " * 5000,
        "SELECT 1 AS %s",
    ],
)
def test_classify_template_returns_none_if_the_kind_depends_on_placeholder_values(text: str) -> None:
    assert classify_template(text) is None


def test_session_statement_with_placeholders_is_classified_as_session_state() -> None:
    statement = classify_template("SELECT set_config('x.y', %s, false)")
    assert statement is not None
    assert statement.kind is StatementKind.SESSION_STATE


def test_classify_marks_a_string_with_several_statements_as_a_script() -> None:
    assert classify("SELECT 1; SELECT 2").is_script
    assert not classify("SELECT 1;").is_script
