"""How the hotel's mails look, as its staff want it."""

from __future__ import annotations

import re
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from audit.services import record
from reminders import events
from reminders.errors import InvalidColour
from reminders.mail.images import Logo
from reminders.models import Brand

_COLOUR = re.compile(r"#[0-9a-f]{6}")
_NO_LOGO = {"logo": b"", "logo_type": "", "logo_width": 0, "logo_height": 0, "logo_digest": ""}


def valid_colour(written: str) -> str:
    """`#rrggbb`, in lower case. Raises InvalidColour."""
    colour = written.strip().lower()
    if not _COLOUR.fullmatch(colour):
        raise InvalidColour(_("“%(written)s” is no colour. Write it like #1f4e5f.") % {"written": written})
    return colour


def set_colour(*, colour: str) -> None:
    """Raises InvalidColour."""
    _store("colour", colour=valid_colour(colour))


def set_logo(*, logo: Logo | None) -> None:
    """None takes it away. Mails that were sent with the old one show its description from then on."""
    if logo is None:
        _store("logo", **_NO_LOGO)
        return
    _store(
        "logo",
        logo=logo.content,
        logo_type=logo.type,
        logo_width=logo.width,
        logo_height=logo.height,
        logo_digest=logo.digest,
    )


def _store(what: str, **values: Any) -> None:
    with transaction.atomic():
        Brand.objects.update(**values)
        record(events.BRAND_CHANGED, changed=what)
