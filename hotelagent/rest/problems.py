"""Every kind of problem the interface can answer with: its stable code, status and meaning (RFC 9457).

`type` in an answer is `/problems/<code>`, an address that shows the text below. Codes are a promise to clients:
they are added, not renamed. An app's own problems are its `tenants.errors.DomainError` classes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus

from tenants.errors import DomainError


@dataclass(frozen=True, slots=True)
class Problem:
    code: str
    status: int
    title: str
    meaning: str

    @property
    def type(self) -> str:
        return problem_type(self.code)


def problem_type(code: str) -> str:
    return f"/problems/{code}"


def _problem(code: str, status: HTTPStatus, title: str, meaning: str) -> Problem:
    return Problem(code, int(status), title, meaning)


BAD_REQUEST = _problem(
    "bad-request",
    HTTPStatus.BAD_REQUEST,
    "The request can't be read",
    "The body is not JSON, a header is malformed, or the address holds what it may not.",
)
INVALID = _problem(
    "invalid",
    HTTPStatus.BAD_REQUEST,
    "Some values are not valid",
    "`errors` lists each: `pointer` is a JSON Pointer into the body (`/check_in`), or `?name` for a parameter "
    "of the address; `detail` says what is wrong with it.",
)
INVALID_CURSOR = _problem(
    "invalid-cursor",
    HTTPStatus.BAD_REQUEST,
    "The cursor is not valid",
    "Take `next` and `previous` from the answer as they are, or start again without a cursor.",
)
UNAUTHENTICATED = _problem(
    "unauthenticated",
    HTTPStatus.UNAUTHORIZED,
    "Credentials are missing or not valid",
    "Send `Authorization: Bearer <key>` with a live key of this very hotel. A key of another hotel, an expired, "
    "a revoked and an unknown key are answered alike.",
)
FORBIDDEN = _problem(
    "forbidden",
    HTTPStatus.FORBIDDEN,
    "Not allowed",
    "The credentials are valid and don't allow this. `required_scope`, where present, is the scope that would.",
)
NOT_FOUND = _problem(
    "not-found",
    HTTPStatus.NOT_FOUND,
    "Not found",
    "There is nothing at this address for these credentials. Addresses end in a slash.",
)
METHOD_NOT_ALLOWED = _problem(
    "method-not-allowed",
    HTTPStatus.METHOD_NOT_ALLOWED,
    "Method not allowed",
    "The address exists and does not take this method; `Allow` lists those it takes.",
)
NOT_ACCEPTABLE = _problem(
    "not-acceptable",
    HTTPStatus.NOT_ACCEPTABLE,
    "No such representation",
    "`Accept` asks for something else than this address can give: `application/json` nearly everywhere.",
)
CONFLICT = _problem(
    "conflict",
    HTTPStatus.CONFLICT,
    "Something else stands in the way",
    "Other records still need this one, or it changed meanwhile.",
)
IN_FLIGHT = _problem(
    "idempotency-in-flight",
    HTTPStatus.CONFLICT,
    "The first request with this key is still running",
    "Repeat the request after `Retry-After`; you will get the first one's answer.",
)
TOO_LARGE = _problem(
    "too-large",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "The body is too large",
    "Send less at a time.",
)
UNSUPPORTED_MEDIA_TYPE = _problem(
    "unsupported-media-type",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "The body is of another type",
    "Send `Content-Type: application/json`.",
)
KEY_REUSED = _problem(
    "idempotency-key-reused",
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "The key was used with another body",
    "An `Idempotency-Key` belongs to one request. Make a new key for a new request.",
)
THROTTLED = _problem(
    "throttled",
    HTTPStatus.TOO_MANY_REQUESTS,
    "Too many requests",
    "`Retry-After` says in how many seconds the next one is welcome; `RateLimit` says how many are left.",
)
SERVER_ERROR = _problem(
    "server-error",
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "Something went wrong on our side",
    "It is logged under `request_id`: give it to the operator. A request with an Idempotency-Key may be repeated.",
)
UNAVAILABLE = _problem(
    "unavailable",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "Not available for the moment",
    "The database did not answer in time. Repeat the request after `Retry-After`.",
)
HOTEL_SUSPENDED = _problem(
    "hotel-suspended",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "This hotel is suspended",
    "Its data are kept. The platform's staff can resume it.",
)

HOUSE = (
    BAD_REQUEST, INVALID, INVALID_CURSOR, UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, METHOD_NOT_ALLOWED,
    NOT_ACCEPTABLE, CONFLICT, IN_FLIGHT, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, KEY_REUSED, THROTTLED, SERVER_ERROR,
    UNAVAILABLE, HOTEL_SUSPENDED,
)  # fmt: skip
#: What stands for a status where nothing more is known.
BY_STATUS = {
    problem.status: problem
    for problem in HOUSE
    if problem not in {INVALID, INVALID_CURSOR, IN_FLIGHT, HOTEL_SUSPENDED}
}


def all_problems() -> list[Problem]:
    """The house's own and every app's, by code."""
    found = {problem.code: problem for problem in HOUSE}
    for error in _below(DomainError):
        if "code" in vars(error):
            # The docstring, where there is one: what the title can't say.
            meaning = " ".join((error.__doc__ or "").split())
            found[error.code] = Problem(error.code, error.status, str(error.title), meaning)
    return [found[code] for code in sorted(found)]


def _below(error: type[DomainError]) -> Iterator[type[DomainError]]:
    for child in error.__subclasses__():
        yield child
        yield from _below(child)
