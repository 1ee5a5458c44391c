"""The request's id, in and out; and no HTML for a client of the API, wherever the answer came from."""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.middleware.common import CommonMiddleware

from hotelagent.core.ids import uuid7
from hotelagent.rest import problems
from hotelagent.rest.errors import problem_response

#: What we take from others: enough for a UUID, a trace id or a proxy's own; nothing that could forge a log line.
ACCEPTED_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
API_PREFIX = "/api/v"

_Handler = Callable[[HttpRequest], HttpResponse]


class RequestIdMiddleware:
    """Sets `request.request_id`: the caller's `X-Request-ID` where it is one, else ours; answered either way."""

    def __init__(self, get_response: _Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if ACCEPTED_ID.fullmatch(given) else str(uuid7())
        request.request_id = request_id  # type: ignore[attr-defined]
        # Where libraries look for it; `request.headers` is made from this at its first use.
        request.META["HTTP_X_REQUEST_ID"] = request_id
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class ProblemDocumentMiddleware:
    """Turns pages of middleware and of Django (unknown host or address, CSRF, debug) into problem documents."""

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
        answer = problem_response(request, problem)
        for header in ("Allow", "Retry-After", "WWW-Authenticate"):
            if header in response:
                answer[header] = response[header]
        return answer


class SlashMiddleware(CommonMiddleware):
    """Django's, which leads on only who reads: a PUT that is led on arrives as a GET, and looks as if it had worked."""

    def should_redirect_with_slash(self, request: HttpRequest) -> bool:
        return request.method in {"GET", "HEAD"} and super().should_redirect_with_slash(request)
