"""Guests for bookings that hold none: names plausible for the country, addresses that lead nowhere.

All is a function of the booking's number, so that an import made again invents the same people. Addresses are
under example.com, which nobody can own (RFC 2606).
"""

from __future__ import annotations

import functools
import unicodedata
import zlib
from pathlib import Path

DOMAIN = "example.com"
#: The development mail catcher refuses these for good, so that there is a failure to look at.
REFUSED_DOMAIN = "refused.example.com"

_PORTUGUESE = frozenset({"PRT", "BRA", "AGO", "MOZ", "CPV", "STP", "GNB", "TMP"})
_SPANISH = frozenset(
    {"ESP", "ARG", "MEX", "COL", "CHL", "PER", "VEN", "ECU", "URY", "CUB", "CRI", "DOM", "GTM", "BOL",
     "PRY", "SLV", "HND", "NIC", "PAN", "PRI"}
)  # fmt: skip
_LIKE = {
    **dict.fromkeys(_PORTUGUESE, "PRT"),
    **dict.fromkeys(_SPANISH, "ESP"),
    **dict.fromkeys(("FRA", "BEL", "LUX", "MAR", "DZA", "TUN", "SEN", "CIV"), "FRA"),
    **dict.fromkeys(("DEU", "AUT", "CHE", "LIE"), "DEU"),
    **dict.fromkeys(("CHN", "CN", "TWN", "HKG", "MAC", "SGP"), "CHN"),
    **dict.fromkeys(("SWE", "NOR", "DNK", "FIN", "ISL", "EST"), "SWE"),
    **dict.fromkeys(
        ("POL", "CZE", "SVK", "HUN", "ROU", "BGR", "SRB", "HRV", "SVN", "UKR", "RUS", "BLR", "LTU", "LVA"),
        "POL",
    ),
    "ITA": "ITA",
    "NLD": "NLD",
}  # everybody else has a name from the British list


def _names() -> dict[str, tuple[list[str], list[str]]]:
    lines = Path(__file__).with_name("names.txt").read_text(encoding="utf-8").splitlines()[1:]
    parts = (line.split("|") for line in lines)
    return {country: (given.split(), family.split()) for country, given, family in parts}


_NAMES = _names()


def language_of(country: str) -> str:
    """The language in which a guest from there is written to; empty where the country is unknown."""
    if not country:
        return ""
    if country in _PORTUGUESE:
        return "pt"
    return "es" if country in _SPANISH else "en"


def name_of(number: str, country: str) -> str:
    given, family = _NAMES[_LIKE.get(country, "GBR")]
    seed = zlib.crc32(number.encode())
    return f"{given[seed % len(given)]} {family[seed // 1009 % len(family)]}".replace("_", " ")


def email_of(number: str, name: str, *, is_refused: bool = False) -> str:
    """An address that no other booking has."""
    return f"{_local_part(name)}.{_plain(number)}@{REFUSED_DOMAIN if is_refused else DOMAIN}"


@functools.lru_cache(maxsize=8192)
def _local_part(name: str) -> str:
    return ".".join(filter(None, (_plain(part) for part in name.split())))


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.lower())
    return "".join(c for c in letters if c.isascii() and c.isalnum())
