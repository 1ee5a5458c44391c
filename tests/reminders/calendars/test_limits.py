"""Tests of two limits for a calendar: the size of the file and the number of events."""

import pytest
from rest_framework.test import APIClient

from reminders.errors import InvalidFile
from reminders.models import Reservation
from reminders.reservations.calendars.content import MAX_BYTES, MAX_EVENTS, MAX_EVENTS_IN_REQUEST
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


def test_calendar_with_more_events_than_a_request_may_contain_is_refused(api: APIClient) -> None:
    response = api.generic("POST", URL, calendar(MAX_EVENTS_IN_REQUEST + 1), "text/calendar")
    assert (response.status_code, response.json()["type"]) == (422, "/problems/invalid-file")
    assert "201 (limit: 200)" in response.json()["detail"]
    response = api.generic("POST", URL, calendar(2), "text/calendar")
    assert (response.status_code, response.json()["created"]) == (200, 2)


def test_calendar_with_more_events_than_a_worker_may_import_is_refused(in_hotel: Hotel) -> None:
    with pytest.raises(InvalidFile, match=r"5,001 \(limit: 5,000\)"):
        import_calendar(calendar(MAX_EVENTS + 1).encode())
    assert not Reservation.objects.exists()
    assert import_calendar(calendar(MAX_EVENTS_IN_REQUEST + 1).encode()).created == MAX_EVENTS_IN_REQUEST + 1


def test_calendar_over_the_maximum_size_is_refused(api: APIClient) -> None:
    response = api.generic("POST", URL, "x" * (MAX_BYTES + 1), "text/calendar")
    assert (response.status_code, response.json()["type"]) == (422, "/problems/invalid-file")
