"""Two sites, one rule: what a role may see is there, and nothing else."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from hotelagent.admin import signals
from hotelagent.admin.sites import hotel_site, platform_site
from tenants.access import api_keys
from tenants.context import hotel_context, platform_context
from tenants.database.placement import Placement, placement_of
from tenants.models import ApiKey, Hotel, HotelStatus, User
from tenants.scopes import Role
from tenants.signals import permission_denied
from tests.interfaces.conftest import HOST, OTHER_HOST, PASSWORD, page

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(hotel: Hotel) -> User:
    with hotel_context(hotel):
        return User.objects.create_user(username="rosa", password=PASSWORD, role=Role.MANAGER)


def log_in(browser: Client, username: str, password: str = PASSWORD) -> Any:
    return browser.post("/admin/login/", {"username": username, "password": password})


def test_the_hotels_site_shows_nothing_of_the_shared_apps() -> None:
    for model in hotel_site._registry:
        placement = placement_of(model._meta.app_label, model._meta.model_name)
        assert placement is not Placement.PLATFORM, f"{model} stands on the hotel's site"


def test_the_platforms_site_shows_nothing_of_a_hotel() -> None:
    for model in platform_site._registry:
        assert placement_of(model._meta.app_label, model._meta.model_name) is not Placement.HOTEL


def test_the_login_page_names_the_hotel(hotel: Hotel) -> None:
    assert "Hotel Alpha" in page(Client(SERVER_NAME=HOST), "/admin/login/")
    assert "Hotel Alpha" not in page(Client(SERVER_NAME="localhost"), "/admin/login/")


def test_staff_of_one_hotel_can_not_log_in_at_another(manager: User) -> None:
    at_home, elsewhere, platform = (Client(SERVER_NAME=host) for host in (HOST, OTHER_HOST, "localhost"))
    assert log_in(at_home, "rosa").status_code == 302
    assert log_in(elsewhere, "rosa").status_code == 200
    assert log_in(platform, "rosa").status_code == 200


def test_a_session_of_one_hotel_is_none_at_another(staff: Client) -> None:
    assert staff.get("/admin/").status_code == 200
    assert staff.get("/admin/", SERVER_NAME=OTHER_HOST).status_code == 302
    assert staff.get("/admin/", SERVER_NAME="localhost").status_code == 302


def test_user_names_do_not_mind_case(manager: User) -> None:
    assert log_in(Client(SERVER_NAME=HOST), "ROSA").status_code == 302


def test_who_guesses_a_password_is_slowed_down(manager: User) -> None:
    browser = Client(SERVER_NAME=HOST)
    for _ in range(10):
        log_in(browser, "rosa", "wrong")
    assert b"Too many attempts" in log_in(browser, "rosa").content
    elsewhere = Client(SERVER_NAME=HOST, REMOTE_ADDR="192.0.2.9")
    assert log_in(elsewhere, "rosa").status_code == 302


@pytest.mark.parametrize("role", [Role.MANAGER, Role.FRONT_DESK, Role.AUDITOR])
def test_each_page_of_the_menu_opens(person: Callable[..., Client], role: str) -> None:
    browser = person(role)
    links = re.findall(r'class="ha-area".*?</section>', page(browser, "/admin/"), re.DOTALL)
    addresses = set(re.findall(r'href="(/admin/[^"]+)"', "".join(links)))
    assert addresses
    for address in addresses:
        page(browser, address)


def test_each_page_of_the_platforms_menu_opens(operator: Client) -> None:
    addresses = set(re.findall(r'href="(/admin/[a-z_]+/[a-z_]+/)"', page(operator, "/admin/")))
    assert {"/admin/tenants/hotel/", "/admin/django_celery_beat/periodictask/"} <= addresses
    for address in addresses:
        page(operator, address)


def test_every_add_page_opens(staff: Client, operator: Client) -> None:
    for site, browser in ((hotel_site, staff), (platform_site, operator)):
        for model, model_admin in site._registry.items():
            address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/add/"
            response = browser.get(address)
            assert response.status_code in {200, 403}, address
            del model_admin


def test_an_auditor_changes_nothing(person: Callable[..., Client], hotel: Hotel) -> None:
    browser = person(Role.AUDITOR)
    assert browser.get("/admin/tenants/user/add/").status_code == 403
    assert (
        browser.post("/admin/tenants/apikey/add/", {"name": "x", "scopes": "rooms:read"}).status_code == 403
    )
    with hotel_context(hotel):
        assert not ApiKey.objects.exists()


def test_the_front_desk_does_not_see_staff(person: Callable[..., Client]) -> None:
    browser = person(Role.FRONT_DESK)
    heard: list[Any] = []

    def hear(**message: Any) -> None:
        heard.append(message["permission"])

    permission_denied.connect(hear)
    try:
        assert browser.get("/admin/tenants/user/").status_code == 403
    finally:
        permission_denied.disconnect(hear)
    assert heard == ["/admin/tenants/user/"]
    assert "/admin/tenants/user/" not in page(browser, "/admin/")


def test_a_key_is_shown_once_and_works(staff: Client, hotel: Hotel) -> None:
    made = staff.post(
        "/admin/tenants/apikey/add/",
        {"name": "engine", "scopes": ["rooms:read", "staff:read"], "lifetime": "30"},
    )
    assert made.status_code == 200
    assert "no-store" in made["Cache-Control"]
    [text] = re.findall(r"ha_[a-z0-9]{10}_[\w-]+", made.content.decode())
    with hotel_context(hotel):
        key = ApiKey.objects.get()
        assert api_keys.verify(text) == key
    assert key.expires_at is not None
    assert key.scopes == ["rooms:read", "staff:read"]
    for address in ("/admin/tenants/apikey/", f"/admin/tenants/apikey/{key.pk}/change/"):
        assert text.split("_", 2)[2] not in page(staff, address)


def test_a_key_of_the_hotel_gets_no_scope_of_the_platform(staff: Client, hotel: Hotel) -> None:
    staff.post("/admin/tenants/apikey/add/", {"name": "x", "scopes": ["hotels:write"], "lifetime": ""})
    with hotel_context(hotel):
        assert not ApiKey.objects.exists()


def test_a_revoked_key_is_refused_at_once(staff: Client, hotel: Hotel) -> None:
    with hotel_context(hotel):
        key, text = api_keys.create(name="x", scopes=["staff:read"])
    staff.post("/admin/tenants/apikey/", {"action": "revoke", "_selected_action": [str(key.pk)]})
    client = APIClient(SERVER_NAME=HOST)
    assert client.get("/api/v1/audit/", headers={"Authorization": f"Bearer {text}"}).status_code == 401


def test_staff_are_made_changed_and_not_deleted(staff: Client, hotel: Hotel) -> None:
    heard: list[tuple[str, list[str]]] = []

    def added(**message: Any) -> None:
        heard.append(("added", message["changed"]))

    def changed(**message: Any) -> None:
        heard.append(("changed", message["changed"]))

    signals.object_added.connect(added)
    signals.object_changed.connect(changed)
    try:
        response = staff.post(
            "/admin/tenants/user/add/",
            {"username": "luis", "role": Role.FRONT_DESK, "password1": PASSWORD, "password2": PASSWORD},
        )
        assert response.status_code == 302, response.content
        with hotel_context(hotel):
            user = User.objects.get(username="luis")
            assert user.check_password(PASSWORD)
        address = f"/admin/tenants/user/{user.pk}/"
        response = staff.post(
            f"{address}change/",
            {"username": "luis", "role": Role.AUDITOR, "is_active": "on", "language": "es"},
        )
        assert response.status_code == 302, response.content
    finally:
        signals.object_added.disconnect(added)
        signals.object_changed.disconnect(changed)
    assert [what for what, _fields in heard] == ["added", "changed"]
    assert staff.get(f"{address}delete/").status_code == 403
    with hotel_context(hotel):
        user.refresh_from_db()
        assert (user.role, user.language) == (Role.AUDITOR, "es")


def test_a_hotel_makes_no_platform_staff(staff: Client, hotel: Hotel) -> None:
    staff.post(
        "/admin/tenants/user/add/",
        {"username": "eve", "role": Role.PLATFORM, "password1": PASSWORD, "password2": PASSWORD},
    )
    with hotel_context(hotel):
        assert not User.objects.filter(username="eve").exists()


def test_nobody_takes_the_role_from_themselves(staff: Client, hotel: Hotel) -> None:
    with hotel_context(hotel):
        me = User.objects.get(username="manager")
    response = staff.post(
        f"/admin/tenants/user/{me.pk}/change/",
        {"username": "manager", "role": Role.AUDITOR, "is_active": "on"},
    )
    assert response.status_code == 200
    with hotel_context(hotel):
        me.refresh_from_db()
        assert me.role == Role.MANAGER


def test_an_inactive_account_is_out_at_once(staff: Client, hotel: Hotel) -> None:
    with hotel_context(hotel):
        User.objects.filter(username="manager").update(is_active=False)
    assert staff.get("/admin/").status_code == 302


def test_a_hotel_is_suspended_and_resumed(operator: Client, hotel: Hotel, settings: Any) -> None:
    choice = {"_selected_action": [str(hotel.pk)]}
    operator.post("/admin/tenants/hotel/", {"action": "suspend", **choice})
    with platform_context():
        hotel.refresh_from_db()
    assert hotel.status == HotelStatus.SUSPENDED
    again = operator.post("/admin/tenants/hotel/", {"action": "suspend", **choice}, follow=True)
    assert b"It must be active" in again.content
    operator.post("/admin/tenants/hotel/", {"action": "resume", **choice})
    with platform_context():
        hotel.refresh_from_db()
    assert hotel.status == HotelStatus.ACTIVE


def test_what_a_service_refuses_is_told(operator: Client) -> None:
    form = {"slug": "admin", "name": "X", "time_zone": "UTC", "language": "en"}
    response = operator.post("/admin/tenants/hotel/add/", form, follow=True)
    assert response.status_code == 200
    with platform_context():
        assert not Hotel.objects.filter(slug="admin").exists()


def test_the_language_stays_with_the_account(staff: Client, hotel: Hotel) -> None:
    assert staff.post("/admin/language/", {"language": "es", "next": "/admin/"}).status_code == 302
    assert 'lang="es"' in page(staff, "/admin/")
    with hotel_context(hotel):
        user = User.objects.get(username="manager")
    assert user.language == "es"
    another_device = Client(SERVER_NAME=HOST, headers={"Accept-Language": "en"})
    with hotel_context(hotel):
        another_device.force_login(user)
    assert 'lang="es"' in page(another_device, "/admin/")


def test_the_language_form_leads_nowhere_else(staff: Client) -> None:
    response = staff.post("/admin/language/", {"language": "es", "next": "https://evil.example/"})
    assert response["Location"] == "/admin/"
    assert staff.get("/admin/language/").status_code == 405


def test_a_form_without_its_token_is_refused(person: Callable[..., Client], hotel: Hotel) -> None:
    browser = person(Role.MANAGER, enforce_csrf_checks=True)
    assert (
        browser.post("/admin/tenants/apikey/add/", {"name": "x", "scopes": "rooms:read"}).status_code == 403
    )
    assert browser.post("/api/v1/locks/", {}, content_type="application/json").status_code == 403


ADMIN_POLICY = {
    "default-src 'none'", "script-src 'self' 'unsafe-eval'", "style-src 'self'", "style-src-attr 'unsafe-inline'",
    "img-src 'self' data:", "font-src 'self'", "connect-src 'self'", "form-action 'self'", "base-uri 'none'",
    "frame-ancestors 'none'",
}  # fmt: skip


def test_no_page_of_the_admin_has_inline_code(staff: Client, operator: Client) -> None:
    for browser in (staff, operator):
        for address in (
            "/admin/",
            "/admin/tenants/user/",
            "/admin/tenants/user/add/",
            "/admin/tenants/apikey/add/",
        ):
            response = browser.get(address)
            # What a mail's preview says in its style element is known by its digest.
            policy = re.sub(r" 'sha256-[\w+/]{43}='", "", response["Content-Security-Policy"])
            assert set(policy.split("; ")) == ADMIN_POLICY
            html = response.content.decode()
            assert not re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", html), address
            assert "<style" not in html, address
            assert not re.findall(r"\son[a-z]+=\"", html), address
            assert not re.findall(r"(?:src|href)=\"https?://", html), address


def test_what_the_api_answers_may_load_nothing(api: APIClient) -> None:
    policy = api.get("/api/v1/audit/")["Content-Security-Policy"]
    assert set(policy.split("; ")) == {"default-src 'none'", "frame-ancestors 'none'"}
