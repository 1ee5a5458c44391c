"""Browser tests of the page "Import reservations", with a Celery worker, from the upload to the downloaded report."""

import csv
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery.contrib.testing.worker import start_worker
from playwright.sync_api import Page, expect

from hotelagent.celery import app
from reminders.models import Reservation
from tenants.models import Hotel, User
from tests.browser import SHARP_PHONE, OpenPage, fits_width, screenshot

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

#: The export of a system that is not known, with dates that can be read in two ways.
EXPORT = """Localizador;Entrada;Salida;PAX;Room Type;Nombre;Apellidos;Correo;Status
L1;03/04/2031;05/04/2031;2;Doble;Ana;Lima;ana@example.com;Confirmed
L2;04/04/2031;06/04/2031;1;Doble;Bo;Chan;bo(at)example.com;OK
L3;05/04/2031;09/04/2031;2;Suite;Cy;Doe;cy@example.com;Anulada
L4;07/04/2031;05/04/2031;2;Suite;Di;Eck;di@example.com;OK
"""
FIELDS = ("number", "arrival", "departure", "adults", "room_type", "guest_name", "guest_name", "guest_email")


@pytest.fixture
def worker(transactional_db: None, redis_url: str, unpersistent_connections: None) -> Iterator[None]:
    with start_worker(app, perform_ping_check=False, pool="solo", loglevel="WARNING"):
        yield


@pytest.fixture(params=["en", "es"])
def page(request: pytest.FixtureRequest, open_as_manager: OpenPage, in_hotel: Hotel) -> Iterator[Page]:
    """Return a browser page.

    Tests that use this fixture run twice: in English on a desktop, and in Spanish on a phone without JavaScript.
    """
    User.objects.update(language=request.param)
    options = {**SHARP_PHONE, "java_script_enabled": False} if request.param == "es" else {}
    with open_as_manager("/admin/reminders/reservationimport/", **options) as page:
        yield page


def test_staff_can_upload_check_and_import_the_export_of_an_unknown_system(page: Page, worker: None) -> None:
    name = f"import-{page.locator('html').get_attribute('lang')}"
    page.set_input_files(
        "[name=file]", {"name": "reservas.csv", "mimeType": "text/csv", "buffer": EXPORT.encode()}
    )
    screenshot(page, f"{name}-1-upload")
    page.click(".fi-upload .ha-main")
    expect(page.locator(".fi-alert")).to_be_visible()  # the warning that columns are missing
    for index, field in enumerate(FIELDS):
        page.select_option(f"[name=column-{index}]", field)
    page.click("[value=check]")
    page.check("[value=day-first]")
    page.select_option(".fi-form [name^=status-]", "cancelled")
    screenshot(page, f"{name}-2-columns")
    page.click("[value=check]")
    page.locator("[value=start]").wait_for()
    assert Reservation.objects.count() == 0
    screenshot(page, f"{name}-3-check")
    page.click("[value=start]")
    page.locator(".fi-steps .fi-done >> nth=2").wait_for()
    screenshot(page, f"{name}-4-imported")
    assert fits_width(page)
    with page.expect_download() as download:
        page.click(".fi-download")
    report = Path(download.value.path()).read_text("utf-8-sig")
    assert [row[:2] for row in csv.reader(report.splitlines())][1:] == [["3", "L2"], ["5", "L4"]]
    stored = Reservation.objects.order_by("external_id").values_list(
        "external_id", "status", "arrival", "guest_name", "guest_email"
    )
    assert [(number, status, f"{arrival}", *guest) for number, status, arrival, *guest in stored] == [
        ("L1", "booked", "2031-04-03", "Ana Lima", "ana@example.com"),
        ("L2", "booked", "2031-04-04", "Bo Chan", ""),
        ("L3", "cancelled", "2031-04-05", "Cy Doe", "cy@example.com"),
    ]


def test_staff_see_the_progress_and_the_result_of_an_uploaded_calendar(
    page: Page, worker: None, in_hotel: Hotel
) -> None:
    name = f"calendar-{page.locator('html').get_attribute('lang')}"
    events = "".join(
        f"BEGIN:VEVENT\r\nUID:event-{number}@airbnb.com\r\nDTSTART;VALUE=DATE:{day}\r\n"
        "DTEND;VALUE=DATE:20310703\r\nSUMMARY:Reserved\r\nEND:VEVENT\r\n"
        for number, day in enumerate(["20310701"] * 150 + ["20310705", "20311399"])
    )
    calendar = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{events}END:VCALENDAR\r\n".encode()
    page.set_input_files(
        "[name=file]", {"name": "airbnb.ics", "mimeType": "text/calendar", "buffer": calendar}
    )
    page.click(".fi-upload .ha-main")
    screenshot(page, f"{name}-1-progress")
    expect(page.locator("progress")).to_be_visible()
    deadline = time.monotonic() + 90
    while page.locator("progress").count() and time.monotonic() < deadline:
        page.wait_for_timeout(500)
        if not page.evaluate("() => 'htmx' in window"):
            page.reload()
    expect(page.locator(".fi-counts")).to_contain_text("150")
    expect(page.locator(".fi-problems")).to_contain_text("event-151@airbnb.com")
    assert fits_width(page)
    screenshot(page, f"{name}-2-result")
    assert Reservation.objects.count() == 150
