"""The actor of a request, for the audit trail: an API key, a member of staff or an anonymous client."""

from typing import Any

from django.http import HttpRequest
from rest_framework.request import Request

from tenants.access.authentication import ApiClient
from tenants.access.client_address import client_address
from tenants.access.support_user import SupportUser
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
    address = client_address(request)
    origin: dict[str, Any] = {
        "ip": address.ip,
        "ip_is_peer": address.is_peer,
        "user_agent": request.headers.get("User-Agent", ""),
        "request_id": getattr(request, "request_id", None),
    }
    match user:
        case ApiClient(key=key):
            return Actor("key", str(key.pk), str(key), **origin)
        case SupportUser():
            return user.actor(**origin)
        case User():
            return Actor("user", str(user.pk), user.get_username(), **origin)
        case _:
            return Actor("anonymous", "", "anonymous", **origin)
