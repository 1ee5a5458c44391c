"""The problem types of the REST API (RFC 9457), each with its code, status, title and explanation.

The member `type` of a problem document is the URL `/problems/<code>` of a page with the explanation. Clients rely on
the codes, so a released code is never renamed. This module defines the general problem types of the API. The apps
define theirs as subclasses of `tenants.errors.DomainError`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from tenants.errors import DomainError

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem type. `explanation` says what the problem means and what the client can do."""

    code: str
    status: int
    title: "str | StrPromise"
    explanation: "str | StrPromise"

    @property
    def type(self) -> str:
        return f"/problems/{self.code}"


BAD_REQUEST = Problem(
    "bad-request",
    HTTPStatus.BAD_REQUEST,
    _("The request is malformed"),
    _(
        "The body is not valid JSON, a header is malformed, or the URL contains characters that are not allowed. JSON "
        "is also refused if an object has two members of the same name, if it has more than 100 levels, or if a number "
        "exceeds the range of a 64-bit floating-point number."
    ),
)
INVALID = Problem(
    "invalid",
    HTTPStatus.BAD_REQUEST,
    _("Some values are not valid"),
    _(
        "`errors` lists the invalid values. In each entry, `pointer` is a JSON Pointer to the value in the body "
        "(`/check_in`) or the name of a query parameter (`?name`), and `detail` describes the error."
    ),
)
INVALID_CURSOR = Problem(
    "invalid-cursor",
    HTTPStatus.BAD_REQUEST,
    _("The cursor is not valid"),
    _("Use the URLs in `next` and `previous` unchanged, or start again without a cursor."),
)
UNAUTHENTICATED = Problem(
    "unauthenticated",
    HTTPStatus.UNAUTHORIZED,
    _("Credentials are missing or not valid"),
    _(
        "Send `Authorization: Bearer <key>` with a valid key of this hotel. The response is the same for an unknown, "
        "expired or revoked key and for a key of another hotel."
    ),
)
FORBIDDEN = Problem(
    "forbidden",
    HTTPStatus.FORBIDDEN,
    _("Permission denied"),
    _(
        "The credentials are valid but do not allow this operation. `required_scope`, if present, names the missing "
        "scope."
    ),
)
HTTPS_REQUIRED = Problem(
    "https-required",
    HTTPStatus.FORBIDDEN,
    _("HTTPS is required"),
    _(
        "The request was sent without encryption and was not processed. Send it to the `https://` URL. If it contained "
        "a key or a password, replace them, because others may have read them."
    ),
)
NOT_FOUND = Problem(
    "not-found",
    HTTPStatus.NOT_FOUND,
    _("Not found"),
    _("This URL does not exist, or your credentials do not allow access to it. All URLs end with a slash."),
)
METHOD_NOT_ALLOWED = Problem(
    "method-not-allowed",
    HTTPStatus.METHOD_NOT_ALLOWED,
    _("Method not allowed"),
    _("This URL does not support the method. The header `Allow` lists the supported methods."),
)
NOT_ACCEPTABLE = Problem(
    "not-acceptable",
    HTTPStatus.NOT_ACCEPTABLE,
    _("Not acceptable"),
    _("The header `Accept` does not include a supported media type. Most URLs return `application/json`."),
)
CONFLICT = Problem(
    "conflict",
    HTTPStatus.CONFLICT,
    _("Conflict with other data"),
    _(
        "Other data refers to this object, or another request has changed the object. Retrieve the object again before "
        "you repeat the request."
    ),
)
IN_FLIGHT = Problem(
    "idempotency-in-flight",
    HTTPStatus.CONFLICT,
    _("A request with this idempotency key is still running"),
    _(
        "The first request with this key has not finished. Repeat the request after the number of seconds in "
        "`Retry-After` to receive its response."
    ),
)
TOO_LARGE = Problem(
    "too-large",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    _("The body is too large"),
    _(
        "A JSON body must not exceed 2.5 MB, a calendar 5 MB, JSON Lines 8 MB, and any other body 10 MB. Send less "
        "data, or split the request into several smaller requests."
    ),
)
URI_TOO_LONG = Problem(
    "uri-too-long",
    HTTPStatus.REQUEST_URI_TOO_LONG,
    _("The URL is too long"),
    _("Use fewer or shorter query parameters. The request line must not exceed 4,094 bytes."),
)
HEADERS_TOO_LARGE = Problem(
    "headers-too-large",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    _("The headers are too large"),
    _("Send fewer or shorter headers. In a browser, delete the cookies of this site."),
)
UNSUPPORTED_MEDIA_TYPE = Problem(
    "unsupported-media-type",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    _("Unsupported media type"),
    _(
        "Send JSON with the header `Content-Type: application/json`. A failure can also be reported as a CloudEvent in "
        "structured mode (`application/cloudevents+json`), one event per request."
    ),
)
KEY_REUSED = Problem(
    "idempotency-key-reused",
    HTTPStatus.UNPROCESSABLE_ENTITY,
    _("The idempotency key was used for another request"),
    _("Use an `Idempotency-Key` for one request only. Generate a new key for each new request."),
)
THROTTLED = Problem(
    "throttled",
    HTTPStatus.TOO_MANY_REQUESTS,
    _("Too many requests"),
    _(
        "Wait for the number of seconds in `Retry-After`. The header `RateLimit` of each response says how many "
        "requests are left."
    ),
)
SERVER_ERROR = Problem(
    "server-error",
    HTTPStatus.INTERNAL_SERVER_ERROR,
    _("Internal server error"),
    _(
        "An unexpected error occurred and was logged. Include `request_id` if you contact the operator. A request with "
        "an `Idempotency-Key` can safely be repeated."
    ),
)
UNAVAILABLE = Problem(
    "unavailable",
    HTTPStatus.SERVICE_UNAVAILABLE,
    _("Temporarily unavailable"),
    _(
        "The database is temporarily unavailable. Repeat the request after the number of seconds in `Retry-After`."
    ),
)
HOTEL_SUSPENDED = Problem(
    "hotel-suspended",
    HTTPStatus.SERVICE_UNAVAILABLE,
    _("This hotel is suspended"),
    _("The hotel's data are kept. Ask the platform's staff to lift the suspension."),
)
UNKNOWN_TIME_ZONE = Problem(
    "unknown-time-zone",
    HTTPStatus.SERVICE_UNAVAILABLE,
    _("The hotel's time zone is not known"),
    _(
        "The server does not know the time zone of this hotel. Ask the platform's staff to correct the time zone. "
        "Other hotels are not affected."
    ),
)

GENERAL_PROBLEMS = (
    BAD_REQUEST, INVALID, INVALID_CURSOR, UNAUTHENTICATED, FORBIDDEN, HTTPS_REQUIRED, NOT_FOUND, METHOD_NOT_ALLOWED,
    NOT_ACCEPTABLE, CONFLICT, IN_FLIGHT, TOO_LARGE, URI_TOO_LONG, HEADERS_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE,
    KEY_REUSED, THROTTLED, SERVER_ERROR, UNAVAILABLE, HOTEL_SUSPENDED, UNKNOWN_TIME_ZONE,
)  # fmt: skip
#: The default problem type of each HTTP status, used if no more specific problem type is known.
BY_STATUS = {
    problem.status: problem
    for problem in GENERAL_PROBLEMS
    if problem not in {INVALID, INVALID_CURSOR, HTTPS_REQUIRED, IN_FLIGHT, HOTEL_SUSPENDED, UNKNOWN_TIME_ZONE}
}


def all_problems() -> list[Problem]:
    """Return the general problem types and the problem types of the apps, sorted by code. An app defines a problem type
    with a subclass of `DomainError`. The docstring of the class is the explanation.
    """
    found = {problem.code: problem for problem in GENERAL_PROBLEMS}
    for error in _subclasses(DomainError):
        if "code" in vars(error):
            explanation = " ".join((error.__doc__ or "").split())
            found[error.code] = Problem(error.code, error.status, error.title, explanation)
    return [found[code] for code in sorted(found)]


def _subclasses(error: type[DomainError]) -> Iterator[type[DomainError]]:
    for subclass in error.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)
