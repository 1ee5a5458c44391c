"""Tests that database functions avoid SQL constructs that lead to slow plans or that Citus does not support.

Citus is an extension of PostgreSQL for deployments that outgrow one server.
"""

import re
from pathlib import Path

import pytest

from tests.architecture.modules import ROOT

FILES = sorted(ROOT.glob("*/sql/*.sql"))

_COMMENT = re.compile(r"--[^\n]*")
_TEXT = re.compile(r"'(?:[^']|'')*'")
_UPDATE = re.compile(r"\bUPDATE\s+(?:ONLY\s+)?[\w.]+(?:\s+AS)?(?:\s+(?!SET\b)\w+)?\s+SET\b", re.IGNORECASE)
_DELETE = re.compile(r"\bDELETE\s+FROM\b", re.IGNORECASE)
_RETURNING = re.compile(r"\bRETURNING\b(.*)", re.IGNORECASE | re.DOTALL)
_VOLATILE = re.compile(r"\b(?:clock_timestamp|now|random|gen_random_uuid|\w+_uuid7)\s*\(", re.IGNORECASE)
#: The results of these functions depend on settings of the session, so PostgreSQL declares the functions as STABLE.
_STABLE = re.compile(r"\b(?:to_jsonb?|jsonb?_build_\w+|row_to_json)\s*\(", re.IGNORECASE)
_INTERVAL = re.compile(r"\bmake_interval\s*\(|\binterval\b", re.IGNORECASE)
_FUNCTION_SETTING = re.compile(r"\bLANGUAGE\s+\w+[^;$]*\bSET\s+\w+\s*(?:=|TO)", re.IGNORECASE)
_TRIGGER = re.compile(r"\bRETURNS\s+trigger\b", re.IGNORECASE)
_READS_OR_WRITES = re.compile(r"\b(?:SELECT|PERFORM|INSERT|UPDATE|DELETE)\b(?!\s+OR\b)", re.IGNORECASE)


def forbidden_forms(text: str, *, is_hotel_trigger: bool = True) -> set[str]:
    """Return the names of the forbidden SQL constructs in the source text of a database function."""
    text = _TEXT.sub("''", _COMMENT.sub("", text))
    forms = set()
    if _FUNCTION_SETTING.search(text):
        forms.add("SET clause of a function")
    if re.search(r"\bFOR\s+(?:NO\s+KEY\s+)?UPDATE\s+OF\b", text, re.IGNORECASE):
        forms.add("FOR UPDATE OF")
    if is_hotel_trigger and _TRIGGER.search(text) and _READS_OR_WRITES.search(text):
        forms.add("trigger that uses tables")
    for statement in text.split(";"):
        forms |= _forms_of_statement(statement)
    return forms


def _forms_of_statement(statement: str) -> set[str]:
    forms = set()
    change = _UPDATE.search(statement) or _DELETE.search(statement)
    if change:
        if _VOLATILE.search(statement, change.end()):
            forms.add("volatile function in an UPDATE or DELETE")
        if _INTERVAL.search(statement, change.end()):
            forms.add("interval arithmetic in an UPDATE or DELETE")
    returning = _RETURNING.search(statement)
    if returning and (_VOLATILE.search(returning[1]) or _STABLE.search(returning[1])):
        forms.add("function in RETURNING that is not immutable")
    return forms


#: The trigger functions that may use tables. `audit_track_rows` inserts events into the schema of the changed table.
#: `audit_check_deletion` uses only the table of its trigger and the deleted rows.
USE_TABLES = {"audit_check_deletion", "audit_track_rows"}


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_sql_file_of_a_database_function_has_no_forbidden_construct(file: Path) -> None:
    # The triggers of the app `tenants` belong to tables of the platform and not of hotels.
    is_hotel_trigger = file.parts[-3] != "tenants" and file.stem not in USE_TABLES
    assert forbidden_forms(file.read_text(), is_hotel_trigger=is_hotel_trigger) == set()


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("LANGUAGE plpgsql SET enable_seqscan = off AS $$", "SET clause of a function"),
        ("LANGUAGE plpgsql SET plan_cache_mode TO force_generic_plan AS $$", "SET clause of a function"),
        ("SELECT FROM room JOIN hold ON true FOR NO KEY UPDATE OF hold;", "FOR UPDATE OF"),
        ("UPDATE hold SET ended_at = clock_timestamp();", "volatile function in an UPDATE or DELETE"),
        (
            "IF x THEN UPDATE hold AS h SET a = 1 WHERE expires_at > now();",
            "volatile function in an UPDATE or DELETE",
        ),
        ("DELETE FROM hold WHERE id = tenants_uuid7();", "volatile function in an UPDATE or DELETE"),
        (
            "UPDATE hold SET expires_at = expires_at + make_interval(secs => 1);",
            "interval arithmetic in an UPDATE or DELETE",
        ),
        (
            "INSERT INTO hold VALUES (1) RETURNING to_jsonb(hold) INTO x;",
            "function in RETURNING that is not immutable",
        ),
        (
            "WITH h AS (UPDATE hold SET a = 1 RETURNING clock_timestamp()) SELECT 1;",
            "function in RETURNING that is not immutable",
        ),
        ("RETURNS trigger AS $$ BEGIN UPDATE brand SET x = 1; END $$", "trigger that uses tables"),
    ],
)
def test_forbidden_sql_construct_is_reported_by_name(text: str, form: str) -> None:
    assert form in forbidden_forms(text)


@pytest.mark.parametrize(
    "text",
    [
        "-- UPDATE hold SET ended_at = now();",
        "PERFORM f('UPDATE hold SET a = now()');",
        "now_ := clock_timestamp(); UPDATE hold SET ended_at = now_ WHERE id = 1 RETURNING lower(nights);",
        "SELECT FROM hold WHERE expires_at > clock_timestamp() ORDER BY id FOR NO KEY UPDATE;",
        "INSERT INTO hold VALUES (now(), now() + make_interval(secs => 1));",
    ],
)
def test_allowed_sql_is_not_reported_as_forbidden(text: str) -> None:
    assert forbidden_forms(text) == set()
