"""Django system checks for the e-mail settings: the sender address, the backend and the webhook secret."""

from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

_MIN_PASSWORD_LENGTH = 20


@register("reminders")
def check_sender(**_kwargs: Any) -> list[CheckMessage]:
    """Check that DEFAULT_FROM_EMAIL contains a valid address."""
    _name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    try:
        validate_email(address.replace("@localhost", "@localhost.localdomain"))
    except ValidationError:
        return [
            Error(
                f"DEFAULT_FROM_EMAIL {settings.DEFAULT_FROM_EMAIL!r} is not a valid e-mail address.",
                hint="Set DEFAULT_FROM_EMAIL to an address such as 'Hotels <no-reply@example.com>'. Guests see "
                "the name of their hotel instead of 'Hotels'.",
                id="reminders.E001",
            )
        ]
    return []


@register("reminders", deploy=True)
def check_backend(**_kwargs: Any) -> list[CheckMessage]:
    """Check that the e-mail backend delivers messages."""
    backend = settings.EMAIL_BACKEND
    if backend.rsplit(".", 2)[-2] in {"console", "dummy", "filebased", "locmem"}:
        return [
            checks.Warning(
                f"The e-mail backend {backend} does not deliver messages to guests.",
                hint="Set EMAIL_URL to your mail server: smtp+tls://user:password@host:587.",
                id="reminders.W001",
            )
        ]
    return []


@register("reminders", deploy=True)
def check_webhook_secret(**_kwargs: Any) -> list[CheckMessage]:
    """Check that WEBHOOK_SECRET, with which e-mail providers authenticate their webhook requests, is strong."""
    secret = settings.ANYMAIL["WEBHOOK_SECRET"]
    if not secret and settings.EMAIL_BACKEND.startswith("anymail."):
        return [
            Error(
                "WEBHOOK_SECRET is missing, so the provider can't report bounces and spam complaints.",
                hint="Set WEBHOOK_SECRET to user:password with a long random password, and enter "
                "https://user:password@<PLATFORM_HOST>/anymail/<provider>/tracking/ as webhook URL at your provider. "
                "See deploy/runbook.md.",
                id="reminders.E002",
            )
        ]
    user, colon, password = secret.partition(":")
    if secret and not (user and colon and len(password) >= _MIN_PASSWORD_LENGTH):
        return [
            Error(
                "WEBHOOK_SECRET must be user:password with a password of at least "
                f"{_MIN_PASSWORD_LENGTH} characters.",
                hint="Use a long random password. Anyone who guesses it can suppress e-mails to your guests.",
                id="reminders.E003",
            )
        ]
    return []
