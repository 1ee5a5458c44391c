"""Operations on guest contacts. A contact is a phone number or e-mail address of a guest, and belongs to one hotel.

The audit trail, logs and errors contain only the id of a contact.
"""

from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.translation import gettext as _

from hotelagent.core.domains import ascii_domain
from hotelagent.core.ids import uuid7
from tenants.context import platform_context
from tenants.errors import ContactConflict, ContactNotFound, InvalidContact
from tenants.models import ContactIdentifier, ContactKind, Hotel, HotelStatus
from tenants.services.hotels import get_locked_hotel
from tenants.services.phone_numbers import InvalidPhoneNumber, normalize_phone_number
from tenants.signals import contact_added, contact_removed

#: Maximum length of an e-mail address, according to https://www.rfc-editor.org/errata/eid1690.
EMAIL_LENGTH = 254

# If the contact exists, ON CONFLICT DO UPDATE returns the existing row. DO NOTHING would return no row.
# DO UPDATE also locks the row, so no other transaction can delete the contact while the caller reads its hotel.
_INSERT = """
INSERT INTO tenants_contactidentifier (id, hotel_id, kind, value) VALUES (%s, %s, %s, %s)
ON CONFLICT (kind, value) DO UPDATE SET value = excluded.value
RETURNING id, hotel_id, kind, value, created_at
"""


def normalize_contact(*, kind: ContactKind, value: str) -> str:
    """Return a phone number in E.164 format, or an e-mail address in lowercase with its domain in ASCII (`xn--`).

    Each phone line has one form, even in countries where a number can be written in several ways
    (`normalize_phone_number`). Raises InvalidContact.
    """
    return _normalize_phone(value) if kind == ContactKind.PHONE else _normalize_email(value)


def add_contact(*, hotel_id: UUID, kind: ContactKind, value: str) -> tuple[ContactIdentifier, bool]:
    """Add a contact to a hotel. Return the contact, and whether it is new.

    If the hotel already has this contact, the existing contact is returned. Runs in one transaction.
    Raises InvalidContact, HotelNotFound, ContactConflict.
    """
    new_id, normalized = uuid7(), normalize_contact(kind=kind, value=value)
    with platform_context(), transaction.atomic():
        hotel = get_locked_hotel(hotel_id)
        [contact] = ContactIdentifier.objects.raw(_INSERT, [new_id, hotel.id, kind, normalized])
        if contact.hotel_id != hotel.id:
            raise ContactConflict(
                _("The contact belongs to another hotel. Remove the contact from that hotel first.")
            )
        is_new = contact.id == new_id
        if is_new:
            contact_added.send(Hotel, hotel=hotel, contact=contact)
        return contact, is_new


def remove_contact(*, hotel_id: UUID, contact_id: UUID) -> None:
    """Remove a contact from a hotel in one transaction. Raises HotelNotFound, ContactNotFound."""
    with platform_context(), transaction.atomic():
        hotel = get_locked_hotel(hotel_id)
        contact = ContactIdentifier.objects.filter(hotel=hotel, id=contact_id).first()
        if contact is None:
            raise ContactNotFound(_("The hotel does not have this contact."))
        contact_removed.send(Hotel, hotel=hotel, contact=contact)
        contact.delete()


def resolve_contact(*, kind: ContactKind, value: str) -> Hotel:
    """Return the active hotel that a contact belongs to. Needs the platform's context.

    Raises InvalidContact, ContactNotFound.
    """
    contact = (
        ContactIdentifier.objects.select_related("hotel")
        .filter(kind=kind, value=normalize_contact(kind=kind, value=value), hotel__status=HotelStatus.ACTIVE)
        .first()
    )
    if contact is None:
        raise ContactNotFound(_("No active hotel has this contact."))
    return contact.hotel


def _normalize_phone(value: str) -> str:
    try:
        return normalize_phone_number(value)
    except InvalidPhoneNumber as error:
        raise InvalidContact(
            _("This phone number is not valid. Check the country code and the number of digits.")
            if error.has_country_code
            else _("Enter a phone number with its country code, such as +34 600 123 456.")
        ) from None


def _normalize_email(value: str) -> str:
    local_part, _at, domain = value.strip().rpartition("@")
    try:
        # Call encode() before lower(), because lower() would turn the Kelvin sign (U+212A) into the letter k.
        address = f"{local_part.encode('ascii').decode().lower()}@{ascii_domain(domain)}"
        validate_email(address)
    except (UnicodeError, ValidationError):
        raise InvalidContact(_("Enter a valid e-mail address.")) from None
    if len(address) > EMAIL_LENGTH:
        raise InvalidContact(_("Enter a valid e-mail address."))
    return address
