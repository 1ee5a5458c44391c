"""Caches, throttles, flags, content types and sessions: what libraries share between tenants by accident."""

from typing import Any

import pytest
import waffle
from django.contrib.auth.models import AnonymousUser
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import BaseCommand, call_command
from django.db import ProgrammingError, transaction
from django.test import Client, RequestFactory, TestCase
from rest_framework.settings import api_settings
from rest_framework.test import APIClient
from waffle.models import Flag, Switch

from locks.models import Room
from tenants.context import TenantNotSet, hotel_context, platform_context, tenant_or_none
from tenants.management.commands.list_hotels import Command as ListHotels
from tenants.models import Hotel, User

pytestmark = pytest.mark.django_db


def test_a_cached_value_is_its_hotels(hotel: Hotel, other_hotel: Hotel) -> None:
    with hotel_context(hotel):
        cache.set("rate", "alpha's")
        cache.set_many({"a": 1, "b": 2})
    for elsewhere in (hotel_context(other_hotel), platform_context()):
        with elsewhere:
            assert cache.get("rate") is None
            assert cache.get_many(["a", "b"]) == {}
            assert cache.add("rate", "another")
            cache.delete("a")
    with hotel_context(hotel):
        assert cache.get("rate") == "alpha's"
        assert cache.get("a") == 1


def test_a_cache_without_a_hotel_is_refused() -> None:
    with pytest.raises(TenantNotSet):
        cache.get("rate")


def test_a_throttle_counts_a_client_at_each_hotel_by_itself(
    hotel: Hotel, other_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_settings, "DEFAULT_THROTTLE_RATES", {"client": "9/min", "anonymous": "2/min"})

    def answers(host: str) -> list[int]:
        return [APIClient(SERVER_NAME=host).get("/api/v1/rooms/").status_code for _ in range(3)]

    assert answers("alpha.localhost") == [401, 401, 429]
    assert answers("beta.localhost") == [401, 401, 429]


def flags(request: Any) -> tuple[bool | None, bool]:
    return waffle.flag_is_active(request, "board"), waffle.switch_is_active("mail")


def test_a_flag_is_the_platforms_and_every_hotel_reads_it(hotel: Hotel, other_hotel: Hotel) -> None:
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    with TestCase.captureOnCommitCallbacks(execute=True), platform_context():
        flag = Flag.objects.create(name="board", everyone=True)
        Switch.objects.create(name="mail", active=True)
    for one in (hotel, other_hotel):
        with hotel_context(one):
            assert flags(request) == (True, True)
    with TestCase.captureOnCommitCallbacks(execute=True), platform_context():
        flag.everyone = None
        flag.save()
    for one in (hotel, other_hotel):
        with hotel_context(one):
            assert flags(request) == (False, True)  # at once, though each hotel has read it before


def test_a_flag_can_not_be_set_at_a_hotel(in_hotel: Hotel) -> None:
    for model in (Flag, Switch):
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            model.objects.create(name="board")


def test_a_flag_that_is_for_staff_asks_the_hotels_own_person(hotel: Hotel, other_hotel: Hotel) -> None:
    with platform_context():
        Flag.objects.create(name="board", staff=True, superusers=False)
    request = RequestFactory().get("/")
    with hotel_context(hotel):
        request.user = User.objects.create_user(username="ana", password=None, role="manager")
        assert waffle.flag_is_active(request, "board")
    with hotel_context(other_hotel):
        request.user = AnonymousUser()
        assert not waffle.flag_is_active(request, "board")


def test_a_content_type_is_the_same_row_everywhere(hotel: Hotel, other_hotel: Hotel) -> None:
    found = set()
    for where in (hotel_context(hotel), hotel_context(other_hotel), platform_context()):
        ContentType.objects.clear_cache()
        with where:
            found.add(ContentType.objects.get_for_model(Room).pk)
    assert len(found) == 1
    with (
        hotel_context(hotel),
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
    ):
        ContentType.objects.create(app_label="nobody", model="nothing")


def test_a_session_of_one_hotel_means_nothing_at_the_next(hotel: Hotel, staff: Client) -> None:
    cookies = staff.cookies.output(header="", sep=";")
    for host, expected in (("alpha.localhost", 200), ("beta.localhost", 302), ("localhost", 302)):
        copied = Client(SERVER_NAME=host)
        copied.cookies.load(cookies)
        assert copied.get("/admin/").status_code == expected


def test_a_session_is_stored_in_its_hotels_schema(hotel: Hotel, other_hotel: Hotel) -> None:
    with hotel_context(hotel):
        session = SessionStore()
        session["seen"] = 1
        session.save()
    for elsewhere in (hotel_context(other_hotel), platform_context()):
        with elsewhere:
            assert not Session.objects.filter(session_key=session.session_key).exists()
            assert SessionStore(session.session_key).get("seen") is None
    with hotel_context(hotel):
        assert SessionStore(session.session_key)["seen"] == 1


def test_a_command_of_ours_runs_for_the_platform_and_leaves_nothing_set(
    hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(ListHotels, "run", lambda _self, **_options: seen.append(tenant_or_none()))
    call_command("list_hotels")
    with hotel_context(hotel):
        call_command("list_hotels")
        assert tenant_or_none() == hotel.tenant
    assert [tenant.schema for tenant in seen if tenant] == ["public", "public"]
    assert tenant_or_none() is None


def test_a_command_that_sets_no_hotel_is_told_so(hotel: Hotel) -> None:
    class Careless(BaseCommand):
        def handle(self, *_args: Any, **_options: Any) -> None:
            self.stdout.write(str(Room.objects.count()))

    with pytest.raises(TenantNotSet, match="hotel_context"):
        call_command(Careless())
