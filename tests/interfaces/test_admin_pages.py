"""Tests of what staff see in the admin: menu, titles, times, and messages for empty lists."""

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


def test_login_redirects_to_the_start_page(hotel: Hotel) -> None:
    with hotel_context(hotel):
        User.objects.create_user(username="rosa", password=PASSWORD, role=Role.MANAGER)
    browser = Client(SERVER_NAME=HOST)
    response = browser.post("/admin/login/", {"username": "rosa", "password": PASSWORD}, follow=True)
    assert response.redirect_chain[-1][0] == "/admin/"
    assert response.status_code == 200


@pytest.mark.parametrize("url", ["/admin/locks/room/board/", "/admin/locks/room/", "/admin/locks/room/add/"])
def test_current_page_is_marked_in_the_menu(staff: Client, url: str) -> None:
    groups = staff.get(url).context["sidebar_navigation"]
    marked = [item["link"] for group in groups for item in group["items"] if item["active"]]
    assert marked == [url.removesuffix("add/")]


def test_list_page_has_the_title_of_its_menu_item(staff: Client) -> None:
    assert "<title>" in (content := page(staff, "/admin/locks/room/"))
    assert re.search(r"<title>\s*Rooms \| Hotel Alpha", content)


def test_staff_list_has_the_title_staff(staff: Client) -> None:
    assert re.search(r"truncate tracking-tight\">\s*Staff", content := page(staff, "/admin/tenants/user/"))
    assert not re.search(r"truncate tracking-tight\">\s*Hotels", content)
    assert staff.get("/admin/tenants/").headers["Location"] == "/admin/"


def test_times_are_shown_in_the_hotel_time_zone(staff: Client, hotel: Hotel) -> None:
    noon = datetime.datetime(2026, 7, 15, 12, 0, tzinfo=datetime.UTC)
    with hotel_context(hotel):
        User.objects.create_user(username="luis", password=None, role=Role.AUDITOR, last_login=noon)
    local = noon.astimezone(zoneinfo.ZoneInfo(str(hotel.time_zone)))
    assert local.hour != noon.hour
    shown = date_format(local.replace(tzinfo=None), "DATETIME_FORMAT")
    assert shown in page(staff, "/admin/tenants/user/")


def test_request_for_favicon_ico_redirects_to_the_svg_icon(staff: Client) -> None:
    response = staff.get("/favicon.ico")
    assert (response.status_code, response["Location"]) == (301, "/static/hotelagent/icon.svg")


def test_change_page_links_to_the_history(staff: Client, hotel: Hotel) -> None:
    with hotel_context(hotel):
        user = User.objects.get()
    url = f"/admin/tenants/user/{user.pk}/"
    assert f"{url}history/" in page(staff, f"{url}change/")


@pytest.mark.parametrize("year", ["9999", "0", "99999999999999999999", "x"])
def test_list_filtered_by_an_impossible_year_redirects_to_the_unfiltered_list(
    staff: Client, year: str
) -> None:
    response = staff.get(f"/admin/reminders/reservation/?arrival__year={year}")
    assert (response.status_code, response["Location"]) == (302, "/admin/reminders/reservation/?e=1")


def test_view_on_site_urls_of_the_admin_return_404(staff: Client) -> None:
    """Django's view-on-site page would read a platform table for which the hotel's role has no privileges."""
    assert [staff.get(f"/admin/r/{number}/1/").status_code for number in (1, 2)] == [404, 404]


def test_admin_search_without_results_shows_a_message(staff: Client) -> None:
    assert "No results match your search" in page(staff, "/admin/locks/room/?q=zzzz")
    assert "No results match your search" not in page(staff, "/admin/locks/room/")
