"""Tests of uploaded calendars with more events than a request imports. A worker imports them."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from reminders.file_imports import calendars, worker
from reminders.models import FileImport, Reservation
from reminders.reservations.calendars.content import MAX_EVENTS_IN_FILE, MAX_EVENTS_IN_REQUEST
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.reminders.calendars.test_file_import import calendar

pytestmark = pytest.mark.django_db

IMPORT = "/api/v1/reservations/import-calendar/"
UPLOAD = "/admin/reminders/reservationimport/upload/"


def event(number: int, departure: str = "20310703") -> str:
    return f"UID:event-{number}\nDTSTART;VALUE=DATE:20310701\nDTEND;VALUE=DATE:{departure}\nSUMMARY:Reserved"


def many_events(count: int = MAX_EVENTS_IN_REQUEST + 1, **more: Any) -> str:
    return calendar(*(event(number) for number in range(count)), **more)


def post(api: APIClient, content: str) -> Any:
    return api.post(IMPORT, content, content_type="text/calendar")


def run(hotel: Hotel) -> FileImport:
    with hotel_context(hotel):
        uploaded = FileImport.objects.get()
        worker.run(uploaded.id)
        uploaded.refresh_from_db()
    return uploaded


def test_calendar_with_many_events_is_imported_by_a_worker(api: APIClient, hotel: Hotel) -> None:
    assert post(api, many_events(MAX_EVENTS_IN_REQUEST)).status_code == 200
    events = [event(number) for number in range(MAX_EVENTS_IN_REQUEST)]
    events[7] = event(7, departure="20310704")
    events[8] = "UID:event-8\nDTSTART;VALUE=DATE:soon\nSUMMARY:Reserved"
    response = post(api, calendar(*events, event(1000)))
    assert response.status_code == 202
    assert response.json()["status"] == "importing"
    run(hotel)
    finished = api.get(response["Location"]).json()
    assert (finished["status"], finished["kind"], finished["rows"]) == ("finished", "calendar", 201)
    assert finished["counts"] == {
        "created": 1, "updated": 1, "unchanged": 198, "cancelled": 0, "rejected": 1,
    }  # fmt: skip
    [line] = [json.loads(line) for line in api.get(finished["problems"]).getvalue().splitlines()]
    assert (line["external_id"], line["result"]) == ("event-8", "rejected")
    assert line["problem"]["errors"][0]["detail"]


def test_worker_continues_a_calendar_after_the_last_stored_batch(
    api: APIClient, hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(api, many_events().replace("\r\nEND:VCALENDAR", ""))
    save = worker._Work.save

    def save_or_die(self: Any, progress: Any) -> None:
        if progress.finished_rows > 100:
            raise KeyboardInterrupt  # the worker does not catch this exception
        save(self, progress)

    monkeypatch.setattr(worker._Work, "save", save_or_die)
    with hotel_context(hotel):
        with pytest.raises(KeyboardInterrupt):
            worker.run(FileImport.objects.get().id)
        assert Reservation.objects.count() == 100
        FileImport.objects.update(lease_ends_at=timezone.now())
    monkeypatch.setattr(worker._Work, "save", save)
    finished = run(hotel)
    assert finished.status == "finished"
    assert (finished.counts["created"], finished.counts["unchanged"]) == (201, 0)
    assert finished.counts["warnings"] == 1  # about the missing line END:VCALENDAR


def test_worker_stops_before_its_time_limit_and_a_new_task_continues(
    api: APIClient, hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(api, many_events())
    monkeypatch.setattr(worker, "TIME_LIMIT", 0.0)
    assert run(hotel).status == "importing"
    monkeypatch.setattr(worker, "TIME_LIMIT", 120.0)
    assert run(hotel).status == "finished"


def test_calendar_with_too_many_events_is_refused(api: APIClient) -> None:
    refused = post(api, calendar(*["UID:1"] * (MAX_EVENTS_IN_FILE + 1)))
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid-file")
    assert "20,001" in refused.json()["detail"]


@pytest.mark.parametrize("count", [1, MAX_EVENTS_IN_REQUEST + 1])
def test_staff_upload_a_calendar_and_see_its_progress_and_result(
    staff: Client, hotel: Hotel, count: int
) -> None:
    content = many_events(count).encode() + calendar("UID:x\nDTSTART:soon").encode()
    page = staff.post(UPLOAD, {"file": SimpleUploadedFile("channel.ics", content)}, follow=True)
    text = page.content.decode()
    assert "The file is being imported" in text
    assert f"0 of {count + 1} rows" in text
    assert calendars.BATCH_SIZE < MAX_EVENTS_IN_REQUEST
    run(hotel)
    text = staff.get(page.request["PATH_INFO"]).content.decode()
    assert "The file was imported." in text
    assert "not imported" in text
    assert "Change columns" not in text
