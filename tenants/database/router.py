"""The database router.

The router limits migrations to the schemas in which a table is placed (tenants/database/placement.py), and refuses
model instances that belong to another tenant (tenants/database/instances.py).
"""

from typing import Any

from django.db.models import Model

from tenants.context import PUBLIC_SCHEMA, tenant_or_none
from tenants.database.instances import alias_for, check_instance, check_related, is_shared
from tenants.database.placement import placement_of


class PlacementRouter:
    """A database router that decides in which schemas the table of a model is created.

    The router returns an alias that also identifies the current tenant. Django stores the alias in each model instance,
    so each instance knows its tenant.
    """

    def db_for_read(self, model: type[Model], instance: Model | None = None, **hints: Any) -> str | None:  # noqa: ARG002 - Django's signature
        """Return the database alias for queries of the model.

        `instance` is the instance that is refreshed or whose relation is followed. Raises TenantMismatch if the
        instance does not belong to the current tenant.
        """
        if instance is not None and not is_shared(model):
            check_instance(instance)
        return alias_for(model)

    db_for_write = db_for_read

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> None:  # noqa: ARG002 - Django's signature
        """Return None, so that Django decides. Raises TenantMismatch if the instances belong to different tenants."""
        check_related(obj1, obj2)

    def allow_migrate(
        self,
        db: str,  # noqa: ARG002 - there is only one database
        app_label: str,
        model_name: str | None = None,
        model: type[Model] | None = None,
        **hints: Any,
    ) -> bool:
        """Return whether the migration operation runs in the current tenant's schema. Return False if no tenant is set.

        If an app has tables in the platform's schema and in hotels' schemas, its RunPython and RunSQL operations need
        `hints={"model_name": ...}`. An operation that concerns no table needs the hint `placement`.
        """
        tenant = tenant_or_none()
        if tenant is None:
            return False
        if model is not None:
            app_label, model_name = model._meta.app_label, model._meta.model_name
        placement = hints.get("placement") or placement_of(app_label, model_name)
        return placement.in_platform if tenant.schema == PUBLIC_SCHEMA else placement.in_hotel
