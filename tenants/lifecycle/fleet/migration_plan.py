"""What `migrate` would do: one query for all hotels, and one plan for those at the same state."""

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tenants.context import Tenant, hotel_context, platform_context
from tenants.lifecycle import template as template_schema
from tenants.lifecycle.fleet.migration_state import find_hotels_behind, group_by_state
from tenants.lifecycle.fleet.schema_migrator import Plan


@dataclass(frozen=True, slots=True)
class Step:
    """Migrations that these schemas lack; none, but a step: the schema is to be made, or its state noted."""

    where: str
    plan: Plan

    def text(self) -> str:
        lines = [self.where]
        for migration, _backwards in self.plan:
            lines.append(f"  {migration.app_label}.{migration.name}")
            lines += [f"    {operation.describe()}" for operation in migration.operations]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        return {"where": self.where, "migrations": [f"{m.app_label}.{m.name}" for m, _backwards in self.plan]}


def plan_platform() -> list[Step]:
    with platform_context():
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [Step("Platform", plan)] if plan else []


def plan_template() -> list[Step]:
    if not _exists(f"{template_schema.SCHEMA}.django_migrations"):
        return [Step("Template: to be made", [])]
    plan = _plan(template_schema.TEMPLATE)
    return [Step("Template", plan)] if plan else []


def plan_fleet(slugs: list[str] | None) -> list[Step]:
    if not _exists("public.tenants_hotel") or not _exists(f"{template_schema.SCHEMA}.django_migrations"):
        return []
    with platform_context():
        groups = group_by_state(find_hotels_behind(_newest(), slugs=slugs))
    steps = []
    for group in groups:
        shown = ", ".join(hotel.slug for hotel in group.hotels[:10])
        more = f" and {len(group.hotels) - 10} more" if len(group.hotels) > 10 else ""
        steps.append(Step(f"Hotels: {shown}{more}", _plan(group.hotels[0].tenant)))
    return steps


def _newest() -> str:
    """The fingerprint of a schema that has every migration there is."""
    with hotel_context(template_schema.TEMPLATE):
        executor = MigrationExecutor(connection)
        applied = set(executor.recorder.applied_migrations())
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return template_schema.fingerprint(applied | {(m.app_label, m.name) for m, _backwards in plan})


def _plan(tenant: Tenant) -> Plan:
    with hotel_context(tenant):
        executor = MigrationExecutor(connection)
        plan: Plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        return plan


def _exists(relation: str) -> bool:
    with platform_context(), connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [relation])
        return bool(cursor.fetchone()[0])
