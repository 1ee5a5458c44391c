"""The branding that all e-mails of a hotel share: name, colour, logo, and the base URL for links."""

from __future__ import annotations

from dataclasses import dataclass

from reminders.models import EmailBranding
from tenants.context import Tenant
from tenants.host_routing import public_url

#: The largest size in pixels at which a logo is displayed. The image may have more pixels for sharp screens.
LOGO_HEIGHT = 48
LOGO_WIDTH = 240

_FILE_EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg"}
_DARK = "#111827"
_WHITE = "#ffffff"


@dataclass(frozen=True)
class BrandingContext:
    """The branding values that the e-mail templates of one hotel use.

    `base_url` is the public URL of the hotel, without a trailing slash. `logo_url` is empty if there is no logo.
    `logo_size` is the displayed width and height of the logo in pixels.
    """

    hotel: Tenant
    base_url: str
    colour: str
    logo_url: str
    logo_size: tuple[int, int]

    @property
    def text_colour(self) -> str:
        return text_colour_on(self.colour)


def branding_context(
    hotel: Tenant, *, branding: EmailBranding | None = None, base_url: str | None = None
) -> BrandingContext:
    """Return the branding of the hotel.

    If `branding` is None, the branding of the current hotel is read from the database. If `base_url` is None, URLs
    begin with the hotel's public URL. With `base_url=""`, URLs are relative. Pages use relative URLs if their content
    security policy allows only images from the same host.
    """
    branding = branding or EmailBranding.of_current_hotel()
    base_url = public_url(hotel) if base_url is None else base_url
    logo_url = ""
    if branding.logo_digest:
        extension = _FILE_EXTENSIONS[branding.logo_type]
        logo_url = f"{base_url}/brand/{branding.logo_digest}.{extension}"
    return BrandingContext(
        hotel=hotel,
        base_url=base_url,
        colour=branding.colour,
        logo_url=logo_url,
        logo_size=_display_size(branding.logo_width, branding.logo_height),
    )


def _display_size(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, LOGO_HEIGHT / max(1, height), LOGO_WIDTH / max(1, width))
    return max(1, round(width * scale)), max(1, round(height * scale))


def text_colour_on(background: str) -> str:
    """Return white or dark grey, whichever has the higher contrast ratio on `background` (WCAG 2.2, 1.4.3).

    Colours have the format `#rrggbb`.
    """
    luminance = _relative_luminance(background)
    contrast_of_white = 1.05 / (luminance + 0.05)
    contrast_of_dark = (luminance + 0.05) / (_relative_luminance(_DARK) + 0.05)
    return _WHITE if contrast_of_white >= contrast_of_dark else _DARK


def _relative_luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = [
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in channels
    ]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
