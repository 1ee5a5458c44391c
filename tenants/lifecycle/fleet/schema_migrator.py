"""Migration of a schema with Django's migration executor.

The SQL is recorded, so that it can be run in other schemas.
"""

from typing import Any, cast

from django.db import connection, router, transaction
from django.db.migrations import RunPython, SeparateDatabaseAndState
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation

from tenants.context import Tenant, hotel_context
from tenants.database.backend.schema import record_schema_statements
from tenants.lifecycle.fleet.migration_state import AppliedMigrations
from tenants.lifecycle.migration_lock import set_lock_timeout

Plan = list[tuple[Migration, bool]]


class SchemaMigrator:
    """An object that migrates several schemas to the latest migrations with Django's migration executor.

    All of the schemas must lack the same migrations. An instance must be used in one thread only.
    """

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
        """Return whether the SQL that Django executes in one schema can be run unchanged in other schemas."""
        return self.atomic and not self.runs_python

    def applied(self, tenant: Tenant) -> AppliedMigrations:
        """Return the migrations that are applied in the tenant's schema."""
        with hotel_context(tenant):
            return frozenset(self.executor.recorder.applied_migrations())

    def migrate(self, tenant: Tenant) -> list[str]:
        """Apply the migration plan to the tenant's schema. Return the SQL statements that the plan executed, in order.

        The plan runs in one transaction. If a migration is not atomic (CREATE INDEX CONCURRENTLY), each migration is
        committed separately, and after an error the schema keeps the migrations before the failed migration.
        """
        with hotel_context(tenant), record_schema_statements() as statements:
            if not self.atomic:
                self._execute_plan()
                return statements
            self._check_constraints_between_migrations(statements)
            with transaction.atomic():
                set_lock_timeout()
                self._execute_plan()
            return statements

    def _execute_plan(self) -> None:
        self.executor.migrate(self.targets, plan=self.plan, state=self.state.clone())

    def _check_constraints_between_migrations(self, statements: list[str]) -> None:
        """Run the deferred foreign key checks between two migrations.

        PostgreSQL refuses ALTER TABLE on a table with pending foreign key checks.
        """

        def check_constraints(action: str, migration: Migration | None = None, _fake: bool = False) -> None:
            if action != "apply_success" or migration is self.plan[-1][0]:
                return
            with connection.cursor() as cursor:
                for statement in ("SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS ALL DEFERRED"):
                    cursor.execute(statement)
                    statements.append(statement)

        self.executor.progress_callback = cast("Any", check_constraints)


def _runs_python(operation: Operation, app_label: str) -> bool:
    if isinstance(operation, SeparateDatabaseAndState):
        return any(_runs_python(inner, app_label) for inner in operation.database_operations)
    if operation.reduces_to_sql:
        return False
    if isinstance(operation, RunPython):
        # The operation does nothing if the database router does not allow it in the schema of the current tenant.
        return router.allow_migrate(connection.alias, app_label, **operation.hints)
    return True
