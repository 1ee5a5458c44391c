"""API keys: made once, shown once, looked up by their public half and compared by the digest of their secret half.

A key reads `ha_<prefix>_<secret>`: `ha` so that scanners for leaked secrets can know it, the prefix to find it and
to name it in logs and lists, the secret 256 random bits. So much randomness needs no slow hash: SHA-256 is enough.
A key stands in its hotel's schema: at another hotel there is no such row, and so no such key.
"""

import datetime
import hashlib
import hmac
import secrets
from collections.abc import Iterable

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.dispatch import Signal
from django.utils import timezone

from tenants.access.scopes import HOTEL_SCOPES, PLATFORM_SCOPES
from tenants.context import current_tenant
from tenants.errors import DomainError
from tenants.models import ApiKey

MARK = "ha"
#: How exact "last used" is. One write a minute and key, however busy the client.
LAST_USED_EVERY = datetime.timedelta(minutes=1)

#: Sent with `key` in the transaction that makes or ends it: the audit trail listens.
api_key_made = Signal()
api_key_revoked = Signal()

_PREFIX_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # what is read out over a phone: no l, o, 0, 1
_PREFIX_LENGTH = 10


class InvalidScope(DomainError):
    """`scopes` names something that a key of this place can't be allowed; `known` lists what it can."""

    code = "invalid-scope"
    status = 422
    title = "There is no such scope"


class InvalidExpiry(DomainError):
    """A key's end must lie ahead."""

    code = "invalid-expiry"
    status = 422
    title = "A key can't expire in the past"


def known_scopes() -> dict[str, str]:
    """What a key of the hotel (or the platform) that is set can be allowed, and what it means."""
    scopes = PLATFORM_SCOPES if current_tenant().id is None else HOTEL_SCOPES
    return {scope: str(meaning) for scope, meaning in scopes.items()}


def make(
    *, name: str, scopes: Iterable[str], expires_at: datetime.datetime | None = None
) -> tuple[ApiKey, str]:
    """Store a key for the hotel that is set; returns it with its text, which nobody can get again.

    Raises InvalidScope and InvalidExpiry. `expires_at` is aware; None makes a key that lasts until it is revoked.
    """
    known = known_scopes()
    wanted = sorted(set(scopes))
    unknown = [scope for scope in wanted if scope not in known]
    if unknown or not wanted:
        raise InvalidScope(
            f"Not known here: {', '.join(unknown)}." if unknown else "A key needs at least one scope.",
            known=sorted(known),
        )
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidExpiry(f"{expires_at.isoformat()} is over.")
    prefix = "".join(secrets.choice(_PREFIX_ALPHABET) for _ in range(_PREFIX_LENGTH))
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        key = ApiKey.objects.create(
            name=name, prefix=prefix, digest=_digest(secret), scopes=wanted, expires_at=expires_at
        )
        key.refresh_from_db(fields=["created_at"])
        api_key_made.send(sender=ApiKey, key=key)
    return key, f"{MARK}_{prefix}_{secret}"


def verify(text: str) -> ApiKey | None:
    """The live key that `text` is, of the hotel that is set; None for whatever else. One query by an index."""
    mark, _first, rest = text.partition("_")
    prefix, _second, secret = rest.partition("_")
    if mark != MARK or not prefix or not secret or len(text) > 200 or not text.isascii() or "\0" in text:
        return None
    key = ApiKey.objects.filter(prefix=prefix).first()
    # Compared also where there is no such key: the time tells nothing about which prefixes exist.
    right = hmac.compare_digest(bytes(key.digest) if key else bytes(32), _digest(secret))
    if key is None or not right or not key.is_live(now=timezone.now()):
        return None
    return key


def touch(key: ApiKey) -> None:
    """Write down that the key was used, where that is not written down for this minute already."""
    if key.last_used_at is not None and timezone.now() - key.last_used_at < LAST_USED_EVERY:
        return
    # The condition is asked again by the database: of a burst's many requests one writes.
    ApiKey.objects.filter(
        Q(last_used_at=None) | Q(last_used_at__lt=Now() - LAST_USED_EVERY), pk=key.pk
    ).update(last_used_at=Now())


def revoke(key: ApiKey) -> bool:
    """End the key now; whether it was live until then. Felt by the next request."""
    with transaction.atomic():
        revoked = ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=Now()) == 1
        if revoked:
            key.refresh_from_db(fields=["revoked_at"])
            api_key_revoked.send(sender=ApiKey, key=key)
    return revoked


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
