"""Tests of hotels with a time zone, language or status that a process does not know.

Rows with such values can come from a restored backup, or from another version of the code or of the tzdata package.
"""

import io
import json
import subprocess
import sys
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import CrontabSchedule, PeriodicTask
from rest_framework.test import APIClient

from hotelagent import beat
from hotelagent.celery import app
from hotelagent.core.time_zones import known_time_zones
from hotelagent.embedded import paths
from tenants import services
from tenants.access import api_keys
from tenants.checks.hotels import check_values_of_hotels
from tenants.context import platform_context
from tenants.errors import InvalidTimeZone
from tenants.models import Domain, Hotel, User
from tenants.scopes import PLATFORM_SCOPES, Role

pytestmark = pytest.mark.django_db

#: A name that a newer version of the package tzdata might have.
UNKNOWN = "America/Punta_Nueva"


def update_hotel_row(hotel: Hotel, **values: str) -> None:
    with platform_context():
        Hotel.objects.filter(id=hotel.id).update(**values)


@pytest.fixture
def hotel_in_unknown_zone(hotel: Hotel) -> Hotel:
    """Set the time zone of Hotel Alpha to a name that this process does not know, and return the hotel."""
    update_hotel_row(hotel, time_zone=UNKNOWN)
    return hotel


@pytest.fixture
def platform_staff(db: None) -> Client:
    client = Client(SERVER_NAME="localhost")
    with platform_context():
        client.force_login(User.objects.create_user(username="op", password=None, role=Role.PLATFORM))
    return client


def test_unknown_time_zone_of_one_hotel_does_not_affect_other_hotels(hotel_in_unknown_zone: Hotel) -> None:
    client = Client()
    assert client.get("/api/docs/", headers={"host": "beta.localhost"}).status_code == 200
    assert client.get("/admin/login/", headers={"host": "localhost"}).status_code == 200


def test_hotel_with_an_unknown_time_zone_responds_with_503(
    hotel_in_unknown_zone: Hotel, client: Client
) -> None:
    response = client.get("/api/v1/rooms/", headers={"host": "alpha.localhost"})
    assert response.status_code == 503
    assert response.json()["type"] == "/problems/unknown-time-zone"
    page = client.get("/admin/", headers={"host": "alpha.localhost", "accept": "text/html"})
    assert page.status_code == 503
    assert "time zone" in page.content.decode()


def test_system_check_names_the_hotel_with_an_unknown_time_zone(hotel_in_unknown_zone: Hotel) -> None:
    [message] = check_values_of_hotels(databases=["default"])
    assert message.id == "tenants.E028"
    assert UNKNOWN in message.msg
    assert "alpha" in message.msg
    assert check_values_of_hotels(databases=None) == []


def test_system_check_reports_a_time_zone_unknown_to_postgresql(
    hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    update_hotel_row(hotel, time_zone=UNKNOWN)
    monkeypatch.setattr("tenants.checks.hotels.known_time_zones", lambda: {*known_time_zones(), UNKNOWN})
    assert [message.id for message in check_values_of_hotels(databases=["default"])] == ["tenants.E029"]


def test_command_list_hotels_prints_an_unknown_time_zone(hotel_in_unknown_zone: Hotel) -> None:
    output = io.StringIO()
    call_command("list_hotels", "--json", stdout=output)
    zones = {hotel["slug"]: hotel["time_zone"] for hotel in json.loads(output.getvalue())}
    assert zones == {"alpha": UNKNOWN, "beta": "America/New_York"}


def test_platform_staff_can_correct_an_unknown_time_zone(
    hotel_in_unknown_zone: Hotel, platform_staff: Client
) -> None:
    url = reverse(
        "admin:tenants_hotel_change", args=[hotel_in_unknown_zone.pk], urlconf="hotelagent.urls.platform"
    )
    page = platform_staff.get(url).content.decode()
    assert '<option value="" selected>' not in page  # no other zone is preselected
    assert 'value="Africa/Abidjan" selected' not in page
    form = {"slug": "alpha", "name": "Alpha", "language": "en", "email": "", "time_zone": "Europe/Lisbon"}
    inline = {f"domains-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL")}
    assert platform_staff.post(url, {**form, **inline}).status_code == 302
    assert Client().get("/api/docs/", headers={"host": "alpha.localhost"}).status_code == 200


@pytest.mark.parametrize("values", [{"status": "frozen"}, {"language": "xx"}])
def test_unknown_status_or_language_of_one_hotel_does_not_break_the_admin(
    hotel: Hotel, platform_staff: Client, values: dict[str, str]
) -> None:
    update_hotel_row(hotel, **values)
    for path in ("/admin/", "/admin/tenants/hotel/"):
        assert platform_staff.get(path).status_code == 200
    assert Client().get("/api/docs/", headers={"host": "beta.localhost"}).status_code == 200
    served = Client().get("/admin/login/", headers={"host": "alpha.localhost"}).status_code
    assert served == (404 if "status" in values else 200)


@pytest.mark.parametrize("model", [Hotel, Domain])
def test_routing_models_have_no_field_that_converts_database_values(model: Any) -> None:
    assert [field.name for field in model._meta.fields if hasattr(field, "from_db_value")] == []


@pytest.mark.parametrize("name", ["localtime", "Factory", "posixrules", UNKNOWN, "europe/lisbon", ""])
def test_invalid_time_zone_is_refused_by_commands_services_and_api(hotel: Hotel, name: str) -> None:
    with pytest.raises(CommandError, match="IANA time zone") as error:
        call_command("create_hotel", "sol", "--timezone", name)
    assert error.value.returncode == 2
    properties = {"slug": "alpha", "name": "Alpha", "language": "en", "email": ""}
    with pytest.raises(ValidationError):
        services.register_hotel(slug="sol", name="Sol", time_zone=name)
    with pytest.raises(ValidationError):
        services.update_hotel(hotel_id=hotel.id, time_zone=name, **properties)
    with platform_context():
        _, secret = api_keys.create(name="tests", scopes=PLATFORM_SCOPES)
    api = APIClient(SERVER_NAME="localhost")
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    response = api.post("/api/v1/hotels/", {"slug": "sol", "name": "Sol", "time_zone": name})
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "/time_zone"


def test_time_zones_come_from_the_tzdata_package_and_not_the_machine() -> None:
    program = (
        "from django.conf import settings; settings.TIME_ZONE; import zoneinfo; "
        "from hotelagent.core.time_zones import known_time_zones as k; "
        "print(len(k()), zoneinfo.TZPATH, zoneinfo.ZoneInfo('Europe/Lisbon'))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program], cwd=paths.CHECKOUT, env={**_environment(), **variables},
            capture_output=True, text=True, check=True,
        ).stdout
        for variables in ({}, {"PYTHONTZPATH": ""}, {"PYTHONTZPATH": "/usr/share/zoneinfo"})
    }  # fmt: skip
    assert outputs == {f"{len(known_time_zones())} () Europe/Lisbon\n"}


def _environment() -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "hotelagent.settings.development",
        "REDIS_URL": "redis://127.0.0.1/0",
        "DATABASE_URL": "postgres://app:pw@127.0.0.1/app",
    }


@pytest.mark.django_db(transaction=True)
def test_beat_skips_only_tasks_whose_time_zone_is_unknown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with platform_context():
        crontab = CrontabSchedule.objects.create(hour="4")
        PeriodicTask.objects.create(name="nightly", task="tenants.tasks.tick", crontab=crontab)
        with connection.cursor() as cursor:  # the model field refuses this time zone
            cursor.execute("UPDATE django_celery_beat_crontabschedule SET timezone = %s", [UNKNOWN])
    scheduler = beat.LeadingScheduler(app=app)
    scheduler._finalize.cancel()
    for _ in range(3):
        scheduler.tick()
    with platform_context():
        assert "tenants.tasks.tick" in scheduler.schedule
        assert "nightly" not in scheduler.schedule
    assert "nightly" in caplog.text
    assert [message.id for message in check_values_of_hotels(databases=["default"])] == ["tenants.E031"]


def test_time_zone_unknown_to_postgresql_cannot_be_set_for_a_hotel(
    hotel: Hotel, platform_staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {*known_time_zones(), UNKNOWN}  # as if PostgreSQL did not know a zone that Python knows
    monkeypatch.setattr("hotelagent.core.time_zones.known_time_zones", lambda: names)
    with pytest.raises(InvalidTimeZone, match=UNKNOWN):
        services.register_hotel(slug="sol", name="Sol", time_zone=UNKNOWN)
    with platform_context():
        assert not Hotel.objects.filter(slug="sol").exists()
    url = reverse("admin:tenants_hotel_change", args=[hotel.pk], urlconf="hotelagent.urls.platform")
    form = {"slug": "alpha", "name": "Alpha", "language": "en", "email": "", "time_zone": UNKNOWN}
    inline = {f"domains-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL")}
    response = platform_staff.post(url, {**form, **inline}, follow=True)
    assert f"The database does not know the time zone {UNKNOWN}." in response.text
    update_hotel_row(hotel, time_zone=UNKNOWN)
    properties = {"slug": "alpha", "language": "en", "email": ""}
    assert services.update_hotel(hotel_id=hotel.id, name="New", time_zone=UNKNOWN, **properties).name == "New"
