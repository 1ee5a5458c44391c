"""Checks that a model instance is used only in the context of the tenant that it belongs to.

Without these checks, an instance that is loaded in the context of hotel A and saved in the context of hotel B would be
inserted into hotel B. Each instance therefore stores the tenant in whose context the instance was loaded or created.
Models whose tables are only in the platform's schema are exempt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache, wraps
from typing import Any
from uuid import UUID

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model, query
from django.db.models.signals import post_init
from django.db.models.sql import Query

from tenants.context import PLATFORM, PUBLIC_SCHEMA, Tenant, TenantMismatch, tenant_or_none
from tenants.database.placement import Placement, placement_of


class TenantAlias(str):
    """A database alias that also stores the tenant that was current when the router returned the alias.

    It is equal to a plain string with the same text.
    """

    __slots__ = ("hotel_id", "schema")
    schema: str
    hotel_id: UUID | None

    def __new__(cls, alias: str, schema: str, hotel_id: UUID | None) -> TenantAlias:
        created = super().__new__(cls, alias)
        created.schema = schema
        created.hotel_id = hotel_id
        return created

    def __getnewargs__(self) -> tuple[str, str, UUID | None]:  # type: ignore[override]
        return str(self), self.schema, self.hotel_id


#: The tenant of the previous call of `_alias_of`, and the database alias that the call returned.
_last_alias: tuple[Tenant, TenantAlias] = (PLATFORM, TenantAlias(DEFAULT_DB_ALIAS, PUBLIC_SCHEMA, None))


def alias_for(model: type[Model]) -> str | None:
    """Return the database alias that marks an instance of the model as belonging to the current tenant.

    Return None if instances of the model need no mark.
    """
    tenant = tenant_or_none()
    if tenant is None:
        return None
    placement = _placement_or_none(model._meta.app_label, model._meta.model_name)
    if placement is Placement.PLATFORM or (placement is Placement.HOTEL and tenant.is_platform):
        return None
    return _alias_of(tenant)


def check_instance(instance: Model) -> None:
    """Raise TenantMismatch if the instance does not belong to the current tenant."""
    alias = _alias(instance)
    if type(alias) is not TenantAlias:
        return
    tenant = tenant_or_none()
    if tenant is not None and (alias.schema, alias.hotel_id) != (tenant.schema, tenant.id):
        raise TenantMismatch(type(instance).__name__, alias.schema, tenant.schema)


def check_related(instance: Model, other: Model) -> None:
    """Raise TenantMismatch if the two instances belong to different tenants."""
    alias, other_alias = _alias(instance), _alias(other)
    if type(alias) is not TenantAlias or type(other_alias) is not TenantAlias:
        return
    if (alias.schema, alias.hotel_id) != (other_alias.schema, other_alias.hotel_id):
        raise TenantMismatch(type(instance).__name__, alias.schema, other_alias.schema)


def is_shared(model: type[Model]) -> bool:
    """Return whether the model's table exists only in the platform's schema. Return False for an unknown app."""
    return _placement_or_none(model._meta.app_label, model._meta.model_name) is Placement.PLATFORM


def install_checks() -> None:
    """Install checks that a model instance is used only in the context of its tenant.

    Each new model instance stores its tenant. Django's database router checks most uses of instances. This function
    adds checks to the Django functions that do not call the router. `AppConfig.ready()` calls this function once.
    """
    for model in apps.get_models(include_auto_created=True):
        if not is_shared(model):
            post_init.connect(_stamp_new_instance, sender=model, dispatch_uid="tenants.instances")
    # save(using=...) and the bulk methods call _prepare_related_fields_for_save() for each model instance.
    _check_arguments(Model, "_prepare_related_fields_for_save", lambda instance: [instance])
    # filter() and similar methods call check_query_object_type() for each argument that is a model instance.
    _check_arguments(Query, "check_query_object_type", lambda _query, value: [value])
    # prefetch_related() passes only the first instance to the database router, so all instances are checked here.
    _check_arguments(query, "prefetch_one_level", lambda instances: instances)


def _stamp_new_instance(instance: Model, **_: Any) -> None:
    # Django also calls this function for each instance that a query loads, so the function must be fast.
    # If a query loads the instance, Model.from_db() later replaces the alias that is set here.
    state = instance._state  # noqa: SLF001 - Model._state is documented
    if state.db is None and (tenant := tenant_or_none()) is not None:
        state.db = _alias_of(tenant)


def _alias(instance: Model) -> str | None:
    return instance._state.db  # noqa: SLF001 - Model._state is documented


def _alias_of(tenant: Tenant) -> TenantAlias:
    global _last_alias  # noqa: PLW0603 - a cache of one value, replaced in one step, so threads need no lock
    last_tenant, alias = _last_alias
    if last_tenant is not tenant:
        alias = TenantAlias(DEFAULT_DB_ALIAS, tenant.schema, tenant.id)
        _last_alias = (tenant, alias)
    return alias


def _check_arguments(owner: Any, name: str, instances_in: Callable[..., Iterable[Any]]) -> None:
    """Wrap a Django function so that it first checks the model instances among its positional arguments."""
    original = getattr(owner, name)
    arguments = instances_in.__code__.co_argcount

    @wraps(original)
    def check_first(*args: Any, **options: Any) -> Any:
        for instance in instances_in(*args[:arguments]):
            if isinstance(instance, Model):
                check_instance(instance)
        return original(*args, **options)

    setattr(owner, name, check_first)


@lru_cache(maxsize=1024)
def _placement_or_none(app_label: str, model_name: str | None) -> Placement | None:
    try:
        return placement_of(app_label, model_name)
    except ImproperlyConfigured:
        return None
