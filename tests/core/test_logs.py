"""Nothing personal and nothing secret reaches a log, whoever wrote the line."""

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
def written(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """What the handler of the settings would write, in production and in development."""
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
TELLTALES = (
    "guest.name", "600 123", "212) 555", "34600123456", "555-0142", "600123456", "Zm9vYmFy", "eyJhbGci", "dXNlcjpw",
    "hunter2", "k-123456", "Ana",
)  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
def test_it_hides_what_looks_secret_wherever_it_stands(written: Callable[[], str], secret: str) -> None:
    log = structlog.get_logger("tests")
    log.warning("structlog_event", note=f"before {secret} after", nested={"list": [secret]})
    logging.getLogger("a.library").warning("said %s", secret)
    try:
        int(f"could not send to {secret}")
    except ValueError:
        log.exception("it_broke")
        logging.getLogger("a.library").exception("it broke")
    text = written()
    assert text.count(REDACTED) >= 5
    assert not [telltale for telltale in TELLTALES if telltale in text], text


@pytest.mark.parametrize(
    "name",
    ["password", "new_password", "token", "guest_email", "email", "phone_number", "Authorization", "cookie", "api_key"],
)  # fmt: skip
def test_it_hides_what_has_a_telling_name(name: str) -> None:
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
def test_it_leaves_alone_what_is_needed(harmless: str) -> None:
    assert redact_text(harmless) == harmless


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20))  # fmt: skip
def test_it_takes_any_value_and_does_not_break(value: Any) -> None:
    json.dumps(redact(value))


@pytest.mark.django_db
def test_a_requests_line_has_its_id_and_hotel_and_no_query(
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


def test_the_settings_are_a_plain_dictionary() -> None:
    logging.config.DictConfigurator(logs.logging_config(json=True, level="INFO"))
