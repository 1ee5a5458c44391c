"""Tests of fingerprints: equal errors have the same fingerprint, and different errors have different fingerprints."""

import time

import pytest

from dlq.error_reports import report_exception, report_texts

NAME = "tests.lamp"


def fingerprint(message: str, *, type: str = "LampError") -> str:  # noqa: A002
    return report_texts(type=type, message=message).fingerprint(name=NAME)


SAME = [
    (
        "id",
        "Hold 0193a1b2-0000-7000-8000-000000000001 expired",
        "Hold 0193ffff-0000-7000-8000-0000000000ff expired",
    ),
    ("short number", "Room 7 is occupied", "Room 12 is occupied"),
    ("name of a room", "Room B-104 is occupied", "Room B-17 is occupied"),
    ("amount", "The deposit is 12.50 EUR too low", "The deposit is 1,250.00 EUR too low"),
    ("list of numbers", "Rooms 1, 2, 3 are occupied", "Rooms 4, 5 are occupied"),
    ("date", "No rate on 2026-03-01", "No rate on 2027-12-31"),
    ("date and time", "Late since 2026-03-01T10:00:00Z", "Late since 2026-03-02 11:30:59.123456+00:00"),
    ("date in words", "Closed since 1 Mar 2026", "Closed since 30 November 2026"),
    ("time of day", "Too late at 09:15", "Too late at 23:59:59"),
    ("duration", "Timed out after 30.002 s", "Timed out after 5 s"),
    ("memory address", "<Lamp object at 0x7f3a2c1b> is off", "<Lamp object at 0x7fffe012> is off"),
    ("digest", "Object a1b2c3d4e5f6 is missing", "Object 0f0f0f0fdead is missing"),
    ("e-mail address", "ana@guests.example.com has no inbox", "bruno.p@mail.example.org has no inbox"),
    ("phone number", "+351 912 345 678 is not valid", "+34 600 123 456 is not valid"),
    ("single quotes", "Guest 'Ana Silva' has no address", "Guest 'Bob' has no address"),
    ("double quotes", 'The type "suite" is unknown', 'The type "double room" is unknown'),
    ("typographic quotes", "Reminder “Before arrival” has no text", "Reminder “After departure” has no text"),
    ("guillemets", "No existe la tarifa «verano»", "No existe la tarifa «invierno 2026»"),
    ("temporary file", "Cannot open /tmp/tmpab1/x.csv", "Cannot open /tmp/tmp_zq/y.csv"),
    ("network address", "No reply from 10.0.0.7:5432", "No reply from 10.0.12.31:5433"),
    (
        "recipient of a refused e-mail",
        "{'ana@example.com': (550, b'5.1.1 no such user')}",
        "{'bruno@example.com': (550, b'5.1.1 no such user')}",
    ),
]

DIFFERENT = [
    ("text", "The lamp is away", "The lamp is dark"),
    ("HTTP status", "The PMS returned HTTP 404", "The PMS returned HTTP 503"),
    ("status code", "Request failed with status code 401", "Request failed with status code 429"),
    ("system error", "[Errno 111] Connection refused", "[Errno 113] Connection refused"),
    ("reply of a mail server", "550 5.1.1 rejected", "552 5.2.2 rejected"),
    ("reply without an enhanced code", "(550, b'rejected')", "(421, b'rejected')"),
    ("exit code", "The program ended with exit code 1", "The program ended with exit code 137"),
    (
        "text of a mail server after a recipient",
        "{'ana@example.com': (550, b'5.1.1 no such user')}",
        "{'ana@example.com': (550, b'5.2.2 mailbox full')}",
    ),
    (
        "apostrophes",
        "The hotel can't open the rate, don't retry",
        "The hotel can't close the rate, don't retry",
    ),
    ("long quoted text", f"The PMS said: '{'not now ' * 10}'", f"The PMS said: '{'never again ' * 10}'"),
]

DIFFERENT_NAMES = [
    ("KeyError", "'rate'", "'guest'"),
    (
        "AttributeError",
        "'NoneType' object has no attribute 'rate'",
        "'NoneType' object has no attribute 'guest'",
    ),
    ("ModuleNotFoundError", "No module named 'lamps'", "No module named 'rates'"),
    (
        "django.db.utils.IntegrityError",
        'null value in column "guest" violates not-null constraint',
        'null value in column "room" violates not-null constraint',
    ),
]


@pytest.mark.parametrize(("first", "second"), [case[1:] for case in SAME], ids=[case[0] for case in SAME])
def test_errors_that_differ_in_a_variable_part_have_the_same_fingerprint(first: str, second: str) -> None:
    assert fingerprint(first) == fingerprint(second)


@pytest.mark.parametrize(
    ("first", "second"), [case[1:] for case in DIFFERENT], ids=[case[0] for case in DIFFERENT]
)
def test_errors_with_different_meanings_have_different_fingerprints(first: str, second: str) -> None:
    assert fingerprint(first) != fingerprint(second)


@pytest.mark.parametrize(("type_", "first", "second"), DIFFERENT_NAMES)
def test_errors_about_different_python_names_have_different_fingerprints(
    type_: str, first: str, second: str
) -> None:
    assert fingerprint(first, type=type_) != fingerprint(second, type=type_)
    # Negative control: for other types of errors, quoted words are ignored, so the fingerprints are equal.
    assert fingerprint(first, type="LampError") == fingerprint(second, type="LampError")


def raise_in_one_place() -> None:
    raise ValueError("no current")


def raise_in_another_place() -> None:
    raise ValueError("no current")


def test_equal_messages_with_different_names_types_or_locations_have_different_fingerprints() -> None:
    report = report_texts(type="LampError", message="no current")
    found = {
        report.fingerprint(name=NAME),
        report.fingerprint(name="tests.heater"),
        fingerprint("no current", type="X"),
    }
    for function in (raise_in_one_place, raise_in_another_place):
        with pytest.raises(ValueError, match="no current") as caught:
            function()
        found.add(report_exception(caught.value).fingerprint(name=NAME))
    assert len(found) == 5


@pytest.mark.parametrize("start", ["'", "“", "1", "a.", "a@", "0x", "*", "1, ", "(5"])
def test_fingerprint_of_the_longest_message_takes_less_than_100_milliseconds(start: str) -> None:
    report = report_texts(type="X", message=start * 2_000)
    started = time.thread_time()
    report.fingerprint(name=NAME)
    assert time.thread_time() - started < 0.1
