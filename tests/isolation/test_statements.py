"""Tests of the classification of SQL statements by their text.

The backend refuses some kinds of statements.
"""

import pytest

from tenants.database.backend.statements import StatementKind, classify, split_statements

KINDS = [
    ("SELECT 1", StatementKind.PLAIN),
    ("select 'a;commit'", StatementKind.PLAIN),
    ("SELECT $$;COMMIT;$$", StatementKind.PLAIN),
    ("SELECT $tag$;COMMIT;$tag$, E'\\';COMMIT;'", StatementKind.PLAIN),
    ("/* COMMIT; /* nested */ ; */ SELECT 1", StatementKind.PLAIN),
    ('SELECT "commit;" -- ; COMMIT', StatementKind.PLAIN),
    ("DO $$ BEGIN PERFORM 1; END $$", StatementKind.PLAIN),
    ("WITH x AS (SELECT 1) SELECT * FROM x", StatementKind.PLAIN),
    ("SET LOCAL statement_timeout = '2s'", StatementKind.PLAIN),
    ("SET CONSTRAINTS fk IMMEDIATE", StatementKind.PLAIN),
    ("SELECT pg_advisory_xact_lock(1)", StatementKind.PLAIN),
    ("CREATE TEMP TABLE t (a int) ON COMMIT DROP", StatementKind.PLAIN),
    ("DECLARE c CURSOR FOR SELECT 1", StatementKind.PLAIN),
    ("SELECT set_config FROM settings", StatementKind.PLAIN),
    ("EXPLAIN ANALYZE SELECT 1", StatementKind.PLAIN),
    ("endless", StatementKind.PLAIN),
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
def test_classify_of_a_text_that_is_too_long_for_the_cache_returns_the_same_kind(
    text: str, kind: StatementKind
) -> None:
    assert classify(text + " " * 5000).kind is kind


def test_classify_returns_the_keywords_that_decided_the_kind() -> None:
    assert classify("SELECT 1; ROLLBACK").keywords == "ROLLBACK"
    assert classify("select set_config('a', 'b', true)").keywords == "set_config"


@pytest.mark.parametrize(
    "text", ["SELECT 'open", 'SELECT "open', "SELECT $$open", "/* open", "SELECT E'open\\'"]
)
def test_classify_ignores_keywords_inside_an_unterminated_string_or_comment(text: str) -> None:
    assert classify(text + "; COMMIT").kind in {StatementKind.PLAIN, StatementKind.EMPTY}


def test_split_statements_ignores_semicolons_inside_quotes_and_comments() -> None:
    text = "SELECT 'a;b'; UPDATE \"t;\" SET x = $$;$$; -- ;\n DELETE FROM t"
    assert list(split_statements(text)) == ["SELECT ''", 'UPDATE "" SET x =', "DELETE FROM t"]


def test_classify_marks_several_statements_as_a_script() -> None:
    assert classify("SELECT 1; SELECT 2").is_script
    assert not classify("SELECT 1;").is_script
