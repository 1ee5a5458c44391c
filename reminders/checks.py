"""What of the mail settings would lose or spoil reminders, said before the first one goes."""

from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

_SECRET_LENGTH = 20


@register("reminders")
def check_sender(**_kwargs: Any) -> list[CheckMessage]:
    _name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    try:
        validate_email(address.replace("@localhost", "@localhost.localdomain"))
    except ValidationError:
        return [
            Error(
                f"DEFAULT_FROM_EMAIL {settings.DEFAULT_FROM_EMAIL!r} holds no e-mail address.",
                hint="DEFAULT_FROM_EMAIL='Hotels <no-reply@example.com>': guests see the hotel's name before it.",
                id="reminders.E001",
            )
        ]
    return []


@register("reminders", deploy=True)
def check_backend(**_kwargs: Any) -> list[CheckMessage]:
    backend = settings.EMAIL_BACKEND
    if backend.rsplit(".", 2)[-2] in {"console", "dummy", "filebased", "locmem"}:
        return [
            checks.Warning(
                f"Reminders go to {backend}, which no guest reads.",
                hint="Set EMAIL_URL to the mail server: smtp+tls://user:password@host:587.",
                id="reminders.W001",
            )
        ]
    return []


@register("reminders", deploy=True)
def check_webhook_secret(**_kwargs: Any) -> list[CheckMessage]:
    secret = settings.ANYMAIL["WEBHOOK_SECRET"]
    if not secret and settings.EMAIL_BACKEND.startswith("anymail."):
        return [
            Error(
                "WEBHOOK_SECRET is missing: nobody would hear of bounces and of mails reported as spam.",
                hint="Set WEBHOOK_SECRET to user:password with a long random password, and give the provider "
                "https://user:password@<PLATFORM_HOST>/anymail/<provider>/tracking/ (deploy/runbook.md).",
                id="reminders.E002",
            )
        ]
    user, colon, password = secret.partition(":")
    if secret and not (user and colon and len(password) >= _SECRET_LENGTH):
        return [
            Error(
                f"WEBHOOK_SECRET is not user:password with a password of {_SECRET_LENGTH} or more characters.",
                hint="Whoever guesses it can take guests off the hotels' mails.",
                id="reminders.E003",
            )
        ]
    return []
