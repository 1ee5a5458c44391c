"""What can go wrong, said so that a person, a client and a script can each act on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


class DomainError(Exception):
    """The base of every app's errors.

    `code` is stable: it is the problem type `/problems/<code>` of the REST answer, which has `status` and `title`;
    `detail` speaks of this one case, and `extra` holds further JSON-able members of the problem document.
    """

    code = "domain-error"
    status = 409
    title: str | StrPromise = "The request can't be carried out"

    def __init__(self, detail: str = "", **extra: Any) -> None:
        self.detail = detail or str(self.title)
        super().__init__(self.detail)
        self.extra = extra


class InvalidSlug(DomainError):
    code = "invalid-slug"
    status = 422
    title = "This can't be a hotel's slug"


class SlugConflict(DomainError):
    code = "slug-conflict"
    title = "Another hotel has this slug"


class InvalidDomain(DomainError):
    code = "invalid-domain"
    status = 422
    title = "This can't be a hotel's domain"


class DomainConflict(DomainError):
    code = "domain-conflict"
    title = "Another hotel has this domain"


class HotelNotFound(DomainError):
    code = "hotel-not-found"
    status = 404
    title = "There is no such hotel"


class HotelStateError(DomainError):
    """A hotel is not in the status that the act starts from."""

    code = "hotel-state-error"
    title = "The hotel's status does not allow this"


class SchemaTemplateNotFound(DomainError):
    code = "schema-template-not-found"
    status = 503
    title = "There is no template to make hotels from: run `manage.py migrate`"


class ProvisioningFailed(DomainError):
    """Making a hotel failed; nothing of it is left in the database."""

    code = "provisioning-failed"
    status = 503
    title = "The hotel could not be made"


class MigrationConflict(DomainError):
    code = "migration-conflict"
    title = "Another migration of this database is running"


class DeletionConflict(DomainError):
    """Erasing has no way back, so what it starts from must be right. Nothing is removed."""

    code = "deletion-conflict"
    title = "The hotel can't be erased as it is"


class DeletionIncomplete(DomainError):
    """The hotel is gone, and the proof found something of it."""

    code = "deletion-incomplete"
    status = 500
    title = "Something of the erased hotel is left"


class RedisUnavailable(DomainError):
    code = "redis-unavailable"
    status = 503
    title = "Redis does not answer"


class TooManyDeliveries(DomainError):
    """A task's message came back again and again: it takes its worker down with it."""

    code = "too-many-deliveries"
    status = 500
    title = "The task was given up: its worker died each time it ran"
