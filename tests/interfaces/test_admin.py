"""Tests of the two admin sites: logins, permissions of roles, API keys, staff, languages and security headers."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from hotelagent.admin import signals
from hotelagent.admin.sites import hotel_site, platform_site
from tenants.access import api_keys
from tenants.context import hotel_context, platform_context
from tenants.database.placement import Placement, placement_of
from tenants.models import ApiKey, Hotel, HotelStatus, User
from tenants.scopes import Role
from tenants.signals import permission_denied, staff_added
from tests.interfaces.conftest import HOST, OTHER_HOST, PASSWORD, page

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(hotel: Hotel) -> User:
    with hotel_context(hotel):
        return User.objects.create_user(username="rosa", password=PASSWORD, role=Role.MANAGER)


def log_in(browser: Client, username: str, password: str = PASSWORD) -> Any:
    return browser.post("/admin/login/", {"username": username, "password": password})


def test_platform_tables_in_the_hotel_admin_have_row_level_security() -> None:
    with platform_context(), connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relrowsecurity")
        protected = {name for (name,) in cursor.fetchall()}
    tables = {
        model._meta.db_table
        for model in hotel_site._registry
        if placement_of(model._meta.app_label, model._meta.model_name) is Placement.PLATFORM
    }
    assert "dlq_failuresettings" in tables
    assert tables <= protected


def test_platform_admin_does_not_list_hotel_models() -> None:
    for model in platform_site._registry:
        assert placement_of(model._meta.app_label, model._meta.model_name) is not Placement.HOTEL


def test_login_page_shows_the_name_of_the_hotel(hotel: Hotel) -> None:
    assert "Hotel Alpha" in page(Client(SERVER_NAME=HOST), "/admin/login/")
    assert "Hotel Alpha" not in page(Client(SERVER_NAME="localhost"), "/admin/login/")


def test_staff_can_log_in_at_their_own_hotel_only(manager: User) -> None:
    own, other, platform = (Client(SERVER_NAME=host) for host in (HOST, OTHER_HOST, "localhost"))
    assert log_in(own, "rosa").status_code == 302
    assert log_in(other, "rosa").status_code == 200
    assert log_in(platform, "rosa").status_code == 200


def test_session_of_one_hotel_is_not_valid_at_another_hotel(staff: Client) -> None:
    assert staff.get("/admin/").status_code == 200
    assert staff.get("/admin/", SERVER_NAME=OTHER_HOST).status_code == 302
    assert staff.get("/admin/", SERVER_NAME="localhost").status_code == 302


def test_login_ignores_the_case_of_the_user_name(manager: User) -> None:
    assert log_in(Client(SERVER_NAME=HOST), "ROSA").status_code == 302


@pytest.mark.parametrize("role", [Role.MANAGER, Role.FRONT_DESK, Role.AUDITOR])
def test_links_in_the_hotel_admin_menu_open_for_each_role(
    staff_with_role: Callable[..., Client], role: str
) -> None:
    browser = staff_with_role(role)
    links = re.findall(r'class="ha-area".*?</section>', page(browser, "/admin/"), re.DOTALL)
    urls = set(re.findall(r'href="(/admin/[^"]+)"', "".join(links)))
    assert urls
    for url in urls:
        page(browser, url)


def test_links_in_the_platform_admin_menu_open(operator: Client) -> None:
    urls = set(re.findall(r'href="(/admin/[a-z_]+/[a-z_]+/)"', page(operator, "/admin/")))
    assert {"/admin/tenants/hotel/", "/admin/django_celery_beat/periodictask/"} <= urls
    for url in urls:
        page(operator, url)


def test_add_page_of_each_model_returns_200_or_403(staff: Client, operator: Client) -> None:
    for site, browser in ((hotel_site, staff), (platform_site, operator)):
        for model in site._registry:
            url = f"/admin/{model._meta.app_label}/{model._meta.model_name}/add/"
            assert browser.get(url).status_code in {200, 403}, url


def test_auditor_cannot_add_objects_in_the_admin(
    staff_with_role: Callable[..., Client], hotel: Hotel
) -> None:
    browser = staff_with_role(Role.AUDITOR)
    assert browser.get("/admin/tenants/user/add/").status_code == 403
    assert (
        browser.post("/admin/tenants/apikey/add/", {"name": "x", "scopes": "rooms:read"}).status_code == 403
    )
    with hotel_context(hotel):
        assert not ApiKey.objects.exists()


def test_denied_admin_page_returns_403_and_sends_the_permission_denied_signal(
    staff_with_role: Callable[..., Client],
) -> None:
    browser = staff_with_role(Role.FRONT_DESK)
    denied: list[Any] = []

    def record(**kwargs: Any) -> None:
        denied.append(kwargs["permission"])

    permission_denied.connect(record)
    try:
        assert browser.get("/admin/tenants/user/").status_code == 403
    finally:
        permission_denied.disconnect(record)
    assert denied == ["admin:tenants_user_changelist"]
    assert "/admin/tenants/user/" not in page(browser, "/admin/")


def test_new_api_key_is_shown_once_and_is_valid(staff: Client, hotel: Hotel) -> None:
    response = staff.post(
        "/admin/tenants/apikey/add/",
        {"name": "engine", "scopes": ["rooms:read", "staff:read"], "lifetime": "30"},
    )
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    [text] = re.findall(r"ha_[a-z0-9]{10}_[\w-]+", response.content.decode())
    with hotel_context(hotel):
        key = ApiKey.objects.get()
        assert api_keys.verify(text) == key
    assert key.expires_at is not None
    assert key.scopes == ["rooms:read", "staff:read"]
    for url in ("/admin/tenants/apikey/", f"/admin/tenants/apikey/{key.pk}/change/"):
        assert text.split("_", 2)[2] not in page(staff, url)


def test_hotel_api_key_cannot_have_a_platform_scope(staff: Client, hotel: Hotel) -> None:
    staff.post("/admin/tenants/apikey/add/", {"name": "x", "scopes": ["hotels:write"], "lifetime": ""})
    with hotel_context(hotel):
        assert not ApiKey.objects.exists()


def test_revoked_api_key_is_not_authenticated(staff: Client, hotel: Hotel) -> None:
    with hotel_context(hotel):
        key, text = api_keys.create(name="x", scopes=["staff:read"])
    staff.post("/admin/tenants/apikey/", {"action": "revoke", "_selected_action": [str(key.pk)]})
    client = APIClient(SERVER_NAME=HOST)
    assert client.get("/api/v1/audit/", headers={"Authorization": f"Bearer {text}"}).status_code == 401


def test_staff_can_be_added_and_changed_but_not_deleted(staff: Client, hotel: Hotel) -> None:
    signalled: list[tuple[str, list[str]]] = []

    def added(**_: Any) -> None:
        signalled.append(("added", []))

    def changed(**kwargs: Any) -> None:
        signalled.append(("changed", kwargs["changed"]))

    staff_added.connect(added)
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
        url = f"/admin/tenants/user/{user.pk}/"
        response = staff.post(
            f"{url}change/",
            {"username": "luis", "role": Role.AUDITOR, "is_active": "on", "language": "es"},
        )
        assert response.status_code == 302, response.content
    finally:
        staff_added.disconnect(added)
        signals.object_changed.disconnect(changed)
    assert [name for name, _fields in signalled] == ["added", "changed"]
    assert staff.get(f"{url}delete/").status_code == 403
    with hotel_context(hotel):
        user.refresh_from_db()
        assert (user.role, user.language) == (Role.AUDITOR, "es")


def test_manager_cannot_create_platform_staff(staff: Client, hotel: Hotel) -> None:
    staff.post(
        "/admin/tenants/user/add/",
        {"username": "eve", "role": Role.PLATFORM, "password1": PASSWORD, "password2": PASSWORD},
    )
    with hotel_context(hotel):
        assert not User.objects.filter(username="eve").exists()


def test_manager_cannot_change_their_own_role(staff: Client, hotel: Hotel) -> None:
    with hotel_context(hotel):
        manager = User.objects.get(username="manager")
    response = staff.post(
        f"/admin/tenants/user/{manager.pk}/change/",
        {"username": "manager", "role": Role.AUDITOR, "is_active": "on"},
    )
    assert response.status_code == 200
    with hotel_context(hotel):
        manager.refresh_from_db()
        assert manager.role == Role.MANAGER


def test_session_of_an_inactive_account_is_not_valid(staff: Client, hotel: Hotel) -> None:
    with hotel_context(hotel):
        User.objects.filter(username="manager").update(is_active=False)
    assert staff.get("/admin/").status_code == 302


def test_suspended_hotel_cannot_be_suspended_again_but_can_be_resumed(
    operator: Client, hotel: Hotel, settings: Any
) -> None:
    selection = {"_selected_action": [str(hotel.pk)]}
    operator.post("/admin/tenants/hotel/", {"action": "suspend", **selection})
    with platform_context():
        hotel.refresh_from_db()
    assert hotel.status == HotelStatus.SUSPENDED
    again = operator.post("/admin/tenants/hotel/", {"action": "suspend", **selection}, follow=True)
    assert b"the status must be active" in again.content
    operator.post("/admin/tenants/hotel/", {"action": "resume", **selection})
    with platform_context():
        hotel.refresh_from_db()
    assert hotel.status == HotelStatus.ACTIVE


def test_adding_a_hotel_with_a_reserved_slug_does_not_create_the_hotel(operator: Client) -> None:
    form = {"slug": "admin", "name": "X", "time_zone": "UTC", "language": "en"}
    response = operator.post("/admin/tenants/hotel/add/", form, follow=True)
    assert response.status_code == 200
    with platform_context():
        assert not Hotel.objects.filter(slug="admin").exists()


def test_language_that_a_user_chose_applies_on_another_device(staff: Client, hotel: Hotel) -> None:
    assert staff.post("/admin/language/", {"language": "es", "next": "/admin/"}).status_code == 302
    assert 'lang="es"' in page(staff, "/admin/")
    with hotel_context(hotel):
        user = User.objects.get(username="manager")
    assert user.language == "es"
    another_device = Client(SERVER_NAME=HOST, headers={"Accept-Language": "en"})
    with hotel_context(hotel):
        another_device.force_login(user)
    assert 'lang="es"' in page(another_device, "/admin/")


def test_language_form_does_not_redirect_to_another_host(staff: Client) -> None:
    response = staff.post("/admin/language/", {"language": "es", "next": "https://evil.example/"})
    assert response["Location"] == "/admin/"
    assert staff.get("/admin/language/").status_code == 405


def test_form_without_csrf_token_is_forbidden(staff_with_role: Callable[..., Client], hotel: Hotel) -> None:
    browser = staff_with_role(Role.MANAGER, enforce_csrf_checks=True)
    assert (
        browser.post("/admin/tenants/apikey/add/", {"name": "x", "scopes": "rooms:read"}).status_code == 403
    )
    assert browser.post("/api/v1/locks/", {}, content_type="application/json").status_code == 403


ADMIN_POLICY = {
    "default-src 'none'", "script-src 'self' 'unsafe-eval'", "style-src 'self'", "style-src-attr 'unsafe-inline'",
    "img-src 'self' data:", "font-src 'self'", "connect-src 'self'", "form-action 'self'", "base-uri 'none'",
    "frame-ancestors 'none'",
}  # fmt: skip


def test_admin_pages_have_no_inline_code_and_a_strict_content_security_policy(
    staff: Client, operator: Client
) -> None:
    for browser in (staff, operator):
        for url in (
            "/admin/",
            "/admin/tenants/user/",
            "/admin/tenants/user/add/",
            "/admin/tenants/apikey/add/",
        ):
            response = browser.get(url)
            # The Content-Security-Policy allows the style element of an e-mail preview by its hash.
            policy = re.sub(r" 'sha256-[\w+/]{43}='", "", response["Content-Security-Policy"])
            assert set(policy.split("; ")) == ADMIN_POLICY
            html = response.content.decode()
            assert not re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", html), url
            assert "<style" not in html, url
            assert not re.findall(r"\son[a-z]+=\"", html), url
            assert not re.findall(r"(?:src|href)=\"https?://", html), url


def test_api_responses_have_a_content_security_policy_that_allows_nothing(api: APIClient) -> None:
    policy = api.get("/api/v1/audit/")["Content-Security-Policy"]
    assert set(policy.split("; ")) == {"default-src 'none'", "frame-ancestors 'none'"}
