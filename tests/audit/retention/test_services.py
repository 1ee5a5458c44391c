"""Tests of the retention period and the legal hold: the service, the command, the admin page, and hotel deletion."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client

from audit.models import Event
from audit.registry import EventType
from audit.retention.run import delete_expired_events
from audit.retention.services import InvalidRetention, change_retention
from audit.sealing import logs
from audit.sealing.hotels import LegalHold
from audit.sealing.models import Log
from tenants import services
from tenants.context import PLATFORM, hotel_context, platform_context
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.audit.retention.old_events import record_old_events
from tests.tenants.backups import delete

pytestmark = pytest.mark.django_db(transaction=True)


def run_command(**options: Any) -> dict[str, Any]:
    """Run the command `audit_retention` and return the JSON document that the command prints."""
    out = StringIO()
    call_command("audit_retention", json=True, stdout=out, **options)
    document: dict[str, Any] = json.loads(out.getvalue())
    return document


def changes_in(context: Any) -> list[Event]:
    with context:
        return list(Event.objects.filter(event="audit.retention_changed").order_by("id"))


def test_legal_hold_by_command_is_recorded_in_both_trails_with_an_erasable_reason(hotel: Hotel) -> None:
    document = run_command(hotel="alpha", legal_hold="on", reason="Case of Ana Roca")
    assert document["legal_hold"] is True
    for context in (hotel_context(hotel), platform_context()):
        [event] = changes_in(context)
        assert event.data == {"days": 3650, "days_before": 3650, "hold": True, "hold_before": False}
        assert event.personal is not None
        assert event.personal["reason"]["value"] == "Case of Ana Roca"
        assert "legal hold: off → on" in event.description
    assert run_command(hotel="alpha", legal_hold="on")["legal_hold"] is True
    assert len(changes_in(platform_context())) == 1


def test_command_sets_the_retention_period_of_a_trail_and_restores_the_default(hotel: Hotel) -> None:
    assert run_command(hotel="alpha", keep_days=0, reason="x")["keep_days"] == 0
    assert run_command(hotel="alpha", keep_days=365, reason="x")["is_default"] is False
    document = run_command(hotel="alpha", keep_default=True, reason="x")
    assert (document["keep_days"], document["is_default"]) == (3650, True)
    assert run_command(platform=True, keep_days=400, reason="x")["keep_days"] == 400
    with platform_context():
        assert [event.subject_kind for event in changes_in(platform_context())] == ["hotel"] * 3 + ["log"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep_days": 179, "reason": "x"}, "from 180 to 32767"),
        ({"keep_days": -1, "reason": "x"}, "from 180 to 32767"),
        ({"keep_days": 40_000, "reason": "x"}, "from 180 to 32767"),
        ({"keep_days": 400}, "Enter the reason"),
        ({"legal_hold": "on", "reason": "  "}, "Enter the reason"),
    ],
)
def test_command_refuses_an_invalid_period_and_a_change_without_a_reason(
    hotel: Hotel, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(CommandError, match=message) as error:
        run_command(hotel="alpha", **options)
    assert error.value.returncode == 2
    assert changes_in(platform_context()) == []


def test_command_shows_for_how_long_the_deletion_of_expired_events_is_overdue(
    hotel: Hotel, lamp_lit: EventType
) -> None:
    record_old_events(lamp_lit, hotel.tenant, 256)
    assert run_command(hotel="alpha")["overdue_seconds"] // 86_400 == 4000 - 3650
    delete_expired_events()
    assert run_command(hotel="alpha")["overdue_seconds"] is None


def test_database_refuses_a_retention_period_below_the_minimum(hotel: Hotel) -> None:
    log = logs.open_log(hotel.id)
    with platform_context(), pytest.raises(IntegrityError), transaction.atomic():
        Log.objects.filter(pk=log.pk).update(keep_days=179)


def test_hotel_under_legal_hold_cannot_be_deleted(hotel: Hotel) -> None:
    sol = services.create_hotel(slug="sol", name="Sol")
    change_retention(logs.open_log(sol.id), keep_days=None, legal_hold=True, reason="Case 12")
    with pytest.raises(LegalHold):
        delete(sol)
    with platform_context():
        assert Hotel.objects.filter(pk=sol.id).exists()
        assert Event.objects.filter(event="hotel.deletion_requested", subject_id=str(sol.id)).exists()
    change_retention(logs.open_log(sol.id), keep_days=None, legal_hold=False, reason="Case 12 is closed")
    delete(sol)


def test_new_log_of_a_trail_keeps_the_legal_hold(hotel: Hotel) -> None:
    change_retention(logs.open_log(hotel.id), keep_days=400, legal_hold=True, reason="Case 12")
    new = logs.replace_log(hotel.id, predecessor=logs.open_log(hotel.id))
    assert (new.keep_days, new.legal_hold) == (400, True)


@pytest.mark.parametrize(
    ("days", "ids"), [(179, {"audit.E005"}), (-1, {"audit.E005"}), (0, set()), (180, set())]
)
def test_system_check_reports_an_invalid_retention_period_of_the_platform(
    days: int, ids: set[str], settings: Any
) -> None:
    settings.AUDIT_KEEP_DAYS = days
    assert {problem.id for problem in run_checks() if problem.id == "audit.E005"} == ids


@pytest.fixture
def platform_staff() -> Client:
    client = Client(SERVER_NAME="localhost")
    with platform_context():
        client.force_login(User.objects.create_user(username="root", password=None, role=Role.PLATFORM))
    return client


def test_platform_staff_set_the_legal_hold_on_the_page_of_the_log(
    hotel: Hotel, platform_staff: Client
) -> None:
    log = logs.open_log(hotel.id)
    assert hotel.name in platform_staff.get("/admin/audit/log/").content.decode()
    page = f"/admin/audit/log/{log.pk}/change/"
    assert log.origin in platform_staff.get(page).content.decode()
    refused = platform_staff.post(page, {"keep_days": "", "legal_hold": "on", "reason": ""}, follow=True)
    assert "Enter the reason for the change" in refused.content.decode()
    assert logs.open_log(hotel.id).legal_hold is False
    platform_staff.post(page, {"keep_days": "500", "legal_hold": "on", "reason": "Case 12"})
    changed = logs.open_log(hotel.id)
    assert (changed.keep_days, changed.legal_hold) == (500, True)
    [event] = changes_in(hotel_context(hotel))
    assert event.actor_label == "platform"


def test_closed_log_cannot_be_changed_or_deleted_in_the_admin(hotel: Hotel, platform_staff: Client) -> None:
    log = logs.open_log(hotel.id)
    logs.close_log(log)
    page = f"/admin/audit/log/{log.pk}"
    assert platform_staff.post(f"{page}/change/", {"legal_hold": "on", "reason": "x"}).status_code == 403
    assert platform_staff.post(f"{page}/delete/", {"post": "yes"}).status_code == 403


def test_invalid_retention_period_is_refused_by_the_service(hotel: Hotel) -> None:
    with pytest.raises(InvalidRetention):
        change_retention(logs.open_log(None), keep_days=1, legal_hold=False, reason="x")
    assert PLATFORM.id is None
