"""Services that change the branding of e-mails, and that send test messages to staff."""

from __future__ import annotations

import re
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from audit.services import record
from reminders import events
from reminders.errors import InvalidColour
from reminders.mail.branding import branding_context
from reminders.mail.images import Logo
from reminders.mail.message_builder import build_test_message
from reminders.models import EmailBranding, Template
from reminders.sending.smtp import Transport
from reminders.setup import events as setup_events
from reminders.setup.services import confirm_step
from reminders.setup.steps import SetupStep
from tenants.context import current_hotel
from tenants.services import change_reply_address

_COLOUR = re.compile(r"#[0-9a-f]{6}")
_NO_LOGO = {"logo": b"", "logo_type": "", "logo_width": 0, "logo_height": 0, "logo_digest": ""}


def normalize_colour(text: str) -> str:
    """Return the colour as `#rrggbb` in lower case. Raises InvalidColour."""
    colour = text.strip().lower()
    if not _COLOUR.fullmatch(colour):
        raise InvalidColour(_("“%(text)s” is not a valid colour. Use the format #1f4e5f.") % {"text": text})
    return colour


def set_colour(*, colour: str) -> None:
    """Change the colour of the hotel's e-mails. Raises InvalidColour."""
    _update("colour", colour=normalize_colour(colour))


def set_logo(*, logo: Logo | None) -> None:
    """Replace the logo of the hotel's e-mails, or remove the logo (None).

    E-mails that were sent before the change will show the alternative text instead of the previous logo.
    """
    if logo is None:
        _update("logo", **_NO_LOGO)
        return
    _update(
        "logo",
        logo=logo.content,
        logo_type=logo.type,
        logo_width=logo.width,
        logo_height=logo.height,
        logo_digest=logo.digest,
    )


def send_test_message(template: Template, *, recipient: str) -> None:
    """Send a member of staff the e-mail that the guest of the newest reservation would get with this template.

    After the mail server has accepted the e-mail, the set-up step `TEST_EMAIL` is stored as done. Raises
    InvalidTemplate, MailRejected, MailDeferred or MailOutcomeUnknown.
    """
    message = build_test_message(template, recipient=recipient, branding=branding_context(current_hotel()))
    with Transport() as transport:
        transport.send(message, before_data=lambda: None)
    with transaction.atomic():
        record(
            setup_events.TEST_EMAIL_SENT,
            subject=("template", template.pk),
            rule=template.rule.name,
            language=template.language,
        )
        confirm_step(SetupStep.TEST_EMAIL)


def set_reply_address(*, email: str) -> None:
    """Store the address to which guests' replies are sent. An empty address means that guests cannot reply."""
    with transaction.atomic():
        if change_reply_address(current_hotel(), email=email):
            record(setup_events.REPLY_ADDRESS_CHANGED)


def _update(changed: str, **values: Any) -> None:
    with transaction.atomic():
        EmailBranding.objects.update_or_create(id=1, defaults=values)
        record(events.EMAIL_BRANDING_CHANGED, changed=changed)
