"""Authentication of API clients by their API key."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from tenants.access import api_keys
from tenants.models import ApiKey

REALM = "hotelagent"


@dataclass(frozen=True, slots=True)
class ApiClient:
    """The API client that sent a request. If a request has an API key, `request.user` is an instance of this class."""

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
    """Authentication with the header `Authorization: Bearer ha_...`.

    Unknown, expired and revoked keys get the same 401 response, so that the response reveals nothing about the key.
    """

    def authenticate(self, request: Request) -> tuple[ApiClient, ApiKey] | None:
        scheme, _space, text = request.headers.get("Authorization", "").strip().partition(" ")
        if scheme.lower() != "bearer":
            return None
        key = api_keys.verify(text.strip())
        if key is None:
            raise AuthenticationFailed(
                _(
                    "The API key is not valid. Check that the key is complete and has not expired or been revoked."
                )
            )
        api_keys.record_use(key)
        return ApiClient(key), key

    def authenticate_header(self, _request: Request) -> str:
        return f'Bearer realm="{REALM}"'


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The description of API keys in the OpenAPI schema."""

    target_class = ApiKeyAuthentication
    name = "apiKey"

    def get_security_definition(self, _auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "ha_<prefix>_<secret>",
            "description": "An API key of this hotel. Create it in the hotel's admin or with "
            "`manage.py create_api_key`. It is shown once.",
        }
