"""The ASCII form of internationalized domain names."""

import idna


def ascii_domain(domain: str) -> str:
    """Return the domain in lower case, with the ASCII form (`xn--...`) of labels that have other characters.

    The conversion follows UTS 46 without transitional processing, as browsers do (https://www.unicode.org/reports/tr46/).
    Python's codec `idna` and Django's `punycode()` follow IDNA 2003, which changes `faß.example` to `fass.example`, and
    that domain may belong to someone else. A domain that is ASCII already is not validated. Raises UnicodeError.
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
