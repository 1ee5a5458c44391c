"""Which hotel a guest's phone or e-mail belongs to. Strict: unknown is unknown, there is no default hotel."""

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from tenants.errors import DomainError
from tenants.models import ContactIdentifier, ContactKind, Hotel, HotelStatus


class InvalidContact(DomainError):
    """The phone is no number with its country code (`+34 600 123 456`), or the e-mail is none."""

    code = "invalid-contact"
    status = 422
    title = "This is no phone or e-mail"


class UnknownContact(DomainError):
    """No active hotel knows this phone or e-mail."""

    code = "unknown-contact"
    status = 404
    title = "No hotel knows this contact"


def normalise(*, kind: ContactKind, value: str) -> str:
    """A phone as E.164, an e-mail in lower case: the form in which they are stored. Raises InvalidContact."""
    if kind == ContactKind.PHONE:
        try:
            number = phonenumbers.parse(value, None)
        except phonenumbers.NumberParseException:
            raise InvalidContact("Write the phone with its country code, such as +34 600 123 456.") from None
        if not phonenumbers.is_possible_number(number):
            raise InvalidContact("No phone has this number.")
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    address = value.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        raise InvalidContact("This is no e-mail address.") from None
    return address


def resolve(*, kind: ContactKind, value: str) -> Hotel:
    """The active hotel that knows the contact. Needs the platform's context. Raises as named above."""
    found = (
        ContactIdentifier.objects.select_related("hotel")
        .filter(kind=kind, value=normalise(kind=kind, value=value), hotel__status=HotelStatus.ACTIVE)
        .first()
    )
    if found is None:
        raise UnknownContact
    return found.hotel
