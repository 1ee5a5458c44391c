"""The current tenant (a hotel or the platform) and the current actor, as context variables.

The database backend reads the tenant each time it sends a statement. A queryset that is created in the context of hotel
A and evaluated in the context of hotel B therefore reads the rows of hotel B. A new thread starts without a tenant and
with the actor SYSTEM, so it must enter a context.
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
    """An operation needs a tenant, but no tenant context is set."""

    def __init__(self) -> None:
        super().__init__(
            "No tenant is set, so the database statement has no schema. Wrap the code in "
            "`with hotel_context(hotel):` or `with platform_context():` from tenants.context. "
            "Threads, generators and lazy querysets need the context where they run, not where they are created."
        )


class HotelNotSet(TenantNotSet):
    """An operation needs a hotel, but the platform's context is set."""

    def __init__(self) -> None:
        RuntimeError.__init__(
            self,
            "This code needs a hotel, but the platform's context is set. "
            "Wrap the code in `with hotel_context(hotel):`.",
        )


class TenantMismatch(RuntimeError):
    """A model instance that belongs to one tenant is used in the context of another tenant."""

    def __init__(self, model: str, schema: str, current_schema: str) -> None:
        super().__init__(
            f"An instance of {model} that belongs to the schema {schema} cannot be used with {current_schema}. "
            "Use the instance in the context in which it was loaded or created, or load it again in this context."
        )


@dataclass(frozen=True, slots=True)
class Tenant:
    """A hotel or the platform, with the properties that each request needs.

    `id` is None for the platform and for the template schema. Statements run as the PostgreSQL role `role`, which is
    None if roles are disabled.
    """

    id: UUID | None
    slug: str
    schema: str
    role: str | None
    name: str
    time_zone: str
    language: str
    status: str
    email: str = ""
    #: True if every member of staff of the hotel must set up two-factor authentication.
    require_two_factor: bool = False

    @property
    def is_platform(self) -> bool:
        return self.schema == PUBLIC_SCHEMA


class HasTenant(Protocol):
    @property
    def tenant(self) -> Tenant: ...


@dataclass(frozen=True, slots=True)
class Actor:
    """The person, API key or program that performs an operation, as the audit trail records it.

    `id` is the primary key of a user or key, or the name of a task or command. `label` is a copy of the name.
    `initiator` is the person or key that started a task or command, or None if the actor acts directly. The kind
    "support" is a support session of a hotel: `id` is the id of the session, and the person is the initiator.
    """

    kind: Literal["user", "support", "key", "task", "command", "system", "anonymous"]
    id: str
    label: str
    ip: str | None = None
    request_id: str | None = None
    #: True if the reverse proxies did not report the client's address. `ip` is then the address of the TCP connection.
    ip_is_peer: bool = False
    user_agent: str = ""
    task_id: str = ""
    #: The id of the request's Idempotency-Key (`tenants.access.idempotency.IdempotentRequest`).
    idempotency_key: str = ""
    initiator: Actor | None = None

    @property
    def responsible(self) -> Actor:
        """Return the person or API key that started this task or command. For other actors, return the actor."""
        return self.initiator or self


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
    token = variable.set(value)
    try:
        yield value
    finally:
        variable.reset(token)


def hotel_context(hotel: Tenant | HasTenant) -> AbstractContextManager[Tenant]:
    """Return a context manager that makes SQL statements use the hotel's schema. Contexts can be nested."""
    tenant = hotel if isinstance(hotel, Tenant) else hotel.tenant
    if tenant.is_platform:
        raise ValueError("hotel_context() needs a hotel. Use platform_context() for the platform.")
    return _set(_tenant, tenant)


def platform_context() -> AbstractContextManager[Tenant]:
    """Return a context manager that makes SQL statements use the platform's tables. Contexts can be nested."""
    return _set(_tenant, PLATFORM)


def context_of(tenant: Tenant) -> AbstractContextManager[Tenant]:
    """Return the context manager `hotel_context` of a hotel, or `platform_context` for the platform."""
    return platform_context() if tenant.is_platform else hotel_context(tenant)


def tenant_or_none() -> Tenant | None:
    """Return the current tenant, or None if no context is set."""
    return _tenant.get()


def current_tenant() -> Tenant:
    """Return the current hotel, or the platform. Raises TenantNotSet."""
    tenant = _tenant.get()
    if tenant is None:
        raise TenantNotSet
    return tenant


def current_hotel() -> Tenant:
    """Return the current hotel. Raises HotelNotSet in the platform's context and TenantNotSet without a context."""
    tenant = current_tenant()
    if tenant.is_platform:
        raise HotelNotSet
    return tenant


def actor_context(actor: Actor) -> AbstractContextManager[Actor]:
    """Return a context manager that sets the actor. Contexts can be nested."""
    return _set(_actor, actor)


def current_actor() -> Actor:
    """Return the current actor, or SYSTEM if none is set."""
    return _actor.get()


def changed_actor(**changes: Any) -> Actor:
    """Return a copy of the current actor with these values changed."""
    actor = current_actor()
    return Actor(**{name: getattr(actor, name) for name in Actor.__slots__} | changes)


def make_cache_key(key: str, key_prefix: str, version: int) -> str:
    """Return a cache key that contains the tenant, for Django's `KEY_FUNCTION` setting.

    Cached values, throttles and feature flags are therefore separate for each tenant. Raises TenantNotSet without a
    context. The key contains the hotel's id and not the slug, because a slug can be reused by another hotel.
    """
    tenant = current_tenant()
    return f"{key_prefix}:{tenant.id or tenant.schema}:{version}:{key}"
