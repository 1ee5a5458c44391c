"""The link in a mail by which its reader gets no more of them.

It carries the reminder's id and a signature with the hotel in it: no address stands in a link or in a server's
log, a link of one hotel means nothing at another, and nobody can make one for somebody else's address.
"""

from __future__ import annotations

import uuid

from django.core.signing import BadSignature, Signer

from tenants.context import Tenant

PATH = "unsubscribe"


def link(reminder_id: uuid.UUID, *, hotel: Tenant, base_url: str) -> str:
    """Return the URL of the unsubscribe page. `base_url` is the hotel's, without a trailing slash."""
    return f"{base_url}/{PATH}/{_signer(hotel).sign(reminder_id.hex)}/"


def reminder_behind(token: str, *, hotel: Tenant) -> uuid.UUID | None:
    """The reminder whose mail held this link; None where this hotel never sent such a one."""
    try:
        return uuid.UUID(hex=_signer(hotel).unsign(token))
    except (BadSignature, ValueError):
        return None


def headers(url: str) -> dict[str, str]:
    """What makes mail programs show a button of their own, which asks by POST (RFC 8058)."""
    return {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def _signer(hotel: Tenant) -> Signer:
    return Signer(sep=".", salt=f"reminders.unsubscribe.{hotel.id}")
