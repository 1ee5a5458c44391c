"""What the guard reads in a statement's text."""

import pytest

from tenants.database.backend.statements import Kind, classify, split

KINDS = [
    ("SELECT 1", Kind.PLAIN),
    ("select 'a;commit'", Kind.PLAIN),
    ("SELECT $$;COMMIT;$$", Kind.PLAIN),
    ("SELECT $tag$;COMMIT;$tag$, E'\\';COMMIT;'", Kind.PLAIN),
    ("/* COMMIT; /* nested */ ; */ SELECT 1", Kind.PLAIN),
    ('SELECT "commit;" -- ; COMMIT', Kind.PLAIN),
    ("DO $$ BEGIN PERFORM 1; END $$", Kind.PLAIN),
    ("WITH x AS (SELECT 1) SELECT * FROM x", Kind.PLAIN),
    ("SET LOCAL statement_timeout = '2s'", Kind.PLAIN),
    ("SET CONSTRAINTS fk IMMEDIATE", Kind.PLAIN),
    ("SELECT pg_advisory_xact_lock(1)", Kind.PLAIN),
    ("CREATE TEMP TABLE t (a int) ON COMMIT DROP", Kind.PLAIN),
    ("DECLARE c CURSOR FOR SELECT 1", Kind.PLAIN),
    ("SELECT set_config FROM settings", Kind.PLAIN),
    ("EXPLAIN ANALYZE SELECT 1", Kind.PLAIN),
    ("endless", Kind.PLAIN),
    ("", Kind.EMPTY),
    (" ; ;-- nothing", Kind.EMPTY),
    ("COMMIT", Kind.CONTROL),
    ("-- done\n commit ;", Kind.CONTROL),
    ("ROLLBACK TO SAVEPOINT s", Kind.CONTROL),
    ("RELEASE SAVEPOINT s", Kind.CONTROL),
    ("START TRANSACTION READ ONLY", Kind.CONTROL),
    ("SET CONSTRAINTS ALL IMMEDIATE", Kind.DEFERRED),
    ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", Kind.DEFERRED),
    ("SET statement_timeout = 0", Kind.SESSION),
    ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", Kind.SESSION),
    ("SET search_path TO other", Kind.SESSION),
    ("SET LOCAL search_path TO other", Kind.SESSION),
    ('SET LOCAL "search_path" TO other', Kind.SESSION),
    ("SET LOCAL ROLE other", Kind.SESSION),
    ("set role other", Kind.SESSION),
    ("RESET ROLE", Kind.SESSION),
    ("RESET ALL", Kind.SESSION),
    ("DISCARD ALL", Kind.SESSION),
    ("PREPARE p AS SELECT 1", Kind.SESSION),
    ("PREPARE TRANSACTION 'x'", Kind.SESSION),
    ("COMMIT PREPARED 'x'", Kind.SESSION),
    ("EXECUTE p", Kind.SESSION),
    ("DEALLOCATE p", Kind.SESSION),
    ("LISTEN rooms", Kind.SESSION),
    ("UNLISTEN *", Kind.SESSION),
    ("LOAD 'x'", Kind.SESSION),
    ("CREATE TEMP TABLE t (a int)", Kind.SESSION),
    ("CREATE TEMPORARY VIEW v AS SELECT 1", Kind.SESSION),
    ("CREATE TABLE pg_temp.t (a int)", Kind.SESSION),
    ("SELECT 1 INTO TEMP t", Kind.SESSION),
    ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", Kind.SESSION),
    ("SELECT pg_advisory_lock(1)", Kind.SESSION),
    ("SELECT PG_TRY_ADVISORY_LOCK (1)", Kind.SESSION),
    ("SELECT pg_advisory_unlock_all()", Kind.SESSION),
    ("SELECT set_config('search_path', 'x', true)", Kind.SESSION),
    ("WITH x AS (SELECT set_config('role', 'x', false)) SELECT 1", Kind.SESSION),
    ("SELECT 1; SET search_path TO other", Kind.SESSION),
    ("VACUUM marker", Kind.ALONE),
    ("CREATE INDEX CONCURRENTLY ON marker (n)", Kind.ALONE),
    ("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON marker (n)", Kind.ALONE),
    ("REINDEX TABLE CONCURRENTLY marker", Kind.ALONE),
    ("CREATE DATABASE x", Kind.CLUSTER),
    ("DROP DATABASE x", Kind.CLUSTER),
    ("ALTER SYSTEM SET work_mem = '4MB'", Kind.CLUSTER),
    ("COPY marker FROM STDIN", Kind.COPY),
    ("COPY (SELECT 1) TO STDOUT", Kind.COPY),
    ("SELECT 1; COMMIT; SELECT 2", Kind.CONTROL),
    ("BEGIN; SELECT 1; END", Kind.CONTROL),
    ("SELECT 'x' -- ;\n; rollback", Kind.CONTROL),
]


@pytest.mark.parametrize(("text", "kind"), KINDS)
def test_it_reads_the_kind_of_a_statement(text: str, kind: Kind) -> None:
    assert classify(text).kind is kind


@pytest.mark.parametrize(("text", "kind"), KINDS)
def test_it_reads_a_long_text_like_a_short_one(text: str, kind: Kind) -> None:
    assert classify(text + " " * 5000).kind is kind


def test_it_names_the_words_that_offend() -> None:
    assert classify("SELECT 1; ROLLBACK").offence == "ROLLBACK"
    assert classify("select set_config('a', 'b', true)").offence == "set_config"


@pytest.mark.parametrize(
    "text", ["SELECT 'open", 'SELECT "open', "SELECT $$open", "/* open", "SELECT E'open\\'"]
)
def test_what_never_closes_is_left_to_the_server(text: str) -> None:
    assert classify(text + "; COMMIT").kind in {Kind.PLAIN, Kind.EMPTY}


def test_it_splits_at_semicolons_outside_of_quotes() -> None:
    text = "SELECT 'a;b'; UPDATE \"t;\" SET x = $$;$$; -- ;\n DELETE FROM t"
    assert list(split(text)) == ["SELECT ''", 'UPDATE "" SET x =', "DELETE FROM t"]


def test_statements_of_several_are_marked() -> None:
    assert classify("SELECT 1; SELECT 2").many
    assert not classify("SELECT 1;").many
