"""The actor of a request, for the audit trail: an API key, a member of staff or an anonymous client."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request

from tenants.access.authentication import ApiClient
from tenants.context import Actor
from tenants.models import User


def session_actor(request: HttpRequest) -> Actor:
    """Return the actor of a request that is authenticated by a login session.

    If the request has not loaded the session and the user yet, this function queries the database.
    """
    return _actor(request.user, request)


def api_actor(request: Request) -> Actor:
    """Return the actor of an API request that is authenticated by an API key or a login session."""
    return _actor(request.user, request._request)


def _actor(user: Any, request: HttpRequest) -> Actor:
    origin: dict[str, Any] = {
        "ip": client_ip(request),
        "request_id": getattr(request, "request_id", None),
    }
    match user:
        case ApiClient(key=key):
            return Actor("key", str(key.pk), str(key), **origin)
        case User():
            return Actor("user", str(user.pk), user.get_username(), **origin)
        case _:
            return Actor("anonymous", "", "anonymous", **origin)


def client_ip(request: HttpRequest) -> str | None:
    """Return the client's IP address.

    Each proxy appends one entry to `X-Forwarded-For`: the address of the client or the proxy that sent the request.
    Entries before those of our own proxies are set by the client and can be forged, so we use entry number
    `settings.TRUSTED_PROXY_HOPS` from the end. If the setting is 0, the header is ignored.
    """
    hops = settings.TRUSTED_PROXY_HOPS
    if hops:
        forwarded = [
            part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()
        ]
        if forwarded:
            return str(forwarded[-min(hops, len(forwarded))])
    return str(request.META.get("REMOTE_ADDR") or "") or None
