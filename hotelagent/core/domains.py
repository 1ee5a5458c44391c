"""Conversion of internationalized domain names to ASCII, and of the e-mail addresses in headers."""

import contextlib
from email.utils import formataddr, parseaddr

import idna
from django.conf import settings

from hotelagent.core.text import single_line

#: Headers of automatic e-mails. They prevent replies such as out-of-office messages (RFC 3834 and Exchange).
AUTOMATIC_MAIL_HEADERS = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}


def ascii_domain(domain: str) -> str:
    """Return the domain in lower case, with the ASCII form (`xn--...`) of labels that have other characters.

    The conversion follows UTS 46 without transitional processing, as browsers do
    (https://www.unicode.org/reports/tr46/). Python's codec `idna` follows IDNA 2003. IDNA 2003 converts some domains to
    the domains of other people. A domain that is ASCII already is not validated. Raises UnicodeError.
    """
    if domain.isascii():
        return domain.lower()
    return idna.encode(domain, uts46=True, transitional=False).decode()


def ascii_address(address: str) -> str:
    """Return the e-mail address with the ASCII form of its domain. The part before @ is unchanged.

    Raises UnicodeError if the domain is not valid.
    """
    local_part, at, domain = address.rpartition("@")
    return f"{local_part}{at}{ascii_domain(domain)}"


def sender(name: str) -> str:
    """Return the platform's sender address with this display name, for the From header of an e-mail."""
    _name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    return formataddr((single_line(name), encode_address(address)))


def encode_address(address: str) -> str:
    """Return the address with the domain in ASCII form, or unchanged if the domain is not valid."""
    with contextlib.suppress(UnicodeError):
        return ascii_address(address)
    return address
