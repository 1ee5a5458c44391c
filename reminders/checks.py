"""What of the mail settings would lose or spoil reminders, said before the first one goes."""

from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ValidationError
from django.core.validators import validate_email


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
