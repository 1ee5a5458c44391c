"""Tests of the caches, throttles, feature flags, content types and sessions of each tenant."""

from typing import Any

import pytest
import waffle
from django.contrib.auth.models import AnonymousUser
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.core.management import BaseCommand, call_command
from django.db import ProgrammingError, transaction
from django.test import Client, RequestFactory, TestCase
from rest_framework.settings import api_settings
from rest_framework.test import APIClient
from waffle.models import Flag, Switch

from locks.models import Room
from tenants.access.sessions import SessionStore, session_id
from tenants.context import TenantNotSet, hotel_context, platform_context, tenant_or_none
from tenants.management.commands.list_hotels import Command as ListHotels
from tenants.models import Hotel, Session, User

pytestmark = pytest.mark.django_db


def test_cached_values_are_separate_per_tenant(hotel: Hotel, other_hotel: Hotel) -> None:
    with hotel_context(hotel):
        cache.set("rate", "alpha's")
        cache.set_many({"a": 1, "b": 2})
    for other_context in (hotel_context(other_hotel), platform_context()):
        with other_context:
            assert cache.get("rate") is None
            assert cache.get_many(["a", "b"]) == {}
            assert cache.add("rate", "another")
            cache.delete("a")
    with hotel_context(hotel):
        assert cache.get("rate") == "alpha's"
        assert cache.get("a") == 1


def test_cache_without_a_context_raises_tenant_not_set() -> None:
    with pytest.raises(TenantNotSet):
        cache.get("rate")


def test_throttle_counts_requests_separately_per_hotel(
    hotel: Hotel, other_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_settings, "DEFAULT_THROTTLE_RATES", {"client": "9/min", "anonymous": "2/min"})

    def statuses(host: str) -> list[int]:
        return [APIClient(SERVER_NAME=host).get("/api/v1/rooms/").status_code for _ in range(3)]

    assert statuses("alpha.localhost") == [401, 401, 429]
    assert statuses("beta.localhost") == [401, 401, 429]


def active_flags(request: Any) -> tuple[bool | None, bool]:
    return waffle.flag_is_active(request, "board"), waffle.switch_is_active("mail")


def test_feature_flag_of_the_platform_applies_to_every_hotel(hotel: Hotel, other_hotel: Hotel) -> None:
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    with TestCase.captureOnCommitCallbacks(execute=True), platform_context():
        flag = Flag.objects.create(name="board", everyone=True)
        Switch.objects.create(name="mail", active=True)
    for each_hotel in (hotel, other_hotel):
        with hotel_context(each_hotel):
            assert active_flags(request) == (True, True)
    with TestCase.captureOnCommitCallbacks(execute=True), platform_context():
        flag.everyone = None
        flag.save()
    for each_hotel in (hotel, other_hotel):
        with hotel_context(each_hotel):
            assert active_flags(request) == (False, True)  # no hotel uses an outdated value


def test_feature_flag_cannot_be_created_in_a_hotels_context(in_hotel: Hotel) -> None:
    for model in (Flag, Switch):
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            model.objects.create(name="board")


def test_feature_flag_for_staff_applies_to_staff_of_the_current_hotel(
    hotel: Hotel, other_hotel: Hotel
) -> None:
    with platform_context():
        Flag.objects.create(name="board", staff=True, superusers=False)
    request = RequestFactory().get("/")
    with hotel_context(hotel):
        request.user = User.objects.create_user(username="ana", password=None, role="manager")
        assert waffle.flag_is_active(request, "board")
    with hotel_context(other_hotel):
        request.user = AnonymousUser()
        assert not waffle.flag_is_active(request, "board")


def test_content_types_are_the_same_for_all_hotels_and_read_only(hotel: Hotel, other_hotel: Hotel) -> None:
    ids = set()
    for context in (hotel_context(hotel), hotel_context(other_hotel), platform_context()):
        ContentType.objects.clear_cache()
        with context:
            ids.add(ContentType.objects.get_for_model(Room).pk)
    assert len(ids) == 1
    with (
        hotel_context(hotel),
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
    ):
        ContentType.objects.create(app_label="locks", model="unknown")


def test_session_cookie_of_one_host_is_not_valid_on_another_host(hotel: Hotel, staff: Client) -> None:
    cookies = staff.cookies.output(header="", sep=";")
    for host, expected in (("alpha.localhost", 200), ("beta.localhost", 302), ("localhost", 302)):
        client = Client(SERVER_NAME=host)
        client.cookies.load(cookies)
        assert client.get("/admin/").status_code == expected


def test_sessions_are_stored_in_the_schema_of_their_hotel(hotel: Hotel, other_hotel: Hotel) -> None:
    with hotel_context(hotel):
        session = SessionStore()
        session["seen"] = 1
        session.save()
    for other_context in (hotel_context(other_hotel), platform_context()):
        with other_context:
            assert not Session.objects.filter(id=session_id(session.session_key or "")).exists()
            assert SessionStore(session.session_key).get("seen") is None
    with hotel_context(hotel):
        assert SessionStore(session.session_key)["seen"] == 1


def test_management_command_runs_in_the_platform_context_and_restores_the_previous_context(
    hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenants = []
    monkeypatch.setattr(ListHotels, "run", lambda _self, **_options: tenants.append(tenant_or_none()))
    call_command("list_hotels")
    with hotel_context(hotel):
        call_command("list_hotels")
        assert tenant_or_none() == hotel.tenant
    assert [tenant.schema for tenant in tenants if tenant] == ["public", "public"]
    assert tenant_or_none() is None


def test_django_command_that_enters_no_context_raises_tenant_not_set(hotel: Hotel) -> None:
    class CommandWithoutContext(BaseCommand):
        def handle(self, *_args: Any, **_options: Any) -> None:
            self.stdout.write(str(Room.objects.count()))

    with pytest.raises(TenantNotSet, match="hotel_context"):
        call_command(CommandWithoutContext())
