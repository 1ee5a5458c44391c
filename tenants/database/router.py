"""Lets a migration touch a table only in the schemas where the table lives."""

from typing import Any

from django.db.models import Model

from tenants.context import PUBLIC_SCHEMA, tenant_or_none
from tenants.database.placement import placement_of


class PlacementRouter:
    """There is one database, so only the question "does this table belong in the schema at hand?" is answered."""

    def allow_migrate(
        self,
        db: str,  # noqa: ARG002 - there is one
        app_label: str,
        model_name: str | None = None,
        model: type[Model] | None = None,
        **hints: Any,
    ) -> bool:
        """Whether the operation runs in the current tenant; never where none is set (`makemigrations` asks so).

        RunPython and RunSQL of an app that lives in several places pass `hints={"model_name": ...}`. An operation
        about something else than a table passes the hint `placement`.
        """
        tenant = tenant_or_none()
        if tenant is None:
            return False
        if model is not None:
            app_label, model_name = model._meta.app_label, model._meta.model_name
        placement = hints.get("placement") or placement_of(app_label, model_name)
        return placement.in_platform if tenant.schema == PUBLIC_SCHEMA else placement.in_hotel
