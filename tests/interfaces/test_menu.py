"""Tests of the sidebar menu: the groups, the items of each role, the tabs, and the height of the menu."""

from collections.abc import Callable

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.browser import PHONE, OpenPage, fits_width, screenshot

pytestmark = pytest.mark.django_db

#: The menu scrolls in this element of unfold if it is too long.
MENU = "#nav-sidebar-apps .simplebar-content-wrapper"


def menu_of(browser: Client) -> dict[str, list[str]]:
    groups = browser.get("/admin/").context["sidebar_navigation"]
    return {group["title"]: [item["title"] for item in group["items"]] for group in groups}


def test_menu_of_a_manager_is_grouped_by_job_with_the_most_used_pages_first(staff: Client) -> None:
    menu = menu_of(staff)
    assert list(menu) == ["Front desk", "Guests and e-mails", "Problems", "Hotel set-up", "Audit and access"]
    assert menu["Front desk"][:4] == ["Today", "Room board", "New reservation", "Reservations"]
    assert menu["Problems"] == ["Failures"]
    assert menu["Audit and access"][:3] == ["Audit trail", "Staff", "API keys"]


def test_menu_groups_are_translated_into_the_language_of_the_user(staff: Client, in_hotel: Hotel) -> None:
    User.objects.update(language="es")
    assert list(menu_of(staff)) == [
        "Recepción",
        "Huéspedes y correos",
        "Problemas",
        "Configuración del hotel",
        "Auditoría y acceso",
    ]


def test_menu_contains_only_pages_for_which_the_role_has_a_scope(
    staff_with_role: Callable[..., Client],
) -> None:
    menu = menu_of(staff_with_role(Role.FRONT_DESK))
    assert "Audit and access" not in menu
    assert "Webhooks and PMS" not in menu["Hotel set-up"]
    assert "Webhooks and PMS" in menu_of(staff_with_role(Role.MANAGER))["Hotel set-up"]


def test_menu_of_the_platform_has_groups_for_hotels_problems_operation_and_access(operator: Client) -> None:
    assert menu_of(operator) == {
        "Hotels": ["Overview", "Hotels", "Guest contacts", "Usage"],
        "Problems": ["Failures"],
        "Schedule and flags": ["Flags", "Periodic tasks", "Switches"],
        "Audit and access": ["Audit trail", "Staff", "API keys", "Support sessions"],
    }


def test_pages_that_share_a_menu_item_are_tabs_of_each_other(staff: Client) -> None:
    for path in ("/admin/reminders/rule/", "/admin/reminders/template/"):
        context = staff.get(path).context
        assert [tab["title"] for tab in context["page_tabs"]] == [
            "Rules",
            "Templates",
            "E-mail branding",
            "Reply address",
        ]
        assert [tab["link"] for tab in context["page_tabs"] if tab["active"]] == [path]
        items = [item for group in context["sidebar_navigation"] for item in group["items"]]
        assert [item["title"] for item in items if item["active"]] == ["Rules and templates"]


def test_page_that_is_the_only_page_of_its_menu_item_has_no_tabs(staff: Client) -> None:
    assert staff.get("/admin/tenants/apikey/").context["page_tabs"] == []


def test_start_page_is_marked_in_the_menu_on_the_start_page_only(staff: Client) -> None:
    def active(path: str) -> list[str]:
        groups = staff.get(path).context["sidebar_navigation"]
        return [item["title"] for group in groups for item in group["items"] if item["active"]]

    assert active("/admin/") == ["Today"]
    assert active("/admin/password_change/") == []


def hidden_height(page: Page) -> int:
    """Return by how many pixels the menu is too long for the screen."""
    return int(page.eval_on_selector(MENU, "menu => menu.scrollHeight - menu.clientHeight"))


@pytest.mark.browser
@pytest.mark.timeout(180)
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("locale", ["en-GB", "es-ES"])
def test_menu_of_a_manager_does_not_scroll_at_a_height_of_900_pixels(
    open_as_manager: OpenPage, locale: str
) -> None:
    with open_as_manager("/admin/reminders/rule/", locale=locale) as page:
        page.wait_for_selector(MENU)
        assert hidden_height(page) <= 0
        screenshot(page, f"menu-{locale}")
        page.set_viewport_size({"width": 1440, "height": 600})  # the screen is too low for the whole menu
        assert hidden_height(page) > 0


@pytest.mark.browser
@pytest.mark.timeout(180)
@pytest.mark.django_db(transaction=True)
def test_tabs_of_a_page_do_not_widen_the_page_on_a_phone(open_as_manager: OpenPage) -> None:
    with open_as_manager("/admin/pms/conflict/", **PHONE) as page:
        assert page.locator(".ha-tabs a").count() == 5
        assert fits_width(page)
        screenshot(page, "tabs-phone")


@pytest.mark.browser
@pytest.mark.timeout(180)
@pytest.mark.django_db(transaction=True)
def test_current_tab_is_visible_on_a_phone(open_as_manager: OpenPage) -> None:
    with open_as_manager("/admin/pms/conflict/", **PHONE) as page:
        tabs = page.locator(".ha-tabs a")
        expect(page.locator(".ha-tabs [aria-current]")).to_be_in_viewport(ratio=1)
        expect(tabs.first).not_to_be_in_viewport()  # not all tabs fit
