"""Functions that build reminder messages: headers, text, HTML, and the stay as a calendar attachment."""

from __future__ import annotations

import secrets
import uuid
from email.policy import Compat32
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.utils.translation import gettext_noop as _

from hotelagent.core.domains import AUTOMATIC_MAIL_HEADERS, ascii_address, encode_address, sender
from hotelagent.core.messages import TranslatableMessage
from reminders.errors import MailRejected
from reminders.mail import unsubscribe_links
from reminders.mail.branding import BrandingContext
from reminders.mail.calendar_attachment import hotel_key, stay_calendar, stay_uid
from reminders.mail.rendering import RenderedMessage, render, render_preview
from reminders.models import Reminder, Template
from tenants.context import Tenant

#: The maximum size of a message in bytes. Many servers reject large messages, and reminders are much smaller.
MAX_SIZE = 500_000

_NO_REMINDER = uuid.UUID(int=0)

#: The maximum length of a line in a header (RFC 5322, 2.1.1). Longer headers are folded.
_MAX_HEADER_LINE = 78


class _HeaderPolicy(Compat32):
    """Python's default policy for writing headers, with a shortcut for headers that fit on one line.

    The default policy runs a slow folding algorithm even for headers that need no folding.
    """

    def fold_binary(self, name: str, value: Any) -> bytes:
        if isinstance(value, str) and value.isascii() and value.isprintable():
            line = f"{name}: {value}"
            if len(line) <= _MAX_HEADER_LINE:
                return f"{line}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


class ReminderMessage(EmailMultiAlternatives):
    """An e-mail message with the same content as Django's message, but converted to bytes faster.

    To choose a MIME boundary, Python searches all parts of the message. This class uses random boundaries instead.
    """

    def message(self) -> Any:  # type: ignore[override]  # The stubs declare a parameter that Django 5 lacks.
        message: Any = super().message()
        token = secrets.token_hex(16)
        for number, part in enumerate(message.walk()):
            if part.is_multipart():
                part.set_boundary(f"{token}-{number}")
        message.policy = _HeaderPolicy()
        return message


def message_id(reminder: Reminder, *, hotel: Tenant) -> str:
    """Return the Message-ID of the reminder. All attempts have the same Message-ID, so duplicates can be recognized."""
    return f"<{reminder.id.hex}.{hotel_key(hotel)}@{settings.PLATFORM_HOST}>"


def build_message(
    reminder: Reminder, *, template: Template, recipient: str, branding: BrandingContext
) -> ReminderMessage:
    """Return the e-mail message of the reminder, addressed to `recipient`.

    Raises InvalidTemplate, or MailRejected if the address is not valid or the message is too large.
    """
    try:
        validate_email(recipient)
        recipient = ascii_address(recipient)
    except (ValidationError, UnicodeError) as error:
        raise MailRejected(
            TranslatableMessage(
                _(
                    "The e-mail address of the reservation is not valid. Correct it, then send the reminder again."
                )
            )
        ) from error
    hotel = branding.hotel
    unsubscribe_url = unsubscribe_links.url(reminder.id, hotel=hotel, base_url=branding.base_url)
    rendered = render(
        template, reservation=reminder.reservation, branding=branding, unsubscribe_url=unsubscribe_url
    )
    message = _message(
        rendered,
        recipient=recipient,
        hotel=hotel,
        headers={
            "Message-ID": message_id(reminder, hotel=hotel),
            "Content-Language": rendered.language,
            **AUTOMATIC_MAIL_HEADERS,
            **unsubscribe_links.headers(unsubscribe_url),
        },
    )
    # Mail providers return this metadata in their events, which `reminders.api.provider_webhooks` processes.
    vars(message)["metadata"] = {"hotel": hotel_key(hotel), "reminder": reminder.id.hex}
    calendar = stay_calendar(
        reminder.reservation, hotel_name=hotel.name, uid=stay_uid(reminder.reservation_id, hotel=hotel)
    )
    message.attach("stay.ics", calendar, "text/calendar")
    size = sum(len(part.encode()) for part in (rendered.text, rendered.html, calendar))
    if size > MAX_SIZE:
        raise MailRejected(
            TranslatableMessage(
                _(
                    "The message is too large: {size} kB with its attachment (limit: {limit} kB). "
                    "Shorten the template of the rule."
                ),
                size=size // 1000,
                limit=MAX_SIZE // 1000,
            )
        )
    return message


def build_test_message(template: Template, *, recipient: str, branding: BrandingContext) -> ReminderMessage:
    """Return a test message that staff send to themselves, with the data of the newest reservation.

    The unsubscribe link of the test message is not valid. Raises InvalidTemplate.
    """
    unsubscribe_url = unsubscribe_links.url(_NO_REMINDER, hotel=branding.hotel, base_url=branding.base_url)
    rendered = render_preview(template, branding=branding, unsubscribe_url=unsubscribe_url)
    return _message(rendered, recipient=encode_address(recipient), hotel=branding.hotel, headers={})


def _message(
    rendered: RenderedMessage, *, recipient: str, hotel: Tenant, headers: dict[str, str]
) -> ReminderMessage:
    message = ReminderMessage(
        subject=rendered.subject,
        body=rendered.text,
        from_email=sender(hotel.name),
        to=[recipient],
        reply_to=[encode_address(hotel.email)] if hotel.email else None,
        headers=headers,
    )
    message.attach_alternative(rendered.html, "text/html")
    return message
