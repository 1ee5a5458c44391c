"""Tests of `manage.py doctor`: each problem of a deployment is found, with its remedy."""

import datetime
import json
import socketserver
import threading
from collections.abc import Iterator
from typing import Any

import dns.message
import dns.resolver
import dns.rrset
import pytest
from celery.contrib.testing.worker import start_worker
from django.core.management import call_command
from django.db import connection

from hotelagent import beat
from hotelagent.celery import app
from hotelagent.monitoring.doctor.findings import Finding, State, problem
from hotelagent.monitoring.doctor.run import EXAMINATIONS, examine
from tenants.context import hotel_context, platform_context
from tenants.database.clock import database_now
from tenants.database.connections import direct_connection
from tenants.models import DueItem, Hotel, Lease
from tenants.queue import leases
from tests import servers
from tests.core.tracing.receiver import Receiver
from tests.web import serving

UNUSED_PORT_URL = "redis://127.0.0.1:1/0"

#: The TXT records that the DNS server of the tests returns, by host name.
Records = dict[str, str]


def found(part: str) -> list[Finding]:
    return list(examine([part]))


def states(part: str) -> list[State]:
    return [finding.state for finding in found(part)]


@pytest.fixture
def dns_records(monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    """Start a DNS server on the loopback interface that has these TXT records, and let dnspython use it."""
    records: Records = {}

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, answer_socket = self.request
            query = dns.message.from_wire(data)
            response = dns.message.make_response(query)
            name = query.question[0].name
            if text := records.get(name.to_text(omit_final_dot=True)):
                response.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", f'"{text}"'))
            answer_socket.sendto(response.to_wire(), self.client_address)

    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], server.server_address[1]
        monkeypatch.setattr(dns.resolver, "default_resolver", resolver)
        yield records
        server.shutdown()


@pytest.mark.django_db
def test_doctor_finds_a_working_database_and_redis(hotel: Hotel) -> None:
    for part in ("database", "redis", "clocks", "due-queue", "disk"):
        assert states(part) == [State.OK], found(part)


def test_doctor_without_a_database_reports_each_part_that_needs_it(
    settings: Any, monkeypatch: pytest.MonkeyPatch, django_db_blocker: Any
) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "PORT", "1")
    monkeypatch.setitem(settings.DATABASE_DIRECT, "PORT", "1")
    with django_db_blocker.unblock():
        assert states("database") == states("migrations") == [State.PROBLEM]
        assert "DATABASE_URL" in found("database")[0].remedy


@pytest.mark.django_db(transaction=True)
def test_hotel_that_lacks_a_migration_is_reported_with_the_command(hotel: Hotel) -> None:
    assert states("migrations") == [State.OK]
    with direct_connection():
        with hotel_context(hotel), connection.cursor() as cursor:
            newest = "(SELECT max(name) FROM django_migrations WHERE app = 'reminders')"
            cursor.execute(f"DELETE FROM django_migrations WHERE app = 'reminders' AND name = {newest}")
        with platform_context():
            Hotel.objects.filter(pk=hotel.pk).update(schema_version="old")
    (finding,) = found("migrations")
    assert finding == problem(
        "migrations", "Missing migrations: 1 (Hotels: alpha).", "Run `manage.py migrate`."
    )


def test_redis_that_does_not_respond_is_reported_without_its_password(settings: Any) -> None:
    settings.REDIS_URL = "redis://:secret@127.0.0.1:1/0"
    (finding,) = found("redis")
    assert finding.state == State.PROBLEM
    assert "secret" not in str(finding)


@pytest.mark.django_db
def test_beat_without_a_current_lease_is_reported() -> None:
    assert "does not run" in found("beat")[0].detail
    with platform_context():
        leases.acquire(name=beat.LEASE, holder="host:1", seconds=beat.LEASE_SECONDS)
    assert states("beat") == [State.OK]
    with platform_context():
        Lease.objects.update(expires_at=database_now() - datetime.timedelta(minutes=5))
    (finding,) = found("beat")
    assert finding.state == State.PROBLEM
    assert "320 seconds ago" in finding.detail


@pytest.mark.django_db(transaction=True)
def test_doctor_reports_whether_workers_respond() -> None:
    assert states("workers") == [State.PROBLEM]
    with start_worker(app, perform_ping_check=False, pool="solo", loglevel="WARNING"):
        (finding,) = found("workers")
        assert finding.state == State.OK
        assert finding.detail.startswith("1 responded: ")


@pytest.mark.django_db
def test_due_items_that_wait_for_a_worker_are_counted(hotel: Hotel) -> None:
    with platform_context():
        late = database_now() - datetime.timedelta(minutes=12)
        DueItem.objects.create(hotel=hotel, kind="reminder", item_id=hotel.id, due_at=late, claim_at=late)
    (finding,) = found("due-queue")
    assert finding.state == State.WARNING
    assert "more than five minutes: 1. The oldest has been due for 12 minutes." in finding.detail


def test_mail_server_that_accepts_connections_is_ok_and_receives_no_email(smtp: servers.MailServer) -> None:
    assert states("mail-server") == [State.OK]
    assert smtp.accepted == []


def test_mail_server_that_refuses_the_login_is_reported_without_the_password(
    smtp: servers.MailServer, settings: Any
) -> None:
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "hotels", "very-secret"
    (finding,) = found("mail-server")
    assert finding.state == State.PROBLEM
    assert "very-secret" not in str(finding)


def test_mail_server_that_does_not_run_is_reported(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    (finding,) = found("mail-server")
    assert finding.state == State.PROBLEM
    assert "127.0.0.1:1" in finding.detail


def test_sender_domain_with_all_records_is_ok(settings: Any, dns_records: Records) -> None:
    settings.DEFAULT_FROM_EMAIL, settings.DKIM_SELECTORS = "Sol <info@sol.org>", ["mail"]
    dns_records |= {
        "sol.org": "v=spf1 -all",
        "_dmarc.sol.org": "v=DMARC1; p=none",
        "mail._domainkey.sol.org": "k=rsa; p=MIGf",
    }
    assert [(finding.state, finding.detail) for finding in found("sender-domain")] == [
        (State.OK, "sol.org has SPF, DMARC, DKIM (mail).")
    ]


def test_examination_of_the_sender_domain_names_the_missing_dns_records(
    settings: Any, dns_records: Records
) -> None:
    settings.DEFAULT_FROM_EMAIL, settings.DKIM_SELECTORS = "info@sol.org", ["s1"]
    dns_records["sol.org"] = "v=spf1 -all"
    (finding,) = found("sender-domain")
    assert finding.state == State.WARNING
    assert (
        "DMARC (TXT record of _dmarc.sol.org), DKIM (s1) (TXT record of s1._domainkey.sol.org)"
        in finding.detail
    )


def test_sender_domain_that_is_not_public_is_reported(settings: Any) -> None:
    settings.DEFAULT_FROM_EMAIL = "no-reply@localhost"
    assert states("sender-domain") == [State.WARNING]


def test_unexpected_error_in_one_examination_does_not_stop_other_examinations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> Iterator[Finding]:
        raise ValueError("broken")

    monkeypatch.setitem(EXAMINATIONS, "redis", fail)
    findings = list(examine(["redis", "disk"]))
    assert [(finding.part, finding.state) for finding in findings] == [
        ("redis", State.PROBLEM),
        ("disk", State.OK),
    ]


def test_doctor_command_exits_with_1_if_a_problem_is_found(settings: Any, capsys: Any) -> None:
    call_command("doctor", "--only", "disk")
    assert "ok       disk" in capsys.readouterr().out
    settings.REDIS_URL = UNUSED_PORT_URL
    with pytest.raises(SystemExit) as exit_info:
        call_command("doctor", "--only", "redis", "--json")
    assert exit_info.value.code == 1
    (document,) = json.loads(capsys.readouterr().out)
    assert (document["part"], document["state"]) == ("redis", "problem")
    assert document["remedy"] == "Check REDIS_URL, and that Redis is running."


def test_traces_are_off_without_an_endpoint() -> None:
    assert states("traces") == [State.OK]


def test_receiver_of_traces_that_responds_is_ok(settings: Any) -> None:
    with serving(Receiver()) as receiver:
        settings.OTEL_EXPORTER_OTLP_ENDPOINT = receiver.endpoint
        assert states("traces") == [State.OK]
        assert receiver.requests == 1
        assert receiver.spans == []


@pytest.mark.parametrize(("status", "detail"), [(401, "the status 401"), (None, "does not respond")])
def test_receiver_of_traces_that_refuses_or_is_down_is_a_problem(
    status: int | None, detail: str, settings: Any
) -> None:
    settings.OTEL_EXPORTER_OTLP_HEADERS = "api-key=a-secret-key"
    with serving(Receiver(status=status or 200)) as receiver:
        settings.OTEL_EXPORTER_OTLP_ENDPOINT = receiver.endpoint if status else "http://127.0.0.1:1"
        [finding] = found("traces")
    assert finding.state is State.PROBLEM
    assert detail in finding.detail
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in finding.remedy
    assert "a-secret-key" not in finding.detail + finding.remedy
