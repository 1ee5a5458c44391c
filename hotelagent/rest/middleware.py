"""Middleware for API clients: request ids, problem documents for all errors, and redirects to add a trailing slash."""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.middleware.common import CommonMiddleware
from django.shortcuts import render

from hotelagent.core.ids import uuid7
from hotelagent.rest import problems
from hotelagent.rest.errors import problem_response

#: Accepted request ids of clients and proxies. Line breaks are refused, because they could forge log lines.
ACCEPTED_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
API_PREFIX = "/api/v"
#: Maximum size of a request body in bytes. It exceeds the largest file that staff may upload.
MAX_BODY_BYTES = 10_000_000

_Handler = Callable[[HttpRequest], HttpResponse]


class RequestIdMiddleware:
    """Sets `request.request_id` to the header `X-Request-ID` of the request, or to a new id.

    The response contains the id in the header `X-Request-ID`.
    """

    def __init__(self, get_response: _Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        received = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = received if ACCEPTED_ID.fullmatch(received) else str(uuid7())
        request.request_id = request_id  # type: ignore[attr-defined]
        # django-structlog and other libraries read the request id from the header `X-Request-ID`.
        request.META["HTTP_X_REQUEST_ID"] = request_id
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


#: Headers that describe the body of a response. A problem document has other values of these headers, or lacks them.
_HEADERS_OF_BODY = frozenset(
    {"content-type", "content-length", "content-encoding", "content-language", "etag"}
)


class ProblemDocumentMiddleware:
    """Replaces HTML error pages with problem documents if the path of the request begins with `/api/v`.

    The problem document has the other headers of the page, such as `Allow` and the Content-Security-Policy.
    """

    def __init__(self, get_response: _Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if (
            response.status_code < problems.BAD_REQUEST.status
            or not request.path_info.startswith(API_PREFIX)
            or "json" in response.get("Content-Type", "")
        ):
            return response
        problem = problems.BY_STATUS.get(response.status_code, problems.SERVER_ERROR)
        replacement = problem_response(request, problem)
        for name, value in response.items():
            if name.lower() not in _HEADERS_OF_BODY:
                replacement.setdefault(name, value)
        return replacement


class BodyLimitMiddleware:
    """Refuses requests whose body exceeds `MAX_BODY_BYTES`, whatever its content type, before any code reads the body.

    Django limits the size of forms and JSON, but not of uploaded files. A body without `Content-Length` is empty for
    Django.
    """

    def __init__(self, get_response: _Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length) > MAX_BODY_BYTES:
            return render(request, "413.html", {"limit": MAX_BODY_BYTES // 1_000_000}, status=413)
        return self.get_response(request)


class SlashMiddleware(CommonMiddleware):
    """Redirects GET and HEAD requests to the URL with a trailing slash.

    Django would also redirect PUT and DELETE requests, which clients would then repeat as GET requests.
    """

    def should_redirect_with_slash(self, request: HttpRequest) -> bool:
        return request.method in {"GET", "HEAD"} and super().should_redirect_with_slash(request)
