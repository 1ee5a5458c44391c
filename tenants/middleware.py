"""The middleware that sets the tenant, the session and the actor of a request."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import split_domain_port
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import translation
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy

from hotelagent.core.time_zones import known_time_zones
from tenants.access.actors import session_actor
from tenants.context import Tenant, actor_context, hotel_context, platform_context
from tenants.host_routing import resolve, resolve_former
from tenants.models import HotelStatus

_Context = Callable[[], AbstractContextManager[object]]
_Handler = Callable[[HttpRequest], HttpResponseBase]


class HotelMiddleware:
    """Middleware that sets the tenant for the request's host name until the response is complete.

    The tenant is also set while a streamed response is sent.
    """

    def __init__(self, get_response: _Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            host = split_domain_port(request.get_host())[0].removesuffix(".")
        except DisallowedHost:
            return _not_found()
        tenant, urlconf = resolve(host), settings.HOTEL_URLCONF
        if tenant is None:
            tenant, urlconf = resolve_former(host), settings.FORMER_HOST_URLCONF
        if tenant is None:
            return _not_found()
        if tenant.is_platform:
            with platform_context():
                return _in_context(self.get_response(request), platform_context)
        if unavailable := _unavailable(request, tenant):
            return unavailable
        request.urlconf = urlconf
        with hotel_context(tenant):
            return _in_context(self.get_response(request), lambda: hotel_context(tenant))


def _in_context(response: HttpResponseBase, context: _Context) -> HttpResponseBase:
    """Return the response. If the response is streamed, enter `context` again for each chunk of the response."""
    if response.streaming:
        closers = [partial(_call_in, context, closer) for closer in vars(response)["_resource_closers"]]
        response.streaming_content = _chunks(response.streaming_content, context)  # type: ignore[attr-defined]
        vars(response)["_resource_closers"] = closers
    return response


def _call_in(context: _Context, function: Callable[[], object]) -> None:
    with context():
        function()


def _chunks(content: Iterable[bytes], context: _Context) -> Iterator[bytes]:
    # Enter the tenant's context again for each chunk of the response.
    # If the context stayed active at `yield`, it would also apply to the server's code that sends the chunk.
    chunks = iter(content)
    end = object()
    while True:
        with context():
            chunk: Any = next(chunks, end)
        if chunk is end:
            return
        yield chunk


def _not_found() -> HttpResponse:
    """Return a 404 response.

    Unknown, provisioning and deleted hotels get the same response, so that the response does not reveal their status.
    """
    return HttpResponse("Not found\n", status=404, content_type="text/plain; charset=utf-8")


def _unavailable(request: HttpRequest, tenant: Tenant) -> HttpResponse | None:
    """Return a 503 response if the hotel is suspended or its time zone is unknown to this process, otherwise None.

    Browsers get an HTML page, and API clients get a problem document (RFC 9457). With a wrong time zone, e-mails would
    be sent at the wrong time, so there is no fallback.
    """
    if tenant.status == HotelStatus.SUSPENDED:
        code, title = "hotel-suspended", gettext_lazy("This hotel is suspended")
        reason = gettext_lazy("This hotel is suspended. Its data are kept.")
        detail = gettext_lazy("The hotel's data are kept. The platform's staff can lift the suspension.")
    elif tenant.time_zone not in known_time_zones():
        code, title = "unknown-time-zone", gettext_lazy("The hotel's time zone is not known")
        reason = gettext_lazy("This hotel is unavailable because its time zone is not known to the server.")
        detail = gettext_lazy("The platform's staff can correct the hotel's time zone.")
    else:
        return None
    response: HttpResponse
    if _prefers_page(request):
        with translation.override(_reader_language(request, tenant)):
            context = {"name": tenant.name, "reason": reason}
            response = render(request, "tenants/unavailable.html", context, status=503)
    else:
        with translation.override(translation.get_language_from_request(request)):
            problem = {
                "type": f"/problems/{code}",
                "title": str(title),
                "status": 503,
                "detail": str(detail),
                "request_id": getattr(request, "request_id", None),
            }
        response = JsonResponse(problem, status=503, content_type="application/problem+json")
    response["Retry-After"], response["Cache-Control"] = "3600", "no-store"
    response["Vary"] = "Accept, Accept-Language"
    return response


def _prefers_page(request: HttpRequest) -> bool:
    """Return whether the client prefers an HTML page. Clients of the API always get a problem document."""
    # The first content type is for API clients that send `Accept: */*`. Browsers prefer text/html.
    types = ["application/problem+json", "application/json", "text/html"]
    is_api = request.path_info.startswith("/api/v")
    return not is_api and request.get_preferred_type(types) == "text/html"


def _reader_language(request: HttpRequest, tenant: Tenant) -> str:
    """Return the language that the client accepts, or the hotel's language if the client names no language."""
    if request.headers.get("Accept-Language") or settings.LANGUAGE_COOKIE_NAME in request.COOKIES:
        return translation.get_language_from_request(request)
    return tenant.language


class ClientSessionMiddleware(SessionMiddleware):
    """Django's session middleware, which also stores the client and the time of the last use of a session."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.session.set_client(request)  # type: ignore[attr-defined]

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        response = super().process_response(request, response)
        session: Any = request.session
        if session.accessed and not session.modified and _is_activity(request):
            session.record_use()
        return response


def _is_activity(request: HttpRequest) -> bool:
    """Return False for requests that a page sends automatically to refresh itself.

    Such requests do not extend the session.
    """
    reads = request.method in {"GET", "HEAD"}
    return not (reads and request.headers.get("Sec-Fetch-Dest") == "empty")


class ActorMiddleware:
    """Middleware that sets the actor of the request: the logged-in member of staff or an anonymous client.

    The actor is lazy, so requests that record no audit event do not load their session.
    """

    def __init__(self, get_response: _Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        actor: Any = SimpleLazyObject(lambda: session_actor(request))
        with actor_context(actor):
            return _in_context(self.get_response(request), lambda: actor_context(actor))
