"""Rules in the admin speak their reader's language, and a preview shows a mail as it would look."""

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

pytestmark = pytest.mark.django_db

RULES = "/admin/reminders/rule/"


def form_of(rule: Rule, *, name: str) -> dict[str, object]:
    templates = list(Template.objects.filter(rule=rule).order_by("language"))
    form: dict[str, object] = {
        "name": name, "is_active": "on", "anchor": rule.anchor, "offset_days": rule.offset_days,
        "offset_hours": rule.offset_hours, "send_at": str(rule.send_at), "window_hours": rule.window_hours,
        "late_policy": rule.late_policy, "guests": rule.guests, "room_types": "", "sources": "",
        "order": rule.order, "templates-TOTAL_FORMS": len(templates),
        "templates-INITIAL_FORMS": len(templates),
    }  # fmt: skip
    for number, template in enumerate(templates):
        for field in ("id", "language", "subject", "text", "html"):
            form[f"templates-{number}-{field}"] = str(getattr(template, field))
        form[f"templates-{number}-rule"] = str(rule.id)
    return form


def test_a_first_rule_keeps_its_name_when_it_is_saved_in_another_language(
    staff: Client, in_hotel: object
) -> None:
    rule = Rule.objects.get(name="7 days before arrival")
    staff.post("/admin/language/", {"language": "es"})
    page = staff.get(f"{RULES}{rule.id}/change/").content.decode()
    assert 'value="7 días antes de la llegada"' in page
    saved = staff.post(f"{RULES}{rule.id}/change/", form_of(rule, name="7 días antes de la llegada"))
    assert saved.status_code == 302, saved.context["errors"]
    rule.refresh_from_db()
    assert rule.name == "7 days before arrival"
    staff.post(f"{RULES}{rule.id}/change/", form_of(rule, name="Una semana antes"))
    rule.refresh_from_db()
    assert rule.name == "Una semana antes"


def test_the_page_s_policy_lets_a_preview_go_dark(staff: Client, book: Callable[..., Reservation]) -> None:
    day = timezone.now().date()
    book("R1", f"{day}", f"{day + timedelta(days=1)}")
    template = Template.objects.order_by("id")[0]
    page = staff.get(f"/admin/reminders/template/{template.id}/change/")
    [frame] = re.findall(r'srcdoc="([^"]*)"', page.content.decode())
    [style] = re.findall(r"<style>(.*?)</style>", unescape(frame), re.DOTALL)
    assert "prefers-color-scheme: dark" in style
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in page["Content-Security-Policy"]
