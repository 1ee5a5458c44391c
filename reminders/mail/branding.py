"""What all mails of a hotel share: its name, colour and logo, and the host that their links lead to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape

from reminders.models import Brand
from tenants.context import Tenant
from tenants.host_routing import public_url

LOGO_HEIGHT = 48  # pixels on the page, at most; the picture may have more for sharp screens
LOGO_WIDTH = 240
_EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg"}


@dataclass(frozen=True)
class Letterhead:
    """Made once for a batch. `address` is where guests reach the hotel, without a slash at the end."""

    hotel: Tenant
    address: str
    colour: str
    logo_url: str  # empty where there is no logo
    logo_size: tuple[int, int]  # width and height to show it at: some mail programs know these and no style

    @property
    def ink(self) -> str:
        """Black or white: whichever reads better on the colour."""
        return ink_on(self.colour)

    @cached_property
    def written(self) -> dict[str, str]:
        """As HTML, by the names of the places that a mail's page has for them."""
        width, height = self.logo_size
        return {
            "hotel": escape(self.hotel.name),
            "colour": escape(self.colour),
            "ink": self.ink,
            "logo_url": escape(self.logo_url),
            "width": str(width),
            "height": str(height),
        }


def letterhead(hotel: Tenant, *, brand: Brand | None = None, address: str | None = None) -> Letterhead:
    """`brand`: where it is read already; else in the hotel's context. `address=""`: for a page on the hotel's own
    host, which may load nothing else."""
    brand = brand or Brand.objects.defer("logo").get()
    address = public_url(hotel) if address is None else address
    logo = f"/brand/{brand.logo_digest}.{_EXTENSIONS[brand.logo_type]}" if brand.logo_digest else ""
    return Letterhead(
        hotel=hotel,
        address=address,
        colour=brand.colour,
        logo_url=f"{address}{logo}" if logo else "",
        logo_size=_shown_size(brand.logo_width, brand.logo_height),
    )


def _shown_size(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, LOGO_HEIGHT / max(1, height), LOGO_WIDTH / max(1, width))
    return max(1, round(width * scale)), max(1, round(height * scale))


def ink_on(colour: str) -> str:
    """`#rrggbb` -> `#ffffff` or `#111827`, by the contrast ratio of WCAG 2.2 (1.4.3)."""
    light = _luminance(colour)
    dark_ink = "#111827"
    on_white, on_dark = 1.05 / (light + 0.05), (light + 0.05) / (_luminance(dark_ink) + 0.05)
    return "#ffffff" if on_white >= on_dark else dark_ink


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
