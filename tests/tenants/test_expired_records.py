"""Tests that expired sessions are deleted daily, and that sessions of deactivated accounts end."""

import datetime
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from tenants import tasks
from tenants.context import hotel_context, platform_context
from tenants.models import DueItem, Hotel, IdempotencyKey, Session, User
from tenants.queue import due
from tests.tenants.sessions import add_session, stored_sessions

pytestmark = pytest.mark.django_db

LONG_AGO = datetime.timedelta(days=400)


def add_sessions() -> None:
    """Store one expired session and one valid session in the current context."""
    now = timezone.now()
    for key, expires in (("old", now - LONG_AGO), ("new", now + LONG_AGO)):
        add_session(key, expires)


def session_keys() -> list[str]:
    return stored_sessions("old", "new")


def test_deletion_of_expired_sessions_is_scheduled_daily_for_each_hotel(
    hotel: Hotel, other_hotel: Hotel
) -> None:
    with platform_context():
        due.schedule_daily()
        items = DueItem.objects.filter(kind="expired_records")
        assert {item.hotel_id for item in items} == {hotel.id, other_hotel.id}


def test_expired_sessions_and_stored_idempotent_responses_of_a_hotel_are_deleted(
    hotel: Hotel, other_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each_hotel in (hotel, other_hotel):
        with hotel_context(each_hotel):
            add_sessions()
    with hotel_context(hotel):
        response = {"body_digest": b"", "status_code": 200, "response": b""}
        IdempotencyKey.objects.create(id=hotel.id, created_at=timezone.now() - LONG_AGO, **response)
        tasks.delete_expired_records([str(hotel.id)])
        assert session_keys() == ["new"]
        assert not IdempotencyKey.objects.exists()
    with hotel_context(other_hotel):
        assert len(session_keys()) == 2


def test_expired_sessions_are_deleted_in_batches(in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenants.access.cleanup._BATCH", 2)
    past = timezone.now() - LONG_AGO
    for number in range(5):
        add_session(str(number), past)
    tasks.delete_expired_records([str(in_hotel.id)])
    assert not Session.objects.exists()


def test_expired_sessions_of_the_platform_are_deleted_once_a_day(platform: None) -> None:
    add_sessions()
    assert (
        PeriodicTask.objects.get(name="tenants.tasks.delete_expired_platform_records").interval.period
        == "days"
    )
    assert tasks.delete_expired_platform_records() == 1
    assert session_keys() == ["new"]


def set_active(username: str, active: bool) -> None:
    user = User.objects.get(username=username)
    user.is_active = active
    user.save()


def test_session_created_before_an_account_was_deactivated_is_invalid_after_reactivation(
    hotel: Hotel, staff: Client
) -> None:
    assert staff.get("/admin/").status_code == 200
    with hotel_context(hotel):
        set_active("manager", False)
        set_active("manager", True)
    assert staff.get("/admin/").status_code == 302
    with hotel_context(hotel):
        staff.force_login(User.objects.get(username="manager"))
    assert staff.get("/admin/").status_code == 200


def test_session_of_an_account_deactivated_in_the_admin_is_invalid_after_reactivation(
    hotel: Hotel, staff: Client
) -> None:
    browser = Client(SERVER_NAME="alpha.localhost")
    with hotel_context(hotel):
        ana = User.objects.create_user(username="ana", password="a-Long-enough-1", role="manager")
        browser.force_login(ana)
    form: dict[str, Any] = {
        "username": "ana",
        "full_name": "",
        "email": "",
        "language": "",
        "role": "manager",
    }
    url = f"/admin/tenants/user/{ana.pk}/change/"
    assert staff.post(url, form).status_code == 302
    assert browser.get("/admin/").status_code == 302
    assert staff.post(url, {**form, "is_active": "on"}).status_code == 302
    assert browser.get("/admin/").status_code == 302


def test_changing_the_name_of_an_inactive_account_keeps_the_deactivation_time(in_hotel: Hotel) -> None:
    user = User.objects.create_user(username="ana", password=None, role="manager", is_active=False)
    before = user.deactivated_at
    user.full_name = "Ana"
    user.save(update_fields=["full_name"])
    user.refresh_from_db()
    assert user.deactivated_at == before
