"""Tests that stored errors are readable and contain neither personal data nor secrets."""

import smtplib
import time

import pytest
from django.db import DataError, IntegrityError, connection, transaction

from dlq.error_reports import report_exception, report_texts
from tenants.database.connections import direct_connection
from tenants.models import Hotel

SECRETS = [
    "ana.silva@guests.example.com",
    "+351 912 345 678",
    "hunter2",
    "ha_abcdefghjk_0123456789abcdefSECRET",
    "s3cr3tS3cr3t",
]


@pytest.mark.parametrize(
    "text",
    [
        "550 5.1.1 <ana.silva@guests.example.com>: Recipient address rejected",
        "call +351 912 345 678 back",
        "could not connect to postgres://hotel:hunter2@db.internal:5432/x",
        "Authorization: Bearer ha_abcdefghjk_0123456789abcdefSECRET",
        "login failed: password=hunter2, user=x",
        '{"api_key": "s3cr3tS3cr3t"}',
    ],
)
def test_secrets_and_personal_data_are_redacted_in_message_and_traceback(text: str) -> None:
    report = report_texts(type="X", message=text, traceback=f"Traceback ...\n  X: {text}\n")
    for secret in SECRETS:
        assert secret not in report.message
        assert secret not in report.traceback


def test_reply_of_the_mail_server_is_stored_without_the_recipient() -> None:
    error = smtplib.SMTPRecipientsRefused(
        {"ana.silva@guests.example.com": (550, b"5.1.1 User unknown in virtual mailbox table")}
    )
    report = report_exception(error)
    assert "550" in report.message
    assert "5.1.1 User unknown in virtual mailbox table" in report.message
    assert "ana.silva" not in report.message


def test_errors_that_differ_only_in_the_refused_recipient_have_the_same_fingerprint() -> None:
    reports = [
        report_exception(smtplib.SMTPRecipientsRefused({f"{name}@example.com": (550, b"5.1.1 no such user")}))
        for name in ("ana", "bruno")
    ]
    assert len({report.fingerprint(name="reminders.send") for report in reports}) == 1


@pytest.mark.django_db(transaction=True)
def test_row_values_in_postgresql_errors_are_redacted(in_hotel: Hotel) -> None:
    with direct_connection(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE g (name text PRIMARY KEY, n int CHECK (n > 0)) ON COMMIT DROP")
        cursor.execute("INSERT INTO g VALUES ('Ana Silva', 1)")
        for values in ("'Ana Silva', 2", "'Ana Silva (suite)', 0"):
            with pytest.raises(IntegrityError) as caught:  # noqa: PT012
                cursor.execute("SAVEPOINT s")
                try:
                    cursor.execute(f"INSERT INTO g VALUES ({values})")
                finally:
                    cursor.execute("ROLLBACK TO SAVEPOINT s")
            report = report_exception(caught.value)
            assert "Ana" not in report.message + report.traceback
            assert "constraint" in report.message


@pytest.mark.django_db
def test_stored_traceback_includes_the_cause_of_the_error(in_hotel: Hotel) -> None:
    with pytest.raises(DataError) as caught, connection.cursor() as cursor:
        cursor.execute("SELECT 1/0")
    assert "division by zero" in report_exception(caught.value).traceback


def test_stored_traceback_excludes_local_variables() -> None:
    def fails() -> None:
        card = "4111-1111"
        raise RuntimeError(str(len(card)))

    with pytest.raises(RuntimeError) as caught:
        fails()
    assert "4111" not in "".join(
        line for line in report_exception(caught.value).traceback.splitlines() if "card =" not in line
    )


@pytest.mark.parametrize("start", ["Key (", "Key (a)=(", "Failing row contains (", "token:\"a token='"])
def test_error_text_of_one_megabyte_is_redacted_within_a_second(start: str) -> None:
    text = start * (1_000_000 // len(start))
    started = time.thread_time()
    report_texts(type="X", message=text, traceback=text)
    assert time.thread_time() - started < 1


def test_secret_at_the_position_where_a_long_text_is_cut_is_redacted_completely() -> None:
    token = "eyJ" + "a" * 200 + "." + "b" * 200
    report = report_texts(type="X", message="m" * 1_900 + " " + token, traceback=f"{token} " + "t" * 19_900)
    assert "aaaa" not in report.message + report.traceback
    assert "bbbb" not in report.message + report.traceback
