"""Classification of SQL statements by their effect on the transaction and the session.

The backend sends `SET LOCAL` statements before each statement. Transaction control would end the effect of `SET LOCAL`,
and a change to the session would affect the next client of the pooler. This module protects against mistakes, not
against attacks. tenants/database/README.md explains the design.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import Any

import pgparse

#: The package pgparse (version 1.x) parses SQL with the grammar of this major version of PostgreSQL.
GRAMMAR_VERSION = 17


class StatementKind(Enum):
    """The effect of a statement on the transaction and the session."""

    PLAIN = auto()
    TRANSACTION_CONTROL = auto()  # BEGIN, COMMIT, SAVEPOINT ...
    #: SET CONSTRAINTS ALL and SET TRANSACTION, which are allowed in query strings with several statements.
    TRANSACTION_MODE = auto()
    #: Statements that cannot run in a transaction block, such as VACUUM.
    NON_TRANSACTIONAL = auto()
    #: Statements about the whole server that cannot run in a transaction block, such as CREATE DATABASE.
    CLUSTER = auto()
    #: Statements that change the state of the session, such as SET and LISTEN. SET could select another tenant.
    #: A statement of an unknown type is classified as SESSION_STATE, because the statement may change the session.
    SESSION_STATE = auto()
    COPY = auto()  # COPY from or to the client
    EMPTY = auto()
    #: Statements in which the SQL parser finds a syntax error. A newer version of PostgreSQL may accept them.
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Statement:
    """The classification of a query string.

    `keywords` contains the words in the query that determine its kind. If the kind is UNKNOWN, `keywords` contains the
    error message of the parser instead. `is_script` is true if the string contains several statements.
    """

    kind: StatementKind
    keywords: str = ""
    is_script: bool = False


PLAIN = Statement(StatementKind.PLAIN)

#: Types of statements that do not change the session. These statements are classified as PLAIN.
#: The function `_classify_utility` determines the kind of statements whose type is not listed here.
_PLAIN_TYPES = frozenset(
    {
        "SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "LockStmt", "TruncateStmt", "FetchStmt",
        "ClosePortalStmt", "VariableShowStmt", "NotifyStmt", "CallStmt",
        # Statements that define database objects, for which hotel roles and the runtime login lack the privileges.
        "AlterDatabaseSetStmt", "AlterDefaultPrivilegesStmt", "AlterDomainStmt", "AlterEnumStmt", "AlterExtensionStmt",
        "AlterFunctionStmt", "AlterObjectSchemaStmt", "AlterOwnerStmt", "AlterPolicyStmt", "AlterRoleSetStmt",
        "AlterRoleStmt", "AlterSeqStmt", "CommentStmt", "CompositeTypeStmt", "CreateCastStmt", "CreateDomainStmt",
        "CreateEnumStmt", "CreateExtensionStmt", "CreateFunctionStmt", "CreatePolicyStmt", "CreateRangeStmt",
        "CreateRoleStmt", "CreateSchemaStmt", "CreateSeqStmt", "CreateStatsStmt", "CreateStmt", "CreateTableAsStmt",
        "CreateTrigStmt", "DefineStmt", "DropOwnedStmt", "DropRoleStmt", "GrantRoleStmt", "GrantStmt",
        "ReassignOwnedStmt", "RefreshMatViewStmt", "RenameStmt", "RuleStmt", "ViewStmt",
    }
)  # fmt: skip
_CLUSTER_TYPES = frozenset(
    {
        "AlterSubscriptionStmt", "AlterSystemStmt", "CreateSubscriptionStmt", "CreateTableSpaceStmt", "CreatedbStmt",
        "DropSubscriptionStmt", "DropTableSpaceStmt", "DropdbStmt",
    }
)  # fmt: skip
#: The PostgreSQL settings that the backend sets before each statement (see `tenants.database.backend.prefix`).
_PREFIX_SETTINGS = {"role", "search_path", "session_authorization"}
#: Functions that change the session, and functions that run a string as SQL. The SQL in the string is not parsed here.
_SESSION_FUNCTION = re.compile(
    r"set_config|setseed|pg_(try_)?advisory_(un)?lock(_shared|_all)?|query_to_xml\w*|ts_stat|ts_rewrite|dblink\w*"
)
#: The kinds of statements in the order of their precedence in a script (a query string with several statements).
#: The kind of a script is the first kind in this list that one of its statements has.
_PRECEDENCE = (
    StatementKind.TRANSACTION_CONTROL,
    StatementKind.CLUSTER,
    StatementKind.NON_TRANSACTIONAL,
    StatementKind.SESSION_STATE,
    StatementKind.COPY,
)
_TEMPORARY_SCHEMA = re.compile(r"pg_temp(_\d+)?")
#: The bit of `DeclareCursorStmt.options` for WITH HOLD (parsenodes.h of PostgreSQL).
_WITH_HOLD = 0x20

#: The first words of savepoint statements, which are not cached, because Django gives each savepoint a new name.
_SAVEPOINTS = ("SAVEPOINT ", "RELEASE SAVEPOINT ", "ROLLBACK TO SAVEPOINT ")
_PLACEHOLDER = re.compile(r"%(?:%|(?:\([^)]+\))?.)", re.DOTALL)
_PLACEHOLDER_LIST = re.compile(r"(?<!%)%s(?:\s*,\s*%s)+")
_ROW_LIST = re.compile(r"\(%s\)(?:\s*,\s*\(%s\))+")
#: A query with more than this number of characters is long. A long query with placeholders is shortened before parsing.
#: Long queries without placeholders are not cached, because they are usually generated and rarely repeated.
_LONG_TEXT = 4096
#: A query with placeholders is cached if it has at most this number of characters.
#: The cache of classified queries contains up to 1,024 queries, which together use at most 16 MB.
_LONGEST_CACHED_TEMPLATE = 16384


def classify(text: str) -> Statement:
    """Return the classification of a query string without placeholders."""
    is_cached = len(text) <= _LONG_TEXT and not text.startswith(_SAVEPOINTS)
    return _parse_cached(text) if is_cached else _parse(text)


def classify_template(text: str) -> Statement | None:
    """Classify a query string that contains psycopg's placeholders instead of values.

    Returns None if the kind of the statement could depend on the values. The caller then classifies the query string
    that contains the values.
    """
    if len(text) > _LONG_TEXT:
        # Replace each list of placeholders by one placeholder, so that the list's length does not change the cache key.
        text = _ROW_LIST.sub("(%s)", _PLACEHOLDER_LIST.sub("%s", text))
        if len(text) > _LONGEST_CACHED_TEMPLATE:
            return _parse_template(text)
    return _parse_template_cached(text)


def classify_with_values(text: str) -> Statement:
    """Classify a query string that contains values. The result is not cached, because such a string rarely repeats."""
    return _parse(text)


def _parse_template(text: str) -> Statement | None:
    placeholders = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal placeholders
        if match[0] == "%%":
            return "%"
        placeholders += 1
        return " $1 "

    text = _PLACEHOLDER.sub(replace, text)
    tree, _ = _syntax_tree(text)
    if tree is None or sum(name == "ParamRef" for name, _ in _walk(tree)) != placeholders:
        return None
    return _classify_tree(tree, text)


def _parse(text: str) -> Statement:
    tree, error = _syntax_tree(text)
    if tree is None:
        return Statement(StatementKind.UNKNOWN, error)
    return _classify_tree(tree, text)


_parse_cached = lru_cache(maxsize=256)(_parse)
_parse_template_cached = lru_cache(maxsize=1024)(_parse_template)


def _syntax_tree(text: str) -> tuple[list[dict[str, Any]] | None, str]:
    """Parse SQL statements. Return a pair of the syntax trees and an error message.

    If parsing succeeds, the error message is empty. If parsing fails, the first value is None.
    """
    try:
        return pgparse.parse(text), ""
    except pgparse.PGQueryError as error:
        return None, str(error)
    except RecursionError:  # about 400 levels
        return None, "expressions are nested too deeply"


def _walk(tree: Any) -> Iterator[tuple[str, Any]]:
    """Yield each node member in the syntax tree, as a pair of name and value."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield from node.items()
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)


def _classify_tree(tree: list[dict[str, Any]], text: str) -> Statement:
    statements = [_classify_one(raw, raw["stmt"], text) for raw in tree]
    if len(statements) <= 1:
        return statements[0] if statements else Statement(StatementKind.EMPTY)
    for kind in _PRECEDENCE:
        for statement in statements:
            if statement.kind is kind:
                return Statement(kind, keywords=statement.keywords, is_script=True)
    return Statement(StatementKind.PLAIN, is_script=True)


def _first_words(raw: dict[str, Any], text: str) -> str:
    """Return the first words of a statement, for error messages.

    The parser reports the position of the statement in bytes, so the text is encoded before it is cut.
    """
    start = raw.get("stmt_location", 0)
    end = start + raw["stmt_len"] if "stmt_len" in raw else None
    own_text = text.encode()[start:end].decode()
    return " ".join(re.sub(r"--.*|/\*.*?\*/|;", " ", own_text).split()[:3])[:60]


def _classify_one(raw: dict[str, Any], statement: dict[str, Any], text: str) -> Statement:
    if cause := _find_session_state(statement):
        return Statement(StatementKind.SESSION_STATE, keywords=cause)
    [(name, node)] = statement.items()
    if name == "ExplainStmt":
        return _classify_one(raw, node["query"], text)
    kind = StatementKind.PLAIN if name in _PLAIN_TYPES else _classify_utility(name, node)
    return PLAIN if kind is StatementKind.PLAIN else Statement(kind, keywords=_first_words(raw, text))


def _find_session_state(statement: dict[str, Any]) -> str:
    """Return the function, schema or keyword with which the statement changes the session, or an empty string."""
    for name, value in _walk(statement):
        if name == "FuncCall":
            function = value["funcname"][-1]["String"]["sval"]
            if _SESSION_FUNCTION.fullmatch(function):
                return str(function)
        elif name == "relpersistence" and value == "t":
            return "TEMPORARY"
        elif name == "schemaname" and _TEMPORARY_SCHEMA.fullmatch(value):
            return str(value)
        # The syntax tree represents the name of a function or type as String nodes, and a literal as an A_Const node.
        elif name == "String" and _TEMPORARY_SCHEMA.fullmatch(value.get("sval", "")):
            return str(value["sval"])
        elif name in {"UpdateStmt", "InsertStmt"} and value["relation"]["relname"] == "pg_settings":
            return "pg_settings"
    return ""


def _classify_utility(name: str, node: dict[str, Any]) -> StatementKind:  # noqa: C901, PLR0911 - a table of types
    match name:
        case "TransactionStmt":
            return (
                StatementKind.SESSION_STATE
                if "PREPARE" in node["kind"]
                else StatementKind.TRANSACTION_CONTROL
            )
        case "VariableSetStmt":
            return _classify_set(node)
        case "ConstraintsSetStmt":
            return StatementKind.PLAIN if "constraints" in node else StatementKind.TRANSACTION_MODE
        case "CopyStmt":
            return StatementKind.PLAIN if "filename" in node else StatementKind.COPY
        case "DeclareCursorStmt":
            return StatementKind.SESSION_STATE if node["options"] & _WITH_HOLD else StatementKind.PLAIN
        case "VacuumStmt":
            return StatementKind.NON_TRANSACTIONAL if node.get("is_vacuumcmd") else StatementKind.PLAIN
        case "ClusterStmt":
            return StatementKind.PLAIN if "relation" in node else StatementKind.NON_TRANSACTIONAL
        case "IndexStmt" | "DropStmt":
            return StatementKind.NON_TRANSACTIONAL if node.get("concurrent") else StatementKind.PLAIN
        case "AlterTableStmt":
            concurrent = any(key == "concurrent" for key, _ in _walk(node))
            return StatementKind.NON_TRANSACTIONAL if concurrent else StatementKind.PLAIN
        case "ReindexStmt":
            return _classify_reindex(node)
        case "AlterDatabaseStmt":
            options = {option["DefElem"]["defname"] for option in node.get("options", [])}
            return StatementKind.CLUSTER if "tablespace" in options else StatementKind.PLAIN
        case _ if name in _CLUSTER_TYPES:
            return StatementKind.CLUSTER
    return StatementKind.SESSION_STATE


def _classify_set(node: dict[str, Any]) -> StatementKind:
    if node["kind"] == "VAR_SET_MULTI" and node["name"] in {"TRANSACTION", "TRANSACTION SNAPSHOT"}:
        return StatementKind.TRANSACTION_MODE
    if node.get("is_local") and node.get("name", "").lower() not in _PREFIX_SETTINGS:
        return StatementKind.PLAIN
    return StatementKind.SESSION_STATE


def _classify_reindex(node: dict[str, Any]) -> StatementKind:
    if node["kind"] in {"REINDEX_OBJECT_SYSTEM", "REINDEX_OBJECT_DATABASE"}:
        return StatementKind.CLUSTER
    options = {option["DefElem"]["defname"] for option in node.get("params", [])}
    if "concurrently" in options or node["kind"] == "REINDEX_OBJECT_SCHEMA":
        return StatementKind.NON_TRANSACTIONAL
    return StatementKind.PLAIN
