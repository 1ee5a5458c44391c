"""Tests of the admin pages for uploaded files: who may use the pages, and what the pages display."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from dlq.services import capture
from reminders.file_imports import services, worker
from reminders.models import FileImport, ImportKind
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.conftest import ALPHA_HOST

pytestmark = pytest.mark.django_db

RESERVATIONS = "/admin/reminders/reservationimport/"
ROOMS = "/admin/reminders/roomimport/"
Login = Callable[[str], Client]


@pytest.fixture
def login(in_hotel: Hotel) -> Login:
    """Return a function that logs in a new member of staff with a role."""

    def log_in(role: str) -> Client:
        client = Client(SERVER_NAME=ALPHA_HOST)
        with hotel_context(in_hotel):
            client.force_login(User.objects.create_user(username=role, password=None, role=role))
        return client

    return log_in


def upload(client: Client, url: str, content: str) -> Any:
    file = SimpleUploadedFile("file.csv", content.encode())
    return client.post(f"{url}upload/", {"file": file}, follow=True)


@pytest.mark.parametrize(
    ("role", "may_import_reservations", "may_import_rooms"),
    [(Role.MANAGER, True, True), (Role.FRONT_DESK, True, False), (Role.AUDITOR, False, False)],
)
def test_only_some_roles_may_import_files(
    login: Login, role: str, may_import_reservations: bool, may_import_rooms: bool
) -> None:
    client = login(role)
    menu = client.get("/admin/").content.decode()
    for url, content, allowed in (
        (RESERVATIONS, "number,arrival,departure\n1,2031-07-01,2031-07-02", may_import_reservations),
        (ROOMS, "number,type\n1,Double", may_import_rooms),
    ):
        assert (f'href="{url}"' in menu) == allowed
        assert upload(client, url, content).status_code == (200 if allowed else 403)
        assert ("Upload file" in client.get(url).content.decode()) == allowed
    assert FileImport.objects.count() == may_import_reservations + may_import_rooms


def test_front_desk_can_neither_see_nor_change_an_import_of_rooms(login: Login) -> None:
    uploaded = services.upload_file(kind=ImportKind.ROOMS, name="rooms.csv", content=b"number,type\n1,A")
    client = login(Role.FRONT_DESK)
    page = f"{RESERVATIONS}{uploaded.id}/change/"
    assert client.get(page).status_code in {302, 404}
    assert client.post(f"{ROOMS}{uploaded.id}/change/", {"action": "check"}).status_code == 403
    assert client.get(f"{RESERVATIONS}{uploaded.id}/report/").status_code == 404
    assert FileImport.objects.get().status == "uploaded"


def test_upload_page_explains_why_a_file_cannot_be_read(staff: Client) -> None:
    page = upload(staff, RESERVATIONS, "%PDF-1.4").content.decode()
    assert "PDF" in page
    assert "Upload file" in page


def test_file_cannot_be_checked_until_its_required_columns_are_chosen(staff: Client, in_hotel: Hotel) -> None:
    page = upload(staff, RESERVATIONS, "Code,From,To\n1,2031-07-01,2031-07-02").content.decode()
    assert "Choose the column of: Booking number, Arrival, Departure." in page
    url = f"{RESERVATIONS}{FileImport.objects.get().id}/change/"
    columns = {"column-0": "number", "column-1": "arrival"}
    page = staff.post(url, {"action": "check", **columns}, follow=True).content.decode()
    assert "Choose the column of: Departure." in page
    columns["column-2"] = "arrival"
    page = staff.post(url, {"action": "check", **columns}, follow=True).content.decode()
    assert "Choose only one column for: Arrival." in page
    columns["column-2"] = "departure"
    staff.post(url, {"action": "check", **columns})
    assert FileImport.objects.get().status == "checking"


def test_staff_choose_the_hotel_of_a_file_that_contains_several_hotels(
    staff: Client, in_hotel: Hotel
) -> None:
    rows = "number,arrival,departure,hotel\n1,2031-07-01,2031-07-02,North\n2,2031-07-01,2031-07-02,South"
    assert "bookings of several hotels" in upload(staff, RESERVATIONS, rows).content.decode()
    uploaded = FileImport.objects.get()
    columns = {f"column-{n}": name for n, name in enumerate(["number", "arrival", "departure", "hotel"])}
    url = f"{RESERVATIONS}{uploaded.id}/change/"
    staff.post(url, {"action": "check", "property": "South", **columns})
    worker.run(uploaded.id)
    checked = FileImport.objects.get()
    assert (checked.status, checked.counts["created"]) == ("checked", 1)


def test_page_of_a_running_import_refreshes_without_javascript(staff: Client, in_hotel: Hotel) -> None:
    uploaded = services.upload_file(kind=ImportKind.ROOMS, name="rooms.csv", content=b"number,type\n1,A")
    services.request_check(uploaded)
    page = staff.get(f"{ROOMS}{uploaded.id}/change/").content.decode()
    assert '<noscript><meta http-equiv="refresh"' in page
    assert 'hx-trigger="every 2s"' in page


def test_failure_of_an_import_is_displayed_with_a_link_to_the_file(staff: Client, in_hotel: Hotel) -> None:
    uploaded = services.upload_file(kind=ImportKind.ROOMS, name="rooms.csv", content=b"number,type\n1,A")
    payload = {"args": [[str(uploaded.id)]], "kwargs": {}}
    failure = capture(
        kind="task", source="reminders", name=services.TASK, payload=payload, error=RuntimeError()
    )
    other = capture(
        kind="task", source="reminders", name=services.TASK, payload={"args": 1}, error=RuntimeError()
    )
    page = staff.get(f"/admin/dlq/failure/{failure.id}/change/").content.decode()
    assert f'href="{ROOMS}{uploaded.id}/change/"' in page
    assert staff.get(f"/admin/dlq/failure/{other.id}/change/").status_code == 200
