"""Tests of the daily e-mails with checkpoints: an e-mail is sent at most once a day, even after errors."""

import datetime
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from audit.checks import check_publication
from audit.models import Event
from audit.publishing import emails
from audit.publishing.auditors import change_auditor
from audit.publishing.models import Auditor
from audit.registry import EventType
from audit.sealing.events import AUDITOR_CHANGED
from audit.sealing.logs import last_checkpoint, open_log
from audit.sealing.models import Log
from audit.tasks import email_checkpoints
from audit.transparency.checkpoints import Checkpoint, open_checkpoint, sign_checkpoint
from audit.transparency.notes import PrivateKey
from deploy import verify_trail
from hotelagent.core.messages import message_from_json
from tenants.context import PLATFORM, hotel_context, platform_context
from tenants.models import Hotel
from tests.audit.publishing.test_targets import unpublished_seconds
from tests.audit.sealing.trails import record_events, seal_trail
from tests.audit.test_killed_processes import Killer
from tests.dlq.forks import run_in_fork
from tests.servers import MailServer

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "auditor@audit.example"


@pytest.fixture
def log(hotel: Hotel, lamp_lit: EventType) -> Iterator[Log]:
    """Return the log of a hotel with an auditor and three sealed events."""
    with hotel_context(hotel):
        change_auditor(email=ADDRESS, language="en")
        record_events(lamp_lit, 3)
    yield seal_trail(hotel.tenant)
    with platform_context():
        Auditor.all_tenants.all().delete()


def add_checkpoint(hotel: Hotel, lamp_lit: EventType) -> Log:
    with hotel_context(hotel):
        record_events(lamp_lit, 1)
    return seal_trail(hotel.tenant)


def let_a_day_pass() -> None:
    """Move the day of the newest e-mail of each log one day into the past."""
    with platform_context():
        for log in Log.objects.exclude(emailed_on=None):
            assert log.emailed_on
            log.emailed_on -= datetime.timedelta(days=1)
            log.save(update_fields=["emailed_on"])


def email_state(log: Log) -> dict[str, Any]:
    state: dict[str, Any] = open_log(log.hotel_id).published["email"]
    return state


def error_of(log: Log) -> str:
    return message_from_json(email_state(log).get("error"))


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body
    text: str = body.get_content()
    return text


def test_newest_checkpoint_is_emailed_to_the_auditor_as_text_and_attachment(
    hotel: Hotel, log: Log, smtp: MailServer, signing_key: PrivateKey
) -> None:
    assert email_checkpoints() == 1
    [message] = smtp.to(ADDRESS)
    last = last_checkpoint(log)
    assert last is not None
    [attachment] = message.iter_attachments()
    assert attachment.get_content() == last.note.encode()
    assert attachment.get_filename() == f"localhost_audit_{hotel.id}.checkpoint"
    text = text_of(message).replace("\r\n", "\n")
    assert last.note in text
    assert f"localhost+{signing_key.public.id.hex()}" in text
    assert f"--previous {attachment.get_filename()}" in text
    checkpoint, _signers = open_checkpoint(
        attachment.get_content().decode(), [signing_key.public], origin=log.origin
    )
    assert checkpoint.size == log.size
    assert message["Auto-Submitted"] == "auto-generated"
    assert email_state(log)["size"] == log.size
    assert unpublished_seconds() == 0


def test_standalone_verifier_checks_that_the_log_continues_the_attached_checkpoint(
    hotel: Hotel, log: Log, smtp: MailServer, signing_key: PrivateKey, tmp_path: Path
) -> None:
    email_checkpoints()
    [attachment] = smtp.to(ADDRESS)[0].iter_attachments()
    earlier, key, export = tmp_path / "earlier", tmp_path / "key", tmp_path / "export"
    earlier.write_bytes(attachment.get_content())
    key.write_text(signing_key.public.text)
    with hotel_context(hotel):
        change_auditor(email=ADDRESS, language="es")
    seal_trail(hotel.tenant)
    call_command("audit_export", hotel="alpha", to=export, stdout=StringIO())
    arguments = [str(export), "--key", str(key), "--previous", str(earlier)]
    assert verify_trail.main(arguments) == 0
    forged = Checkpoint(log.origin, log.size, bytes(32))
    earlier.write_text(sign_checkpoint(forged, [signing_key]))
    assert verify_trail.main(arguments) == 1


def test_email_is_sent_once_a_day_and_only_if_the_checkpoint_is_new(
    hotel: Hotel, log: Log, lamp_lit: EventType, smtp: MailServer
) -> None:
    assert email_checkpoints() == 1
    add_checkpoint(hotel, lamp_lit)
    assert email_checkpoints() == 0
    let_a_day_pass()
    assert email_checkpoints() == 1
    let_a_day_pass()
    assert email_checkpoints() == 0
    first, second = smtp.to(ADDRESS)
    assert first["Message-ID"].startswith(f"<checkpoint-{log.pk.hex}-")
    assert text_of(first) != text_of(second)


def test_email_is_in_the_language_of_the_auditor(hotel: Hotel, log: Log, smtp: MailServer) -> None:
    with hotel_context(hotel):
        change_auditor(email=ADDRESS, language="es")
    assert email_checkpoints() == 1
    [message] = smtp.to(ADDRESS)
    assert message["Content-Language"] == "es"
    assert "Este punto de control" in text_of(message)


def test_platform_has_a_separate_auditor(
    log: Log, lamp_lit: EventType, smtp: MailServer, hotel: Hotel
) -> None:
    with platform_context():
        change_auditor(email="chief@audit.example", language="en")
        record_events(lamp_lit, 1)
    seal_trail(PLATFORM)
    assert email_checkpoints() == 2
    [message] = smtp.to("chief@audit.example")
    assert "localhost/audit/platform" in text_of(message)
    with hotel_context(hotel):
        assert [auditor.email for auditor in Auditor.all_tenants.all()] == [ADDRESS]


def test_removed_auditor_gets_no_email_and_the_stored_error_is_deleted(
    hotel: Hotel, log: Log, smtp: MailServer
) -> None:
    smtp.refuse(ADDRESS)
    assert email_checkpoints() == 0
    assert unpublished_seconds() > 0
    with hotel_context(hotel):
        change_auditor(email="", language="en")
    assert email_checkpoints() == 0
    assert open_log(hotel.id).published == {}
    assert unpublished_seconds() == 0


def test_change_of_the_auditor_is_recorded_once_with_erasable_addresses(hotel: Hotel, log: Log) -> None:
    with hotel_context(hotel):
        change_auditor(email="new@audit.example", language="en")
        change_auditor(email="new@audit.example", language="en")
        newest, _first = Event.objects.filter(event=AUDITOR_CHANGED.name)
    assert newest.data == {"language": "en"}
    assert newest.fields["before"] == ADDRESS
    assert newest.fields["after"] == "new@audit.example"


def test_error_of_an_unreachable_mail_server_is_stored_and_the_email_is_sent_later(
    hotel: Hotel, log: Log, lamp_lit: EventType, settings: Any, smtp: MailServer
) -> None:
    settings.EMAIL_PORT = 1
    assert email_checkpoints() == 0
    assert "can't be reached" in error_of(log)
    assert unpublished_seconds() > 0
    assert add_checkpoint(hotel, lamp_lit).size > log.size
    settings.EMAIL_PORT = smtp.port
    assert email_checkpoints() == 1
    assert error_of(log) == ""
    assert unpublished_seconds() == 0


def test_email_that_is_refused_temporarily_is_sent_by_the_next_run(log: Log, smtp: MailServer) -> None:
    smtp.refuse(ADDRESS, "451 4.7.1 try again later", times=1)
    assert email_checkpoints() == 0
    assert "status 451" in error_of(log)
    assert email_checkpoints() == 1
    assert error_of(log) == ""


def test_email_that_is_refused_permanently_is_tried_again_on_the_next_day(log: Log, smtp: MailServer) -> None:
    smtp.refuse(ADDRESS, "550 5.1.1 no such mailbox", times=1)
    assert email_checkpoints() == 0
    assert "status 550" in error_of(log)
    assert ADDRESS not in str(email_state(log))
    assert email_checkpoints() == 0
    let_a_day_pass()
    assert email_checkpoints() == 1


def test_email_whose_acceptance_is_unknown_is_not_sent_again_on_the_same_day(
    log: Log, smtp: MailServer
) -> None:
    smtp.drop()
    assert email_checkpoints() == 0
    assert len(smtp.to(ADDRESS)) == 1
    assert "not known" in error_of(log)
    assert email_checkpoints() == 0
    assert len(smtp.to(ADDRESS)) == 1
    let_a_day_pass()
    assert email_checkpoints() == 1


@pytest.fixture
def send_before_claim(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Return the negative control: a function that sends the e-mail before it stores that it was sent."""
    claim = emails._claim
    claims: list[Callable[[], bool]] = []

    def send() -> int:
        monkeypatch.setattr(emails, "_claim", lambda log, day: not claims.append(lambda: claim(log, day)))  # type: ignore[func-returns-value]
        try:
            sent = emails.email_checkpoints()
        finally:
            monkeypatch.setattr(emails, "_claim", claim)
        claims[-1]()
        return sent

    return send


def emails_if_killed_at_each_point(
    hotel: Hotel, log: Log, smtp: MailServer, act: Callable[[], int]
) -> Iterator[int]:
    """Kill a process that sends the e-mail, at each of its statements in turn.

    After each kill, run the process again without a kill, and yield the number of e-mails of the day.
    """
    point = 0
    while True:
        with platform_context():
            Log.objects.filter(pk=log.pk).update(emailed_on=None, published={})
        smtp.accepted.clear()
        number = point

        def run(number: int = number) -> None:
            killer = Killer(number)
            with connection.execute_wrapper(killer):
                act()
            killer.pass_point()

        killed = run_in_fork(hotel, run)
        email_checkpoints()
        yield len(smtp.to(ADDRESS))
        if not killed:
            return
        point += 1


def test_process_killed_at_any_statement_sends_at_most_one_email_of_the_day(
    hotel: Hotel, log: Log, smtp: MailServer
) -> None:
    numbers = list(emails_if_killed_at_each_point(hotel, log, smtp, email_checkpoints))
    assert len(numbers) > 10
    assert max(numbers) == 1
    assert numbers[-1] == 1


def test_process_that_sends_the_email_before_it_stores_the_day_sends_two_emails_if_it_is_killed(
    hotel: Hotel, log: Log, smtp: MailServer, send_before_claim: Callable[[], int]
) -> None:
    assert max(emails_if_killed_at_each_point(hotel, log, smtp, send_before_claim)) == 2


def test_system_check_warns_of_a_publication_that_fails(hotel: Hotel, log: Log, smtp: MailServer) -> None:
    assert check_publication(app_configs=None, databases=["default"]) == []
    smtp.refuse(ADDRESS)
    email_checkpoints()
    [warning] = check_publication(app_configs=None, databases=["default"])
    assert warning.id == "audit.W004"
    assert f"localhost/audit/{hotel.id}" in warning.msg
    assert "status 550" in warning.msg
    assert check_publication(app_configs=None, databases=None) == []
