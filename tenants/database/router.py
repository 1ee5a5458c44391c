"""The database router, which knows where tables live and to which tenant model instances belong.

It lets a migration create a table only in the schemas where the table lives, and refuses model instances in the context
of another tenant (tenants/database/instances.py).
"""

from typing import Any

from django.db.models import Model

from tenants.context import PUBLIC_SCHEMA, tenant_or_none
from tenants.database.instances import alias_for, check_instance, check_related, is_shared
from tenants.database.placement import placement_of


class PlacementRouter:
    """A router for one database. It decides by schema, and its database alias carries the current tenant."""

    def db_for_read(self, model: type[Model], instance: Model | None = None, **hints: Any) -> str | None:  # noqa: ARG002 - Django's signature
        """Return the alias for statements about the model.

        `instance` is the one that is read again or whose relation is followed. Raises TenantMismatch if it belongs to
        another tenant than the current one.
        """
        if instance is not None and not is_shared(model):
            check_instance(instance)
        return alias_for(model)

    db_for_write = db_for_read

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> None:  # noqa: ARG002 - Django's signature
        """Leave the decision to Django. Raises TenantMismatch if the instances belong to different tenants."""
        check_related(obj1, obj2)

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
