"""The base class of all apps' errors, and the errors of the app `tenants`.

The REST API describes each error class at `/problems/<code>` with its title and its docstring. The docstring is
therefore written for API clients, and adds what the title does not say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


class DomainError(Exception):
    """An error that tells the caller why an operation is not possible. The errors of all apps are subclasses.

    `code` is the class name in kebab case, and is part of the problem type `/problems/<code>` (RFC 9457). `status` is
    the HTTP status, and `title` the title of the problem. `detail` is a message for people. `extra` contains further
    JSON-serializable members of the problem document.
    """

    code = "domain-error"
    status = 409
    title: str | StrPromise = _("The operation is not possible")

    def __init__(self, detail: str = "", **extra: Any) -> None:
        self.detail = detail or str(self.title)
        super().__init__(self.detail)
        self.extra = extra


class InvalidSlug(DomainError):
    """A slug has 1 to 40 lowercase letters, digits and hyphens, and starts and ends with a letter or digit."""

    code = "invalid-slug"
    status = 422
    title = _("The slug is not valid")


class SlugConflict(DomainError):
    code = "slug-conflict"
    title = _("The slug is already in use")


class InvalidDomain(DomainError):
    code = "invalid-domain"
    status = 422
    title = _("The domain is not valid")


class InvalidTimeZone(DomainError):
    """The database server does not know the time zone. Choose another time zone with the same local time."""

    code = "invalid-time-zone"
    status = 422
    title = _("The time zone is not valid")


class DomainNotFound(DomainError):
    code = "domain-not-found"
    status = 404
    title = _("The hotel does not have this domain")


class DomainConflict(DomainError):
    code = "domain-conflict"
    title = _("The domain is already in use")


class HotelNotFound(DomainError):
    code = "hotel-not-found"
    status = 404
    title = _("Hotel not found")


class HotelStateError(DomainError):
    """`hotel_status` is the hotel's current status.

    Only an active hotel can be suspended, and only a suspended hotel can be resumed.
    """

    code = "hotel-state-error"
    title = _("The hotel's status does not allow this operation")


class SchemaTemplateNotFound(DomainError):
    code = "schema-template-not-found"
    status = 503
    title = _("The schema template is missing. Run `manage.py migrate`.")


class ProvisioningFailed(DomainError):
    """The hotel's schema could not be created, and nothing was changed. Create the hotel again."""

    code = "provisioning-failed"
    status = 503
    title = _("The hotel could not be provisioned")


class MigrationConflict(DomainError):
    code = "migration-conflict"
    title = _("Another migration of this database is running")


class DeletionConflict(DomainError):
    """Nothing was deleted. A hotel can be deleted only if it is suspended and its slug is entered as a confirmation."""

    code = "deletion-conflict"
    title = _("The hotel cannot be deleted in its current state")


class DeletionIncomplete(DomainError):
    """The hotel was deleted, but a check found data that remain. `left` lists these data."""

    code = "deletion-incomplete"
    status = 500
    title = _("Some data of the deleted hotel remain")


class RedisUnavailable(DomainError):
    code = "redis-unavailable"
    status = 503
    title = _("Redis is not available")


class HotelSuspended(DomainError):
    """The task did not run, because its hotel is suspended. The task runs when the hotel is resumed."""

    code = "hotel-suspended"
    status = 503
    title = _("The hotel is suspended")


class TooManyDeliveries(DomainError):
    """The worker process died each time it ran the task, so the task is not run again."""

    code = "too-many-deliveries"
    status = 500
    title = _("The task was delivered too many times")


class InvalidContact(DomainError):
    """Send a phone number with its country code (`+34 600 123 456`) or an e-mail address."""

    code = "invalid-contact"
    status = 422
    title = _("The phone number or e-mail address is not valid")


class ContactNotFound(DomainError):
    """No active hotel has this contact, or the hotel in the URL has no contact with this id."""

    code = "contact-not-found"
    status = 404
    title = _("Contact not found")


class ContactConflict(DomainError):
    """A contact can belong to one hotel only. The response does not reveal which hotel has the contact."""

    code = "contact-conflict"
    title = _("The contact belongs to another hotel")


class InvalidRole(DomainError):
    """The role is not a staff role of this hotel, or of the platform. `known` lists the valid roles."""

    code = "invalid-role"
    status = 422
    title = _("The role is not valid")


class StaffNotFound(DomainError):
    """No staff account of this hotel, or of the platform, has this user name."""

    code = "staff-not-found"
    status = 404
    title = _("Staff member not found")


class InvalidPassword(DomainError):
    """The password is too short, too common, or similar to the account's name. `detail` gives the reason."""

    code = "invalid-password"
    status = 422
    title = _("The password is not valid")


class SecondFactorNotSet(DomainError):
    """The account has no two-factor authentication that could be reset."""

    code = "second-factor-not-set"
    title = _("Two-factor authentication is not set up")


class UsernameConflict(DomainError):
    """Another account has this user name. User names are not case-sensitive."""

    code = "username-conflict"
    title = _("The user name is already in use")


class InvitationNotFound(DomainError):
    """The link has expired, was already used, or was replaced by the link in a newer e-mail."""

    code = "invitation-not-found"
    status = 404
    title = _("The invitation is not valid")


class ManagerConflict(DomainError):
    """Only the first manager of a hotel is invited. The hotel's managers add all other accounts."""

    code = "manager-conflict"
    title = _("The hotel already has a manager")


class InvalidSupportRequest(DomainError):
    """A support session needs a reason of at most 500 characters, a duration of 15, 30 or 60 minutes, and a role.

    If the hotel requires two-factor authentication, the account of the person must have it.
    """

    code = "invalid-support-request"
    status = 422
    title = _("The support session is not valid")


class SupportLinkNotFound(DomainError):
    """The link has expired or was already used. A link can be used once, within 60 seconds."""

    code = "support-link-not-found"
    status = 404
    title = _("The link to the hotel's admin is not valid")


class InvalidScope(DomainError):
    """Hotels and the platform have different API scopes. `known` lists the valid scopes."""

    code = "invalid-scope"
    status = 422
    title = _("The scopes are not valid")


class InvalidExpiry(DomainError):
    code = "invalid-expiry"
    status = 422
    title = _("The expiry must be in the future")
