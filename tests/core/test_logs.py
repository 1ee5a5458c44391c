"""Tests that logs contain no personal data and no secrets."""

import io
import json
import logging
import logging.config
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from hotelagent.core import logs
from hotelagent.core.redaction import REDACTED, redact, redact_text
from tenants.models import Hotel
from tests.interfaces.conftest import HOST


@pytest.fixture(params=[True, False], ids=["json", "readable"])
def log_output(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Return a function that returns the lines logged so far.

    The test runs with the production format and with the development format.
    """
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.formatter(json=request.param))
    root = logging.getLogger()
    root.addHandler(handler)
    yield stream.getvalue
    root.removeHandler(handler)


SECRETS = [
    "guest.name+tag@example.com",
    "+34 600 123 456",
    "+1 (212) 555-0142",
    "0034600123456",
    "212-555-0142",
    "600123456",
    "ha_abcdefghij_Zm9vYmFyYmF6cXV4",
    "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x",
    "Authorization: Basic dXNlcjpwYXNzd29yZA==",
    "password=hunter2-and-more",
    "'api_key': 'k-123456'",
    "postgres://hotel:hunter2@db.internal:5432/x",
    "/admin/login/?next=/guests/Ana",
    "http://resort.localhost:8000/api/v1/x?guest=Ana",
]  # fmt: skip
SECRET_PARTS = (
    "guest.name", "600 123", "212) 555", "34600123456", "555-0142", "600123456", "Zm9vYmFy", "eyJhbGci", "dXNlcjpw",
    "hunter2", "k-123456", "Ana",
)  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
def test_secret_is_redacted_in_every_part_of_a_log_line(log_output: Callable[[], str], secret: str) -> None:
    log = structlog.get_logger("tests")
    log.warning("structlog_event", note=f"before {secret} after", nested={"list": [secret]})
    logging.getLogger("a.library").warning("message with %s", secret)
    try:
        int(f"could not send to {secret}")
    except ValueError:
        log.exception("event_with_exception")
        logging.getLogger("a.library").exception("message with exception")
    text = log_output()
    assert text.count(REDACTED) >= 5
    assert not [part for part in SECRET_PARTS if part in text], text


@pytest.mark.parametrize(
    "name",
    ["password", "new_password", "token", "guest_email", "email", "phone_number", "Authorization", "cookie", "api_key"],
)  # fmt: skip
def test_value_with_a_sensitive_name_is_redacted(name: str) -> None:
    assert redact({name: "short"}) == {name: REDACTED}
    assert redact({"inner": [{name: 12}]}) == {"inner": [{name: REDACTED}]}


@pytest.mark.parametrize(
    "harmless",
    [
        "2026-11-22 14:02:11 held room 101 from 2027-01-01 to 2027-01-05",
        "01a203a9-3f94-7000-ab7c-44c9295b2bdc",
        "took 0.123456789 s, 119390 rows, port 54321",
        "Is it ready? Yes.",
        "reminders.tasks.send_due",
        "GET /api/v1/rooms/",
    ],
)
def test_text_without_sensitive_data_is_not_redacted(harmless: str) -> None:
    assert redact_text(harmless) == harmless


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20))  # fmt: skip
def test_redacted_values_are_json_serializable_for_any_input(value: Any) -> None:
    json.dumps(redact(value))


@pytest.mark.django_db
def test_request_log_line_contains_id_and_hotel_but_no_query_string(
    hotel: Hotel, caplog: pytest.LogCaptureFixture
) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.formatter(json=True))
    logging.getLogger().addHandler(handler)
    try:
        Client(SERVER_NAME=HOST).get(
            "/admin/login/?next=/guests/Ana", headers={"X-Request-ID": "the-request-1", "User-Agent": "x"}
        )
    finally:
        logging.getLogger().removeHandler(handler)
    [line] = [json.loads(text) for text in stream.getvalue().splitlines() if "request_finished" in text]
    assert line["request_id"] == "the-request-1"
    assert line["hotel"] == "alpha"
    assert line["code"] == 200
    assert line["level"] == "info"
    assert line["timestamp"].endswith("Z")
    assert "Ana" not in stream.getvalue()
    assert "127.0.0.1" not in stream.getvalue()


def test_logging_config_is_accepted_by_dict_configurator() -> None:
    logging.config.DictConfigurator(logs.logging_config(json=True, level="INFO"))
