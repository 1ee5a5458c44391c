"""Normalization of phone numbers. Different ways to write the same number have the same normalized form."""

from __future__ import annotations

import re
from collections.abc import Iterator

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat

ARGENTINA, BRAZIL, ITALY, MEXICO = 54, 55, 39, 52


class InvalidPhoneNumber(ValueError):
    """The text is not a phone number with a country code, or the number of digits is impossible in its country.

    `has_country_code` is False in the first case and True in the second.
    """

    def __init__(self, *, has_country_code: bool) -> None:
        super().__init__("The phone number is not valid.")
        self.has_country_code = has_country_code


def normalize_phone_number(text: str) -> str:
    """Return the E.164 form of a phone number. Numbers with and without optional digits get the same form.

    - Mexico: no 1 after the country code.
    - Argentina: no 9 after the country code and no 15 after the area code.
    - Brazil: mobile numbers have the ninth digit, a 9 that was added until 2016.
    - Italy: only fixed lines have a leading zero.

    Raises InvalidPhoneNumber.
    """
    normalized = _normalize(text)
    # The library phonenumbers removes one prefix when it parses a number. An invalid number may have several prefixes.
    # Normalize the number until the result no longer changes, so that all prefixes are removed.
    while (again := _normalize(normalized)) != normalized:
        normalized = again
    return normalized


def _normalize(text: str) -> str:
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        raise InvalidPhoneNumber(has_country_code=False) from None
    number = _without_optional_digits(number)
    if not phonenumbers.is_possible_number(number):
        raise InvalidPhoneNumber(has_country_code=True)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _without_optional_digits(number: PhoneNumber) -> PhoneNumber:
    digits = phonenumbers.national_significant_number(number)
    if number.country_code == MEXICO:
        return _with_digits(number, re.sub(r"\A1(?=[1-9]\d{9}\Z)", "", digits))
    if number.country_code == ARGENTINA:
        return _argentinian(number, digits)
    if number.country_code == BRAZIL:
        # A Brazilian number with only eight digits after the area code, beginning with 6 to 9, lacks its ninth digit.
        return _with_digits(number, re.sub(r"\A([1-9]\d)([6-9]\d{7})\Z", r"\g<1>9\2", digits))
    if number.country_code == ITALY and not phonenumbers.is_valid_number(number):
        return next(filter(phonenumbers.is_valid_number, _with_other_zeros(number, digits)), number)
    return number


def _argentinian(number: PhoneNumber, digits: str) -> PhoneNumber:
    """Return the number without the mobile prefixes 9 and 15.

    The area code (two to four digits) and the local number together have ten digits.
    """
    digits = re.sub(r"\A9(?=[1-9]\d{9,}\Z)", "", digits)
    if len(digits) == 12:
        candidates = (
            _with_digits(number, digits[:n] + digits[n + 2 :]) for n in (2, 3, 4) if digits[n : n + 2] == "15"
        )
        return next(filter(phonenumbers.is_valid_number, candidates), number)
    return _with_digits(number, digits)


def _with_other_zeros(number: PhoneNumber, digits: str) -> Iterator[PhoneNumber]:
    yield _with_digits(number, "0" + digits.lstrip("0"))
    yield _with_digits(number, digits.lstrip("0"))


def _with_digits(number: PhoneNumber, digits: str) -> PhoneNumber:
    """Return a phone number that has the country code of `number` and the national number `digits`.

    Leading zeros of `digits` are kept.
    """
    if digits == phonenumbers.national_significant_number(number):
        return number
    zeros = len(digits) - len(digits.lstrip("0"))
    return PhoneNumber(
        country_code=number.country_code,
        national_number=int(digits or 0),
        italian_leading_zero=zeros > 0 or None,
        number_of_leading_zeros=zeros if zeros > 1 else None,
    )
