"""The psycopg connection of the database backend, which sends SET statements before each statement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, LiteralString, NoReturn

import psycopg
from psycopg import NotSupportedError, ProgrammingError
from psycopg.abc import PQGen
from psycopg.generators import execute
from psycopg.pq import Escaping, ExecStatus, TransactionStatus

from tenants.context import PUBLIC_SCHEMA, tenant_or_none
from tenants.database.backend.errors import statement_error
from tenants.database.backend.prefix import LINE_END, LOGIN_ROLE, NO_PREFIX, Prefix, build_prefix
from tenants.database.backend.statements import GRAMMAR_VERSION, PLAIN, Statement, StatementKind

IDLE = TransactionStatus.IDLE
INERROR = TransactionStatus.INERROR

#: The kinds of statements that are sent without SET statements, because they read no table or must be sent alone.
_WITHOUT_PREFIX = {
    StatementKind.TRANSACTION_CONTROL,
    StatementKind.TRANSACTION_MODE,
    StatementKind.CLUSTER,
    StatementKind.NON_TRANSACTIONAL,
    StatementKind.EMPTY,
}
_CANNOT_RUN_IN_TRANSACTION = (
    "`{}` cannot run in a transaction block. Run it in `with direct_connection():` "
    "(tenants.database.connections)."
)
#: The kinds of statements that the runtime connection refuses, each with the text of the error message.
_DIRECT_ONLY = {
    StatementKind.SESSION_STATE: (
        "`{}` changes the session, and a pooler gives the session to another hotel afterwards. "
        "Use hotel_context(), SET LOCAL for other settings, or pg_advisory_xact_lock(). "
        "Or run it in `with direct_connection():` (tenants.database.connections)."
    ),
    StatementKind.NON_TRANSACTIONAL: _CANNOT_RUN_IN_TRANSACTION,
    StatementKind.CLUSTER: _CANNOT_RUN_IN_TRANSACTION,
}


class HotelConnection(psycopg.Connection[Any]):
    """A psycopg connection that sets the tenant's schema and role with each statement.

    It refuses methods of psycopg that would send a statement without the tenant.
    """

    direct = False
    uses_roles = True
    #: Whether the search path contains only the tenant's schema, which is the case while Django lists the tables.
    own_schema_only = False
    #: The time zone that is set with each statement, or None if the server's default is already Django's time zone.
    time_zone_override: str | None = None
    #: The function that returns the search path if no tenant context is set. The function may raise TenantNotSet.
    explicit_search_path: Callable[[], tuple[str, ...]]

    def prefix_for(self, statement: Statement) -> Prefix:
        """Return the SQL that must be sent before the statement: BEGIN if needed, and the tenant's SET statements.

        Raises ProgrammingError or NotSupportedError if the statement is not allowed.
        """
        status = self.pgconn.transaction_status
        if statement is not PLAIN:
            self._check_allowed(statement, status)
        if status == INERROR:
            # In a failed transaction only ROLLBACK succeeds. A SET statement before the ROLLBACK would fail.
            return NO_PREFIX
        prefix = NO_PREFIX if statement.kind in _WITHOUT_PREFIX else self.tenant_prefix()
        if status == IDLE and not self._autocommit and statement.kind is not StatementKind.EMPTY:
            begin = self._get_tx_start_command() + b";" + LINE_END
            return Prefix(begin + prefix.sql, prefix.result_count + 1)
        return prefix

    def tenant_prefix(self, level: Literal["LOCAL", "SESSION"] = "LOCAL") -> Prefix:
        """Return the SET statements for the current tenant. Raises TenantNotSet if no tenant is set."""
        tenant = tenant_or_none()
        if tenant is None:
            path, role = self.explicit_search_path(), None
        else:
            role, schema = tenant.role, tenant.schema
            path = (schema,) if schema == PUBLIC_SCHEMA else (schema, PUBLIC_SCHEMA)
        if self.own_schema_only:
            path = path[:1]
        role = role or LOGIN_ROLE if self.uses_roles and not self.direct else None
        return build_prefix(path=path, role=role, time_zone=self.time_zone_override, level=level)

    def _check_allowed(self, statement: Statement, status: int) -> None:
        kind = statement.kind
        if statement.is_script and (kind is StatementKind.TRANSACTION_CONTROL or status == INERROR):
            raise ProgrammingError(
                f"`{statement.keywords or 'Several statements'}` in one string with other statements: the statements "
                "after the end of the transaction would run without their hotel. Send them one by one, or use atomic()."
            )
        if not self.direct and kind in _DIRECT_ONLY:
            raise NotSupportedError(_DIRECT_ONLY[kind].format(statement.keywords))
        if not self.direct and kind is StatementKind.UNKNOWN:
            raise psycopg.errors.SyntaxError(
                f"{statement.keywords} (grammar of PostgreSQL {GRAMMAR_VERSION}). The statement is not sent, because "
                "its effect on the session is unknown. If this server accepts it, run it in "
                "`with direct_connection():` (tenants.database.connections)."
            )
        if statement.is_script and kind in {StatementKind.NON_TRANSACTIONAL, StatementKind.CLUSTER}:
            raise ProgrammingError(
                f"`{statement.keywords}` must be sent alone: PostgreSQL refuses it together with other statements."
            )

    def execute_without_prefix(self, sql: LiteralString) -> PQGen[Any]:
        """Execute a statement that uses no table, such as BEGIN, without the tenant's SET statements."""
        return self._exec_command(sql)

    def ping(self) -> None:
        """Run `SELECT 1`, which needs no tenant. Raises a database error if the connection is lost."""
        with self.lock:
            self.wait(self.execute_without_prefix("SELECT 1"))

    def call_function(self, function: LiteralString, argument: str) -> str | None:
        """Call a database function without a cursor, and return the result. Argument and result have the type jsonb."""
        with self.lock:
            return self.wait(self._call_function_gen(function, argument))

    def _call_function_gen(self, function: LiteralString, argument: str) -> PQGen[str | None]:
        prefix = self.prefix_for(PLAIN)
        literal = Escaping(self.pgconn).escape_literal(argument.encode())
        self.pgconn.send_query(b"%b SELECT %b(%b)" % (prefix.sql, function.encode(), literal))
        results = yield from execute(self.pgconn)
        own = results[prefix.result_count :]
        if not own or own[0].status != ExecStatus.TUPLES_OK:
            raise statement_error(results[-1], prefix=prefix, in_prefix=not own, encoding=self.info.encoding)
        value: bytes | None = own[0].get_value(0, 0)
        return None if value is None else value.decode()

    # The methods below raise an error, because psycopg would send statements without selecting the tenant.

    def _start_query(self) -> PQGen[None]:
        # The cursor classes of psycopg call this method before they send a statement, but HotelCursor does not.
        _refuse("Another cursor class of psycopg", "the cursor of django.db.connection")

    def cursor(self, name: str = "", **options: Any) -> Any:
        if name:
            self.refuse_named_cursor()
        return super().cursor(**options)

    def refuse_named_cursor(self) -> NoReturn:
        _refuse("A named (server-side) cursor", "a client-side cursor, or its stream() for many rows")

    def pipeline(self) -> NoReturn:
        _refuse("Pipeline mode", "executemany(), which sends its statements in one message")

    def _pipeline_nolock(self) -> NoReturn:
        self.pipeline()

    def notifies(self, **options: Any) -> Iterator[Any]:  # type: ignore[override]
        if not self.direct:
            _refuse("notifies(), which needs the session that ran LISTEN,", "`with direct_connection():`")
        return super().notifies(**options)

    def tpc_begin(self, xid: Any) -> None:  # noqa: ARG002 - psycopg's signature
        _refuse("Two-phase commit", "one database transaction")


def _refuse(feature: str, alternative: str) -> NoReturn:
    raise NotSupportedError(f"{feature} cannot set the hotel for its statements. Use {alternative}.")
