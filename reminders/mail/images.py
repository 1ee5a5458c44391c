"""Validation of logos by their content, because the file name and type that a browser sends are not reliable."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from django.utils.translation import gettext as _

from reminders.errors import InvalidLogo

MAX_BYTES = 200_000
MAX_PIXELS = 2_000  # of the width and of the height

_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND\xaeB`\x82"
_JPEG_START = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
#: The markers of the JPEG segments that contain the size: SOF0 to SOF15.
#: The range from C0 to CF also contains C4, C8 and CC, the markers of segments without the size of the image.
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True, slots=True)
class Logo:
    """A validated logo: the content of the image file, its type and its size in pixels."""

    content: bytes
    type: str
    width: int
    height: int

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()[:16]


def read_logo(content: bytes) -> Logo:
    """Return the logo if it is a PNG or JPEG image, which all e-mail clients display. Raises InvalidLogo."""
    if len(content) > MAX_BYTES:
        raise InvalidLogo(
            _("The file is too large (limit: %(limit)d kB). Upload a smaller file.")
            % {"limit": MAX_BYTES // 1000}
        )
    if content.startswith(_PNG_START) and content[12:16] == b"IHDR":
        content_type, size = "image/png", (_integer(content[16:20]), _integer(content[20:24]))
        is_complete = _PNG_END in content
    elif content.startswith(_JPEG_START):
        content_type, size = "image/jpeg", _jpeg_size(content)
        is_complete = _JPEG_END in content[-1024:]
    else:
        raise InvalidLogo(
            _("The file is not a PNG or JPEG image. Many e-mail clients can't display other formats.")
        )
    width, height = size
    if not (0 < width <= MAX_PIXELS and 0 < height <= MAX_PIXELS):
        raise InvalidLogo(
            _(
                "The image has %(width)d x %(height)d pixels (limit: %(limit)d x %(limit)d). Upload a smaller image."
            )
            % {"width": width, "height": height, "limit": MAX_PIXELS}
        )
    if not is_complete:
        raise InvalidLogo(_("The image file is incomplete. Save it again and upload it."))
    return Logo(content=content, type=content_type, width=width, height=height)


def _integer(content: bytes) -> int:
    return int.from_bytes(content, "big")


def _jpeg_size(content: bytes) -> tuple[int, int]:
    """Return the width and height in the frame header (ITU T.81, B.1.1), or (0, 0) if there is no frame header."""
    position = 2
    while position + 9 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker in _START_OF_FRAME:
            height = _integer(content[position + 5 : position + 7])
            return _integer(content[position + 7 : position + 9]), height
        is_fill_byte = marker == 0xFF
        position += 1 if is_fill_byte else 2 + _integer(content[position + 2 : position + 4])
    return 0, 0
