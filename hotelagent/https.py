"""A middleware that refuses some plain HTTP requests, and excludes subdomains of hotels' own domains from HSTS."""

from collections.abc import Callable
from http import HTTPStatus

import structlog
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port

from hotelagent.rest import problems
from hotelagent.rest.errors import problem_response
from hotelagent.rest.middleware import API_PREFIX
from tenants.host_routing import resolve, resolve_former

HSTS = "Strict-Transport-Security"
PLAIN_TEXT = "text/plain; charset=utf-8"
#: The headers by which a request from a reverse proxy is recognized. Most proxies set at least one of them.
_PROXY_HEADERS = ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "Via")
_PROXY_HINT = (
    "The reverse proxy does not send the header X-Forwarded-Proto, so each page would redirect to itself. Let it send "
    "`X-Forwarded-Proto: https` for requests over TLS, as in deploy/nginx/hotelagent.conf.\n"
)

logger = structlog.get_logger(__name__)


class HttpsMiddleware:
    """Refuses plain HTTP requests that must not be redirected to HTTPS. Must be listed before SecurityMiddleware.

    SecurityMiddleware redirects the remaining requests. Requests to unknown hosts are refused, because a redirect could
    lead visitors to a foreign site. POST requests are refused, because clients would repeat them as GET requests after
    a redirect.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SECURE_SSL_REDIRECT and not request.is_secure() and (refusal := _refuse(request)):
            return refusal
        response = self.get_response(request)
        if HSTS in response and not _is_below_platform(request):
            # HSTS excludes subdomains of a hotel's own domain, because other systems of the hotel may use them.
            response[HSTS] = f"max-age={settings.SECURE_HSTS_SECONDS}"
        return response


def _refuse(request: HttpRequest) -> HttpResponse | None:
    """Return an error response if the plain HTTP request must not be redirected to HTTPS, or else None."""
    host = _host(request)
    if host is None or (resolve(host) is None and resolve_former(host) is None):
        return HttpResponse("Not found\n", status=HTTPStatus.NOT_FOUND, content_type=PLAIN_TEXT)
    if "X-Forwarded-Proto" not in request.headers and any(name in request.headers for name in _PROXY_HEADERS):
        logger.error("https.no_forwarded_proto", hint=_PROXY_HINT.strip())
        return HttpResponse(_PROXY_HINT, status=HTTPStatus.INTERNAL_SERVER_ERROR, content_type=PLAIN_TEXT)
    if request.method in {"GET", "HEAD"}:
        return None
    if request.path_info.startswith(API_PREFIX):
        return problem_response(request, problems.HTTPS_REQUIRED)
    return HttpResponse(
        f"{problems.HTTPS_REQUIRED.explanation}\n",
        status=problems.HTTPS_REQUIRED.status,
        content_type=PLAIN_TEXT,
    )


def _host(request: HttpRequest) -> str | None:
    """Return the normalized host name of the request without the port, or None if the host name is not valid."""
    try:
        return split_domain_port(request.get_host())[0].removesuffix(".")
    except DisallowedHost:
        return None


def _is_below_platform(request: HttpRequest) -> bool:
    return f".{_host(request)}".endswith(f".{settings.PLATFORM_HOST}")
