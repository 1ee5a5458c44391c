"""One schema migrated by Django itself, and what Django sent while it did."""

import contextlib
from collections.abc import Iterator
from typing import Any, cast

from django.db import connection, router, transaction
from django.db.migrations import RunPython, SeparateDatabaseAndState
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation

from tenants.context import Tenant, hotel_context
from tenants.lifecycle.fleet.migration_lock import LOCK_TIMEOUT
from tenants.lifecycle.fleet.migration_state import State

Plan = list[tuple[Migration, bool]]


class SchemaMigrator:
    """Brings schemas of one state to the newest one. Made once for many schemas, in the thread that uses it."""

    def __init__(self, tenant: Tenant) -> None:
        with hotel_context(tenant):
            self.executor = MigrationExecutor(connection)
            self.executor.loader.check_consistent_history(connection)
            self.targets = self.executor.loader.graph.leaf_nodes()
            self.plan: Plan = self.executor.migration_plan(self.targets)
            executor: Any = self.executor
            self.state = executor._create_project_state(with_applied_migrations=True)  # noqa: SLF001
            self.runs_python = any(
                _runs_python(operation, migration.app_label)
                for migration, _backwards in self.plan
                for operation in migration.operations
            )

    @property
    def atomic(self) -> bool:
        return all(migration.atomic for migration, _backwards in self.plan)

    @property
    def replayable(self) -> bool:
        """Whether what Django sends to one schema can be sent to the others as text."""
        return self.atomic and not self.runs_python

    def applied(self, tenant: Tenant) -> State:
        with hotel_context(tenant):
            return frozenset(self.executor.recorder.applied_migrations())

    def migrate(self, tenant: Tenant) -> list[str]:
        """Run the plan in the schema, with the hotel set. The SQL that changed the schema, in order.

        One transaction: the schema is at the newest state, or as it was. But where a migration is not atomic
        (CREATE INDEX CONCURRENTLY): then the schema is at the last migration that went through.
        """
        with hotel_context(tenant), _recorded() as sent:
            if not self.atomic:
                self._run()
                return sent
            self._settle(sent)
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                self._run()
            return sent

    def _run(self) -> None:
        self.executor.migrate(self.targets, plan=self.plan, state=self.state.clone())

    def _settle(self, sent: list[str]) -> None:
        """Check the foreign keys between two migrations, as the commit between them would: ALTER TABLE refuses
        a table that still has checks to come.
        """

        def between(action: str, migration: Migration | None = None, _fake: bool = False) -> None:
            if action != "apply_success" or migration is self.plan[-1][0]:
                return
            with connection.cursor() as cursor:
                for statement in ("SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS ALL DEFERRED"):
                    cursor.execute(statement)
                    sent.append(statement)

        self.executor.progress_callback = cast("Any", between)


def _runs_python(operation: Operation, app_label: str) -> bool:
    if isinstance(operation, SeparateDatabaseAndState):
        return any(_runs_python(inner, app_label) for inner in operation.database_operations)
    if operation.reduces_to_sql:
        return False
    if isinstance(operation, RunPython):
        # What the router keeps out of the current schema is nothing to run there.
        return router.allow_migrate(connection.alias, app_label, **operation.hints)
    return True


@contextlib.contextmanager
def _recorded() -> Iterator[list[str]]:
    """The statements that schema editors of this thread's connection execute meanwhile, with their values in."""
    sent: list[str] = []
    original: Any = connection.SchemaEditorClass

    class Recording(original):  # type: ignore[misc]
        def execute(self, sql: Any, params: Any = ()) -> None:
            super().execute(sql, params)
            sent.append(str(sql) if not params else self.connection.ops.compose_sql(str(sql), params))

    connection.SchemaEditorClass = Recording
    try:
        yield sent
    finally:
        del connection.SchemaEditorClass
