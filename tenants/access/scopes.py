"""The one vocabulary of what may be done: API keys carry scopes, staff roles stand for sets of them."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    MANAGER = "manager", _("manager")
    FRONT_DESK = "front_desk", _("front desk")
    AUDITOR = "auditor", _("auditor")
    PLATFORM = "platform", _("platform staff")


#: What a hotel's keys and staff can be allowed, in the order in which it is shown.
HOTEL_SCOPES = {
    "rooms:read": _("See rooms and availability"),
    "rooms:write": _("Make and change rooms"),
    "locks:read": _("See holds and stays"),
    "locks:write": _("Hold, extend, release and confirm rooms"),
    "webhooks:read": _("See webhooks"),
    "webhooks:write": _("Make, change and test webhooks"),
    "reservations:read": _("See reservations"),
    "reservations:write": _("Make, change and cancel reservations"),
    "calendar:read": _("Read the calendar of stays, without guests"),
    "reminders:read": _("See reminders, rules and templates"),
    "reminders:write": _("Change rules and templates, send and cancel reminders"),
    "dlq:read": _("See failures"),
    "dlq:write": _("Report, retry and discard failures"),
    "audit:read": _("Read the audit trail"),
    "staff:read": _("See staff and API keys"),
    "staff:write": _("Manage staff and API keys"),
}

#: What the platform's keys and staff can be allowed.
PLATFORM_SCOPES = {
    "hotels:read": _("See hotels"),
    "hotels:write": _("Create, suspend, resume and change hotels"),
    "contacts:read": _("See the guests' phones and e-mails that lead to a hotel"),
    "contacts:write": _("Add and remove guests' phones and e-mails"),
    "contacts:resolve": _("Find the hotel of a phone or an e-mail"),
    "dlq:read": _("See failures"),
    "dlq:write": _("Report, retry and discard failures"),
    "audit:read": _("Read the audit trail"),
    "staff:read": _("See staff and API keys"),
    "staff:write": _("Manage staff and API keys"),
}

_FRONT_DESK = frozenset(
    {
        "rooms:read",
        "locks:read",
        "locks:write",
        "reservations:read",
        "reservations:write",
        "reminders:read",
        "reminders:write",
        "dlq:read",
    }
)

_ROLE_SCOPES: dict[str, frozenset[str]] = {
    Role.MANAGER: frozenset(HOTEL_SCOPES),
    Role.FRONT_DESK: _FRONT_DESK,
    Role.AUDITOR: frozenset(scope for scope in HOTEL_SCOPES if scope.endswith(":read")),
    Role.PLATFORM: frozenset(PLATFORM_SCOPES),
}

#: Models whose scope is not the name of their app: `<app>.<model>` -> the scope's first half.
_AREAS = {
    "locks.room": "rooms",
    "locks.allocation": "locks",
    "locks.webhook": "webhooks",
    "locks.webhookdelivery": "webhooks",
    "reminders.reservation": "reservations",
    "reminders.calendaraddress": "reservations",
    "tenants.user": "staff",
    "tenants.apikey": "staff",
    "tenants.hotel": "hotels",
    "tenants.domain": "hotels",
    "tenants.contactidentifier": "contacts",
    "django_celery_beat": "hotels",
    "waffle": "hotels",
}


def role_scopes(role: str) -> frozenset[str]:
    return _ROLE_SCOPES.get(role, frozenset())


def permission_scope(permission: str) -> str:
    """The scope that stands for one of Django's permissions.

    >>> permission_scope("locks.view_room"), permission_scope("reminders.change_rule")
    ('rooms:read', 'reminders:write')
    """
    app_label, _dot, codename = permission.partition(".")
    action, _underscore, model = codename.partition("_")
    area = _AREAS.get(f"{app_label}.{model}") or _AREAS.get(app_label) or app_label
    return f"{area}:{'read' if action == 'view' else 'write'}"
