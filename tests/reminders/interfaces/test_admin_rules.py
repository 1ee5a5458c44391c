"""Tests of the admin pages for reminder rules and their e-mail templates."""

import base64
import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from reminders.models import Reservation, Rule, Template
from tenants.models import User
from tenants.scopes import Role

pytestmark = pytest.mark.django_db

RULES = "/admin/reminders/rule/"


def form_data(rule: Rule, *, name: str) -> dict[str, object]:
    templates = list(Template.objects.filter(rule=rule).order_by("language"))
    data: dict[str, object] = {
        "name": name, "is_active": "on", "anchor": rule.anchor, "offset_days": rule.offset_days,
        "offset_hours": rule.offset_hours, "send_at": str(rule.send_at), "window_hours": rule.window_hours,
        "late_policy": rule.late_policy, "guests": rule.guests, "room_types": "", "sources": "",
        "order": rule.order, "templates-TOTAL_FORMS": len(templates),
        "templates-INITIAL_FORMS": len(templates),
    }  # fmt: skip
    for number, template in enumerate(templates):
        for field in ("id", "language", "subject", "text", "html"):
            data[f"templates-{number}-{field}"] = str(getattr(template, field))
        data[f"templates-{number}-rule"] = str(rule.id)
    return data


def test_default_rule_saved_in_spanish_is_stored_with_its_english_name(
    staff: Client, in_hotel: object
) -> None:
    rule = Rule.objects.get(name="7 days before arrival")
    staff.post("/admin/language/", {"language": "es"})
    page = staff.get(f"{RULES}{rule.id}/change/").content.decode()
    assert 'value="7 días antes de la llegada"' in page
    assert 'value="10:00"' in page
    response = staff.post(f"{RULES}{rule.id}/change/", form_data(rule, name="7 días antes de la llegada"))
    assert response.status_code == 302, response.context["errors"]
    rule.refresh_from_db()
    assert rule.name == "7 days before arrival"
    staff.post(f"{RULES}{rule.id}/change/", form_data(rule, name="Una semana antes"))
    rule.refresh_from_db()
    assert rule.name == "Una semana antes"


def test_content_security_policy_allows_the_dark_mode_style_of_the_template_preview(
    staff: Client, book: Callable[..., Reservation]
) -> None:
    day = timezone.now().date()
    book("R1", f"{day}", f"{day + timedelta(days=1)}")
    template = Template.objects.order_by("id")[0]
    page = staff.get(f"/admin/reminders/template/{template.id}/change/")
    [frame] = re.findall(r'srcdoc="([^"]*)"', page.content.decode())
    [style] = re.findall(r"<style>(.*?)</style>", unescape(frame), re.DOTALL)
    assert "prefers-color-scheme: dark" in style
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in page["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"offset_days": 731}, "less than or equal to 730"),
        ({"offset_hours": 17_521}, "less than or equal to 17520"),
        ({"window_hours": 0}, "greater than or equal to 1"),
        ({"window_hours": 721}, "less than or equal to 720"),
        ({"daily_limit": 0}, "greater than or equal to 1"),
        ({"min_nights": 5, "max_nights": 4}, "less than the minimum"),
    ],
)
def test_rule_form_with_an_invalid_value_shows_the_error_at_the_field(
    staff: Client, in_hotel: object, changed: dict[str, int], message: str
) -> None:
    rule = Rule.objects.get(name="7 days before arrival")
    response = staff.post(f"{RULES}{rule.id}/change/", form_data(rule, name="x") | changed)
    assert response.status_code == 200
    errors = response.context["adminform"].form.errors
    assert set(errors) <= set(changed)
    assert message in str(errors)


def test_rule_page_lists_the_room_types_and_sources_in_use(
    staff: Client, book: Callable[..., Reservation]
) -> None:
    book("R1", "2030-05-10", "2030-05-12", room_type="A", source="Direct")
    book("R2", "2030-05-10", "2030-05-12", room_type="C")
    rule = Rule.objects.get(name="7 days before arrival")
    page = staff.get(f"{RULES}{rule.id}/change/").content.decode()
    assert "Values in use: A, C." in page
    assert "Values in use: Direct." in page
    response = staff.post(f"{RULES}{rule.id}/change/", form_data(rule, name="x") | {"room_types": "A, C"})
    assert response.status_code == 302, response.context["errors"]
    rule.refresh_from_db()
    assert rule.room_types == ["A", "C"]


def test_rule_without_a_template_cannot_be_saved_as_active(staff: Client, in_hotel: object) -> None:
    rule = Rule.objects.get(name="7 days before arrival")
    new = form_data(rule, name="new rule") | {"templates-TOTAL_FORMS": 0, "templates-INITIAL_FORMS": 0}
    response = staff.post(f"{RULES}add/", new)
    assert "An active rule needs a template" in unescape(response.content.decode())
    assert "An active rule needs a template" in str(*response.context["messages"])  # its tab may be hidden
    assert not Rule.objects.filter(name="new rule").exists()
    assert staff.post(f"{RULES}add/", {**new, "is_active": ""}).status_code == 302
    deleted = form_data(rule, name="x") | {f"templates-{number}-DELETE": "on" for number in range(3)}
    assert "An active rule needs a template" in unescape(
        staff.post(f"{RULES}{rule.id}/change/", deleted).content.decode()
    )
    del deleted["templates-1-DELETE"]
    assert staff.post(f"{RULES}{rule.id}/change/", deleted).status_code == 302
    assert rule.templates.count() == 1


def test_last_template_of_an_active_rule_cannot_be_deleted(staff: Client, in_hotel: object) -> None:
    templates = Template.objects.filter(rule__name="7 days before arrival")
    data = {"action": "delete_selected", "_selected_action": [str(t.id) for t in templates], "post": "yes"}
    response = staff.post("/admin/reminders/template/", data)
    assert "needs a template" in unescape(response.content.decode())
    assert templates.all().count() == 3
    delete_url = f"/admin/reminders/template/{templates[0].id}/delete/"
    assert staff.post(delete_url, {"post": "yes"}).status_code == 302
    assert templates.all().count() == 2
    Rule.objects.update(is_active=False)
    staff.post("/admin/reminders/template/", data)
    assert not templates.all().exists()


@pytest.mark.parametrize(("language", "stored"), [("pt-br", "pt-br"), ("español", ""), ("e", "")])
def test_language_of_a_template_is_one_of_the_choices(
    staff: Client, in_hotel: object, language: str, stored: str
) -> None:
    rule = Rule.objects.get(name="7 days before arrival")
    data = {"rule": rule.id, "language": language, "subject": "x", "text": "x", "html": "x"}
    response = staff.post("/admin/reminders/template/add/", data)
    assert response.status_code == (302 if stored else 200)
    assert rule.templates.filter(language=stored).exists() == bool(stored)


def test_auditor_sees_rules_and_templates_without_a_save_button(staff: Client, in_hotel: object) -> None:
    User.objects.update(role=Role.AUDITOR)
    for row in (Rule.objects.order_by("id")[0], Template.objects.order_by("id")[0]):
        page = staff.get(f"/admin/reminders/{row._meta.model_name}/{row.pk}/change/")
        assert page.status_code == 200
        assert b'name="_save"' not in page.content


def test_unknown_template_variable_is_reported_in_the_language_of_the_user(
    staff: Client, in_hotel: object
) -> None:
    staff.post("/admin/language/", {"language": "es"})
    rule = Rule.objects.get(name="7 days before arrival")
    data = {"rule": rule.id, "language": "fr", "subject": "{{ nmae }}", "text": "x", "html": "x"}
    response = staff.post("/admin/reminders/template/add/", data)
    [error] = response.context["adminform"].form.errors["subject"]
    assert error.startswith("Variable desconocida: nmae. Variables disponibles: adults, arrival")
