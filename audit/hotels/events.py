"""The types of audit events about the access to hotels: support sessions, and invitations of the first manager."""

from functools import partial

from django.utils.translation import gettext_lazy as _

from audit.registry import Outcome, Severity, register_security
from tenants.scopes import Role

_ROLES = {role.value: role.label for role in Role}

# A support session is the time during which a member of the platform's staff may act in a hotel.
_register_support = partial(
    register_security, fields=("slug", "session", "role", "until"), labels={"role": _ROLES}
)
SUPPORT_REQUESTED = _register_support(
    "support.requested",
    description=_("{actor} requested access to the hotel {slug} as {role} until {until}. Reason: {reason}"),
    personal=("reason",),
    severity=Severity.WARNING,
)
SUPPORT_OPENED = _register_support(
    "support.opened",
    description=_("{actor} opened the admin of the hotel {slug} as {role} until {until}"),
    severity=Severity.WARNING,
)
SUPPORT_ENDED = _register_support(
    "support.ended", description=_("{actor} ended their access to the hotel {slug}"), severity=Severity.NOTICE
)
SUPPORT_EXPIRED = _register_support(
    "support.expired",
    description=_("The access of {actor} to the hotel {slug} ended, because its time was over"),
    severity=Severity.NOTICE,
)
SUPPORT_REFUSED = register_security(
    "support.refused",
    description=_("A support link that has expired or was already used was refused"),
    severity=Severity.WARNING,
    outcome=Outcome.DENIED,
)
# The e-mail address of the invited person is not stored, because no erasure of the person would find these events.
MANAGER_INVITED = register_security(
    "hotel.manager_invited",
    description=_("{actor} invited the first manager of the hotel {slug}"),
    fields=("slug", "detail"),
    severity=Severity.NOTICE,
)
MANAGER_INVITATION_SENT = register_security(
    "hotel.manager_invitation_sent",
    description=_("The invitation of the first manager of the hotel {slug} was sent by e-mail"),
    fields=("slug", "detail"),
)
