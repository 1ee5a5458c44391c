"""Browser tests of every page of both kinds of hosts, on a phone in Spanish and on a desktop in English.

The suite opens some pages of each kind. With the environment variable PAGES=all, which `make pages` sets, the tests
open all pages.
"""

import os
from collections.abc import Iterable, Iterator
from functools import partial
from types import ModuleType
from typing import Any

import pytest
from django.contrib.admin import AdminSite
from django.test import Client
from playwright.sync_api import Browser, Page

from audit.reading.models import SavedSearch
from dlq.models import Failure
from hotelagent.admin.base import SettingsPageAdmin
from hotelagent.admin.sites import hotel_site, platform_site
from hotelagent.urls import hotel as hotel_urls
from hotelagent.urls import platform as platform_urls
from reminders.mail import unsubscribe_links
from reminders.models import Reminder
from tenants.context import current_tenant, hotel_context, platform_context
from tenants.models import Hotel, User
from tests.conftest import ALPHA_HOST
from tests.pages.accessibility import colour_faults, layout_faults
from tests.pages.example_rows import create_hotel_rows, create_invitation, create_platform_rows
from tests.pages.page_list import open_paths, paths_of, routes
from tests.pages.visits import Screen, Visit

pytestmark = [
    pytest.mark.pages,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(3600 if os.environ.get("PAGES") == "all" else 900),
]

ALL = os.environ.get("PAGES") == "all"
#: Pages of different kinds: start page, list, board, form, history, and an object with actions.
HOTEL_EXAMPLES = (
    "/admin/",
    "/admin/audit/event/",
    "/admin/locks/room/board/",
    "/admin/locks/webhook/<path:object_id>/change/",
    "/admin/reminders/reservation/<path:object_id>/history/",
)
#: Pages that need no login. The test also opens the form of an invitation and an error page.
EXAMPLES_WITHOUT_LOGIN = {"/", "/admin/login/"}
PLATFORM_EXAMPLES = (
    "/admin/",
    "/admin/tenants/contactidentifier/add/",
    "/admin/tenants/hotel/",
    "/admin/usage/",
    "/admin/usage/<uuid:hotel_id>/",
)
#: Routes whose responses are not pages: files, requests of mail providers, and parts of pages.
FILES = {
    "/brand/<slug:digest>.<slug:extension>",
    "/anymail/<slug:provider>/tracking/",
    "/admin/search/",
}
PHONE = Screen(language="es", width=390, height=844)
DESKTOP = Screen(language="en", width=1440, height=900)


def values_of(parameter: str, model: Any, *, site: AdminSite) -> Iterable[str]:
    """Return example values for a parameter of a route. A new parameter needs a value here."""
    if parameter in {"object_id", "file_id", "pk"}:
        if isinstance(site._registry[model], SettingsPageAdmin):
            return ["1"]
        return [str(row.pk) for row in model._default_manager.order_by("-pk")[:1]]
    return {
        "id": lambda: [str(User.objects.latest("pk").pk)],
        "user_id": lambda: [str(User.objects.exclude(totp_secret=None).latest("pk").pk)],
        "hotel_id": lambda: [str(Hotel.objects.latest("pk").pk)],
        "failure_id": lambda: [str(Failure.objects.latest("pk").pk)],
        "search_id": lambda: [str(SavedSearch.objects.latest("pk").pk)],
        "token": lambda: [unsubscribe_token()],
        "export_format": lambda: ["csv"],
        "code": lambda: ["room-unavailable"],
    }[parameter]()


def unsubscribe_token() -> str:
    Reminder.objects.update(recipient="ana@example.com")
    url = unsubscribe_links.url(Reminder.objects.latest("pk").pk, hotel=current_tenant(), base_url="")
    return url.strip("/").rpartition("/")[2]


def example_paths(urls: ModuleType, site: AdminSite, examples: Iterable[str]) -> list[str]:
    """Return the paths of the example routes, or of all routes if PAGES=all."""
    values = partial(values_of, site=site)
    found = [route for route in routes(urls, site) if route.pattern not in FILES]
    return [path for route in found if ALL or route.pattern in examples for path in paths_of(route, values)]


def check_lists(paths: list[str], site: AdminSite, examples: Iterable[str]) -> None:
    """Fail if the list of a model was not opened, for example because the user was not logged in."""
    lists = {f"/admin/{model._meta.app_label}/{model._meta.model_name}/" for model in site._registry}
    assert {path for path in lists if ALL or path in examples} <= set(paths)


@pytest.fixture
def visit(browser: Browser, live_server: Any) -> Visit:
    return Visit(browser, port=live_server.url.rpartition(":")[2])


def test_pages_of_a_hotel_fit_a_phone_and_follow_the_rules_of_axe(
    visit: Visit, hotel: Hotel, staff: Client
) -> None:
    with hotel_context(hotel):
        create_hotel_rows(hotel, user_id=User.objects.get(username="manager").pk)
        paths = list(open_paths(staff, example_paths(hotel_urls, hotel_site, HOTEL_EXAMPLES)))
    check_lists(paths, hotel_site, HOTEL_EXAMPLES)
    with hotel_context(hotel):
        faults = visit.faults(staff, ALPHA_HOST, paths, screens=(PHONE, DESKTOP) if ALL else (PHONE,))
    assert faults == {}


def test_pages_of_the_platform_fit_a_phone_and_follow_the_rules_of_axe(
    visit: Visit,
    hotel: Hotel,
    operator: Client,
) -> None:
    with platform_context():
        create_platform_rows(hotel, user_id=User.objects.get(username="operator").pk)
        paths = list(open_paths(operator, example_paths(platform_urls, platform_site, PLATFORM_EXAMPLES)))
    check_lists(paths, platform_site, PLATFORM_EXAMPLES)
    with platform_context():
        faults = visit.faults(operator, "localhost", paths, screens=(PHONE, DESKTOP) if ALL else (DESKTOP,))
    assert faults == {}


def test_pages_without_login_fit_a_phone_and_follow_the_rules_of_axe(visit: Visit, hotel: Hotel) -> None:
    client = Client(SERVER_NAME=ALPHA_HOST)
    token = create_invitation(hotel)
    with hotel_context(hotel):
        found = [route for route in routes(hotel_urls, hotel_site) if "<" not in route.pattern]
        examples = [route.pattern for route in found if ALL or route.pattern in EXAMPLES_WITHOUT_LOGIN]
        paths = list(open_paths(client, examples))
    assert set(paths) >= EXAMPLES_WITHOUT_LOGIN
    with hotel_context(hotel):
        faults = visit.faults(
            client, ALPHA_HOST, [*paths, f"/admin/invitation/?token={token}", "/missing/"], screens=(PHONE,)
        )
    assert faults == {}


@pytest.fixture
def faulty_page(browser: Browser) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 390, "height": 844}) as context:
        page = context.new_page()
        page.set_content(
            """<html lang="en"><title>Faults</title><body><h1>Faults</h1>
            <style>.dark p { background: #222; color: #444 }</style>
            <p style="width: 500px">Text</p>
            <table id="result_list"><tr><td style="display: block; height: 10px; overflow: hidden">A<br>B<br>C</td>
            </table></body>"""
        )
        yield page


def test_checks_find_the_faults_of_a_faulty_page(faulty_page: Page) -> None:
    layout, colours = "\n".join(layout_faults(faulty_page)), "\n".join(colour_faults(faulty_page))
    for fault in ("wider than the screen", "clipped cell", "0 <main> elements"):
        assert fault in layout
    assert "light: landmark-one-main" in colours
    assert "dark: color-contrast" in colours
    assert "light: color-contrast" not in colours
