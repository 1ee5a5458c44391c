"""Tests of the fixtures in tests/conftest.py, such as the hotels, the API client and the SMTP server."""

import smtplib
from typing import Any

import psycopg
import pytest
import redis
from django.core.mail import EmailMessage, send_mail
from django.test import Client
from rest_framework.test import APIClient

from audit import events
from audit.models import Event
from audit.services import record_in_own_transaction
from tenants.context import hotel_context, platform_context
from tenants.models import Domain, Hotel, User
from tests.servers import MailServer, PgBouncer


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", [1, 2])
def test_rows_committed_by_a_test_are_not_visible_in_the_next_test(turn: int) -> None:
    with platform_context():
        hotel = Hotel.objects.get(slug="alpha")
        assert not Domain.objects.exists()
        Domain.objects.create(hotel=hotel, host="alpha.example")


@pytest.mark.django_db
@pytest.mark.parametrize("turn", [1, 2])
def test_uncommitted_rows_of_a_test_are_not_visible_in_the_next_test(turn: int, in_hotel: Hotel) -> None:
    assert not User.objects.exists()
    User.objects.create_user(username="ana", password=None, role="manager")


@pytest.mark.django_db
@pytest.mark.parametrize("turn", [1, 2])
def test_events_of_the_writer_thread_are_not_visible_in_the_next_test(turn: int, in_hotel: Hotel) -> None:
    failed_logins = Event.objects.filter(event=events.LOGIN_FAILED.name)
    assert not failed_logins.exists()
    record_in_own_transaction(events.LOGIN_FAILED)
    assert failed_logins.count() == 1


def test_rows_of_one_hotel_are_not_visible_in_another_hotel(hotel: Hotel, other_hotel: Hotel) -> None:
    with hotel_context(hotel):
        User.objects.create_user(username="ana", password=None, role="manager")
    with hotel_context(other_hotel):
        assert not User.objects.exists()


def test_api_fixture_is_authenticated_unlike_a_new_api_client(api: APIClient) -> None:
    assert api.get("/api/v1/rooms/").status_code == 200
    assert APIClient(SERVER_NAME="alpha.localhost").get("/api/v1/rooms/").status_code == 401


def test_staff_fixture_is_logged_in_to_the_admin(staff: Client) -> None:
    assert staff.get("/admin/").status_code == 200


@pytest.mark.parametrize("turn", [1, 2])
def test_redis_is_empty_at_the_start_of_each_test(turn: int, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "over")


def test_smtp_server_can_refuse_the_first_email_and_accept_the_second(smtp: MailServer) -> None:
    send_mail("Hello", "Text", "desk@alpha.example", ["ana@example.com"])
    assert [message["Subject"] for message in smtp.to("ana@example.com")] == ["Hello"]
    smtp.refuse("bo@example.com", "451 4.3.2 later", times=1)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send_mail("Hello", "Text", "desk@alpha.example", ["bo@example.com"])
    send_mail("Hello", "Text", "desk@alpha.example", ["bo@example.com"])
    assert len(smtp.accepted) == 2


def test_smtp_server_can_store_an_email_and_then_drop_the_connection(smtp: MailServer) -> None:
    smtp.drop()
    with pytest.raises(smtplib.SMTPServerDisconnected):
        EmailMessage("Hello", "Text", "desk@alpha.example", ["ana@example.com"]).send()
    assert len(smtp.accepted) == 1


def test_smtp_server_that_hangs_causes_a_timeout_error_in_the_client(smtp: MailServer, settings: Any) -> None:
    settings.EMAIL_TIMEOUT = 1.5
    smtp.hang(3)
    with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
        EmailMessage("Hello", "Text", "desk@alpha.example", ["ana@example.com"]).send()


@pytest.mark.pooler
def test_two_clients_of_pgbouncer_can_share_one_server_connection(
    pgbouncer: PgBouncer,
) -> None:
    with (
        PgBouncer(pgbouncer.upstream.geturl(), pool_size=1) as narrow,
        psycopg.connect(narrow.url, autocommit=True) as one,
        psycopg.connect(narrow.url, autocommit=True) as two,
    ):
        pids = {connection.execute("SELECT pg_backend_pid()").fetchone() for connection in (one, two)}
    assert len(pids) == 1
