"""Tests of a hotel's e-mail branding (colour and logo): validation, admin page, and use in messages."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.test import Client
from PIL import Image

from audit.models import Event
from reminders.errors import InvalidColour, InvalidLogo
from reminders.mail.branding import branding_context, text_colour_on
from reminders.mail.images import MAX_BYTES, MAX_SCANS, read_logo
from reminders.models import EmailBranding, Reminder, Reservation
from reminders.sending import batch
from reminders.services.emails import set_colour, set_logo
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.conftest import ALPHA_HOST
from tests.reminders.conftest import Clock
from tests.servers import MailServer

pytestmark = pytest.mark.django_db
PAGE = "/admin/reminders/emailbranding/1/change/"


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\xc8\x50\x1e" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def jpeg(width: int, height: int, *, is_progressive: bool = False) -> bytes:
    file = BytesIO()
    Image.new("RGB", (width, height), "#c8501e").save(file, "JPEG", progressive=is_progressive)
    return file.getvalue()


def png_with_damaged_pixels() -> bytes:
    content = bytearray(png(480, 120))
    content[content.index(b"IDAT") + 20] ^= 0xFF
    return bytes(content)


def png_without_pixels() -> bytes:
    content = png(480, 120)
    return content[: content.index(b"IDAT") - 4] + content[content.index(b"IEND") - 4 :]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (png(480, 120), "image/png"),
        (jpeg(480, 120), "image/jpeg"),
        (jpeg(480, 120, is_progressive=True), "image/jpeg"),
    ],
)
def test_logo_format_is_detected_from_the_content_of_the_file(content: bytes, kind: str) -> None:
    logo = read_logo(content)
    assert (logo.type, logo.width, logo.height) == (kind, 480, 120)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "The file is not a PNG or JPEG image"),
        (b"GIF89a" + b"\0" * 40, "The file is not a PNG or JPEG image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "The file is not a PNG or JPEG image"),
        (jpeg(480, 120) + b"\xff\xda" * MAX_SCANS, "The file is not a PNG or JPEG image"),
        (b"\x89PNG\r\n\x1a\n", "damaged or incomplete"),
        (png(1, 1) + b"\0" * MAX_BYTES, "limit: 200 kB"),
        (png(2001, 1), "2001 x 1 pixels"),
        (png(60_000, 1), "60000 x 1 pixels"),
        (b"\xff\xd8\xff\xe0\xff\xff", "damaged or incomplete"),
        (b"\xff\xd8\xff" + b"\xff" * 500, "damaged or incomplete"),
        (png(480, 120)[:-1], "damaged or incomplete"),
        (png(480, 120)[:100] + b"IEND\xaeB`\x82", "damaged or incomplete"),
        (png_with_damaged_pixels(), "damaged or incomplete"),
        (png_without_pixels(), "damaged or incomplete"),
        (jpeg(480, 120)[:700], "damaged or incomplete"),
    ],
)
def test_logo_file_with_an_invalid_format_or_size_is_rejected(content: bytes, expected: str) -> None:
    with pytest.raises(InvalidLogo, match=expected):
        read_logo(content)


@pytest.mark.parametrize(
    ("colour", "ink"),
    [("#1f4e5f", "#ffffff"), ("#000000", "#ffffff"), ("#f4b942", "#111827"), ("#ffffff", "#111827")],
)
def test_text_colour_has_enough_contrast_on_the_background_colour(colour: str, ink: str) -> None:
    assert text_colour_on(colour) == ink


@pytest.mark.parametrize("colour", ["red", "#12345", "#1234567", "#12345g", "#000000;display:none", ""])
def test_invalid_branding_colour_raises_an_error(in_hotel: Hotel, colour: str) -> None:
    with pytest.raises(InvalidColour):
        set_colour(colour=colour)
    assert not EmailBranding.objects.exists()
    assert EmailBranding.of_current_hotel().colour == "#1f4e5f"


def test_first_change_of_the_branding_creates_the_row_and_later_changes_update_it(in_hotel: Hotel) -> None:
    assert branding_context(in_hotel.tenant).logo_url == ""
    set_logo(logo=read_logo(png(480, 120)))
    set_colour(colour="#abcdef")
    row = EmailBranding.objects.get()
    assert (row.id, row.colour, row.logo_width) == (1, "#abcdef", 480)
    set_logo(logo=None)
    assert EmailBranding.of_current_hotel().logo_digest == ""
    assert branding_context(in_hotel.tenant).colour == "#abcdef"


def test_database_rejects_invalid_colours_and_a_second_branding_row(in_hotel: Hotel) -> None:
    set_colour(colour="#ABCDEF")
    assert EmailBranding.objects.get().colour == "#abcdef"
    for wrong in (
        "UPDATE reminders_emailbranding SET colour = 'red'",
        "UPDATE reminders_emailbranding SET id = 2",
    ):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(wrong)


def test_changes_of_colour_and_logo_by_staff_are_stored_and_recorded(staff: Client, hotel: Hotel) -> None:
    for page in ("/admin/reminders/emailbranding/", PAGE):
        assert "Unsubscribe" in staff.get(page).content.decode()
    upload = SimpleUploadedFile("logo.exe", png(480, 120), "application/x-msdownload")
    response = staff.post(PAGE, {"colour": "#F4B942", "new_logo": upload})
    assert response.status_code == 302, response.context["errors"]
    with hotel_context(hotel):
        brand = EmailBranding.objects.get()
        assert (brand.colour, brand.logo_type, brand.logo_width) == ("#f4b942", "image/png", 480)
        told = [
            event.data["changed"]
            for event in Event.objects.filter(event="email_branding.changed").order_by("id")
        ]
        assert sorted(told) == ["colour", "logo"]
    assert f"/brand/{brand.logo_digest}.png" in staff.get(PAGE).content.decode()
    staff.post(PAGE, {"colour": "#f4b942", "remove_logo": "on"})
    with hotel_context(hotel):
        assert EmailBranding.objects.get().logo_digest == ""


def test_upload_of_an_invalid_logo_shows_the_error_at_the_field(staff: Client, hotel: Hotel) -> None:
    large = SimpleUploadedFile("logo.png", png(1, 1) + b"\0" * MAX_BYTES, "image/png")
    page = staff.post(PAGE, {"colour": "#f4b942", "new_logo": large})
    assert page.status_code == 200
    assert "limit: 200 kB" in page.content.decode()
    page = staff.post(PAGE, {"colour": "reddish", "new_logo": ""})
    assert "is not a valid colour" in page.content.decode()


def test_logo_can_be_loaded_without_login_and_is_cached_forever(hotel: Hotel) -> None:
    with hotel_context(hotel):
        set_logo(logo=read_logo(jpeg(480, 120)))
        url = branding_context(hotel.tenant, base_url="").logo_url
    response = Client(SERVER_NAME=ALPHA_HOST).get(url)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "image/jpeg")
    assert response.content == jpeg(480, 120)
    assert "immutable" in response.headers["Cache-Control"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert Client(SERVER_NAME="beta.localhost").get(url).status_code == 404
    assert Client(SERVER_NAME=ALPHA_HOST).get("/brand/0.png").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_message_contains_the_colour_and_the_logo_of_the_hotel(
    book: Callable[..., Reservation], clock: Clock, smtp: MailServer, hotel: Hotel
) -> None:
    set_colour(colour="#f4b942")
    clock("2030-05-09 12:00")
    book("R1", "2030-05-10", "2030-05-12")
    due = Reminder.objects.filter(status="scheduled")
    batch.send_due([reminder.id for reminder in due])
    assert "background:#f4b942;color:#111827" in _html(smtp)
    set_logo(logo=read_logo(png(960, 480)))
    book("R2", "2030-05-10", "2030-05-12")
    batch.send_due([reminder.id for reminder in due.all()])
    html = _html(smtp)
    assert f'src="http://{ALPHA_HOST}:8000/brand/' in html
    assert 'width="96" height="48" alt="Hotel Alpha"' in html


def _html(smtp: MailServer) -> str:
    body = smtp.accepted[-1].get_body(["html"])
    assert body is not None
    return str(body.get_content())
