"""Tests of the live preview of a template: the rendered parts, the errors with their lines, and the permissions."""

import re
from collections.abc import Callable
from html import unescape
from io import BytesIO

import pytest
from django.test import Client
from PIL import Image
from playwright.sync_api import Locator, expect

from reminders.mail.rendering import TEMPLATE_VARIABLES
from reminders.mail.template_validation import find_errors
from reminders.models import Reservation, Template
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.browser import PHONE, OpenPage, Screen, fits_width, screenshot

pytestmark = pytest.mark.django_db
URL = "/admin/reminders/template/preview/"
VALID = {
    "subject": "Hello {{ guest_name }}",
    "text": "See you",
    "html": "<p>{{ nights }} nights</p>",
    "language": "en",
}


def test_preview_renders_the_posted_text_with_an_example_guest_and_saves_nothing(
    staff: Client, book: Callable[..., Reservation]
) -> None:
    book("R1", "2030-05-10", "2030-05-12", guest_name="Real Guest")
    before = list(Template.objects.values_list("id", "subject"))
    preview = staff.post(URL, VALID).json()
    assert preview["subject"] == "Hello Ana Lima"
    assert "<p>2 nights</p>" in preview["html"]
    assert preview["text"].startswith("See you")
    assert "Real Guest" not in str(preview)
    assert preview["errors"] == []
    assert list(Template.objects.values_list("id", "subject")) == before


@pytest.mark.parametrize(
    ("html", "line", "text"),
    [
        ("<p>\n{{ guest }}</p>", 2, "Line 2: Unknown variable: guest."),
        ("<p>\n\n{% if nights %}</p>", 3, "Line 3: Unclosed tag on line 3: 'if'."),
        ("<p>\n{% include 'x' %}</p>", 2, "Line 2: Templates can't use the tag or filter “include”."),
        ("<p>\n{{ guest_name.encode }}</p>", 2, "Line 2: The variable “guest_name.encode” does not exist."),
        (
            "{% for a in guest_name %}{% for b in guest_name %}{% endfor %}{% endfor %}",
            1,
            "A loop can't contain",
        ),
    ],
)
def test_error_of_a_template_names_its_line(
    staff: Client, in_hotel: Hotel, html: str, line: int, text: str
) -> None:
    [error] = staff.post(URL, {**VALID, "html": html}).json()["errors"]
    assert (error["part"], error["line"]) == ("html", line)
    assert error["text"].startswith(text)
    template = Template.objects.all()[0]
    data = {**VALID, "html": html, "rule": template.rule_id, "language": template.language}
    page = staff.post(f"/admin/reminders/template/{template.pk}/change/", data)
    assert text in unescape(page.content.decode())


def test_editor_offers_all_variables_of_templates(staff: Client, in_hotel: Hotel) -> None:
    template = Template.objects.all()[0]
    content = staff.get(f"/admin/reminders/template/{template.pk}/change/").content.decode()
    assert set(re.findall(r'data-variable="(\w+)"', content)) == TEMPLATE_VARIABLES


def test_all_parts_with_errors_are_reported() -> None:
    errors = find_errors(subject="{{ a }}", text="{{ b }}", html="{{ c }}")
    assert [error.extra["part"] for error in errors] == ["subject", "text", "html"]


def test_preview_has_the_limits_of_the_sandbox(staff: Client, in_hotel: Hotel) -> None:
    long = "{% for a in guest_name %}" + "x" * 50_000 + "{% endfor %}"
    [error] = staff.post(URL, {**VALID, "html": long}).json()["errors"]
    assert "produces too much text" in error["text"]


@pytest.mark.parametrize("role", [Role.FRONT_DESK, Role.AUDITOR])
def test_only_managers_use_the_preview(staff: Client, in_hotel: Hotel, role: Role) -> None:
    User.objects.update(role=role)
    assert staff.post(URL, VALID).status_code == 403
    User.objects.update(role=Role.MANAGER)  # For comparison, a manager can use the preview.
    assert staff.post(URL, VALID).status_code == 200
    assert staff.get(URL).status_code == 405


@pytest.mark.browser
@pytest.mark.timeout(180)
@pytest.mark.django_db(transaction=True)
def test_preview_follows_the_text_and_a_click_inserts_a_variable(
    screen: Screen, staff: Client, in_hotel: Hotel
) -> None:
    User.objects.update(language=screen.language)
    template = Template.objects.filter(language="en")[0]
    with screen.open(staff, f"/admin/reminders/template/{template.pk}/change/") as page:
        subject = page.locator("[data-show=subject]")
        page.fill("[name=subject]", "Welcome, ")
        page.locator("[name=subject]").press("End")
        page.click("[data-variable=guest_name]")
        expect(page.locator("[name=subject]")).to_have_value("Welcome, {{ guest_name }}")
        expect(subject).to_have_text("Welcome, Ana Lima")
        page.fill("[name=html]", "<p>first</p>\n<p>{{ nights }} nights and a half</p>")
        expect(page.frame_locator("[data-show=html]").get_by_text("2 nights and a half")).to_be_visible()
        screenshot(page, f"first-editor-{screen.name}")
        assert fits_width(page)
        page.click("[data-width=phone]")
        assert page.locator("[data-show=html]").bounding_box()["width"] <= 376  # type: ignore[index]
        page.click("[data-part=text]")
        expect(page.locator("[data-show=text]")).to_be_visible()
        page.fill("[name=html]", "<p>first</p>\n<p>{{ night }}</p>")
        error = page.locator("#te-error-html")
        expect(error).to_contain_text("2: ")
        screenshot(page, f"first-editor-error-{screen.name}")
        error.click()
        selected = "field => field.value.slice(field.selectionStart, field.selectionEnd)"
        assert page.eval_on_selector("[name=html]", selected) == "<p>{{ night }}</p>"
    template.refresh_from_db()
    assert "Welcome" not in template.subject


def count_colours(frame: Locator) -> int:
    """Return the number of colours in the middle of the painted frame, without its border."""
    with Image.open(BytesIO(frame.screenshot())) as picture:
        width, height = picture.size
        middle = picture.convert("RGB").crop((width // 4, 20, width * 3 // 4, height - 20))
        return len(middle.getcolors(maxcolors=width * height) or [])


def wait_for_colours(frame: Locator, is_expected: Callable[[int], bool]) -> None:
    """Wait until the number of colours is expected, because Chromium paints a frame later than the page."""
    for _attempt in range(50):
        if is_expected(count_colours(frame)):
            return
        frame.page.wait_for_timeout(100)
    pytest.fail(f"The frame has {count_colours(frame)} colours.")


@pytest.mark.browser
@pytest.mark.timeout(180)
@pytest.mark.django_db(transaction=True)
def test_preview_is_painted_on_a_phone_when_it_is_scrolled_into_view(
    open_as_manager: OpenPage, in_hotel: Hotel
) -> None:
    template = Template.objects.filter(language="en")[0]
    with open_as_manager(f"/admin/reminders/template/{template.pk}/change/", **PHONE) as page:
        frame = page.locator("[data-show=html]")
        page.fill("[name=html]", "<p>{{ nights }} nights and a half</p>")
        expect(page.frame_locator("[data-show=html]").get_by_text("2 nights and a half")).to_be_visible()
        frame.scroll_into_view_if_needed()
        wait_for_colours(frame, lambda colours: colours > 10)
        # For comparison, an empty frame has one colour.
        frame.evaluate("frame => { frame.srcdoc = ''; }")
        wait_for_colours(frame, lambda colours: colours == 1)
