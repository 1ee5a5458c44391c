"""What a statement does to its transaction or its session, as far as its text says.

Everything travels behind `SET LOCAL` (prefix.py), so three kinds of text need care: transaction control (it
would end the settings), session state (it would stay on a pooled server connection for whoever comes next)
and what may not run in a transaction block. This reads the words of the SQL, not what functions do inside: it
guards against mistakes. Rights in the database guard the rest (DESIGN 4.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache


class Kind(Enum):
    PLAIN = auto()
    CONTROL = auto()  # BEGIN, COMMIT, SAVEPOINT ...
    DEFERRED = auto()  # SET CONSTRAINTS ALL, SET TRANSACTION: like CONTROL, and harmless beside others
    ALONE = auto()  # may not run in a transaction block
    CLUSTER = auto()  # ALONE, and in no schema: CREATE DATABASE, ALTER SYSTEM
    SESSION = auto()  # leaves something on the session, or changes the settings that we send
    COPY = auto()  # COPY from or to the client
    EMPTY = auto()


@dataclass(frozen=True, slots=True)
class Statement:
    """`many`: several statements in one string. `offence`: the words that made it this kind."""

    kind: Kind
    offence: str = ""
    many: bool = False


PLAIN = Statement(Kind.PLAIN)

_DML = ("SELECT ", "INSERT ", "UPDATE ", "DELETE ")
_MARKS = (";", "'", "$", "--", "/*", "TEMP", "temp")
_OPENING = re.compile(r"""(?<![\w$])[eE]'|'|"|--|/\*|(?<![\w$])\$(?:[^\W\d]\w*)?\$|;""")
_ESCAPED = re.compile(r"(?:[^'\\]|\\.|'')*'", re.DOTALL)
_COMMENT = re.compile(r"/\*|\*/")

_TEMPORARY = r"(?:GLOBAL\s+|LOCAL\s+)?TEMP(?:ORARY)?"
# In the order of their reading: the first that matches the beginning of a statement says its kind.
_KINDS = {
    Kind.SESSION: (
        r"SET\s+LOCAL\s+(?:ROLE|SEARCH_PATH|SCHEMA|SESSION|\"\")",
        r"SET(?!\s+(?:LOCAL|CONSTRAINTS|TRANSACTION)\b)",
        r"RESET|DISCARD|PREPARE|EXECUTE|DEALLOCATE|(?:COMMIT|ROLLBACK)\s+PREPARED",
        r"LISTEN|UNLISTEN|LOAD|DECLARE\b.*\bWITH\s+HOLD",
        rf"(?:CREATE\s+(?:OR\s+REPLACE\s+)?{_TEMPORARY}|CREATE\s.*\bpg_temp)\b(?!.*\bON\s+COMMIT\s+DROP\b)",
        rf"(?:SELECT|WITH)\b.*\bINTO\s+{_TEMPORARY}",
    ),
    Kind.DEFERRED: (r"SET\s+CONSTRAINTS\s+ALL|SET\s+TRANSACTION",),
    Kind.CONTROL: (r"BEGIN|START\s+TRANSACTION|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE",),
    Kind.CLUSTER: (
        r"(?:CREATE|DROP)\s+(?:DATABASE|TABLESPACE|SUBSCRIPTION)|ALTER\s+(?:SYSTEM|SUBSCRIPTION)",
        r"ALTER\s+DATABASE\b.*\bTABLESPACE|REINDEX\s+(?:\([^)]*\)\s*)?(?:SYSTEM|DATABASE)",
    ),
    Kind.ALONE: (r"VACUUM|CLUSTER(?=\s*\Z)|(?:CREATE|DROP|REINDEX|ALTER)\b.*\bCONCURRENTLY",),
    Kind.COPY: (r"COPY\b.*\b(?:STDIN|STDOUT)",),
}
_BEGINNINGS = [
    (kind, re.compile(rf"\(*(?:{'|'.join(words)})(?:\b|(?<=\"))", re.IGNORECASE | re.DOTALL))
    for kind, words in _KINDS.items()
]
_FUNCTION = re.compile(r"\b(?:set_config|pg_(?:try_)?advisory_(?:lock|unlock)\w*)(?=\s*\()", re.IGNORECASE)


def classify(text: str) -> Statement:
    """What to know before `text` is sent. Parameters are not in it: they are bound as literals afterwards."""
    # A longer text is a generated one (a bulk insert, a script) that does not come back.
    return _remembered(text) if len(text) <= 4096 else _read(text)


def split(text: str) -> Iterator[str]:
    """The statements of `text`, their comments cut out and their quotes emptied."""
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
            at = _closing(text, mark, opening.end())
    if statement := ("".join(kept) + text[at:]).strip():
        yield statement


def _closing(text: str, mark: str, at: int) -> int:
    """Where what `mark` opened ends; a doubled quote ends it and opens it again, which comes to the same."""
    if mark == "/*":
        depth = 1
        while depth and (comment := _COMMENT.search(text, at)):
            depth += 1 if comment[0] == "/*" else -1
            at = comment.end()
        return len(text) if depth else at
    if mark in {"e'", "E'"}:
        escaped = _ESCAPED.match(text, at)
        return escaped.end() if escaped else len(text)
    end = "\n" if mark == "--" else mark
    found = text.find(end, at)
    return found + len(end) if found >= 0 else len(text)


def _read(text: str) -> Statement:
    if text.startswith(_DML) and not any(mark in text for mark in _MARKS):
        return _one(text)
    read = [_one(statement) for statement in split(text)]
    if len(read) <= 1:
        return read[0] if read else Statement(Kind.EMPTY)
    for kind in (Kind.CONTROL, Kind.CLUSTER, Kind.ALONE, Kind.SESSION, Kind.COPY):
        for statement in read:
            if statement.kind is kind:
                return Statement(kind, offence=statement.offence, many=True)
    return Statement(Kind.PLAIN, many=True)


_remembered = lru_cache(maxsize=2048)(_read)


def _one(statement: str) -> Statement:
    if found := _FUNCTION.search(statement):
        return Statement(Kind.SESSION, offence=found[0])
    if statement.startswith(_DML) and "TEMP" not in statement and "temp" not in statement:
        return PLAIN
    for kind, beginning in _BEGINNINGS:
        if beginning.match(statement):
            return Statement(kind, offence=" ".join(statement.split()[:3])[:60])
    return PLAIN
