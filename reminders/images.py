"""What a logo is, told from its first bytes: the name and the type that a browser sends prove nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from reminders.errors import InvalidLogo

MOST_BYTES = 200_000
MOST_PIXELS = 2_000  # each way

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
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
        raise InvalidLogo(f"The file is too large: {MOST_BYTES // 1000} kB are the most.")
    if content.startswith(_PNG) and content[12:16] == b"IHDR":
        kind, (width, height) = "image/png", (_number(content[16:20]), _number(content[20:24]))
    elif content.startswith(_JPEG):
        kind, (width, height) = "image/jpeg", _size_of_jpeg(content)
    else:
        raise InvalidLogo("Neither a PNG nor a JPEG: mail programs show no other picture everywhere.")
    if not (0 < width <= MOST_PIXELS and 0 < height <= MOST_PIXELS):
        raise InvalidLogo(f"{width} x {height} pixels; {MOST_PIXELS} each way are the most.")
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
