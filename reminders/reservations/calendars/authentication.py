"""A key in an address: calendar programs can send no header."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from tenants.access import api_keys
from tenants.access.authentication import ApiClient, ApiKeyAuthentication
from tenants.models import ApiKey

SCOPE = "calendar:read"


class CalendarKeyAuthentication(ApiKeyAuthentication):
    """`?token=ha_...`. Addresses are passed on and kept: a key that is allowed more is refused in one."""

    def authenticate(self, request: Request) -> tuple[ApiClient, ApiKey] | None:
        text = request.query_params.get("token")
        if text is None:
            return super().authenticate(request)
        key = api_keys.verify(text.strip())
        if key is None or set(key.scopes) != {SCOPE}:
            raise AuthenticationFailed(
                f"This needs a live key of this hotel with the scope {SCOPE} and no other."
            )
        api_keys.record_use(key)
        return ApiClient(key), key


class CalendarKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema says it."""

    target_class = CalendarKeyAuthentication
    name = "calendarKey"

    def get_security_definition(self, _auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "query",
            "name": "token",
            "description": f"A key of this hotel with the scope `{SCOPE}` and no other.",
        }
