"""The psycopg connection below Django's: it knows its route and what to send before a statement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, LiteralString, NoReturn

import psycopg
from psycopg import NotSupportedError, ProgrammingError
from psycopg.abc import PQGen
from psycopg.generators import execute
from psycopg.pq import Escaping, ExecStatus, TransactionStatus

from tenants.context import PUBLIC_SCHEMA, tenant_or_none
from tenants.database.backend.errors import of_statement
from tenants.database.backend.prefix import END, NO_ROLE, NOTHING, Prefix, settings_of
from tenants.database.backend.statements import PLAIN, Kind, Statement

IDLE = TransactionStatus.IDLE
INERROR = TransactionStatus.INERROR

# These touch no relation, or may have nothing before them: they go as they are, and need no tenant.
_BARE = {Kind.CONTROL, Kind.DEFERRED, Kind.CLUSTER, Kind.ALONE, Kind.EMPTY}
NOT_IN_TRANSACTION = (
    "`{}` may not run in a transaction block. Run it in `with direct_connection():` "
    "(tenants.database.connections)."
)
_REFUSED = {
    Kind.SESSION: (
        "`{}` changes the session, which a pooler lends to another hotel a moment later. "
        "Use hotel_context(), SET LOCAL of another setting, pg_advisory_xact_lock(), a temporary table "
        "ON COMMIT DROP; or run it in `with direct_connection():` (tenants.database.connections)."
    ),
    Kind.ALONE: NOT_IN_TRANSACTION,
    Kind.CLUSTER: NOT_IN_TRANSACTION,
}


class HotelConnection(psycopg.Connection[Any]):
    """Refuses each way of sending a statement that can't carry its tenant."""

    direct = False
    roles = True
    # The introspection looks at one schema, without the shared tables behind it.
    own_schema_only = False
    # Set where the server's own time zone is another than Django's.
    local_time_zone: str | None = None
    # Asked where no context is set: what django-tenants' set_tenant() said, or TenantNotSet.
    explicit_path: Callable[[], tuple[str, ...]]

    def before(self, statement: Statement) -> Prefix:
        """What goes out before this statement, by the connection's own state at this moment."""
        status = self.pgconn.transaction_status
        if statement is not PLAIN:
            self._refuse(statement, status)
        if status == INERROR:
            # Only a ROLLBACK can succeed now. Settings before it would be refused in its place.
            return NOTHING
        prefix = NOTHING if statement.kind in _BARE else self.settings()
        if status == IDLE and not self._autocommit and statement.kind is not Kind.EMPTY:
            return Prefix(self._get_tx_start_command() + b";" + END + prefix.message, prefix.results + 1)
        return prefix

    def settings(self, how: str = "LOCAL") -> Prefix:
        tenant = tenant_or_none()
        if tenant is None:
            path, role = self.explicit_path(), None
        else:
            role, schema = tenant.role, tenant.schema
            path = (schema,) if schema == PUBLIC_SCHEMA else (schema, PUBLIC_SCHEMA)
        if self.own_schema_only:
            path = path[:1]
        role = role or NO_ROLE if self.roles and not self.direct else None
        return settings_of(path=path, role=role, time_zone=self.local_time_zone, how=how)

    def _refuse(self, statement: Statement, status: int) -> None:
        kind = statement.kind
        if statement.many and (kind is Kind.CONTROL or status == INERROR):
            raise ProgrammingError(
                f"`{statement.offence or 'several statements'}` in one string with other statements: what "
                "follows the end of a transaction would run without its hotel. Send them one by one, "
                "or use atomic()."
            )
        if not self.direct and kind in _REFUSED:
            raise NotSupportedError(_REFUSED[kind].format(statement.offence))
        if statement.many and kind in {Kind.ALONE, Kind.CLUSTER}:
            raise ProgrammingError(
                f"`{statement.offence}` must be sent alone: PostgreSQL refuses it beside others."
            )

    def command(self, words: LiteralString) -> PQGen[Any]:
        """A statement about the transaction and nothing else, as it stands."""
        return self._exec_command(words)

    def ping(self) -> None:
        """Prove the connection alive. It reads nothing, so it needs no tenant."""
        with self.lock:
            self.wait(self.command("SELECT 1"))

    def call_function(self, function: LiteralString, given: str) -> str | None:
        """What a function that takes one jsonb and returns one answers, as text; one message, and no cursor."""
        with self.lock:
            return self.wait(self._call_gen(function, given))

    def _call_gen(self, function: LiteralString, given: str) -> PQGen[str | None]:
        prefix = self.before(PLAIN)
        literal = Escaping(self.pgconn).escape_literal(given.encode())
        self.pgconn.send_query(b"%b SELECT %b(%b)" % (prefix.message, function.encode(), literal))
        results = yield from execute(self.pgconn)
        own = results[prefix.results :]
        if not own or own[0].status != ExecStatus.TUPLES_OK:
            raise of_statement(results[-1], prefix=prefix, in_settings=not own, encoding=self.info.encoding)
        answer: bytes | None = own[0].get_value(0, 0)
        return None if answer is None else answer.decode()

    # What can't carry a tenant.

    def _start_query(self) -> PQGen[None]:
        # psycopg's own cursors pass here before they send; ours do not.
        _refuse("a psycopg cursor of another class", "the cursor of django.db.connection")

    def cursor(self, name: str = "", **options: Any) -> Any:
        if name:
            self.refuse_named_cursor()
        return super().cursor(**options)

    def refuse_named_cursor(self) -> NoReturn:
        _refuse("a named (server-side) cursor", "an ordinary cursor, or its stream() for many rows")

    def pipeline(self) -> NoReturn:
        _refuse("pipeline mode", "executemany(), which sends its statements in one message")

    def _pipeline_nolock(self) -> NoReturn:
        self.pipeline()

    def notifies(self, **options: Any) -> Iterator[Any]:  # type: ignore[override]
        if not self.direct:
            _refuse("notifies() (it needs the session that said LISTEN)", "`with direct_connection():`")
        return super().notifies(**options)

    def tpc_begin(self, xid: Any) -> None:  # noqa: ARG002 - psycopg's signature
        _refuse("two-phase commit", "one database transaction")


def _refuse(what: str, instead: str) -> NoReturn:
    raise NotSupportedError(f"{what} can't carry the hotel with its statements. Use {instead}.")
