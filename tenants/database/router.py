"""The database router, which lets a migration create a table only in the schemas where the table lives."""

from typing import Any

from django.db.models import Model

from tenants.context import PUBLIC_SCHEMA, tenant_or_none
from tenants.database.placement import placement_of


class PlacementRouter:
    """A router for one database. It decides by schema and leaves the choice of the database to Django."""

    def allow_migrate(
        self,
        db: str,  # noqa: ARG002 - there is only one database
        app_label: str,
        model_name: str | None = None,
        model: type[Model] | None = None,
        **hints: Any,
    ) -> bool:
        """Return whether the operation runs in the current tenant's schema; False if no tenant is set.

        `makemigrations` calls this without a tenant. RunPython and RunSQL operations of an app whose tables live in
        different schemas pass `hints={"model_name": ...}`. An operation that is not about a table passes the hint
        `placement`.
        """
        tenant = tenant_or_none()
        if tenant is None:
            return False
        if model is not None:
            app_label, model_name = model._meta.app_label, model._meta.model_name
        placement = hints.get("placement") or placement_of(app_label, model_name)
        return placement.in_platform if tenant.schema == PUBLIC_SCHEMA else placement.in_hotel
