"""Which hotel a request is for, and who makes it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import split_domain_port
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import translation
from django.utils.functional import SimpleLazyObject

from tenants.context import Actor, Tenant, actor_context, hotel_context, platform_context
from tenants.host_routing import resolve
from tenants.models import HotelStatus

_Context = Callable[[], AbstractContextManager[object]]
_Handler = Callable[[HttpRequest], HttpResponseBase]


class HotelMiddleware:
    """Sets the hotel, or the platform, by the request's host, until the last byte of the answer is made."""

    def __init__(self, get_response: _Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            host = split_domain_port(request.get_host())[0].removesuffix(".")
        except DisallowedHost:
            return _nothing_here()
        tenant = resolve(host)
        if tenant is None:
            return _nothing_here()
        if tenant.id is None:
            with platform_context():
                return _in_context(self.get_response(request), platform_context)
        if tenant.status == HotelStatus.SUSPENDED:
            return _closed(request, tenant)
        request.urlconf = settings.HOTEL_URLCONF
        with hotel_context(tenant):
            return _in_context(self.get_response(request), lambda: hotel_context(tenant))


def _in_context(response: HttpResponseBase, context: _Context) -> HttpResponseBase:
    """A streaming answer makes its chunks after the middleware has left: give each of them the context again."""
    if response.streaming:
        closers = [partial(_within, context, closer) for closer in vars(response)["_resource_closers"]]
        response.streaming_content = _chunks(response.streaming_content, context)  # type: ignore[attr-defined]
        vars(response)["_resource_closers"] = closers
    return response


def _within(context: _Context, work: Callable[[], object]) -> None:
    with context():
        work()


def _chunks(content: Iterable[bytes], context: _Context) -> Iterator[bytes]:
    # Not one `with` around the loop: a generator shares its caller's context, which would keep the hotel.
    chunks = iter(content)
    end = object()
    while True:
        with context():
            chunk: Any = next(chunks, end)
        if chunk is end:
            return
        yield chunk


def _nothing_here() -> HttpResponse:
    """The same for a host that nobody owns, one that is being made and one that is gone."""
    return HttpResponse("Not found\n", status=404, content_type="text/plain; charset=utf-8")


def _closed(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """503 for a suspended hotel: a page for people, a problem document (RFC 9457) for clients."""
    headers = {"Retry-After": "3600", "Cache-Control": "no-store"}
    # The first of these for who takes anything, which is what clients say. Browsers ask for text/html.
    offered = ["application/problem+json", "application/json", "text/html"]
    if request.get_preferred_type(offered) == "text/html":
        with translation.override(tenant.language):
            page = render(request, "tenants/suspended.html", {"name": tenant.name}, status=503)
        for header, value in headers.items():
            page[header] = value
        return page
    problem = {
        "type": "/problems/hotel-suspended",
        "title": "This hotel is suspended",
        "status": 503,
        "detail": "Its data are kept. The platform's staff can resume it.",
        "request_id": getattr(request, "request_id", None),
    }
    return JsonResponse(problem, status=503, content_type="application/problem+json", headers=headers)


class ActorMiddleware:
    """Says who acts, once somebody asks: a request that audits nothing does not look up its session for it.

    A door that knows better (an API key) nests its own `actor_context`.
    """

    def __init__(self, get_response: _Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        actor: Any = SimpleLazyObject(lambda: _actor(request))
        with actor_context(actor):
            return _in_context(self.get_response(request), lambda: actor_context(actor))


def _actor(request: HttpRequest) -> Actor:
    user = request.user
    where = {"ip": client_ip(request), "request_id": getattr(request, "request_id", None)}
    if user.is_authenticated:
        return Actor(kind="user", id=str(user.pk), label=user.get_username(), **where)
    return Actor(kind="anonymous", id="", label="anonymous", **where)


def client_ip(request: HttpRequest) -> str | None:
    """The client's address, as far as we can trust it.

    Each proxy appends the address that it saw; anything before our own proxies' entries is what the client
    claims. So we count `settings.TRUSTED_PROXY_HOPS` from the end, and take no header where it is 0.
    """
    hops = settings.TRUSTED_PROXY_HOPS
    if hops:
        forwarded = [
            part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()
        ]
        if forwarded:
            return str(forwarded[-min(hops, len(forwarded))])
    return str(request.META.get("REMOTE_ADDR") or "") or None
