"""What all mails of a hotel share: its name, colour and logo, and the host that their links lead to."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.utils.functional import cached_property
from django.utils.html import conditional_escape

from reminders.models import Brand
from tenants.context import Scope
from tenants.routing import public_url

LOGO_HEIGHT = 48  # pixels on the page, at most; the picture may have more for sharp screens
LOGO_WIDTH = 240
_EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg"}


@dataclass(frozen=True, slots=True)
class Layout:
    """The page around a mail's body, rendered but for what differs from guest to guest.

    `pieces`: HTML, and in each second place the name of what stands there.
    """

    pieces: list[str]
    why: str
    stop: str

    def filled(self, **values: str) -> str:
        """Escaped as in a template: what is marked as safe is taken as it is."""
        return "".join(
            conditional_escape(values[piece]) if at % 2 else piece for at, piece in enumerate(self.pieces)
        )


@dataclass(frozen=True)
class Letterhead:
    """Read once for a batch. `address` is where guests reach the hotel, without a slash at the end.

    `layouts`: by language, as they are needed.
    """

    hotel: Scope
    brand: Brand
    address: str
    layouts: dict[str, Layout] = field(default_factory=dict, init=False, compare=False)

    @property
    def colour(self) -> str:
        return self.brand.colour

    @cached_property
    def ink(self) -> str:
        """Black or white: whichever reads better on the colour."""
        return ink_on(self.brand.colour)

    @property
    def logo_url(self) -> str:
        """Empty where there is no logo."""
        if not self.brand.logo_digest:
            return ""
        return f"{self.address}/brand/{self.brand.logo_digest}.{_EXTENSIONS[self.brand.logo_type]}"

    @property
    def logo_size(self) -> tuple[int, int]:
        """Width and height to show it at: some mail programs know these and no style."""
        width, height = self.brand.logo_width, self.brand.logo_height
        scale = min(1.0, LOGO_HEIGHT / height, LOGO_WIDTH / width)
        return max(1, round(width * scale)), max(1, round(height * scale))


def letterhead(hotel: Scope, *, address: str | None = None) -> Letterhead:
    """In the hotel's context. `address=""`: for a page on the hotel's own host, which may load nothing else."""
    brand = Brand.objects.defer("logo").first() or Brand()
    return Letterhead(hotel=hotel, brand=brand, address=public_url(hotel) if address is None else address)


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
