"""Whatever goes wrong becomes one kind of answer: `application/problem+json` (RFC 9457) with the request's id."""

import math
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response
from rest_framework.settings import api_settings

from hotelagent.rest import problems
from hotelagent.rest.problems import Problem
from tenants.errors import DomainError

PROBLEM_JSON = "application/problem+json"
#: Seconds after which a client may try again when the database did not answer.
RETRY_AFTER_UNAVAILABLE = 5


class InvalidCursor(exceptions.APIException):
    """A cursor that we did not give out."""

    status_code = problems.INVALID_CURSOR.status
    default_detail = problems.INVALID_CURSOR.meaning
    default_code = problems.INVALID_CURSOR.code


class MissingScope(exceptions.PermissionDenied):
    """The credentials are valid and lack the scope that the operation needs."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"This needs the scope {scope}.")
        self.scope = scope


def problem_document(
    problem: Problem, *, detail: str, request_id: str | None, **members: Any
) -> dict[str, Any]:
    """The problem document. `members` are the problem's own, beside those of the RFC."""
    return {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "request_id": request_id,
        **members,
    }


def problem_response(request: HttpRequest, problem: Problem) -> JsonResponse:
    """A problem document outside of REST framework's views: middleware, unknown addresses."""
    return JsonResponse(
        problem_document(problem, detail=problem.meaning, request_id=getattr(request, "request_id", None)),
        status=problem.status,
        content_type=PROBLEM_JSON,
    )


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> Response:
    """REST framework's `EXCEPTION_HANDLER`: total, so that a client never meets an HTML page."""
    request = context["request"]
    problem, detail, members, headers = _describe(exc)
    if "errors" in members and request.method in SAFE_METHODS:  # what has no body is wrong in its address
        for error in members["errors"]:
            error["pointer"] = f"?{error['pointer'].removeprefix('/')}"
    if problem.status >= problems.SERVER_ERROR.status:
        # What Django does for an exception that leaves a view; the request's log line and Sentry listen to it.
        got_request_exception.send(sender=type(context.get("view")), request=request._request)
    body = problem_document(
        problem, detail=detail, request_id=getattr(request._request, "request_id", None), **members
    )
    return Response(body, status=problem.status, headers=headers, content_type=PROBLEM_JSON)


#: Whose own words don't say what to do.
_SAYS_NO_MORE = (exceptions.MethodNotAllowed, exceptions.UnsupportedMediaType, exceptions.NotAcceptable)

_Described = tuple[Problem, str, dict[str, Any], dict[str, str]]


#: What Django and the database raise, and what it means to a client; the first that fits counts.
_MEANINGS: tuple[tuple[type[Exception], Problem], ...] = (
    (Http404, problems.NOT_FOUND),
    (DjangoPermissionDenied, problems.FORBIDDEN),
    (ProtectedError, problems.CONFLICT),
    (RestrictedError, problems.CONFLICT),
    (RequestDataTooBig, problems.TOO_LARGE),
    (SuspiciousOperation, problems.BAD_REQUEST),
    # Away, too slow, or gave way to another: not the client's fault, and it passes. The error's own text names
    # hosts, logins and statements, and stays with us.
    (OperationalError, problems.UNAVAILABLE),
    (InterfaceError, problems.UNAVAILABLE),
)


def _describe(exc: Exception) -> _Described:
    match exc:
        case DomainError():
            members = dict(exc.extra)
            if isinstance(members.get("errors"), Mapping):
                members["errors"] = field_errors(members["errors"])
            return Problem(exc.code, exc.status, str(exc.title), ""), str(exc.detail), members, {}
        case exceptions.ValidationError():
            return problems.INVALID, "See `errors`.", {"errors": field_errors(exc.detail)}, {}
        case DjangoValidationError():
            return problems.INVALID, "See `errors`.", {"errors": field_errors(_django_detail(exc))}, {}
        case exceptions.APIException():
            return _describe_api(exc)
    problem = next((known for kind, known in _MEANINGS if isinstance(exc, kind)), problems.SERVER_ERROR)
    again = {"Retry-After": str(RETRY_AFTER_UNAVAILABLE)} if problem is problems.UNAVAILABLE else {}
    return problem, problem.meaning, {}, again


def _describe_api(exc: exceptions.APIException) -> _Described:
    headers = {}
    if auth_header := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    members: dict[str, Any] = {}
    if isinstance(exc, MissingScope):
        members["required_scope"] = exc.scope
    elif isinstance(exc, exceptions.Throttled):
        headers["Retry-After"] = str(max(1, math.ceil(getattr(exc, "wait", None) or 1)))
    own = {problem.code: problem for problem in problems.HOUSE}.get(str(exc.default_code))
    problem = own or problems.BY_STATUS.get(exc.status_code, problems.SERVER_ERROR)
    detail = str(exc.detail)
    if isinstance(exc, _SAYS_NO_MORE):
        detail = f"{detail} {problem.meaning}"
    return problem, detail, members, headers


def field_errors(detail: Any, *, pointer: str = "") -> list[dict[str, str]]:
    """REST framework's nested errors as a flat list with JSON Pointers (RFC 6901) into the body.

    >>> field_errors({"rooms": [{}, {"number": ["Required."]}]})
    [{'pointer': '/rooms/1/number', 'detail': 'Required.'}]
    """
    if isinstance(detail, Mapping):
        found = []
        for name, inner in detail.items():
            whole = name in {api_settings.NON_FIELD_ERRORS_KEY, NON_FIELD_ERRORS}
            found += field_errors(inner, pointer=pointer if whole else f"{pointer}/{_escaped(str(name))}")
        return found
    if isinstance(detail, list | tuple):
        found = []
        for index, inner in enumerate(detail):
            nested = isinstance(inner, Mapping | list | tuple)
            found += field_errors(inner, pointer=f"{pointer}/{index}" if nested else pointer)
        return found
    return [{"pointer": pointer, "detail": str(detail)}]


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _django_detail(exc: DjangoValidationError) -> Any:
    return exc.message_dict if hasattr(exc, "error_dict") else exc.messages
