"""Problem documents (RFC 9457) for requests that gunicorn cannot parse and does not pass on to Django.

By default gunicorn responds with HTML.
"""

import json
import socket
from http import HTTPStatus

import structlog
from django.conf import settings
from django.utils import translation
from gunicorn import util

from hotelagent.core.ids import uuid7
from hotelagent.rest import problems
from hotelagent.rest.errors import PROBLEM_JSON, problem_document
from hotelagent.rest.problems import Problem

_PROBLEMS = {
    problem.status: problem
    for problem in (
        problems.BAD_REQUEST,
        problems.URI_TOO_LONG,
        problems.HEADERS_TOO_LARGE,
        problems.SERVER_ERROR,
    )
}

logger = structlog.get_logger(__name__)


def install() -> None:
    """Replace gunicorn's function that writes error pages, because no gunicorn setting changes their format."""
    util.write_error = write_problem


def write_problem(sock: socket.socket, status_int: int, reason: str, mesg: str) -> None:
    """Send a problem document instead of gunicorn's HTML page. This function replaces gunicorn's `util.write_error`."""
    request_id = str(uuid7())
    logger.warning(
        "gunicorn.request_refused", request_id=request_id, status=status_int, reason=mesg or reason
    )
    with translation.override(settings.LANGUAGE_CODE):
        document = _document(status_int, reason, mesg, request_id=request_id)
    body = json.dumps(document).encode()
    head = (
        f"HTTP/1.1 {status_int} {reason}\r\nConnection: close\r\nContent-Type: {PROBLEM_JSON}\r\n"
        f"X-Request-ID: {request_id}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    util.write_nonblock(sock, head.encode() + body)


def _document(status: int, reason: str, message: str, *, request_id: str) -> dict[str, object]:
    problem = _PROBLEMS.get(HTTPStatus(status))
    if problem is None:
        # "about:blank" means that the HTTP status describes the problem completely (RFC 9457, section 4.2.1).
        problem = Problem("", status, reason, message)
        return {**problem_document(problem, detail=message, request_id=request_id), "type": "about:blank"}
    detail = f"{message}. {problem.explanation}" if message else str(problem.explanation)
    return problem_document(problem, detail=detail, request_id=request_id)
