"""The audit events of two-factor authentication, password links and sessions, and the receivers that record the events.

The admin and `tenants` send signals to these receivers, because lower layers cannot import `audit`.
"""

from typing import Any

from django.dispatch import receiver
from django.utils.translation import gettext_lazy as _

from audit.registry import Outcome, Severity, register_security
from audit.services import record, record_in_own_transaction
from tenants import signals as tenant_signals
from tenants.models import User

PASSWORD_LINK_SENT = register_security(
    "staff.password_link_sent",
    description=_("A link to set a new password was sent to {subject}"),
    severity=Severity.NOTICE,
)
EMAIL_CHANGED = register_security(
    "staff.email_changed",
    description=_("{actor} changed the e-mail address of {subject}"),
    severity=Severity.NOTICE,
)
SECOND_FACTOR_ENABLED = register_security(
    "staff.second_factor_enabled",
    description=_("{actor} turned on two-factor authentication for {subject}"),
    severity=Severity.NOTICE,
)
SECOND_FACTOR_REPLACED = register_security(
    "staff.second_factor_replaced",
    description=_("{actor} replaced the authenticator app of {subject}"),
    severity=Severity.NOTICE,
)
SECOND_FACTOR_DISABLED = register_security(
    "staff.second_factor_disabled",
    description=_("{actor} turned off two-factor authentication for {subject}"),
    severity=Severity.WARNING,
)
SECOND_FACTOR_RESET = register_security(
    "staff.second_factor_reset",
    description=_("{actor} reset the two-factor authentication of {subject}"),
    severity=Severity.WARNING,
)
RECOVERY_CODES_RENEWED = register_security(
    "staff.recovery_codes_renewed",
    description=_("{actor} created new recovery codes for {subject}"),
    severity=Severity.NOTICE,
)
LOGIN_CODE_FAILED = register_security(
    "staff.login_code_failed",
    description=_("A wrong code was entered at the login of {subject}"),
    severity=Severity.NOTICE,
    outcome=Outcome.DENIED,
)
CONFIRMATION_FAILED = register_security(
    "staff.confirmation_failed",
    description=_("{actor} failed to confirm their identity before a sensitive change"),
    severity=Severity.NOTICE,
    outcome=Outcome.DENIED,
)
SESSIONS_ENDED = register_security(
    "staff.sessions_ended",
    description=_("{actor} ended login sessions of {subject} (number: {count})"),
    fields=("count",),
)


@receiver(tenant_signals.password_link_sent)
def _password_link_sent(*, user: User, **_: Any) -> None:
    record(PASSWORD_LINK_SENT, subject=("user", user.pk))


_SECOND_FACTOR_EVENTS = {
    "enabled": SECOND_FACTOR_ENABLED,
    "replaced": SECOND_FACTOR_REPLACED,
    "disabled": SECOND_FACTOR_DISABLED,
    "reset": SECOND_FACTOR_RESET,
    "recovery_codes": RECOVERY_CODES_RENEWED,
}


@receiver(tenant_signals.second_factor_changed)
def _second_factor_changed(*, user: User, change: str, **_: Any) -> None:
    record(_SECOND_FACTOR_EVENTS[change], subject=("user", user.pk))


@receiver(tenant_signals.staff_email_changed)
def _email_changed(*, user: User, **_: Any) -> None:
    record(EMAIL_CHANGED, subject=("user", user.pk))


@receiver(tenant_signals.staff_sessions_ended)
def _sessions_ended(*, user: User, count: int, **_: Any) -> None:
    record(SESSIONS_ENDED, subject=("user", user.pk), count=count)


@receiver(tenant_signals.login_code_failed)
def _login_code_failed(*, user: User, **_: Any) -> None:
    record_in_own_transaction(LOGIN_CODE_FAILED, subject=("user", user.pk))


@receiver(tenant_signals.confirmation_failed)
def _confirmation_failed(*, user: User, **_: Any) -> None:
    record_in_own_transaction(CONFIRMATION_FAILED, subject=("user", user.pk))
