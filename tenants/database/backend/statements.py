"""Classification of SQL statements by their effect on the transaction and the session.

The backend sends `SET LOCAL` statements before each statement, in the same message. Three kinds need care:

- Transaction control ends the effect of `SET LOCAL`.
- A change of the session would affect the next client that the pooler gives the session to.
- Some statements cannot run in a transaction block.

Only the text is classified, not what functions do inside. This protects against mistakes, not against attacks. The
database privileges are a second protection (tenants/database/roles.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache


class StatementKind(Enum):
    """The effect of a statement on the transaction and the session."""

    PLAIN = auto()
    TRANSACTION_CONTROL = auto()  # BEGIN, COMMIT, SAVEPOINT ...
    #: SET CONSTRAINTS ALL and SET TRANSACTION. A string with several statements may contain them.
    TRANSACTION_MODE = auto()
    #: Statements that cannot run in a transaction block, such as VACUUM
    NON_TRANSACTIONAL = auto()
    #: Statements about the whole server that cannot run in a transaction block, such as CREATE DATABASE
    CLUSTER = auto()
    #: Statements that change the session or the tenant's settings, such as SET and LISTEN
    SESSION_STATE = auto()
    COPY = auto()  # COPY from or to the client
    EMPTY = auto()


@dataclass(frozen=True, slots=True)
class Statement:
    """The classification of a query string.

    `keywords` are the words that decided the kind. `is_script` is true if the string holds several statements.
    """

    kind: StatementKind
    keywords: str = ""
    is_script: bool = False


PLAIN = Statement(StatementKind.PLAIN)

_DML = ("SELECT ", "INSERT ", "UPDATE ", "DELETE ")
#: A query that starts with SELECT, INSERT, UPDATE or DELETE and contains none of these marks is one plain statement.
_MARKS = (";", "'", "$", "--", "/*", "TEMP", "temp")
_OPENING = re.compile(r"""(?<![\w$])[eE]'|'|"|--|/\*|(?<![\w$])\$(?:[^\W\d]\w*)?\$|;""")
_ESCAPE_STRING = re.compile(r"(?:[^'\\]|\\.|'')*'", re.DOTALL)
_COMMENT = re.compile(r"/\*|\*/")

_TEMPORARY = r"(?:GLOBAL\s+|LOCAL\s+)?TEMP(?:ORARY)?"
#: Regular expressions for the start of a statement. The order matters, because the first match decides the kind.
_KEYWORDS = {
    StatementKind.SESSION_STATE: (
        r"SET\s+LOCAL\s+(?:ROLE|SEARCH_PATH|SCHEMA|SESSION|\"\")",
        r"SET(?!\s+(?:LOCAL|CONSTRAINTS|TRANSACTION)\b)",
        r"RESET|DISCARD|PREPARE|EXECUTE|DEALLOCATE|(?:COMMIT|ROLLBACK)\s+PREPARED",
        r"LISTEN|UNLISTEN|LOAD|DECLARE\b.*\bWITH\s+HOLD",
        rf"(?:CREATE\s+(?:OR\s+REPLACE\s+)?{_TEMPORARY}|CREATE\s.*\bpg_temp)\b(?!.*\bON\s+COMMIT\s+DROP\b)",
        rf"(?:SELECT|WITH)\b.*\bINTO\s+{_TEMPORARY}",
    ),
    StatementKind.TRANSACTION_MODE: (r"SET\s+CONSTRAINTS\s+ALL|SET\s+TRANSACTION",),
    StatementKind.TRANSACTION_CONTROL: (
        r"BEGIN|START\s+TRANSACTION|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE",
    ),
    StatementKind.CLUSTER: (
        r"(?:CREATE|DROP)\s+(?:DATABASE|TABLESPACE|SUBSCRIPTION)|ALTER\s+(?:SYSTEM|SUBSCRIPTION)",
        r"ALTER\s+DATABASE\b.*\bTABLESPACE|REINDEX\s+(?:\([^)]*\)\s*)?(?:SYSTEM|DATABASE)",
    ),
    StatementKind.NON_TRANSACTIONAL: (
        r"VACUUM|CLUSTER(?=\s*\Z)|(?:CREATE|DROP|REINDEX|ALTER)\b.*\bCONCURRENTLY",
    ),
    StatementKind.COPY: (r"COPY\b.*\b(?:STDIN|STDOUT)",),
}
_BEGINNINGS = [
    (kind, re.compile(rf"\(*(?:{'|'.join(patterns)})(?:\b|(?<=\"))", re.IGNORECASE | re.DOTALL))
    for kind, patterns in _KEYWORDS.items()
]
#: Functions that change the session.
_SESSION_FUNCTION = re.compile(
    r"\b(?:set_config|pg_(?:try_)?advisory_(?:lock|unlock)\w*)(?=\s*\()", re.IGNORECASE
)


def classify(text: str) -> Statement:
    """Return the classification of a query string, which may contain placeholders for parameters."""
    # Long query strings are generated (bulk inserts, scripts) and rarely repeat, so they are not cached.
    return _classify_cached(text) if len(text) <= 4096 else _classify(text)


def split_statements(text: str) -> Iterator[str]:
    """Yield the SQL statements in `text`, without comments and with empty strings in place of all quoted strings."""
    kept: list[str] = []
    at = 0
    while opening := _OPENING.search(text, at):
        kept.append(text[at : opening.start()])
        mark = opening[0]
        if mark == ";":
            if statement := "".join(kept).strip():
                yield statement
            kept.clear()
            at = opening.end()
        else:
            kept.append({"'": "''", '"': '""'}.get(mark[-1], " "))
            at = _find_end(text, mark, opening.end())
    if statement := ("".join(kept) + text[at:]).strip():
        yield statement


def _find_end(text: str, mark: str, at: int) -> int:
    """Return the position after the end of the string or comment that `mark` opens.

    A string with a doubled quote is read as two strings, which makes no difference to the classification.
    """
    if mark == "/*":
        depth = 1
        while depth and (comment := _COMMENT.search(text, at)):
            depth += 1 if comment[0] == "/*" else -1
            at = comment.end()
        return len(text) if depth else at
    if mark in {"e'", "E'"}:
        string = _ESCAPE_STRING.match(text, at)
        return string.end() if string else len(text)
    end = "\n" if mark == "--" else mark
    position = text.find(end, at)
    return position + len(end) if position >= 0 else len(text)


def _classify(text: str) -> Statement:
    if text.startswith(_DML) and not any(mark in text for mark in _MARKS):
        return _classify_one(text)
    statements = [_classify_one(statement) for statement in split_statements(text)]
    if len(statements) <= 1:
        return statements[0] if statements else Statement(StatementKind.EMPTY)
    for kind in (
        StatementKind.TRANSACTION_CONTROL,
        StatementKind.CLUSTER,
        StatementKind.NON_TRANSACTIONAL,
        StatementKind.SESSION_STATE,
        StatementKind.COPY,
    ):
        for statement in statements:
            if statement.kind is kind:
                return Statement(kind, keywords=statement.keywords, is_script=True)
    return Statement(StatementKind.PLAIN, is_script=True)


_classify_cached = lru_cache(maxsize=2048)(_classify)


def _classify_one(statement: str) -> Statement:
    if function := _SESSION_FUNCTION.search(statement):
        return Statement(StatementKind.SESSION_STATE, keywords=function[0])
    if statement.startswith(_DML) and "TEMP" not in statement and "temp" not in statement:
        return PLAIN
    for kind, beginning in _BEGINNINGS:
        if beginning.match(statement):
            return Statement(kind, keywords=" ".join(statement.split()[:3])[:60])
    return PLAIN
