"""Tests of the platform admin pages on which staff edit the schedules of periodic tasks."""

import pytest
from django.db import connection
from django.test import Client
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from tenants.context import platform_context
from tenants.models import User
from tenants.scopes import Role

pytestmark = pytest.mark.django_db

NEVER = "This schedule would never run."
ADD = "/admin/django_celery_beat/crontabschedule/add/"


@pytest.fixture
def operator() -> Client:
    browser = Client(SERVER_NAME="localhost")
    with platform_context():
        browser.force_login(User.objects.create_user(username="ops", password=None, role=Role.PLATFORM))
    return browser


def crontab(**fields: str) -> dict[str, str]:
    every = {"minute": "0", "hour": "*", "day_of_month": "*", "month_of_year": "*", "day_of_week": "*"}
    return {**every, "timezone": "UTC", **fields}


@pytest.mark.parametrize(
    "fields",
    [
        {"day_of_month": "31", "month_of_year": "2"},
        {"day_of_month": "31", "month_of_year": "4,6,9,11"},
        {"day_of_week": "7"},
    ],
)
def test_crontab_that_never_runs_is_refused(operator: Client, fields: dict[str, str]) -> None:
    response = operator.post(ADD, crontab(**fields))
    assert response.status_code == 200
    assert NEVER in response.text
    with platform_context():
        assert not CrontabSchedule.objects.exists()


@pytest.mark.parametrize(
    "fields",
    [{}, {"day_of_month": "29", "month_of_year": "2"}, {"day_of_week": "mon-fri"}, {"day_of_month": "31"}],
)
def test_crontab_that_matches_a_future_time_is_saved(operator: Client, fields: dict[str, str]) -> None:
    assert operator.post(ADD, crontab(**fields)).status_code == 302
    with platform_context():
        assert CrontabSchedule.objects.exists()


def test_invalid_crontab_field_is_not_reported_as_a_schedule_that_never_runs(
    operator: Client,
) -> None:
    response = operator.post(ADD, crontab(minute="sixty"))
    assert response.status_code == 200
    assert NEVER not in response.text


def test_crontab_that_never_runs_cannot_be_chosen_for_a_task(operator: Client) -> None:
    with platform_context():
        never = CrontabSchedule.objects.create(**crontab(day_of_month="31", month_of_year="2"))
        daily = CrontabSchedule.objects.create(**crontab(hour="4"))
        task = PeriodicTask.objects.get(name="tenants.tasks.tick")
    url = f"/admin/django_celery_beat/periodictask/{task.pk}/change/"
    form = {"enabled": "on", "interval": "", "description": ""}
    assert NEVER in operator.post(url, {**form, "crontab": never.pk}).text
    assert operator.post(url, {**form, "crontab": daily.pk}).status_code == 302
    with platform_context():
        task.refresh_from_db()
        assert task.crontab == daily


@pytest.fixture
def task_in_unknown_zone(db: None) -> PeriodicTask:
    """Return a periodic task whose crontab has a time zone that this process does not know."""
    with platform_context():
        schedule = CrontabSchedule.objects.create(**crontab(hour="4"))
        with connection.cursor() as cursor:
            cursor.execute("UPDATE django_celery_beat_crontabschedule SET timezone = 'America/Punta_Nueva'")
        task = PeriodicTask.objects.get(name="tenants.tasks.tick")
        PeriodicTask.objects.filter(pk=task.pk).update(crontab=schedule.pk, interval=None)
        return task


def test_schedule_pages_with_a_crontab_in_an_unknown_time_zone_return_200(
    operator: Client, task_in_unknown_zone: PeriodicTask
) -> None:
    tasks = operator.get("/admin/django_celery_beat/periodictask/")
    assert tasks.status_code == 200
    assert "The time zone of the crontab is not known. Choose another crontab." in tasks.text
    assert task_in_unknown_zone.name in tasks.text
    change = operator.get(f"/admin/django_celery_beat/periodictask/{task_in_unknown_zone.pk}/change/")
    assert change.status_code == 200
    assert operator.get("/admin/django_celery_beat/crontabschedule/").status_code == 200
    assert operator.get(ADD).status_code == 200


def test_schedule_of_a_task_with_an_unknown_time_zone_can_be_changed(
    operator: Client, task_in_unknown_zone: PeriodicTask
) -> None:
    url = f"/admin/django_celery_beat/periodictask/{task_in_unknown_zone.pk}/change/"
    form = {"enabled": "on", "interval": "", "description": ""}
    # The form is shown again, because a schedule is required.
    assert operator.post(url, {**form, "crontab": ""}).status_code == 200
    with platform_context():
        daily = CrontabSchedule.objects.create(**crontab(hour="5"))
    assert operator.post(url, {**form, "crontab": daily.pk}).status_code == 302
    with platform_context():
        assert PeriodicTask.objects.get(pk=task_in_unknown_zone.pk).crontab == daily
