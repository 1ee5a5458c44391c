"""Tests of the e-mails that warn staff about failures: one e-mail lists all new problems, and many failures do not
cause many e-mails.
"""

from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from dlq import tasks
from dlq.alerts import digest, findings
from dlq.groups.models import FailureGroup
from dlq.models import Failure
from dlq.retention.models import FailureSettings
from dlq.retention.settings import change_settings
from tenants.context import hotel_context, platform_context
from tenants.database.clock import database_now
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.dlq.conftest import capture_failure
from tests.servers import MailServer

pytestmark = pytest.mark.django_db

MANAGER = "manager@alpha.example"

# Copies of a failure. Each has a separate id and work key.
COPY = """
INSERT INTO dlq_failure SELECT (jsonb_populate_record(failure, jsonb_build_object(
    'id', tenants_uuid7(), 'work_key', number::text))).*
FROM dlq_failure AS failure, generate_series(1, %s) AS number
"""


@pytest.fixture
def manager(in_hotel: Hotel) -> User:
    return User.objects.create_user(
        username="manager", password=None, role=Role.MANAGER, email=MANAGER, language="en"
    )


@pytest.fixture
def advance_clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that moves the clock of the alerts forward by a given duration."""

    def pass_time(**period: float) -> None:
        moment = vars(digest)["database_now"]() + timedelta(**period)
        monkeypatch.setattr(digest, "database_now", lambda: moment)

    return pass_time


def copy_failures(count: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(COPY, [count])


def send() -> int:
    """Send the alert that is due, as the periodic task does. Return the number of sent e-mails."""
    return digest.send_if_due() if digest.is_due() else 0


def parts(message: EmailMessage) -> tuple[str, str]:
    """Return the plain text and the HTML of an e-mail."""
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text
    assert html
    return text.get_content(), html.get_content()


def test_new_error_is_reported_once_to_the_managers(in_hotel: Hotel, manager: User, smtp: MailServer) -> None:
    User.objects.create_user(username="desk", password=None, role=Role.FRONT_DESK, email="desk@alpha.example")
    failure = capture_failure(message="no current")
    assert send() == 1
    assert send() == 0
    [message] = smtp.accepted
    assert message["To"] == MANAGER
    assert message["From"].startswith("Hotel Alpha <")
    assert message["Subject"] == "Hotel Alpha: a new error occurred"
    assert message["Auto-Submitted"] == "auto-generated"
    for part in parts(message):
        assert "LampError: no current" in part
        assert "1 open failure" in part
        assert f"http://alpha.localhost:8000/admin/dlq/failure/?fingerprint={failure.fingerprint}" in part
        assert "http://alpha.localhost:8000/admin/dlq/failuresettings/" in part


def test_pages_that_the_alert_links_to_exist(
    in_hotel: Hotel, manager: User, smtp: MailServer, staff_client: Client
) -> None:
    capture_failure()
    send()
    text, _html = parts(smtp.accepted[0])
    urls = [word for word in text.split() if word.startswith("http://alpha.localhost:8000")]
    assert len(urls) == 3
    for url in urls:
        assert staff_client.get(url.removeprefix("http://alpha.localhost:8000")).status_code == 200


@pytest.fixture
def staff_client(manager: User) -> Client:
    client = Client(SERVER_NAME="alpha.localhost")
    client.force_login(manager)
    return client


def test_thousands_of_failures_with_the_same_error_send_only_one_e_mail(
    in_hotel: Hotel, manager: User, smtp: MailServer, advance_clock: Any
) -> None:
    capture_failure()
    assert send() == 1
    copy_failures(5_000)  # captured in the same minute
    for _minute in range(59):
        advance_clock(minutes=1)
        assert send() == 0
    assert len(smtp.accepted) == 1


def test_failures_that_exceed_all_limits_are_reported_in_one_e_mail(
    in_hotel: Hotel, manager: User, smtp: MailServer
) -> None:
    capture_failure()
    copy_failures(1_233)
    Failure.objects.update(created_at=database_now() - timedelta(hours=30))
    assert send() == 1
    [message] = smtp.accepted
    assert message["Subject"] == "Hotel Alpha: 1,234 tasks and messages failed within an hour"
    text, _html = parts(message)
    assert text.splitlines()[:3] == [
        "1,234 failures are open (limit: 100)",
        "A failure has been open for 30 hours (limit: 24)",
        "1,234 tasks and messages failed within an hour (limit: 50)",
    ]


def test_problem_that_lasts_is_reported_again_after_a_day(
    in_hotel: Hotel, manager: User, smtp: MailServer, advance_clock: Any
) -> None:
    change_settings(alert_new=False, alert_open=3)
    capture_failure()
    assert send() == 0
    copy_failures(2)
    assert send() == 1
    for _hour in range(23):
        advance_clock(hours=1)
        assert send() == 0
    advance_clock(hours=1)
    assert send() == 1
    Failure.objects.update(status="resolved")
    for _hour in range(4):
        advance_clock(hours=1)
        assert send() == 0
    Failure.objects.update(status="permanent")
    assert send() == 1


def test_second_new_error_is_reported_ten_minutes_after_the_first_alert(
    in_hotel: Hotel, manager: User, smtp: MailServer, advance_clock: Any
) -> None:
    capture_failure(message="no current")
    assert send() == 1
    capture_failure(message="the bulb is missing", room="2")
    advance_clock(minutes=9)
    assert send() == 0
    advance_clock(minutes=2)
    assert send() == 1
    text, _html = parts(smtp.accepted[1])
    assert "the bulb is missing" in text


def test_error_that_occurs_again_is_reported(
    in_hotel: Hotel, manager: User, smtp: MailServer, advance_clock: Any
) -> None:
    change_settings(alert_new=False)
    capture_failure(retry=False)
    assert send() == 0
    capture_failure(retry=False)
    assert send() == 1
    assert smtp.accepted[0]["Subject"] == "Hotel Alpha: an error occurred again"
    assert "Errors that occurred again" in parts(smtp.accepted[0])[0]


def test_muted_group_is_not_reported(in_hotel: Hotel, manager: User, smtp: MailServer) -> None:
    change_settings(alert_open=1, alert_per_hour=1)
    capture_failure()
    FailureGroup.objects.update(
        muted_from="00000000-0000-7000-8000-000000000000", muted_until=database_now() + timedelta(days=1)
    )
    assert send() == 0
    FailureGroup.objects.update(muted_from=None)
    assert send() == 1


def test_no_alert_is_sent_if_alerts_are_off(in_hotel: Hotel, manager: User, smtp: MailServer) -> None:
    change_settings(alerts_enabled=False)
    capture_failure()
    assert send() == 0


@pytest.mark.parametrize(
    ("recipients", "hotel_address", "expected"),
    [
        (["it@alpha.example", "owner@alpha.example"], "", ["it@alpha.example", "owner@alpha.example"]),
        ([], "info@alpha.example", ["info@alpha.example"]),
        ([], "", []),
    ],
)
def test_alert_without_managers_is_sent_to_configured_addresses_or_the_hotel(
    hotel: Hotel, smtp: MailServer, recipients: list[str], hotel_address: str, expected: list[str]
) -> None:
    hotel.email = hotel_address
    with hotel_context(hotel):
        change_settings(alert_recipients=recipients)
        capture_failure()
        assert send() == len(expected)
    assert [message["To"] for message in smtp.accepted] == expected


def test_alert_is_in_the_language_of_its_recipient(in_hotel: Hotel, manager: User, smtp: MailServer) -> None:
    User.objects.update(language="es")
    capture_failure()
    assert send() == 1
    [message] = smtp.accepted
    assert message["Subject"] == "Hotel Alpha: se ha producido un error nuevo"
    assert message["Content-Language"] == "es"
    text, html = parts(message)
    assert "Errores nuevos" in text
    assert "Ver los fallos" in html
    assert '<html lang="es"' in html


def test_long_list_of_new_errors_is_cut(
    in_hotel: Hotel, manager: User, smtp: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlq.alerts.message.MAX_GROUPS", 2)
    for word in ("lamp", "bulb", "cable"):
        capture_failure(message=f"the {word} is broken", room=word)
    assert send() == 1
    text, html = parts(smtp.accepted[0])
    assert text.count("LampError") == html.count("LampError") == 2
    assert "and 1 more" in text


def test_refused_alert_is_sent_again_later_and_stores_no_failure(
    in_hotel: Hotel, manager: User, smtp: MailServer, advance_clock: Any, eager: None
) -> None:
    capture_failure()
    smtp.refuse(MANAGER, "451 4.3.0 try again later", times=2)
    tasks.watch([str(in_hotel.id)])
    assert send() == 0
    advance_clock(minutes=11)
    assert send() == 0
    advance_clock(minutes=11)
    assert send() == 1
    assert Failure.objects.count() == 1


def test_unexpected_error_while_sending_an_alert_stores_no_failure(
    in_hotel: Hotel, manager: User, eager: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("no template")

    monkeypatch.setattr(digest, "build_messages", fail)
    capture_failure()
    tasks.watch([str(in_hotel.id)])
    assert Failure.objects.count() == 1


def test_platform_staff_receive_alerts_about_failures_of_the_platform(
    platform: None, smtp: MailServer
) -> None:
    User.objects.create_user(username="op", password=None, role=Role.PLATFORM, email="op@platform.example")
    capture_failure()
    assert send() == 1
    [message] = smtp.accepted
    assert message["Subject"] == "hotelagent: a new error occurred"
    assert "http://localhost:8000/admin/dlq/failure/?fingerprint=" in parts(message)[0]


def test_alert_of_one_hotel_says_nothing_about_another_hotel(
    hotel: Hotel, other_hotel: Hotel, smtp: MailServer
) -> None:
    with hotel_context(other_hotel):
        capture_failure()
    with hotel_context(hotel):
        assert findings.find_problems(FailureSettings.objects.read(), database_now()) == []
        assert send() == 0


def test_manager_changes_the_alerts_in_the_admin(staff: Client, hotel: Hotel) -> None:
    page = "/admin/dlq/failuresettings/"
    form = {
        "keep_payload_days": 30, "keep_failure_days": 180, "alerts_enabled": "on", "alert_open": 5,
        "alert_age_hours": 2, "alert_per_hour": 9,
    }  # fmt: skip
    refused = staff.post(page, {**form, "alert_recipients": "it@alpha.example, nobody"})
    assert "Enter a valid email address" in refused.content.decode()
    assert (
        staff.post(page, {**form, "alert_recipients": "it@alpha.example,b@alpha.example"}).status_code == 302
    )
    with hotel_context(hotel):
        settings = FailureSettings.objects.get()
        assert settings.alert_recipients == ["it@alpha.example", "b@alpha.example"]
        assert (settings.alert_open, settings.alert_new) == (5, False)
    with platform_context():
        assert not FailureSettings.objects.exists()
