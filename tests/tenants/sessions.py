"""Helpers for tests that store sessions and count them."""

import datetime

from tenants.access.sessions import session_id
from tenants.models import Session


def add_session(key: str, expires_at: datetime.datetime) -> None:
    """Store a session of the current tenant with the given session key and absolute timeout."""
    Session.objects.create(
        id=session_id(key), data="", created_at=expires_at, last_used_at=expires_at, expires_at=expires_at
    )


def stored_sessions(*keys: str) -> list[str]:
    """Return the given session keys for which the current tenant has a session."""
    return [key for key in keys if Session.objects.filter(id=session_id(key)).exists()]
