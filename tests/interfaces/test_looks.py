"""What people see in the admin: names, places and times that mean something to a hotelier."""

import datetime
import re
import zoneinfo

import pytest
from django.test import Client
from django.utils.formats import date_format

from tenants.context import hotel_context
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.interfaces.conftest import HOST, PASSWORD, page

pytestmark = pytest.mark.django_db


def test_who_logs_in_is_in_the_back_office(hotel: Hotel) -> None:
    with hotel_context(hotel):
        User.objects.create_user(username="rosa", password=PASSWORD, role=Role.MANAGER)
    browser = Client(SERVER_NAME=HOST)
    answer = browser.post("/admin/login/", {"username": "rosa", "password": PASSWORD}, follow=True)
    assert answer.redirect_chain[-1][0] == "/admin/"
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "address", ["/admin/locks/room/board/", "/admin/locks/room/", "/admin/locks/room/add/"]
)
def test_one_place_of_the_menu_is_marked(staff: Client, address: str) -> None:
    groups = staff.get(address).context["sidebar_navigation"]
    marked = [item["link"] for group in groups for item in group["items"] if item["active"]]
    assert marked == [address.removesuffix("add/")]


def test_a_list_is_called_what_the_menu_calls_it(staff: Client) -> None:
    assert "<title>" in (content := page(staff, "/admin/locks/room/"))
    assert re.search(r"<title>\s*Rooms \| Hotel Alpha", content)


def test_the_staff_of_a_hotel_do_not_stand_below_hotels(staff: Client) -> None:
    assert re.search(r"truncate tracking-tight\">\s*Staff", content := page(staff, "/admin/tenants/user/"))
    assert not re.search(r"truncate tracking-tight\">\s*Hotels", content)
    assert staff.get("/admin/tenants/").headers["Location"] == "/admin/"


def test_times_are_the_hotels_own(staff: Client, hotel: Hotel) -> None:
    noon = datetime.datetime(2026, 7, 15, 12, 0, tzinfo=datetime.UTC)
    with hotel_context(hotel):
        User.objects.create_user(username="luis", password=None, role=Role.AUDITOR, last_login=noon)
    local = noon.astimezone(zoneinfo.ZoneInfo(str(hotel.time_zone)))
    assert local.hour != noon.hour
    shown = date_format(local.replace(tzinfo=None), "DATETIME_FORMAT")
    assert shown in page(staff, "/admin/tenants/user/")


def test_there_is_an_icon_where_browsers_look_for_one(staff: Client) -> None:
    answer = staff.get("/favicon.ico")
    assert (answer.status_code, answer["Location"]) == (301, "/static/hotelagent/icon.svg")


def test_the_way_to_the_history_is_shown(staff: Client, hotel: Hotel) -> None:
    with hotel_context(hotel):
        user = User.objects.get()
    address = f"/admin/tenants/user/{user.pk}/"
    assert f"{address}history/" in page(staff, f"{address}change/")


def test_nothing_found_says_so(staff: Client) -> None:
    assert "Nothing fits the search" in page(staff, "/admin/locks/room/?q=zzzz")
    assert "Nothing fits the search" not in page(staff, "/admin/locks/room/")
