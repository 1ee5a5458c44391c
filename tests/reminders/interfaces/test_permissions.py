"""Tests that only managers may change rules, templates and the e-mail branding."""

from collections.abc import Callable

import pytest
from django.test import Client

from reminders.models import EmailBranding, Reminder, Reservation, Rule, Suppression, Template
from tenants.models import Hotel, User
from tenants.scopes import Role, permission_scope, role_scopes
from tests.conftest import ALPHA_HOST

pytestmark = pytest.mark.django_db
Login = Callable[[Role], Client]
BRANDING = "/admin/reminders/emailbranding/1/change/"


@pytest.fixture
def login(in_hotel: Hotel) -> Login:
    """Return a function that creates a test client. A member of staff with the given role is logged in."""

    def log_in(role: Role) -> Client:
        client = Client(SERVER_NAME=ALPHA_HOST)
        client.force_login(User.objects.create_user(username="ann", password=None, role=role))
        return client

    return log_in


@pytest.mark.parametrize("model", ["rule", "template", "emailbranding"])
@pytest.mark.parametrize("action", ["add", "change", "delete"])
def test_scope_manage_is_required_to_change_rules_templates_and_branding(model: str, action: str) -> None:
    assert permission_scope(f"reminders.{action}_{model}") == "reminders:manage"
    assert permission_scope(f"reminders.view_{model}") == "reminders:read"


def test_scope_manage_is_granted_to_managers_but_not_to_the_front_desk() -> None:
    assert "reminders:manage" in role_scopes(Role.MANAGER)
    assert "reminders:manage" not in role_scopes(Role.FRONT_DESK)
    assert "reminders:manage" not in role_scopes(Role.AUDITOR)
    assert "reminders:write" in role_scopes(Role.FRONT_DESK)


@pytest.mark.parametrize(("role", "status"), [(Role.MANAGER, 302), (Role.FRONT_DESK, 403)])
def test_template_and_branding_can_be_changed_by_managers_but_not_by_the_front_desk(
    login: Login, in_hotel: Hotel, role: Role, status: int
) -> None:
    client = login(role)
    template = Template.objects.earliest("id")
    page = f"/admin/reminders/template/{template.id}/change/"
    data = {"rule": template.rule_id, "language": template.language, "html": "<p>x</p>", "text": "x"}
    assert client.get(page).status_code == 200
    assert client.post(page, {**data, "subject": "Changed"}).status_code == status
    assert client.post(BRANDING, {"colour": "#abcdef"}).status_code == status
    template.refresh_from_db()
    is_manager = role == Role.MANAGER
    assert (template.subject == "Changed") is is_manager
    assert EmailBranding.objects.filter(colour="#abcdef").exists() is is_manager


def test_front_desk_cannot_delete_or_change_a_rule(login: Login, in_hotel: Hotel) -> None:
    client = login(Role.FRONT_DESK)
    rule = Rule.objects.earliest("id")
    assert client.get(f"/admin/reminders/rule/{rule.id}/change/").status_code == 200
    assert client.post(f"/admin/reminders/rule/{rule.id}/change/", {"name": "x"}).status_code == 403
    assert client.post(f"/admin/reminders/rule/{rule.id}/delete/", {"post": "yes"}).status_code == 403
    assert Rule.objects.filter(id=rule.id, name=rule.name).exists()


def test_front_desk_can_cancel_a_reminder_and_suppress_an_address(
    login: Login, book: Callable[..., Reservation]
) -> None:
    client = login(Role.FRONT_DESK)
    book("R1", "2090-05-10", "2090-05-12")
    reminder = Reminder.objects.filter(status="scheduled").earliest("id")
    client.post("/admin/reminders/reminder/", {"action": "cancel", "_selected_action": [str(reminder.id)]})
    reminder.refresh_from_db()
    assert reminder.status == "cancelled"
    client.post("/admin/reminders/suppression/add/", {"email": "ana@example.com", "reason": "manual"})
    assert Suppression.objects.filter(email="ana@example.com").exists()
