"""What is stored of an error: enough to understand it, no guest and no secret."""

import smtplib

import pytest
from django.db import DataError, IntegrityError, connection

from dlq.reports import describe, reported
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
def test_neither_secret_nor_guest_is_kept_in_message_or_traceback(text: str) -> None:
    report = reported(type="X", message=text, traceback=f"Traceback ...\n  X: {text}\n")
    for secret in SECRETS:
        assert secret not in report.message
        assert secret not in report.traceback


def test_what_went_wrong_is_kept() -> None:
    refused = smtplib.SMTPRecipientsRefused(
        {"ana.silva@guests.example.com": (550, b"5.1.1 User unknown in virtual mailbox table")}
    )
    report = describe(refused)
    assert "550" in report.message
    assert "5.1.1 User unknown in virtual mailbox table" in report.message
    assert "ana.silva" not in report.message


def test_two_recipients_refused_alike_are_one_group() -> None:
    reports = [
        describe(smtplib.SMTPRecipientsRefused({f"{name}@example.com": (550, b"5.1.1 no such user")}))
        for name in ("ana", "bruno")
    ]
    assert len({report.fingerprint(name="reminders.send") for report in reports}) == 1


@pytest.mark.django_db
def test_a_row_that_postgresql_quotes_is_not_kept(in_hotel: Hotel) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE g (name text PRIMARY KEY, n int CHECK (n > 0)) ON COMMIT DROP")
        cursor.execute("INSERT INTO g VALUES ('Ana Silva', 1)")
        for values in ("'Ana Silva', 2", "'Ana Silva (suite)', 0"):
            with pytest.raises(IntegrityError) as caught:  # noqa: PT012
                cursor.execute("SAVEPOINT s")
                try:
                    cursor.execute(f"INSERT INTO g VALUES ({values})")
                finally:
                    cursor.execute("ROLLBACK TO SAVEPOINT s")
            report = describe(caught.value)
            assert "Ana" not in report.message + report.traceback
            assert "constraint" in report.message


@pytest.mark.django_db
def test_the_cause_is_told_too(in_hotel: Hotel) -> None:
    with pytest.raises(DataError) as caught, connection.cursor() as cursor:
        cursor.execute("SELECT 1/0")
    assert "division by zero" in describe(caught.value).traceback


def test_local_variables_are_not_kept() -> None:
    def fails() -> None:
        card = "4111-1111"
        raise RuntimeError(str(len(card)))

    with pytest.raises(RuntimeError) as caught:
        fails()
    assert "4111" not in "".join(
        line for line in describe(caught.value).traceback.splitlines() if "card =" not in line
    )
