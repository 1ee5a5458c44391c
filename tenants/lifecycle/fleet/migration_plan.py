"""The plan that `migrate --plan` and `migrate --check` show: the migrations that each schema lacks."""

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tenants.context import Tenant, hotel_context, platform_context
from tenants.lifecycle import schema_template
from tenants.lifecycle.fleet.migration_state import find_hotels_behind, group_by_applied_migrations
from tenants.lifecycle.fleet.schema_migrator import Plan


@dataclass(frozen=True, slots=True)
class PlanStep:
    """A step of the plan: migrations, and the schemas that lack these migrations.

    A step without migrations creates the template schema or updates the stored schema version of hotels.
    """

    target: str
    plan: Plan

    def as_text(self) -> str:
        lines = [self.target]
        for migration, _backwards in self.plan:
            lines.append(f"  {migration.app_label}.{migration.name}")
            lines += [f"    {operation.describe()}" for operation in migration.operations]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        migrations = [f"{migration.app_label}.{migration.name}" for migration, _backwards in self.plan]
        return {"target": self.target, "migrations": migrations}


def plan_platform() -> list[PlanStep]:
    """Return one step with the migrations that the schema `public` lacks, or an empty list if it lacks none."""
    with platform_context():
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [PlanStep("Platform", plan)] if plan else []


def plan_template() -> list[PlanStep]:
    """Return a list with one step for the missing migrations of the template schema, or an empty list."""
    if not _relation_exists(f"{schema_template.SCHEMA}.django_migrations"):
        return [PlanStep("Template: will be created", [])]
    plan = _plan(schema_template.TEMPLATE_TENANT)
    return [PlanStep("Template", plan)] if plan else []


def plan_fleet(slugs: list[str] | None) -> list[PlanStep]:
    """Return one step for each group of hotels that lack the same migrations.

    If `slugs` is given, the steps contain only the hotels with these slugs.
    """
    if not _relation_exists("public.tenants_hotel") or not _relation_exists(
        f"{schema_template.SCHEMA}.django_migrations"
    ):
        return []
    with platform_context():
        groups = group_by_applied_migrations(find_hotels_behind(_target_version(), slugs=slugs))
    steps = []
    for group in groups:
        listed = ", ".join(hotel.slug for hotel in group.hotels[:10])
        more = f" and {len(group.hotels) - 10} more" if len(group.hotels) > 10 else ""
        steps.append(PlanStep(f"Hotels: {listed}{more}", _plan(group.hotels[0].tenant)))
    return steps


def _target_version() -> str:
    """Return the schema version after all migrations, which is a digest of the names of the migrations."""
    with hotel_context(schema_template.TEMPLATE_TENANT):
        executor = MigrationExecutor(connection)
        applied = set(executor.recorder.applied_migrations())
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    missing = {(migration.app_label, migration.name) for migration, _backwards in plan}
    return schema_template.compute_schema_version(applied | missing)


def _plan(tenant: Tenant) -> Plan:
    with hotel_context(tenant):
        executor = MigrationExecutor(connection)
        plan: Plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        return plan


def _relation_exists(relation: str) -> bool:
    with platform_context(), connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [relation])
        return bool(cursor.fetchone()[0])
