"""Tests of the middleware that sets the tenant and the actor of a request."""

from collections.abc import Callable, Iterator

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template import engines
from django.template.response import TemplateResponse
from django.test import Client, RequestFactory
from django.utils.functional import SimpleLazyObject

from audit.models import Event
from tenants import services
from tenants.access.client_address import client_address, parse_address
from tenants.context import TenantNotSet, current_actor, current_tenant, platform_context, tenant_or_none
from tenants.middleware import ActorMiddleware, HotelMiddleware
from tenants.models import Hotel, User
from tenants.scopes import Role

pytestmark = pytest.mark.django_db


def request_for(host: str, **headers: str) -> HttpRequest:
    return RequestFactory().get("/", headers={"host": host, **headers})


def respond(view: Callable[[HttpRequest], HttpResponse], host: str) -> HttpResponse:
    response = HotelMiddleware(view)(request_for(host))
    assert isinstance(response, HttpResponse)
    return response


def current_schema() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        return str(cursor.fetchone()[0])


def test_request_to_a_hotel_host_sets_the_hotel_and_its_urls(hotel: Hotel) -> None:
    seen = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append((current_tenant(), request.urlconf, current_schema()))
        return HttpResponse()

    HotelMiddleware(view)(request_for("Alpha.localhost.:8000"))
    assert seen == [(hotel.tenant, django_settings.HOTEL_URLCONF, hotel.schema)]
    assert tenant_or_none() is None


def test_request_to_the_platform_host_runs_in_the_schema_of_the_platform(hotel: Hotel) -> None:
    assert respond(lambda request: HttpResponse(current_schema()), "localhost").content == b"public"


@pytest.mark.parametrize(
    "host", ["unknown.localhost", "evil.example", "a.alpha.localhost", "a_b.localhost", "[::2]"]
)
def test_request_to_an_unknown_host_returns_404(hotel: Hotel, host: str) -> None:
    response = respond(lambda request: HttpResponse("secret"), host)
    assert (response.status_code, response.content) == (404, b"Not found\n")


def test_request_to_the_host_of_a_hotel_in_provisioning_returns_404(hotel: Hotel) -> None:
    response = HotelMiddleware(lambda request: HttpResponse())
    with platform_context():
        Hotel.objects.create(slug="soon", name="Soon", schema="hotel_soon")
    assert response(request_for("soon.localhost")).status_code == 404


@pytest.fixture
def suspended(hotel: Hotel) -> Hotel:
    services.suspend_hotel(hotel_id=hotel.id)
    return hotel


def test_suspended_hotel_responds_to_browsers_with_an_html_page(suspended: Hotel, client: Client) -> None:
    response = client.get("/admin/", headers={"host": "alpha.localhost", "accept": "text/html,*/*;q=0.8"})
    assert response.status_code == 503
    assert "Hotel Alpha" in response.content.decode()
    assert response["Retry-After"]
    assert "The database" not in response.content.decode()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "Este hotel está suspendido"),
        ({"accept-language": "en-GB,en;q=0.9"}, "This hotel is suspended"),
        ({"accept-language": "es-MX"}, "Este hotel está suspendido"),
        ({"accept-language": "es", "cookie": "django_language=en"}, "This hotel is suspended"),
    ],
)
def test_suspended_hotel_shows_its_page_in_the_language_of_the_reader(
    suspended: Hotel, client: Client, headers: dict[str, str], expected: str
) -> None:
    with platform_context():
        Hotel.objects.filter(id=suspended.id).update(language="es")
    page = client.get("/admin/", headers={"host": "alpha.localhost", "accept": "text/html", **headers})
    assert expected in page.content.decode()


def test_suspended_hotel_responds_in_the_language_that_the_api_client_accepts(
    suspended: Hotel, client: Client
) -> None:
    def title(**headers: str) -> str:
        response = client.get("/api/v1/rooms/", headers={"host": "alpha.localhost", **headers})
        return str(response.json()["title"])

    assert title(**{"accept-language": "es"}) == "Este hotel está suspendido"
    assert title() == "This hotel is suspended"


@pytest.mark.parametrize(
    "accept", ["application/json", "*/*", "application/problem+json", "text/html", "text/html,*/*;q=0.8"]
)
def test_suspended_hotel_responds_to_api_clients_with_a_problem_document(
    suspended: Hotel, client: Client, accept: str
) -> None:
    response = client.get("/api/v1/rooms/", headers={"host": "alpha.localhost", "accept": accept})
    assert response.status_code == 503
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["type"] == "/problems/hotel-suspended"
    assert response.json()["request_id"] == response["X-Request-ID"]


def test_hotel_is_served_again_after_the_suspension_is_lifted(suspended: Hotel) -> None:
    services.resume_hotel(hotel_id=suspended.id)
    assert HotelMiddleware(lambda request: HttpResponse())(request_for("alpha.localhost")).status_code == 200


def test_streaming_response_produces_each_chunk_in_the_context_of_its_hotel(hotel: Hotel) -> None:
    closed = []

    def rows() -> Iterator[str]:
        try:
            for _ in range(3):
                yield current_schema()
        finally:
            closed.append(current_schema())

    response = HotelMiddleware(lambda request: StreamingHttpResponse(rows()))(request_for("alpha.localhost"))
    assert isinstance(response, StreamingHttpResponse)
    seen = []
    for chunk in response:
        with pytest.raises(TenantNotSet):
            current_tenant()  # between two chunks the server may serve another hotel
        seen.append(chunk)
    assert seen == [hotel.schema.encode()] * 3
    assert closed == [hotel.schema]


def test_early_closed_streaming_response_is_cleaned_up_in_its_hotels_context(hotel: Hotel) -> None:
    closed = []

    def rows() -> Iterator[str]:
        try:
            while True:
                yield "x"
        finally:
            closed.append(current_schema())

    response = HotelMiddleware(lambda request: StreamingHttpResponse(rows()))(request_for("alpha.localhost"))
    assert isinstance(response, StreamingHttpResponse)
    next(iter(response))
    response.close()
    assert closed == [hotel.schema]


def test_template_response_is_rendered_in_the_context_of_its_hotel(hotel: Hotel, client: Client) -> None:
    template = engines["django"].from_string("{{ users.count }}{% for u in users %}{{ u }}{% endfor %}")

    def view(request: HttpRequest) -> HttpResponse:
        response = TemplateResponse(request, template, {"users": User.objects.all()})
        return response.render()

    response = respond(view, "alpha.localhost")
    assert response.content.startswith(b"0")


def test_tenant_is_reset_after_an_error_in_the_view(hotel: Hotel) -> None:
    def fail(request: HttpRequest) -> HttpResponse:
        raise ValueError("failed")

    with pytest.raises(ValueError, match="failed"):
        HotelMiddleware(fail)(request_for("alpha.localhost"))
    assert tenant_or_none() is None


def test_actor_of_a_request_is_loaded_on_first_use(in_hotel: Hotel) -> None:
    loads = []

    def user() -> User:
        loads.append(1)
        return User(username="ana", role="manager")

    request = request_for("alpha.localhost")
    request.user = SimpleLazyObject(user)  # type: ignore[assignment] # like AuthenticationMiddleware
    ActorMiddleware(lambda request: HttpResponse())(request)
    assert loads == []
    ActorMiddleware(lambda request: HttpResponse(current_actor().label))(request)
    assert loads == [1]


def test_actor_of_a_request_without_login_is_anonymous(in_hotel: Hotel) -> None:
    request = request_for("alpha.localhost")
    request.user = AnonymousUser()
    seen = []
    ActorMiddleware(lambda request: seen.append(current_actor().kind) or HttpResponse())(request)  # type: ignore[func-returns-value]
    assert seen == ["anonymous"]


@pytest.mark.parametrize(
    ("hops", "forwarded", "expected"),
    [
        (0, "6.6.6.6", ("127.0.0.1", False)),
        (1, "6.6.6.6, 10.1.1.1", ("10.1.1.1", False)),
        (1, "6.6.6.6, 10.1.1.1:5678", ("10.1.1.1", False)),
        (2, "6.6.6.6, 9.9.9.9, 10.1.1.1", ("9.9.9.9", False)),
        (2, ", ,\x00, 9.9.9.9, 10.1.1.1", ("9.9.9.9", False)),
        (2, "9.9.9.9", ("127.0.0.1", True)),
        (1, "", ("127.0.0.1", True)),
        (1, "6.6.6.6, unknown", ("127.0.0.1", True)),
        (1, "6.6.6.6, " + "1" * 10_000, ("127.0.0.1", True)),
    ],
)
def test_client_address_is_taken_from_the_entry_of_the_outermost_trusted_proxy(
    settings: object, hops: int, forwarded: str, expected: tuple[str, bool]
) -> None:
    settings.TRUSTED_PROXY_HOPS = hops  # type: ignore[attr-defined]
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    assert client_address(request_for("alpha.localhost", **headers)) == expected


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1:5678 ", "192.0.2.1"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("[::1]:80", "::1"),
        ("[::1]", "::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:443", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", None),
        ("unknown", None),
        ("_hidden", None),
        ("192.0.2.1:", None),
        ("192.0.2.1:http", None),
        ("192.0.2.1:5678:9", None),
        ("[::1", None),
        ("[::1]80", None),
        ("192.0.2.256", None),
        ("192.0.2.1; DROP TABLE", None),
        ("1" * 1000, None),
    ],
)
def test_parse_address_removes_the_port_and_returns_none_for_an_invalid_address(
    text: str, address: str | None
) -> None:
    assert parse_address(text) == address


@pytest.mark.django_db
@pytest.mark.parametrize("forwarded", ["1.2.3.4:5678", "unknown", "fe80::1%eth0", "'; --", "\x1b[31m"])
def test_denial_of_a_request_with_an_unusual_client_address_is_recorded(
    settings: object, in_hotel: Hotel, forwarded: str
) -> None:
    settings.TRUSTED_PROXY_HOPS = 1  # type: ignore[attr-defined]
    client = Client(SERVER_NAME="alpha.localhost")
    desk = User.objects.create_user(username="desk", password=None, role=Role.FRONT_DESK)
    client.force_login(desk)
    denied = client.get("/admin/audit/event/", headers={"X-Forwarded-For": forwarded})
    assert denied.status_code == 403
    assert Event.objects.get(event="access.denied", actor_id=str(desk.pk)).ip in {
        "1.2.3.4",
        "fe80::1",
        "127.0.0.1",
    }
