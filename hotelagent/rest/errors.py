"""Error responses: every error becomes a problem document (RFC 9457) with the id of the request."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.signals import got_request_exception
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, HttpRequest, JsonResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response
from rest_framework.settings import api_settings

from hotelagent.rest import problems
from hotelagent.rest.parsers import json_pointer_token
from hotelagent.rest.problems import Problem
from tenants.database.availability import is_database_unavailable
from tenants.errors import DomainError

PROBLEM_JSON = "application/problem+json"
#: The members of every problem document, and the members of RFC 9457. An error cannot use these names for its `extra`.
RESERVED_MEMBERS = frozenset({"type", "title", "status", "detail", "instance", "request_id"})
#: Value of `Retry-After` in seconds, for requests that failed because the database did not respond.
RETRY_AFTER_UNAVAILABLE = 5


class InvalidCursor(exceptions.APIException):
    """The query parameter `cursor` of a list request is not a cursor that the API returned."""

    status_code = problems.INVALID_CURSOR.status
    default_detail = problems.INVALID_CURSOR.explanation
    default_code = problems.INVALID_CURSOR.code


class MissingScope(exceptions.PermissionDenied):
    """The credentials are valid but lack the scope that the operation requires."""

    def __init__(self, scope: str) -> None:
        super().__init__(_("This operation requires the scope {scope}.").format(scope=scope))
        self.scope = scope


def problem_document(
    problem: Problem, *, detail: str, request_id: str | None, members: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a problem document (RFC 9457) as a dict. `members` are additional members of the document.

    Additional members never replace the members that RFC 9457 defines.
    """
    document: dict[str, Any] = {
        "type": problem.type,
        "title": str(problem.title),
        "status": problem.status,
        "detail": detail,
        "request_id": request_id,
    }
    return document | {name: value for name, value in (members or {}).items() if name not in RESERVED_MEMBERS}


def problem_response(request: HttpRequest, problem: Problem) -> JsonResponse:
    """Return a response with a problem document, for errors outside of API views, such as errors in middleware."""
    return JsonResponse(
        problem_document(
            problem, detail=str(problem.explanation), request_id=getattr(request, "request_id", None)
        ),
        status=problem.status,
        content_type=PROBLEM_JSON,
    )


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> Response:
    """Return a problem document for any exception in an API view. REST framework calls this as `EXCEPTION_HANDLER`."""
    request = context["request"]
    description = _describe(exc)
    problem, members = description.problem, description.members
    if "errors" in members and request.method in SAFE_METHODS:
        # GET and HEAD requests have no body, so the errors are about query parameters.
        for error in members["errors"]:
            error["pointer"] = f"?{error['pointer'].removeprefix('/')}"
    if problem.status >= problems.SERVER_ERROR.status:
        # Sentry and the request log receive errors through the signal `got_request_exception`.
        # Django sends the signal `got_request_exception` only if no exception handler handles the exception.
        got_request_exception.send(sender=type(context.get("view")), request=request._request)
    body = problem_document(
        problem,
        detail=description.detail,
        request_id=getattr(request._request, "request_id", None),
        members=members,
    )
    return Response(body, status=problem.status, headers=description.headers, content_type=PROBLEM_JSON)


@dataclass(frozen=True, slots=True)
class _Description:
    """The members of a problem document whose values depend on the exception."""

    problem: Problem
    detail: str
    members: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


#: Exceptions whose messages do not say what to do. The explanation of the problem type is appended to their messages.
_INCOMPLETE_MESSAGES = (
    exceptions.MethodNotAllowed,
    exceptions.UnsupportedMediaType,
    exceptions.NotAcceptable,
)

#: The problem types of Django's exceptions. The first exception class that matches is used.
_PROBLEMS: tuple[tuple[type[Exception], Problem], ...] = (
    (Http404, problems.NOT_FOUND),
    (DjangoPermissionDenied, problems.FORBIDDEN),
    (ProtectedError, problems.CONFLICT),
    (RestrictedError, problems.CONFLICT),
    (RequestDataTooBig, problems.TOO_LARGE),
    (SuspiciousOperation, problems.BAD_REQUEST),
)


def _describe(exc: Exception) -> _Description:
    match exc:
        case DomainError():
            members = dict(exc.extra)
            if isinstance(members.get("errors"), Mapping):
                members["errors"] = field_errors(members["errors"])
            return _Description(Problem(exc.code, exc.status, exc.title, ""), str(exc.detail), members)
        case exceptions.ValidationError():
            return _invalid(exc.detail)
        case DjangoValidationError():
            return _invalid(exc.message_dict if hasattr(exc, "error_dict") else exc.messages)
        case exceptions.APIException():
            return _describe_api_exception(exc)
    if is_database_unavailable(exc):
        # The error message is not returned, because it may contain host names, user names and SQL statements.
        headers = {"Retry-After": str(RETRY_AFTER_UNAVAILABLE)}
        return _Description(problems.UNAVAILABLE, str(problems.UNAVAILABLE.explanation), headers=headers)
    problem = next((problem for kind, problem in _PROBLEMS if isinstance(exc, kind)), problems.SERVER_ERROR)
    return _Description(problem, str(problem.explanation))


def _invalid(detail: Any) -> _Description:
    return _Description(problems.INVALID, _("See `errors`."), {"errors": field_errors(detail)})


def _describe_api_exception(exc: exceptions.APIException) -> _Description:
    headers = {}
    if auth_header := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    members: dict[str, Any] = {}
    if isinstance(exc, MissingScope):
        members["required_scope"] = exc.scope
    elif isinstance(exc, exceptions.Throttled):
        headers["Retry-After"] = str(max(1, math.ceil(getattr(exc, "wait", None) or 1)))
    by_code = {problem.code: problem for problem in problems.GENERAL_PROBLEMS}
    by_status = problems.BY_STATUS.get(exc.status_code, problems.SERVER_ERROR)
    problem = by_code.get(str(exc.default_code), by_status)
    detail = str(exc.detail)
    if isinstance(exc, _INCOMPLETE_MESSAGES):
        detail = f"{detail} {problem.explanation}"
    return _Description(problem, detail, members, headers)


def field_errors(detail: Any, *, pointer: str = "") -> list[dict[str, str]]:
    """Return REST framework's nested errors as a flat list. Each error has a JSON Pointer (RFC 6901) to the value.

    >>> field_errors({"rooms": [{}, {"number": ["Required."]}]})
    [{'pointer': '/rooms/1/number', 'detail': 'Required.'}]
    """
    if isinstance(detail, Mapping):
        errors = []
        for name, inner in detail.items():
            is_whole_object = name in {api_settings.NON_FIELD_ERRORS_KEY, NON_FIELD_ERRORS}
            inner_pointer = pointer if is_whole_object else f"{pointer}/{json_pointer_token(str(name))}"
            errors += field_errors(inner, pointer=inner_pointer)
        return errors
    if isinstance(detail, list | tuple):
        errors = []
        for index, inner in enumerate(detail):
            is_nested = isinstance(inner, Mapping | list | tuple)
            errors += field_errors(inner, pointer=f"{pointer}/{index}" if is_nested else pointer)
        return errors
    return [{"pointer": pointer, "detail": str(detail)}]
