"""The cursor that sends each statement together with SET statements for the tenant's schema and role.

This cursor overrides the methods of psycopg's ClientCursor (version 3.3) that send statements, and keeps the methods
that read results.
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

from tenants.database.backend.errors import statement_error
from tenants.database.backend.prefix import NO_PREFIX, Prefix
from tenants.database.backend.psycopg_connection import HotelConnection
from tenants.database.backend.statements import (
    PLAIN,
    Statement,
    StatementKind,
    classify,
    classify_template,
    classify_with_values,
)

IDLE = TransactionStatus.IDLE
OPEN_TRANSACTION = (TransactionStatus.INTRANS, TransactionStatus.INERROR)
COMMAND_OK = ExecStatus.COMMAND_OK
FATAL_ERROR = ExecStatus.FATAL_ERROR
SUCCESS = (ExecStatus.TUPLES_OK, COMMAND_OK, ExecStatus.EMPTY_QUERY)

#: The kinds of statements that PostgreSQL may refuse if they are sent together with other statements.
#: The kind UNKNOWN includes statements of newer PostgreSQL versions that the SQL parser does not know yet.
_RUN_ALONE = {StatementKind.NON_TRANSACTIONAL, StatementKind.UNKNOWN}

#: executemany() sends its statements in batches. A batch ends when it is larger than this number of bytes.
BATCH_BYTES = 256 * 1024


class HotelCursor(CursorMixin, ClientCursor[Any]):
    """A psycopg cursor that binds parameters on the client.

    The cursor refuses prepared statements and binary results, because a transaction pooler supports neither.
    """

    __slots__ = ("_prefix",)
    #: The SET statements that were sent before the last statement of the caller.
    #: PostgreSQL counts the position of an error from the first SET statement, so this cursor corrects the position.
    _prefix: Prefix
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
            raise NotSupportedError("Prepared statements and binary results do not work through a pooler.")
        bound = self._bind(query, params)
        statement = _classify(query, params, bound)
        if statement is not PLAIN:
            if statement.kind is StatementKind.COPY:
                raise ProgrammingError(
                    "Use cursor.copy() instead of execute() for COPY from or to the client."
                )
            if statement.kind in _RUN_ALONE and self._conn.direct:
                yield from self._execute_alone_gen(statement, bound.query)
                return
        prefix = self._conn.prefix_for(statement)
        results = yield from self._send_gen(prefix, bound.query)
        self._set_results(results)
        self._last_query = query

    def _execute_alone_gen(self, statement: Statement, query: bytes) -> PQGen[None]:
        """Execute a statement that PostgreSQL may refuse in a transaction block. Needs the direct connection.

        The statement must be the only one in its network message. So the tenant's settings are set for the session in
        an earlier round trip, and are reset afterwards.
        """
        prefix = self._conn.prefix_for(statement)
        if self._pgconn.transaction_status == IDLE and self._conn.autocommit:
            yield from self._send_gen(NO_PREFIX, self._conn.tenant_prefix("SESSION").sql)
            prefix = NO_PREFIX
        try:
            results = yield from self._send_gen(prefix, query)
        finally:
            if self._pgconn.transaction_status == IDLE:
                yield from self._send_gen(NO_PREFIX, b"RESET search_path; RESET TimeZone")
        self._set_results(results)

    def executemany(self, query: Query, params_seq: Iterable[Params], *, returning: bool = False) -> None:
        with self._conn.lock:
            self._conn.wait(self._executemany_gen(query, params_seq, returning))

    def _executemany_gen(self, query: Query, params_seq: Iterable[Params], returning: bool) -> PQGen[None]:
        """Execute the query once for each set of parameters.

        All statements are sent in one round trip, or in several round trips inside one transaction.
        """
        params = iter(params_seq)
        first = next(params, None)
        bound = self._bind(query, first)
        if not returning:
            self._rowcount = 0
        self._execmany_returning = returning
        if first is None:
            return
        statement = _classify(query, first, bound)
        if statement.is_script:
            raise ProgrammingError("executemany() takes one statement, not several in one string.")
        if statement.kind in {
            StatementKind.NON_TRANSACTIONAL,
            StatementKind.CLUSTER,
            StatementKind.COPY,
            StatementKind.EMPTY,
        }:
            raise ProgrammingError(f"executemany() cannot run `{statement.keywords}`.")
        batches = _batches(bound, params)
        batch = next(batches)
        following = next(batches, None)
        is_idle = self._pgconn.transaction_status == IDLE
        owns_transaction = following is not None and is_idle and self._conn.autocommit
        if owns_transaction:
            yield from self._conn.execute_without_prefix("BEGIN")
        try:
            yield from self._send_batch_gen(statement, batch)
            while following:
                yield from self._send_batch_gen(statement, following)
                following = next(batches, None)
            if owns_transaction:
                yield from self._conn.execute_without_prefix("COMMIT")
        except BaseException:
            if owns_transaction and self._pgconn.transaction_status in OPEN_TRANSACTION:
                yield from self._conn.execute_without_prefix("ROLLBACK")
            raise
        self._last_query = query

    def _send_batch_gen(self, statement: Statement, batch: list[bytes]) -> PQGen[None]:
        # A newline ends a `--` comment at the end of a statement. Otherwise the comment would hide the next statement.
        statements = b"\n;".join(batch)
        results = yield from self._send_gen(self._conn.prefix_for(statement), statements)
        self._set_results(results)

    def _start_copy_gen(self, statement: Query, params: Params | None = None) -> PQGen[None]:
        prefix = self._send_single(statement, params or None, method="copy")
        results = yield from execute(self._pgconn)
        own = results[prefix.result_count :]
        if not own:
            self._raise_prefix_error(results[-1] if results else None)
        self._check_copy_result(own[0])
        self._set_results(own)

    def _stream_send_gen(
        self, query: Query, params: Params | None = None, *, binary: bool | None = None, size: int
    ) -> PQGen[None]:
        """Send a query whose rows are read one by one or in chunks.

        psycopg's own cursor streams with a protocol that allows only one statement per message, so this cursor uses the
        simple protocol.
        """
        if size < 1:
            raise ValueError("size must be >= 1")
        if binary or self.format:
            raise NotSupportedError("Binary results do not work through a pooler.")
        prefix = self._send_single(query, params, method="stream")
        if size == 1:
            self._pgconn.set_single_row_mode()
        else:
            self._pgconn.set_chunked_rows_mode(size)
        self._last_query = query
        yield from send(self._pgconn)
        for _ in range(prefix.result_count):
            result = yield from fetch(self._pgconn)
            if result is None or result.status != COMMAND_OK:
                self._raise_prefix_error(result)

    def _bind(self, query: Query, params: Params | None) -> PostgresClientQuery:
        """Reset the cursor, and return the query with its parameters inserted as literals."""
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

    def _send_single(self, query: Query, params: Params | None, *, method: str) -> Prefix:
        """Send one statement after the tenant's SET statements (the prefix), and return the prefix.

        The caller reads the results.
        """
        bound = self._bind(query, params)
        statement = _classify(query, params, bound)
        if statement.is_script:
            raise ProgrammingError(f"{method}() takes one statement, not several in one string.")
        self._prefix = self._conn.prefix_for(statement)
        self._pgconn.send_query(self._prefix.sql + bound.query)
        return self._prefix

    def _send_gen(self, prefix: Prefix, statements: bytes) -> PQGen[list[Any]]:
        """Send the prefix (SET statements) and the statements in one round trip. Return the statements' results only.

        Raises the database error if the prefix or a statement fails.
        """
        self._prefix = prefix
        self._pgconn.send_query(prefix.sql + statements)
        results: list[Any] = yield from execute(self._pgconn)
        own = results[prefix.result_count :] if prefix.result_count else results
        for result in own:
            if result.status not in SUCCESS:
                self._raise_for_result(result)
        if not own:
            self._raise_prefix_error(results[-1] if results else None)
        return own

    def _raise_prefix_error(self, result: Any) -> NoReturn:
        """Raise the error, such as a syntax error, that ended a round trip before the caller's statements ran."""
        if result is None or result.status != FATAL_ERROR:
            raise InternalError("got no result from the query")
        raise statement_error(result, prefix=self._prefix, in_prefix=True, encoding=self._encoding)

    def _raise_for_result(self, result: Any) -> NoReturn:
        if result.status == FATAL_ERROR:
            raise statement_error(result, prefix=self._prefix, in_prefix=False, encoding=self._encoding)
        super()._raise_for_result(result)

    def _check_copy_result(self, result: Any) -> None:
        if result.status == FATAL_ERROR:
            self._raise_for_result(result)
        super()._check_copy_result(result)


def _batches(bound: PostgresClientQuery, params: Iterator[Params]) -> Iterator[list[bytes]]:
    """Yield batches of SQL statements, with one statement for each set of parameters.

    `bound` is the query with the first set of parameters, and `params` yields the remaining sets.
    """
    batch, size = [bound.query], len(bound.query)
    for values in params:
        if size > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        bound.dump(values)
        batch.append(bound.query)
        size += len(bound.query)
    yield batch


def _classify(query: Query, params: Params | None, bound: PostgresClientQuery) -> Statement:
    """Classify the query before parameters are bound, so that the query is parsed only once for all sets of values."""
    if type(query) is str:
        if params is None:
            return classify(query)
        if statement := classify_template(query):
            return statement
    return classify_with_values(bound.query.decode())
