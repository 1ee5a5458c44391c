"""The cursor that sends each statement with its tenant, as one message, and steps over what the tenant answers.

It replaces the generators of psycopg's ClientCursor that send (3.3: execute, executemany, copy, stream) and
leaves alone what reads results. psycopg would send BEGIN on a round trip of its own; here it rides with the
first statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from django.db.backends.postgresql.base import CursorMixin
from psycopg import ClientCursor, InterfaceError, InternalError, NotSupportedError, ProgrammingError
from psycopg._queries import PostgresClientQuery
from psycopg.abc import Params, PQGen, Query
from psycopg.adapt import Transformer
from psycopg.generators import execute, fetch, send
from psycopg.pq import ExecStatus, TransactionStatus

from tenants.database.backend.errors import of_statement
from tenants.database.backend.prefix import NOTHING, Prefix
from tenants.database.backend.psycopg_connection import HotelConnection
from tenants.database.backend.statements import PLAIN, Kind, Statement, classify

TUPLES_OK = ExecStatus.TUPLES_OK
IDLE = TransactionStatus.IDLE
OPEN = (TransactionStatus.INTRANS, TransactionStatus.INERROR)
COMMAND_OK = ExecStatus.COMMAND_OK
EMPTY_QUERY = ExecStatus.EMPTY_QUERY
FINE = (TUPLES_OK, COMMAND_OK, EMPTY_QUERY)
FATAL_ERROR = ExecStatus.FATAL_ERROR

# executemany() sends so many bytes of statements in one message before it begins another.
BATCH_BYTES = 256 * 1024


class HotelCursor(CursorMixin, ClientCursor[Any]):
    """psycopg's client-side binding cursor; prepared statements and binary results it refuses."""

    __slots__ = ("_prefix",)
    _prefix: Prefix  # of the last message, so that errors can be told about what came after it
    _conn: HotelConnection

    def _execute_gen(
        self,
        query: Query,
        params: Params | None = None,
        *,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> PQGen[None]:
        if prepare or binary or self.format:
            raise NotSupportedError("Prepared statements and binary results don't pass through a pooler.")
        bound = self._bind(query, params)
        statement = classify(query) if type(query) is str else _classify(query, bound)
        if statement is not PLAIN:
            if statement.kind is Kind.COPY:
                raise ProgrammingError("COPY from or to the client: use cursor.copy() in place of execute().")
            if statement.kind is Kind.ALONE and self._conn.direct:
                yield from self._alone_gen(statement, bound.query)
                return
        prefix = self._conn.before(statement)
        results = yield from self._send_gen(prefix, bound.query)
        self._set_results(results)
        self._last_query = query

    def _alone_gen(self, statement: Statement, query: bytes) -> PQGen[None]:
        """What may not run in a transaction block (direct route): its tenant is the session's meanwhile."""
        prefix = self._conn.before(statement)
        if self._pgconn.transaction_status == IDLE and self._conn.autocommit:
            yield from self._send_gen(NOTHING, self._conn.settings("SESSION").message)
        try:
            results = yield from self._send_gen(prefix, query)
        finally:
            if self._pgconn.transaction_status == IDLE:
                yield from self._send_gen(NOTHING, b"RESET search_path; RESET TimeZone")
        self._set_results(results)

    def executemany(self, query: Query, params_seq: Iterable[Params], *, returning: bool = False) -> None:
        with self._conn.lock:
            self._conn.wait(self._executemany_gen(query, params_seq, returning))

    def _executemany_gen(self, query: Query, params_seq: Iterable[Params], returning: bool) -> PQGen[None]:
        """All in one message, or in several inside one transaction: they stand or fall together."""
        params = iter(params_seq)
        first = next(params, None)
        bound = self._bind(query, first)
        if not returning:
            self._rowcount = 0
        self._execmany_returning = returning
        if first is None:
            return
        statement = _classify(query, bound)
        if statement.many:
            raise ProgrammingError("executemany() takes one statement, not several in one string.")
        if statement.kind in {Kind.ALONE, Kind.CLUSTER, Kind.COPY, Kind.EMPTY}:
            raise ProgrammingError(f"executemany() can't run `{statement.offence}`.")
        batches = _batches(bound, params)
        batch = next(batches)
        following = next(batches, None)
        idle = self._pgconn.transaction_status == IDLE
        begun = following is not None and idle and self._conn.autocommit
        if begun:
            yield from self._conn.command("BEGIN")
        try:
            yield from self._send_batch_gen(statement, batch)
            while following:
                yield from self._send_batch_gen(statement, following)
                following = next(batches, None)
            if begun:
                yield from self._conn.command("COMMIT")
        except BaseException:
            if begun and self._pgconn.transaction_status in OPEN:
                yield from self._conn.command("ROLLBACK")
            raise
        self._last_query = query

    def _send_batch_gen(self, statement: Statement, batch: list[bytes]) -> PQGen[None]:
        # A newline first: the statement may end in a line comment.
        message = b"\n;".join(batch)
        results = yield from self._send_gen(self._conn.before(statement), message)
        self._set_results(results)

    def _start_copy_gen(self, statement: Query, params: Params | None = None) -> PQGen[None]:
        prefix = self._send_one(statement, params or None, way="copy")
        results = yield from execute(self._pgconn)
        own = results[prefix.results :]
        if not own:
            self._raise_for_settings(results[-1] if results else None)
        self._check_copy_result(own[0])
        self._set_results(own)

    def _stream_send_gen(
        self, query: Query, params: Params | None = None, *, binary: bool | None = None, size: int
    ) -> PQGen[None]:
        """psycopg streams over the extended protocol, which takes one statement; here by the simple one."""
        if size < 1:
            raise ValueError("size must be >= 1")
        if binary or self.format:
            raise NotSupportedError("Binary results don't pass through a pooler.")
        prefix = self._send_one(query, params, way="stream")
        if size == 1:
            self._pgconn.set_single_row_mode()
        else:
            self._pgconn.set_chunked_rows_mode(size)
        self._last_query = query
        yield from send(self._pgconn)
        for _ in range(prefix.results):
            result = yield from fetch(self._pgconn)
            if result is None or result.status != COMMAND_OK:
                self._raise_for_settings(result)

    def _bind(self, query: Query, params: Params | None) -> PostgresClientQuery:
        """Begin a statement: forget the last one's results, write the parameters into the text."""
        if self._closed:
            raise InterfaceError("the cursor is closed")
        self._reset()
        if self._last_query is not query:
            self._last_query = None
            self._tx = Transformer(self)
        bound = PostgresClientQuery(self._tx)
        bound.convert(query, params)
        self._query = bound
        return bound

    def _send_one(self, query: Query, params: Params | None, *, way: str) -> Prefix:
        """Send a message with one statement in it, whose results are read in their own way."""
        bound = self._bind(query, params)
        statement = _classify(query, bound)
        if statement.many:
            raise ProgrammingError(f"{way}() takes one statement, not several in one string.")
        self._prefix = self._conn.before(statement)
        self._pgconn.send_query(self._prefix.message + bound.query)
        return self._prefix

    def _send_gen(self, prefix: Prefix, statements: bytes) -> PQGen[list[Any]]:
        """Send one message; what its own statements answered. Raises their error, or that of the settings."""
        self._prefix = prefix
        self._pgconn.send_query(prefix.message + statements)
        results: list[Any] = yield from execute(self._pgconn)
        own = results[prefix.results :] if prefix.results else results
        for result in own:
            if result.status not in FINE:
                self._raise_for_result(result)
        if not own:
            self._raise_for_settings(results[-1] if results else None)
        return own

    def _raise_for_settings(self, result: Any) -> NoReturn:
        """The message ended before its own statements: by its syntax, or by what was set before them."""
        if result is None or result.status != FATAL_ERROR:
            raise InternalError("got no result from the query")
        raise of_statement(result, prefix=self._prefix, in_settings=True, encoding=self._encoding)

    def _raise_for_result(self, result: Any) -> NoReturn:
        if result.status == FATAL_ERROR:
            raise of_statement(result, prefix=self._prefix, in_settings=False, encoding=self._encoding)
        super()._raise_for_result(result)

    def _check_copy_result(self, result: Any) -> None:
        if result.status == FATAL_ERROR:
            self._raise_for_result(result)
        super()._check_copy_result(result)


def _batches(bound: PostgresClientQuery, params: Iterator[Params]) -> Iterator[list[bytes]]:
    """The statement with each set of parameters: the one bound already, then the others."""
    batch, size = [bound.query], len(bound.query)
    for values in params:
        if size > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        bound.dump(values)
        batch.append(bound.query)
        size += len(bound.query)
    yield batch


def _classify(query: Query, bound: PostgresClientQuery) -> Statement:
    if isinstance(query, str):
        return classify(query)
    return classify((query if isinstance(query, bytes) else bound.query).decode())
