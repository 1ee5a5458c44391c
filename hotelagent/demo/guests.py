"""Invented guests: names that are plausible for a country, and e-mail addresses without a mailbox.

All addresses are at example.com, which is reserved for documentation (RFC 2606).
"""

from __future__ import annotations

import functools
import unicodedata
from pathlib import Path
from random import Random

DOMAIN = "example.com"
#: Guests with an address in this domain can't be reached. The mail server for development rejects the address.
REFUSED_DOMAIN = "refused.example.com"

_PORTUGUESE_SPEAKING = frozenset({"PRT", "BRA", "AGO", "MOZ", "CPV"})
_SPANISH_SPEAKING = frozenset({"ESP", "ARG", "MEX", "COL", "CHL", "PER", "URY"})
#: Maps a guest's country to the country whose list of names is used. Guests of other countries get British names.
_NAME_LISTS = {
    **dict.fromkeys(_PORTUGUESE_SPEAKING, "PRT"),
    **dict.fromkeys(_SPANISH_SPEAKING, "ESP"),
    **dict.fromkeys(("FRA", "BEL"), "FRA"),
    **{country: country for country in ("DEU", "ITA", "NLD", "CHN", "SWE", "POL")},
}


@functools.cache
def _names() -> dict[str, tuple[list[str], list[str]]]:
    """Return a dict that maps each country to its list of given names and its list of family names."""
    lines = Path(__file__).with_name("names.txt").read_text(encoding="utf-8").splitlines()[1:]
    columns = (line.split("|") for line in lines)
    return {country: (given.split(), family.split()) for country, given, family in columns}


def random_name(random: Random, *, country: str) -> str:
    """Return a random full name. The given name and the family name are common in the country."""
    given, family = _names()[_NAME_LISTS.get(country, "GBR")]
    return f"{random.choice(given)} {random.choice(family)}".replace("_", " ")


def email_address(name: str, *, booking_number: str, domain: str = DOMAIN) -> str:
    """Return an e-mail address for the guest. The address contains the booking number, so each booking has its own
    address.
    """
    return f"{_local_part(name)}.{_ascii(booking_number)}@{domain}"


def language_of(country: str) -> str:
    """Return the language in which the hotel writes to guests from this country (BCP 47)."""
    if country in _PORTUGUESE_SPEAKING:
        return "pt"
    return "es" if country in _SPANISH_SPEAKING else "en"


@functools.lru_cache(maxsize=8192)
def _local_part(name: str) -> str:
    return ".".join(filter(None, (_ascii(part) for part in name.split())))


def _ascii(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.lower())
    return "".join(character for character in letters if character.isascii() and character.isalnum())
