"""Makes the mail: headers that name the hotel, text and HTML, the stay for the guest's calendar."""

from __future__ import annotations

from email.utils import formataddr, parseaddr

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email

from reminders.calendar import stay_ics
from reminders.errors import RefusedForGood
from reminders.models import Reminder, Template
from reminders.rendering import one_line, preview, render
from reminders.transport import Transport
from tenants.context import Scope


def message_id(reminder: Reminder, *, hotel: Scope) -> str:
    """The same for each attempt at this reminder, and no other's:

    a mail that went twice can be recognised.
    """
    return f"<{reminder.id.hex}.{_key(hotel)}@{settings.PLATFORM_HOST}>"


def compose(
    reminder: Reminder, *, template: Template, recipient: str, hotel: Scope
) -> EmailMultiAlternatives:
    """Raises InvalidTemplate, or RefusedForGood for an address that no server could take."""
    try:
        validate_email(recipient)
    except ValidationError as error:
        raise RefusedForGood(
            f"The reservation's e-mail address can't be used: {error.messages[0]}"
        ) from error
    rendered = render(template, reservation=reminder.reservation, hotel_name=hotel.name)
    message = EmailMultiAlternatives(
        subject=rendered.subject,
        body=rendered.text,
        from_email=sender(hotel),
        to=[recipient],
        reply_to=[hotel.email] if hotel.email else None,
        headers={
            "Message-ID": message_id(reminder, hotel=hotel),
            "Content-Language": rendered.language,
            "Auto-Submitted": "auto-generated",  # RFC 3834: no absence notes in reply
            "X-Auto-Response-Suppress": "All",  # the same, for Exchange
        },
    )
    message.attach_alternative(rendered.html, "text/html")
    uid = f"{reminder.reservation_id.hex}.{_key(hotel)}@{settings.PLATFORM_HOST}"
    message.attach(
        "stay.ics", stay_ics(reminder.reservation, hotel_name=hotel.name, uid=uid), "text/calendar"
    )
    return message


def send_test(template: Template, *, recipient: str, hotel: Scope) -> None:
    """Send a template to a member of staff, as the guest of the newest reservation would get it.

    Raises InvalidTemplate, RefusedForGood, RefusedForNow or OutcomeUnknown.
    """
    rendered = preview(template, hotel=hotel)
    message = EmailMultiAlternatives(
        subject=rendered.subject,
        body=rendered.text,
        from_email=sender(hotel),
        to=[recipient],
        reply_to=[hotel.email] if hotel.email else None,
    )
    message.attach_alternative(rendered.html, "text/html")
    with Transport() as transport:
        transport.send(message, before_data=lambda: None)


def sender(hotel: Scope) -> str:
    """The hotel's name before the deployment's address: only that may send through the mail server."""
    _name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    return formataddr((one_line(hotel.name), address))


def _key(hotel: Scope) -> str:
    """What tells hotels apart: their slugs may be used again once one is erased."""
    return hotel.id.hex if hotel.id else hotel.schema
