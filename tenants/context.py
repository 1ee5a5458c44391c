"""Which hotel the running code serves, and who asked for it.

The database backend reads the tenant at each statement, so what counts is where a query runs, not where it was
written: a queryset made in one hotel's context and consumed in another's reads the other's rows.
A new thread starts with neither tenant nor actor: enter a context inside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar
from uuid import UUID

T = TypeVar("T")


class TenantNotSet(RuntimeError):
    """Neither a hotel nor the platform is set. hotel_context() and platform_context() set one."""

    def __init__(self) -> None:
        super().__init__(
            "No hotel and not the platform: a statement would not know whose rows it may see. "
            "Wrap the code in `with hotel_context(hotel):` or `with platform_context():` (tenants.context). "
            "Threads, generators and lazy querysets need it where they run, not where they were made."
        )


class HotelNotSet(TenantNotSet):
    """The platform's context is set where a hotel is needed."""

    def __init__(self) -> None:
        RuntimeError.__init__(
            self,
            "This needs a hotel, and the platform's context is set. Wrap it in `with hotel_context(hotel):`.",
        )


@dataclass(frozen=True, slots=True)
class Tenant:
    """What a hotel's code needs to know of it without asking the database. `id` is None for the platform."""

    id: UUID | None
    slug: str
    schema: str
    role: str | None
    name: str
    time_zone: str
    language: str
    status: str
    email: str = ""


class HasTenant(Protocol):
    @property
    def tenant(self) -> Tenant: ...


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `id` and `label` stay readable in the audit trail after the person or key is gone."""

    kind: Literal["user", "key", "task", "command", "system", "anonymous"]
    id: str
    label: str
    ip: str | None = None
    request_id: str | None = None


PUBLIC_SCHEMA = "public"
PLATFORM = Tenant(
    id=None,
    slug="",
    schema=PUBLIC_SCHEMA,
    role=None,
    name="",
    time_zone="UTC",
    language="en",
    status="active",
)
SYSTEM = Actor(kind="system", id="", label="system")

_tenant: ContextVar[Tenant | None] = ContextVar("hotelagent_tenant", default=None)
_actor: ContextVar[Actor] = ContextVar("hotelagent_actor", default=SYSTEM)


@contextmanager
def _set(variable: ContextVar[Any], value: T) -> Iterator[T]:
    """Nests; what was set before comes back, by an exception too."""
    token = variable.set(value)
    try:
        yield value
    finally:
        variable.reset(token)


def hotel_context(hotel: Tenant | HasTenant) -> AbstractContextManager[Tenant]:
    """Statements inside go to this hotel. Nests; the tenant before it comes back, by an exception too."""
    tenant = hotel if isinstance(hotel, Tenant) else hotel.tenant
    if tenant.schema == PUBLIC_SCHEMA:
        raise ValueError("The platform is no hotel: use platform_context().")
    return _set(_tenant, tenant)


def platform_context() -> AbstractContextManager[Tenant]:
    """Statements inside go to the shared tables. Nests like hotel_context()."""
    return _set(_tenant, PLATFORM)


def tenant_or_none() -> Tenant | None:
    return _tenant.get()


def current_tenant() -> Tenant:
    """The hotel or the platform; raises TenantNotSet where neither is set."""
    tenant = _tenant.get()
    if tenant is None:
        raise TenantNotSet
    return tenant


def current_hotel() -> Tenant:
    """The hotel; raises TenantNotSet where nothing is set and HotelNotSet in the platform's context."""
    tenant = current_tenant()
    if tenant.id is None and tenant.schema == PUBLIC_SCHEMA:
        raise HotelNotSet
    return tenant


def actor_context(actor: Actor) -> AbstractContextManager[Actor]:
    """Who acts inside; nests like hotel_context()."""
    return _set(_actor, actor)


def current_actor() -> Actor:
    """Who acts; `SYSTEM` where nobody said."""
    return _actor.get()
