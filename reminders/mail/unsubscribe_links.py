"""The unsubscribe links of e-mails.

A link contains the id of the reminder and a signature, so the link contains no e-mail address, and nobody can forge a
link for another person's address.
"""

from __future__ import annotations

import uuid

from django.core.signing import BadSignature, Signer

from tenants.context import Tenant

PATH = "unsubscribe"


def url(reminder_id: uuid.UUID, *, hotel: Tenant, base_url: str) -> str:
    """Return the URL of the unsubscribe page. `base_url` is the public URL of the hotel, without a trailing slash."""
    return f"{base_url}/{PATH}/{_signer(hotel).sign(reminder_id.hex)}/"


def reminder_id_of(token: str, *, hotel: Tenant) -> uuid.UUID | None:
    """Return the id of the reminder whose message contains the link, or None if the link is not valid."""
    try:
        return uuid.UUID(hex=_signer(hotel).unsign(token))
    except (BadSignature, ValueError):
        return None


def headers(unsubscribe_url: str) -> dict[str, str]:
    """Return the headers that make e-mail clients show an unsubscribe button.

    The button sends a POST request (RFC 8058).
    """
    return {
        "List-Unsubscribe": f"<{unsubscribe_url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def _signer(hotel: Tenant) -> Signer:
    return Signer(sep=".", salt=f"reminders.unsubscribe.{hotel.id}")
