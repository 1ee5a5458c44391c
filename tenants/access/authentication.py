"""Who calls: a client by its key, or a member of staff by the session of the admin."""

from dataclasses import dataclass
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from tenants.access import api_keys
from tenants.context import Actor
from tenants.middleware import client_ip
from tenants.models import ApiKey, User

REALM = "hotelagent"


@dataclass(frozen=True, slots=True)
class Client:
    """What stands in `request.user` for a client that came with a key."""

    key: ApiKey

    is_authenticated = True
    is_anonymous = False
    is_active = True
    is_staff = False

    @property
    def pk(self) -> Any:
        return self.key.pk

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.key.scopes)

    def get_username(self) -> str:
        return str(self.key)


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer ha_...`. Whatever is wrong with the key, the answer is the same 401."""

    def authenticate(self, request: Request) -> tuple[Client, ApiKey] | None:
        scheme, _space, text = request.headers.get("Authorization", "").strip().partition(" ")
        if scheme.lower() != "bearer":
            return None
        key = api_keys.verify(text.strip())
        if key is None:
            raise AuthenticationFailed("This key is not valid here.")
        api_keys.touch(key)
        return Client(key), key

    def authenticate_header(self, _request: Request) -> str:
        return f'Bearer realm="{REALM}"'


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema says it."""

    target_class = ApiKeyAuthentication
    name = "apiKey"

    def get_security_definition(self, _auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "ha_<prefix>_<secret>",
            "description": "A key of this hotel: made in its admin or by `manage.py create_api_key`, shown once.",
        }


def actor_of(request: Request) -> Actor:
    """Who acts in this request, for the audit trail."""
    where: dict[str, Any] = {
        "ip": client_ip(request._request),
        "request_id": getattr(request._request, "request_id", None),
    }
    who: Any = request.user  # REST framework's types know users only
    match who:
        case Client(key=key):
            return Actor("key", str(key.pk), str(key), **where)
        case User():
            return Actor("user", str(who.pk), who.username, **where)
        case _:
            return Actor("anonymous", "", "anonymous", **where)
