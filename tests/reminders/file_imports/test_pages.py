"""Tests of the admin pages for uploaded files: who may use the pages, and what the pages display."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from audit.models import Event
from dlq.services import capture
from reminders.errors import FileChoice, InvalidFile
from reminders.file_imports import services, worker
from reminders.file_imports.error_messages import error_message
from reminders.management.commands import import_reservations
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
def test_menu_and_upload_allow_only_the_kinds_of_imports_that_the_role_permits(
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


def test_upload_of_a_pdf_file_shows_an_error_on_the_upload_page(staff: Client) -> None:
    page = upload(staff, RESERVATIONS, "%PDF-1.4").content.decode()
    assert "PDF" in page
    assert "Upload file" in page


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"%PDF-1.4", "Es un documento PDF. Exporte los datos como CSV"),
        (b"[1]", "Es un documento JSON."),
        (b" ", "file.csv: el archivo está vacío."),
        (b"\xff\xfe\x00\xd8", "Guarde el archivo como CSV con la codificación UTF-8 e inténtelo de nuevo."),
    ],
)
def test_spanish_file_error_on_the_page_names_no_command_line_options(
    staff: Client, in_hotel: Hotel, content: bytes, message: str
) -> None:
    User.objects.update(language="es")
    file = SimpleUploadedFile("file.csv", content)
    page = staff.post(f"{RESERVATIONS}upload/", {"file": file}, follow=True).content.decode()
    assert message in page
    assert "--encoding" not in page


def test_error_that_the_worker_stores_is_shown_in_the_language_of_the_reader(
    staff: Client, in_hotel: Hotel
) -> None:
    rows = b"number,arrival,departure,hotel\n1,2031-07-01,2031-07-02,N\n2,2031-07-01,2031-07-02,S"
    uploaded = services.upload_file(kind=ImportKind.RESERVATIONS, name="a.csv", content=rows)
    services.request_check(uploaded)
    worker.run(uploaded.id)
    for language, message in (
        ("en", "bookings of several hotels: N, S, ... Choose the hotel whose bookings you want to import."),
        ("es", "reservas de varios hoteles: N, S, ... Elija el hotel cuyas reservas quiere importar."),
    ):
        User.objects.update(language=language)
        page = staff.get(f"{RESERVATIONS}{uploaded.id}/change/").content.decode()
        assert message in page
        assert "--property" not in page


def test_error_details_in_the_import_report_are_in_the_language_of_the_reader(
    staff: Client, in_hotel: Hotel
) -> None:
    header = b"number,arrival,departure,room type,rooms\n"
    rows = [
        "1,2031-07-01,2031-07-01,A,1",
        f"2,2031-07-01,2031-07-02,{'A' * 41},1",
        "3,2031-07-01,2031-07-02,A,101",
        "4,2031-07-01",
        "5,1800-07-01,1800-07-02,A,1",
        "6,2031-07-01,2031-07-02,A,1",
        "6,2031-07-03,2031-07-04,A,1",
    ]
    uploaded = services.upload_file(
        kind=ImportKind.RESERVATIONS, name="a.csv", content=header + "\n".join(rows).encode()
    )
    services.request_check(uploaded)
    worker.run(uploaded.id)
    User.objects.update(language="es")
    response: Any = staff.get(f"{RESERVATIONS}{uploaded.id}/report/")
    read = Event.objects.filter(event="personal_data.read").latest("id")
    assert (read.subject_id, read.data["route"]) == (
        str(uploaded.id),
        "admin:reminders_reservationimport_report",
    )
    report = b"".join(response.streaming_content).decode("utf-8-sig")
    details = {row["Línea"]: row["Detalle"] for row in csv.DictReader(io.StringIO(report))}
    assert details.pop("6").endswith("no está entre 1970-01-01 y 2199-12-31.")
    assert details == {
        "2": "La estancia es del 2031-07-01 al 2031-07-01.",
        "3": "El valor tiene 41 caracteres. El límite es 40.",
        "4": "Indique un número de 1 a 100.",
        "5": "La fila tiene 2 de 5 columnas.",
        "8": "La primera fila con este número está en la línea 7.",
    }


def test_every_choice_for_a_file_has_a_hint_on_the_page_and_in_the_command() -> None:
    for choice in FileChoice:
        error = InvalidFile("The reason.", choice=choice)
        assert error_message(error).startswith("The reason. ")
        assert "--" not in error_message(error)
        assert "--" in import_reservations.HINTS[choice]


def test_file_cannot_be_checked_until_its_required_columns_are_chosen(staff: Client, in_hotel: Hotel) -> None:
    page = upload(staff, RESERVATIONS, "Code,From,To\n1,2031-07-01,2031-07-02").content.decode()
    assert "Choose a column for: Booking number, Arrival, Departure." in page
    url = f"{RESERVATIONS}{FileImport.objects.get().id}/change/"
    columns = {"column-0": "number", "column-1": "arrival"}
    page = staff.post(url, {"action": "check", **columns}, follow=True).content.decode()
    assert "Choose a column for: Departure." in page
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
    assert "bookings from several hotels" in upload(staff, RESERVATIONS, rows).content.decode()
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
        is_task=True, source="reminders", name=services.TASK, payload=payload, error=RuntimeError()
    )
    other = capture(
        is_task=True, source="reminders", name=services.TASK, payload={"args": 1}, error=RuntimeError()
    )
    page = staff.get(f"/admin/dlq/failure/{failure.id}/change/").content.decode()
    assert f'href="{ROOMS}{uploaded.id}/change/"' in page
    assert staff.get(f"/admin/dlq/failure/{other.id}/change/").status_code == 200
