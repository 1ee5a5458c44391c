"""API keys: creation, verification and revocation.

A key has the form `ha_<prefix>_<secret>`. The prefix is not secret and identifies the key in the database, in logs and
in lists. The secret has 256 random bits, so a fast hash (SHA-256) is enough to store it.
"""

import datetime
import hmac
import secrets
from collections.abc import Iterable

from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from tenants.access.tokens import digest, new_token
from tenants.context import current_tenant
from tenants.database.availability import is_database_unavailable
from tenants.errors import InvalidExpiry, InvalidScope
from tenants.models import ApiKey
from tenants.scopes import HOTEL_SCOPES, PLATFORM_SCOPES
from tenants.signals import api_key_created, api_key_revoked
from tenants.unaudited import unaudited

KEY_TYPE = "ha"
#: `last_used_at` is updated at most once per minute for each key, to limit writes.
LAST_USED_RESOLUTION = datetime.timedelta(minutes=1)

#: The alphabet of key prefixes. It lacks l, o, 0 and 1, because people easily confuse these characters.
_PREFIX_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_PREFIX_LENGTH = 10
_MAX_LENGTH = 200


def available_scopes() -> dict[str, str]:
    """Return the scopes that a key of the current tenant can have, with their labels."""
    scopes = PLATFORM_SCOPES if current_tenant().is_platform else HOTEL_SCOPES
    return {scope: str(label) for scope, label in scopes.items()}


def create(
    *, name: str, scopes: Iterable[str], expires_at: datetime.datetime | None = None
) -> tuple[ApiKey, str]:
    """Create an API key for the current tenant. Return the key and its full text, which is not stored.

    `expires_at` is an aware datetime; None means that the key is valid until it is revoked.
    Raises InvalidScope and InvalidExpiry.
    """
    available = available_scopes()
    requested = sorted(set(scopes))
    unknown = [scope for scope in requested if scope not in available]
    if unknown:
        detail = _("These scopes are not available: {scopes}. Choose from: {known}.").format(
            scopes=", ".join(unknown), known=", ".join(sorted(available))
        )
        raise InvalidScope(detail, known=sorted(available))
    if not requested:
        raise InvalidScope(_("Select at least one scope."), known=sorted(available))
    if expires_at is not None and expires_at <= timezone.now():
        detail = _("The expiry {time} is in the past. Choose a time in the future.")
        raise InvalidExpiry(detail.format(time=expires_at.isoformat()))
    prefix = "".join(secrets.choice(_PREFIX_ALPHABET) for _character in range(_PREFIX_LENGTH))
    secret = new_token()
    with transaction.atomic():
        key = ApiKey.objects.create(
            name=name, prefix=prefix, digest=digest(secret), scopes=requested, expires_at=expires_at
        )
        key.refresh_from_db(fields=["created_at"])
        api_key_created.send(sender=ApiKey, key=key)
    return key, f"{KEY_TYPE}_{prefix}_{secret}"


def verify(text: str) -> ApiKey | None:
    """Return the current tenant's API key whose complete text is `text`, or None if there is no such active key."""
    key_type, _first, rest = text.partition("_")
    prefix, _second, secret = rest.partition("_")
    if key_type != KEY_TYPE or not prefix or not secret or len(text) > _MAX_LENGTH:
        return None
    if not text.isascii() or "\0" in text:
        return None
    key = ApiKey.objects.filter(prefix=prefix).first()
    # Compare digests even if no key has the prefix. Otherwise the response time would reveal which prefixes exist.
    matches = hmac.compare_digest(bytes(key.digest) if key else bytes(32), digest(secret))
    if key is None or not matches or not key.is_active(now=timezone.now()):
        return None
    return key


@unaudited("Requests that change data are recorded with the key.")
def record_use(key: ApiKey) -> None:
    """Set the key's `last_used_at` to now unless it was set within the last minute.

    If the database is read-only or unavailable, the error is ignored, so that clients can still read during a failover.
    """
    if key.last_used_at is not None and timezone.now() - key.last_used_at < LAST_USED_RESOLUTION:
        return
    # The UPDATE checks `last_used_at` again, so that only one of several concurrent requests changes the row.
    not_recorded = Q(last_used_at=None) | Q(last_used_at__lt=Now() - LAST_USED_RESOLUTION)
    try:
        ApiKey.objects.filter(not_recorded, pk=key.pk).update(last_used_at=Now())
    except DatabaseError as error:
        if connection.in_atomic_block or not is_database_unavailable(error):
            raise


def revoke(key: ApiKey) -> bool:
    """Revoke the key with immediate effect. Return False if the key was already revoked."""
    with transaction.atomic():
        revoked = ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=Now()) == 1
        if revoked:
            key.refresh_from_db(fields=["revoked_at"])
            api_key_revoked.send(sender=ApiKey, key=key)
    return revoked
