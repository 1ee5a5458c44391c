"""Which hotel a guest's phone or e-mail belongs to. Strict: unknown is unknown, there is no default hotel.

Trail, logs and errors speak of a contact by its id: what it is stands in its row alone, and goes with it.
"""

from uuid import UUID

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hotelagent.core.ids import uuid7
from tenants.context import platform_context
from tenants.errors import DomainError
from tenants.models import ContactIdentifier, ContactKind, Hotel, HotelStatus
from tenants.services.hotels import locked_hotel
from tenants.signals import contact_added, contact_removed

#: Of the longest e-mail. https://www.rfc-editor.org/errata/eid1690
LENGTH = 254

# Not DO NOTHING: what was there first then comes back from this very statement, locked, and nobody can have removed
# it before it is looked at. It is written as it was.
_ADD = """
INSERT INTO tenants_contactidentifier (id, hotel_id, kind, value) VALUES (%s, %s, %s, %s)
ON CONFLICT (kind, value) DO UPDATE SET value = excluded.value
RETURNING id, hotel_id, kind, value, created_at
"""


class InvalidContact(DomainError):
    """The phone is no number with its country code (`+34 600 123 456`), or the e-mail is none."""

    code = "invalid-contact"
    status = 422
    title = gettext_lazy("This is no phone or e-mail")


class ContactNotFound(DomainError):
    """No active hotel knows this phone or e-mail; or the hotel that it was asked of has none with this id."""

    code = "contact-not-found"
    status = 404
    title = gettext_lazy("No hotel knows this contact")


class ContactConflict(DomainError):
    """A phone or an e-mail leads to one hotel, and it leads to another one already. Which one is not told here."""

    code = "contact-conflict"
    title = gettext_lazy("Another hotel has this contact")


def normalise(*, kind: ContactKind, value: str) -> str:
    """The form in which they are stored. Raises InvalidContact.

    A phone as E.164; an e-mail in lower case, its domain as it stands in the DNS (`xn--`).
    """
    return _phone(value) if kind == ContactKind.PHONE else _email(value)


def add_contact(*, hotel_id: UUID, kind: ContactKind, value: str) -> tuple[ContactIdentifier, bool]:
    """The hotel's contact, and whether it is new. Where the hotel has it already, nothing changes.

    One transaction, in the platform's context. Raises InvalidContact, HotelNotFound and ContactConflict.
    """
    new, wanted = uuid7(), normalise(kind=kind, value=value)
    with platform_context(), transaction.atomic():
        hotel = locked_hotel(hotel_id)
        [contact] = ContactIdentifier.objects.raw(_ADD, [new, hotel.id, kind, wanted])
        if contact.hotel_id != hotel.id:
            raise ContactConflict(
                _("Another hotel has this contact: it can be added once it is removed there.")
            )
        is_new = contact.id == new
        if is_new:
            contact_added.send(Hotel, hotel=hotel, contact=contact)
        return contact, is_new


def remove_contact(*, hotel_id: UUID, contact_id: UUID) -> None:
    """From then on the contact leads nowhere. One transaction. Raises HotelNotFound and ContactNotFound."""
    with platform_context(), transaction.atomic():
        hotel = locked_hotel(hotel_id)
        contact = ContactIdentifier.objects.filter(hotel=hotel, id=contact_id).first()
        if contact is None:
            raise ContactNotFound(_("The hotel has no such contact."))
        contact_removed.send(Hotel, hotel=hotel, contact=contact)
        contact.delete()


def resolve(*, kind: ContactKind, value: str) -> Hotel:
    """The active hotel that knows the contact. Needs the platform's context. Raises as named above."""
    found = (
        ContactIdentifier.objects.select_related("hotel")
        .filter(kind=kind, value=normalise(kind=kind, value=value), hotel__status=HotelStatus.ACTIVE)
        .first()
    )
    if found is None:
        raise ContactNotFound
    return found.hotel


def _phone(value: str) -> str:
    try:
        number = phonenumbers.parse(value, None)
    except phonenumbers.NumberParseException:
        raise InvalidContact(_("Write the phone with its country code, such as +34 600 123 456.")) from None
    if not phonenumbers.is_possible_number(number):
        raise InvalidContact(_("No phone has this number."))
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _email(value: str) -> str:
    name, _at, domain = value.strip().rpartition("@")
    try:
        # ASCII first: the lower case of a Kelvin sign is the letter k, and another person's address.
        address = f"{name.encode('ascii').decode().lower()}@{domain.lower().encode('idna').decode()}"
        validate_email(address)
    except (UnicodeError, ValidationError):
        raise InvalidContact(_("This is no e-mail address.")) from None
    if len(address) > LENGTH:
        raise InvalidContact(_("This is no e-mail address."))
    return address
