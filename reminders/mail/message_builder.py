"""Makes the mail: headers that name the hotel, text and HTML, the stay for the guest's calendar."""

from __future__ import annotations

import functools
import uuid
from email.utils import formataddr, parseaddr

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from hotelagent.core.text import single_line
from reminders.errors import MailRejected
from reminders.mail import unsubscribe_links
from reminders.mail.branding import BrandingContext
from reminders.mail.calendar_attachment import hotel_key, stay_ics, stay_uid
from reminders.mail.rendering import Rendered, render, render_preview
from reminders.models import Reminder, Template
from tenants.context import Tenant

#: Bytes of a whole mail. What is larger was no reminder, and many servers would refuse it.
MOST_BYTES = 500_000
_NO_REMINDER = uuid.UUID(int=0)


def message_id(reminder: Reminder, *, hotel: Tenant) -> str:
    """The same for each attempt at this reminder, and no other's:

    a mail that went twice can be recognised.
    """
    return f"<{reminder.id.hex}.{hotel_key(hotel)}@{settings.PLATFORM_HOST}>"


def build_message(
    reminder: Reminder, *, template: Template, recipient: str, branding: BrandingContext
) -> EmailMultiAlternatives:
    """Raises InvalidTemplate, or MailRejected for an address or a size that no server would take."""
    try:
        validate_email(recipient)
    except ValidationError as error:
        raise MailRejected(
            TranslatableMessage(
                _("The reservation's e-mail address is not valid: correct it, then send this again.")
            )
        ) from error
    hotel = branding.hotel
    unsubscribe = unsubscribe_links.link(reminder.id, hotel=hotel, base_url=branding.base_url)
    rendered = render(template, reservation=reminder.reservation, branding=branding, unsubscribe=unsubscribe)
    message = _message(
        rendered,
        recipient=recipient,
        hotel=hotel,
        headers={
            "Message-ID": message_id(reminder, hotel=hotel),
            "Content-Language": rendered.language,
            "Auto-Submitted": "auto-generated",  # RFC 3834: no absence notes in reply
            "X-Auto-Response-Suppress": "All",  # the same, for Exchange
            **unsubscribe_links.headers(unsubscribe),
        },
    )
    # A provider says these again when it tells what became of the mail: see reminders.providers.webhooks.
    vars(message)["metadata"] = {"hotel": hotel_key(hotel), "reminder": reminder.id.hex}
    uid = stay_uid(reminder.reservation_id, hotel=hotel)
    calendar = stay_ics(reminder.reservation, hotel_name=hotel.name, uid=uid)
    message.attach("stay.ics", calendar, "text/calendar")
    size = sum(len(part.encode()) for part in (rendered.text, rendered.html, calendar))
    if size > MOST_BYTES:
        raise MailRejected(
            TranslatableMessage(
                _("The mail has {size} kB with its attachment; {most} kB are the most."),
                size=size // 1000,
                most=MOST_BYTES // 1000,
            )
        )
    return message


def build_test_message(
    template: Template, *, recipient: str, branding: BrandingContext
) -> EmailMultiAlternatives:
    """Return the template as the guest of the newest reservation would receive it, for a member of staff.

    The unsubscribe link of the message is not valid. Raises InvalidTemplate.
    """
    unsubscribe = unsubscribe_links.link(_NO_REMINDER, hotel=branding.hotel, base_url=branding.base_url)
    rendered = render_preview(template, branding=branding, unsubscribe=unsubscribe)
    return _message(rendered, recipient=recipient, hotel=branding.hotel, headers={})


def _message(
    rendered: Rendered, *, recipient: str, hotel: Tenant, headers: dict[str, str]
) -> EmailMultiAlternatives:
    message = EmailMultiAlternatives(
        subject=rendered.subject,
        body=rendered.text,
        from_email=sender(hotel),
        to=[recipient],
        reply_to=[hotel.email] if hotel.email else None,
        headers=headers,
    )
    message.attach_alternative(rendered.html, "text/html")
    return message


def sender(hotel: Tenant) -> str:
    """The hotel's name before the deployment's address: only that may send through the mail server."""
    return _sender(hotel.name, settings.DEFAULT_FROM_EMAIL)


@functools.lru_cache(maxsize=4096)
def _sender(name: str, deployment: str) -> str:
    return formataddr((single_line(name), parseaddr(deployment)[1]))
