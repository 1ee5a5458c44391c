"""Views, HTTP clients and fixtures for tests of the conventions of the REST API and the admin."""

import uuid
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import clear_url_caches, include, path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient

from hotelagent.rest.idempotency import IdempotentMixin
from hotelagent.rest.views import HotelAPIView, HotelReadOnlyViewSet
from hotelagent.urls import hotel as hotel_urls
from tenants.access import api_keys
from tenants.context import current_actor, hotel_context
from tenants.errors import DomainError
from tenants.models import Hotel, User
from tenants.scopes import Role

HOST = "alpha.localhost"
OTHER_HOST = "beta.localhost"
PASSWORD = "a-Long-enough-1"


def page(browser: Client, url: str) -> str:
    """Request the URL and return the HTML, with entities such as `&amp;` replaced by their characters."""
    response = browser.get(url)
    assert response.status_code == 200, response.content[:500]
    return unescape(response.content.decode())


class RoomUnavailable(DomainError):
    """The error that `Thing` raises to test how domain errors are sent to API clients."""

    code = "test-room-unavailable"
    status = 409
    title = "The room is not available"


class GuestSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    nights = serializers.ListField(child=serializers.DateField(), default=list)


class Thing(IdempotentMixin, HotelAPIView):
    """A view whose POST inserts a row, so that tests can count the inserted rows.

    The header `X-Outcome` makes POST fail.
    """

    required_scopes = {"GET": "rooms:read", "POST": "rooms:write"}
    outcomes: dict[str, Callable[[], Response]] = {}

    def get(self, _request: Request) -> Response:
        actor = current_actor()
        return Response({"actor": actor.kind, "label": actor.label, "request_id": actor.request_id})

    def post(self, request: Request) -> Response:
        User.objects.create_user(username=f"created-{uuid.uuid4()}", password=None, role=Role.AUDITOR)
        outcome = self.outcomes.get(request.headers.get("X-Outcome", ""))
        if outcome is not None:
            return outcome()
        GuestSerializer(data=request.data).is_valid(raise_exception=True)
        token = f"token-{uuid.uuid4()}"
        return Response({"token": token}, status=201, headers={"Location": f"/things/{token}"})


def _raise(error: Exception) -> Callable[[], Response]:
    def outcome() -> Response:
        raise error

    return outcome


def _sleep() -> Response:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 20")
        cursor.execute("SELECT pg_sleep(5)")
    return Response({})


Thing.outcomes = {
    "unavailable": _raise(RoomUnavailable("Room 12 is not available.", nights=["2030-01-01"])),
    "reserved": _raise(
        RoomUnavailable("Taken.", room=12, status="taken", type="room", title=7, request_id=3)
    ),
    "broken": _raise(RuntimeError("postgres://someone:hunter2@db/x")),
    "503": lambda: Response({"later": True}, status=503),
    "slow": _sleep,
}


class StaffSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ("id", "username")


class StaffViewSet(HotelReadOnlyViewSet):
    queryset = User.objects.all()
    serializer_class = StaffSerializer
    filterset_fields = ("role",)
    required_scopes = {"GET": "staff:read"}


def broken_page(_request: HttpRequest) -> HttpResponse:
    raise RuntimeError("guest@example.com caused an error")


urlpatterns = [
    path("api/v1/thing/", Thing.as_view()),
    path("api/v1/people/", StaffViewSet.as_view({"get": "list"})),
    path("api/v1/broken-page/", broken_page),
    path("broken-page/", broken_page),
    path("", include(hotel_urls)),
]


@pytest.fixture
def urls_of_test_views() -> Iterator[None]:
    """Add the URLs of the views in this conftest.py to the URLs of hotels during the test."""
    with override_settings(HOTEL_URLCONF=__name__):
        clear_url_caches()
        yield
    clear_url_caches()


@pytest.fixture
def client_with() -> Callable[..., APIClient]:
    """Return a function that creates an API client for a hotel's host. The client's API key has the given scopes."""

    def make(hotel: Hotel, *scopes: str, host: str = HOST, **options: Any) -> APIClient:
        with hotel_context(hotel):
            _key, text = api_keys.create(name="a client", scopes=scopes, **options)
        client = APIClient(SERVER_NAME=host, raise_request_exception=False)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
        return client

    return make


@pytest.fixture
def created_count(hotel: Hotel) -> Callable[[], int]:
    """Return a function that counts the users of Hotel Alpha that the test view `Thing` has created."""

    def count() -> int:
        with hotel_context(hotel):
            return User.objects.filter(username__startswith="created-").count()

    return count


@pytest.fixture
def staff_with_role(hotel: Hotel) -> Callable[..., Client]:
    """Return a function that creates a test client. A user with the given role is logged in to Hotel Alpha."""

    def log_in(role: str, **options: Any) -> Client:
        browser = Client(SERVER_NAME=HOST, **options)
        with hotel_context(hotel):
            user = User.objects.create_user(username=f"a {role}", password=None, role=role)
            browser.force_login(user)
        return browser

    return log_in
