"""The scopes of API keys, and the staff roles. A role is a set of scopes."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    MANAGER = "manager", _("manager")
    FRONT_DESK = "front_desk", _("front desk")
    AUDITOR = "auditor", _("auditor")
    PLATFORM = "platform", _("platform staff")


#: The scopes of a hotel's keys and staff, with their labels, in the order in which forms list them.
HOTEL_SCOPES = {
    "rooms:read": _("View rooms and availability"),
    "rooms:write": _("Create and change rooms"),
    "locks:read": _("View holds and stays"),
    "locks:write": _("Acquire, extend, release and confirm holds on rooms"),
    "webhooks:read": _("View webhooks"),
    "webhooks:write": _("Create, change and test webhooks"),
    "reservations:read": _("View reservations"),
    "reservations:write": _("Create, change and cancel reservations"),
    "pms:read": _("View the connection to the PMS, its bookings and the rates"),
    "pms:write": _("Search for prices, book and cancel in the PMS"),
    "pms:manage": _("Change the connection to the PMS and the rates"),
    "calendar:read": _("Read the calendar of stays, without guest data"),
    "reminders:read": _("View reminders, rules and templates"),
    "reminders:write": _("Send and cancel reminders, and change the suppression list"),
    "reminders:manage": _("Change rules, templates and the e-mail branding"),
    "dlq:read": _("View failures"),
    "dlq:write": _("Report, retry and discard failures"),
    "dlq:work": _("Claim and process failures that this API key or a key with the same name has reported"),
    "dlq:payload": _("View and correct the payloads of failures, which contain guest data"),
    "audit:read": _("Read the audit trail"),
    "usage:read": _("View the daily usage figures"),
    "staff:read": _("View staff and API keys"),
    "staff:write": _("Manage staff and API keys"),
}

#: The scopes of the platform's keys and staff, with their labels.
PLATFORM_SCOPES = {
    "hotels:read": _("View hotels"),
    "hotels:write": _("Create and change hotels, suspend them and lift suspensions"),
    "contacts:read": _("View guest contacts and the hotel of each contact"),
    "contacts:write": _("Add and remove guest contacts"),
    "contacts:resolve": _("Look up the hotel of a guest's phone number or e-mail address"),
    "dlq:read": _("View failures"),
    "dlq:write": _("Report, retry and discard failures"),
    "dlq:work": _("Claim and process failures that this API key or a key with the same name has reported"),
    "dlq:payload": _("View and correct the payloads of failures, which contain guest data"),
    "audit:read": _("Read the audit trail"),
    "usage:read": _("View the daily usage figures"),
    "staff:read": _("View staff and API keys"),
    "staff:write": _("Manage staff and API keys"),
}

_FRONT_DESK = frozenset(
    {
        "rooms:read",
        "locks:read",
        "locks:write",
        "reservations:read",
        "reservations:write",
        "pms:read",
        "pms:write",
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

#: Maps a model or an app to the first part of its scopes, such as `rooms` in `rooms:read`. Default: the app label.
_RESOURCES = {
    "locks.room": "rooms",
    "locks.allocation": "locks",
    "locks.webhook": "webhooks",
    "locks.webhookdelivery": "webhooks",
    "reminders.reservation": "reservations",
    "reminders.linkedcalendar": "reservations",
    "reminders.reservationimport": "reservations",
    "reminders.roomimport": "rooms",
    "tenants.user": "staff",
    "tenants.apikey": "staff",
    "tenants.hotel": "hotels",
    "tenants.domain": "hotels",
    "tenants.supportsession": "hotels",
    "tenants.contactidentifier": "contacts",
    "audit.log": "hotels",
    "django_celery_beat": "hotels",
    "waffle": "hotels",
}

#: The models whose rows only the scope `manage` may change. These rows determine which e-mails guests receive, where
#: guests' data is sent, and what a room costs.
_MANAGED_MODELS = frozenset(
    {
        "reminders.rule",
        "reminders.template",
        "reminders.emailbranding",
        "pms.connection",
        "pms.rate",
        "pms.circuitbreaker",
    }
)

#: The scopes of custom permissions. Other scopes are derived from the action ("view", "add") and the model.
#: Users who can manage staff accounts can also choose the auditor of the hotel.
_PERMISSION_SCOPES = {"dlq.view_payload": "dlq:payload", "audit.change_auditor": "staff:write"}


def role_scopes(role: str) -> frozenset[str]:
    """Return the scopes of a role. An unknown role has no scopes."""
    return _ROLE_SCOPES.get(role, frozenset())


def permission_scope(permission: str) -> str:
    """Return the scope that corresponds to one of Django's permissions.

    >>> permission_scope("locks.view_room"), permission_scope("reminders.change_rule")
    ('rooms:read', 'reminders:manage')
    """
    if permission in _PERMISSION_SCOPES:
        return _PERMISSION_SCOPES[permission]
    app_label, _dot, codename = permission.partition(".")
    action, _underscore, model = codename.partition("_")
    label = f"{app_label}.{model}"
    resource = _RESOURCES.get(label) or _RESOURCES.get(app_label) or app_label
    change = "manage" if label in _MANAGED_MODELS else "write"
    return f"{resource}:{'read' if action == 'view' else change}"
