"""The response headers in the OpenAPI schema: which responses contain which headers, and what the headers mean."""

from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import OpenApiParameter

#: The member `components/headers` of the OpenAPI schema.
COMPONENTS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "The id of the request. It is the `X-Request-ID` of the request, or else a new id.",
        "required": True,
        "schema": {"type": "string", "minLength": 8, "maxLength": 64},
        "example": "01a203e7-7538-7000-b926-fbd8a9dddc9d",
    },
    "RateLimit-Policy": {
        "description": "The rate limit: `q` requests in `w` seconds (draft-ietf-httpapi-ratelimit-headers). The header "
        "is missing while the server does not count requests.",
        "schema": {"type": "string"},
        "example": '"client";q=1200;w=60',
    },
    "RateLimit": {
        "description": "The number of requests that are left (`r`), and the seconds until all requests are "
        "available again (`t`).",
        "schema": {"type": "string"},
        "example": '"client";r=1187;t=1',
    },
    "Retry-After": {
        "description": "The number of seconds to wait before the next request.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 5,
    },
    "ETag": {
        "description": "The version of the resource. Send it in `If-Match` when you change the resource, and in "
        "`If-None-Match` when you read the resource again.",
        "required": True,
        "schema": {"type": "string", "pattern": '^(W/)?"[^"]*"$'},
        "example": '"3f2a9c0b7d5e48f1a6c2d0e9b8f71a34"',
    },
    "Location": {
        "description": "The URL of the resource.",
        "required": True,
        "schema": {"type": "string", "format": "uri"},
        "example": "https://sunrise.hotels.example/api/v1/rooms/12/",
    },
    "Idempotency-Replayed": {
        "description": "`true` if the response is the stored response to an earlier request with the same "
        "`Idempotency-Key`. Otherwise the header is missing.",
        "schema": {"type": "string", "enum": ["true"]},
        "example": "true",
    },
    "WWW-Authenticate": {
        "description": "The authentication scheme that the server expects.",
        "schema": {"type": "string"},
        "example": 'Bearer realm="hotelagent"',
    },
}  # fmt: skip

#: The headers of operations that respond with 202 and continue in the background, for `extend_schema`.
LOCATION_OF_JOB = OpenApiParameter("Location", str, OpenApiParameter.HEADER, response=[202])
JOB_HEADERS = (
    LOCATION_OF_JOB,
    OpenApiParameter("Retry-After", int, OpenApiParameter.HEADER, response=[202]),
)
#: Statuses of responses without rate limit headers, because the request may have failed before it was counted.
_UNCOUNTED = {HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE}
_WITH_RETRY_AFTER = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


def header_references(status: int, *, declared: set[str], is_idempotent: bool) -> dict[str, Any]:
    """Return the member `headers` of a response with this status.

    `declared` contains the names of the headers that `extend_schema` declares for the response. `is_idempotent` says
    whether the operation accepts an `Idempotency-Key`.
    """
    names = ["X-Request-ID"]
    if status not in _UNCOUNTED:
        names += ["RateLimit-Policy", "RateLimit"]
    if status == HTTPStatus.UNAUTHORIZED:
        names.append("WWW-Authenticate")
    if status == HTTPStatus.CREATED:
        names.append("Location")
    if status in _WITH_RETRY_AFTER or (is_idempotent and status == HTTPStatus.CONFLICT):
        names.append("Retry-After")
    if is_idempotent and status < HTTPStatus.MULTIPLE_CHOICES:
        names.append("Idempotency-Replayed")
    names += sorted(declared & COMPONENTS.keys() - set(names))
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
