"""What a logo is, told from its first bytes: the name and the type that a browser sends prove nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from django.utils.translation import gettext as _

from reminders.errors import InvalidLogo

MOST_BYTES = 200_000
MOST_PIXELS = 2_000  # each way

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND\xaeB`\x82"
_JPEG = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
#: Frames of a JPEG that say its size: SOF0 to SOF15, without the tables (DHT, JPG, DAC) among them.
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True, slots=True)
class Logo:
    content: bytes
    type: str
    width: int
    height: int

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()[:16]


def read_logo(content: bytes) -> Logo:
    """A PNG or JPEG, which every mail program shows. Raises InvalidLogo."""
    if len(content) > MOST_BYTES:
        raise InvalidLogo(
            _("The file is too large: %(most)d kB are the most.") % {"most": MOST_BYTES // 1000}
        )
    if content.startswith(_PNG) and content[12:16] == b"IHDR":
        kind, (width, height) = "image/png", (_number(content[16:20]), _number(content[20:24]))
        is_whole = _PNG_END in content
    elif content.startswith(_JPEG):
        kind, (width, height) = "image/jpeg", _size_of_jpeg(content)
        is_whole = _JPEG_END in content[-1024:]
    else:
        raise InvalidLogo(_("Neither a PNG nor a JPEG: mail programs show no other picture everywhere."))
    if not (0 < width <= MOST_PIXELS and 0 < height <= MOST_PIXELS):
        size = {"width": width, "height": height, "most": MOST_PIXELS}
        raise InvalidLogo(_("%(width)d x %(height)d pixels; %(most)d each way are the most.") % size)
    if not is_whole:
        raise InvalidLogo(_("The end of the picture is missing: save it anew and choose it again."))
    return Logo(content=content, type=kind, width=width, height=height)


def _number(two_or_four_bytes: bytes) -> int:
    return int.from_bytes(two_or_four_bytes, "big")


def _size_of_jpeg(content: bytes) -> tuple[int, int]:
    """From segment to segment (ITU T.81, B.1.1) up to the one that has the size; (0, 0) where none has."""
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker in _SIZES:
            return _number(content[at + 7 : at + 9]), _number(content[at + 5 : at + 7])
        at += 1 if marker == 0xFF else 2 + _number(content[at + 2 : at + 4])
    return 0, 0
