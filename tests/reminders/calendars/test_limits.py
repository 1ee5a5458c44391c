"""Tests of two limits for a calendar: the size of the file and the number of events."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from reminders.errors import InvalidFile
from reminders.models import Reservation
from reminders.reservations.calendars.content import (
    MAX_BYTES,
    MAX_EVENTS,
    MAX_EVENTS_IN_FILE,
    MAX_EVENTS_IN_REQUEST,
)
from reminders.reservations.calendars.event_import import import_calendar
from tenants.models import Hotel

pytestmark = pytest.mark.django_db
URL = "/api/v1/reservations/import-calendar/"


def calendar(events: int) -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x"]
    for number in range(events):
        lines += ["BEGIN:VEVENT", f"UID:{number}", "DTSTART;VALUE=DATE:20360101", "DTEND;VALUE=DATE:20360103"]
        lines += ["SUMMARY:G", "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


@pytest.mark.django_db(transaction=True)
def test_live_probe_succeeds_while_a_client_sends_20_000_events(api: APIClient) -> None:
    """The request only stores the calendar. A worker imports the events, because an import would delay the probe."""
    body = calendar(MAX_EVENTS_IN_FILE)
    probe = Client(SERVER_NAME="10.1.2.3")
    # The thread of the request has a separate database connection, which it closes at its end.
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(_send_and_close, api, body)
        statuses = set()
        while not sending.done():
            statuses.add(probe.get("/health/live").status_code)
            time.sleep(0.02)
        response, seconds = sending.result()
    assert statuses == {200}
    assert (response.status_code, response.json()["rows"]) == (202, MAX_EVENTS_IN_FILE)
    assert seconds < 30


def _send_and_close(api: APIClient, body: str) -> tuple[Any, float]:
    started = time.monotonic()
    try:
        return api.generic("POST", URL, body, "text/calendar"), time.monotonic() - started
    finally:
        connection.close()


def test_calendar_with_more_events_than_a_worker_may_import_is_refused(in_hotel: Hotel) -> None:
    with pytest.raises(InvalidFile, match=r"5,001 \(limit: 5,000\)"):
        import_calendar(calendar(MAX_EVENTS + 1).encode())
    assert not Reservation.objects.exists()
    assert import_calendar(calendar(MAX_EVENTS_IN_REQUEST + 1).encode()).created == MAX_EVENTS_IN_REQUEST + 1


def test_calendar_over_the_maximum_size_is_refused(api: APIClient) -> None:
    response = api.generic("POST", URL, "x" * (MAX_BYTES + 1), "text/calendar")
    assert (response.status_code, response.json()["type"]) == (422, "/problems/invalid-file")
