"""Validation of logos by their content, because the file name and type that a browser sends are not reliable."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BytesIO

from django.utils.translation import gettext as _

from reminders.errors import InvalidLogo

MAX_BYTES = 200_000
#: The maximum width and the maximum height of a logo in pixels.
MAX_PIXELS = 2_000
#: The maximum number of scans of a progressive JPEG image. A small file can have many scans of all its pixels.
MAX_SCANS = 100

_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND\xaeB`\x82"
_JPEG_START = b"\xff\xd8\xff"
_JPEG_SCAN = b"\xff\xda"


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
    if content.startswith(_PNG_START):
        if _PNG_END not in content:
            raise _damaged()
        return _decode(content, content_type="image/png")
    if content.startswith(_JPEG_START) and content.count(_JPEG_SCAN) <= MAX_SCANS:
        return _decode(content, content_type="image/jpeg")
    raise InvalidLogo(
        _("The file is not a PNG or JPEG image. Many e-mail clients can't display other formats.")
    )


def _decode(content: bytes, *, content_type: str) -> Logo:
    """Return the logo after decoding all its pixels. Raises InvalidLogo if the image is damaged or too large."""
    # Import Pillow here, because only the few requests that upload a logo need it.
    from PIL.JpegImagePlugin import JpegImageFile  # noqa: PLC0415
    from PIL.PngImagePlugin import PngImageFile  # noqa: PLC0415

    image_class = PngImageFile if content_type == "image/png" else JpegImageFile
    try:
        with image_class(BytesIO(content)) as image:
            width, height = image.size
            image.verify()  # compares the checksums of a PNG image
        is_small_enough = 0 < width <= MAX_PIXELS and 0 < height <= MAX_PIXELS
        if is_small_enough:
            with image_class(BytesIO(content)) as image:
                image.load()
    except Exception as error:  # Pillow raises many kinds of errors for damaged files.
        raise _damaged() from error
    if not is_small_enough:
        raise InvalidLogo(
            _(
                "The image has %(width)d x %(height)d pixels (limit: %(limit)d x %(limit)d). Upload a smaller image."
            )
            % {"width": width, "height": height, "limit": MAX_PIXELS}
        )
    return Logo(content=content, type=content_type, width=width, height=height)


def _damaged() -> InvalidLogo:
    return InvalidLogo(_("The image file is damaged or incomplete. Save it again and upload it."))
