"""The story of a day: the people of a hotel and the platform's staff work in browsers, with all processes running."""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django_celery_beat.models import IntervalSchedule
from playwright.sync_api import Browser, Page, expect

from audit.models import Event
from dlq.models import Failure, FailureStatus
from hotelagent.settings import base
from locks import selectors, services
from locks.models import Allocation
from reminders.models import Reservation, Rule
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.browser import SHARP_PHONE, fits_width, open_url
from tests.conftest import ALPHA_HOST
from tests.e2e import cloudbeds
from tests.e2e.pictures import take_picture
from tests.e2e.product import Product, running_product
from tests.tenants.access.accounts import PASSWORD, add_user, code_at, turn_on

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

BOARD = "locks/room/board/"
REASON = "Ticket 4711: a guest received no e-mail"
NAME = "Hotel Miramar"
#: The name of the first of the two reminder rules of a new hotel.
RULE = "7 days before arrival"


@pytest.fixture
def product(hotel: Hotel, tmp_path: Path, settings: Any) -> Iterator[Product]:
    """Run all processes for the hotel Alpha with three accounts and three rooms that no imported booking needs.

    Rosa manages the hotel, Ana works at the front desk, and Eva belongs to the platform's staff.
    """
    settings.PASSWORD_HASHERS = base.PASSWORD_HASHERS  # the web server must be able to verify the passwords
    with platform_context():
        Hotel.objects.filter(id=hotel.id).update(name=NAME)
        turn_on(add_user("eva", role=Role.PLATFORM))
    with hotel_context(hotel):
        turn_on(add_user("rosa", full_name="Rosa Ruiz"))
        add_user("ana", role=Role.FRONT_DESK, full_name="Ana Costa")
        services.ensure_rooms({"Garden": 3})
    key = tmp_path / "audit.key"
    call_command("audit_rotate_key", key, stdout=io.StringIO())
    with (
        platform_context()
    ):  # The periodic tasks start more often than by default, so that the test waits less.
        IntervalSchedule.objects.filter(every=5, period="seconds").update(every=1)
        IntervalSchedule.objects.filter(every=60, period="seconds").update(every=5)
    with running_product(
        tmp_path, AUDIT_SIGNING_KEY_FILE=str(key), TWO_FACTOR_FOR_PLATFORM="true"
    ) as started:
        yield started


def log_in(page: Page, username: str, *, with_code: bool) -> None:
    page.fill("[name=username]", username)
    page.fill("[name=password]", PASSWORD)
    page.click("#login-form [type=submit]")
    if with_code:
        page.wait_for_url("**/login/code/")
        page.fill("[name=code]", code_at(0))
        page.click("#code-form [type=submit]")
    page.wait_for_url("**/admin/")


def go_to(page: Page, path: str) -> None:
    """Open a page of the admin on the host of the current page."""
    page.goto(f"{page.url.partition('/admin/')[0]}/admin/{path}")


def reload_until(page: Page, is_shown: Callable[[], bool]) -> None:
    """Reload the page until the condition is true, for at most 40 seconds."""
    for _ in range(80):
        page.reload()
        if is_shown():
            return
        page.wait_for_timeout(500)
    pytest.fail(f"{page.url} did not show the result in time.")


def test_people_of_a_hotel_and_of_the_platform_work_through_a_day(
    product: Product, browser: Browser, hotel: Hotel
) -> None:
    with ExitStack() as stack:
        stack.enter_context(hotel_context(hotel))
        rosa, ana, mail = (
            stack.enter_context(open_url(browser, url))
            for url in (product.url(ALPHA_HOST), product.url(ALPHA_HOST), product.mail_url)
        )
        log_in(rosa, "rosa", with_code=True)
        log_in(ana, "ana", with_code=False)
        import_bookings(rosa)
        hold_a_room(ana)
        check_in_a_walk_in_and_check_out(ana)
        send_reminders(rosa)
        read_reminder(mail, browser)
        correct_failure(rosa, mail)
        verify_trail(rosa)
        eva = stack.enter_context(open_url(browser, product.url("localhost")))
        log_in(eva, "eva", with_code=True)
        act_in_hotel(eva)
        read_notice(rosa, mail)
        User.objects.filter(username="ana").update(language="es")
        cookies = ana.context.cookies()
        phone = stack.enter_context(
            open_url(browser, product.url(ALPHA_HOST), cookies=cookies, **SHARP_PHONE)
        )
        expect(phone.locator(".dl-tabs")).to_contain_text("llegadas", ignore_case=True)
        assert fits_width(phone)
        take_picture(phone, "today-phone")


def import_bookings(page: Page) -> None:
    """Upload an export file of the property management system. The worker checks and stores its rows."""
    rows = cloudbeds.export(selectors.today())
    go_to(page, "reminders/reservationimport/")
    page.set_input_files(
        "[name=file]",
        {"name": "cloudbeds.csv", "mimeType": "text/csv", "buffer": cloudbeds.to_csv(rows)},
    )
    page.click(".fi-upload .ha-main")
    expect(page.locator(".fi-facts")).to_contain_text("Export of Cloudbeds")
    take_picture(page, "import")
    page.click("[value=check]")
    page.click("[value=start]")
    expect(page.locator(".fi-steps .fi-done")).to_have_count(3)
    assert Reservation.objects.count() == len(rows)
    go_to(page, "")
    with page.expect_navigation():
        page.locator(".su-foot button[value=hide]").click()
    expect(page.locator(".su")).to_have_count(0)
    arrivals = Reservation.objects.filter(arrival=selectors.today()).exclude(status="cancelled").count()
    expect(page.locator(".dl-tabs a").first).to_contain_text(f"{arrivals} Arrivals")
    take_picture(page, "today")


def hold_a_room(page: Page) -> None:
    """Hold room 102 for a caller on the board, and confirm the hold, which becomes a stay."""
    go_to(page, BOARD)
    first = page.locator(".hb-day").nth(1).bounding_box()
    row = page.locator(".hb-row[data-number='102']").bounding_box()
    assert first is not None
    assert row is not None
    # The bar of a night extends from the middle of its day's column to the middle of the next column.
    page.mouse.click(first["x"] + first["width"], row["y"] + row["height"] / 2)
    page.fill("[name=check_out]", f"{selectors.today() + timedelta(days=4)}")
    page.fill("[name=reference]", "Mr Ferreira")
    page.click("[data-action=hold]")
    bar = page.locator(".hb-row[data-number='102'] .hb-stay")
    expect(bar).to_contain_text("Mr Ferreira")
    assert Allocation.objects.get(reference="Mr Ferreira").status == "held"
    go_to(page, BOARD)
    take_picture(page, "room-board")
    bar.click()
    page.click("[data-action=confirm]")
    page.locator(".hb-row[data-number='102'] .hb-confirmed").wait_for()
    assert Allocation.objects.get(reference="Mr Ferreira").status == "confirmed"


def check_in_a_walk_in_and_check_out(page: Page) -> None:
    """Book a room for a guest without a reservation, check the guest in, and check the guest out on the board."""
    # Until six o'clock in the morning, the form would suggest the night that has begun yesterday.
    today = selectors.today()
    go_to(page, f"reminders/reservation/add/?arrival={today}&departure={today + timedelta(days=1)}")
    page.locator(".fd-rooms label", has_text="103").click()
    page.fill("[name=guest_name]", "Nuno Alves")
    page.fill("[name=guest_email]", "nuno.alves@example.com")
    page.click("[name=check_in]")
    page.get_by_text("Nuno Alves has checked in.").wait_for()
    take_picture(page, "reservation")
    reservation = Reservation.objects.get(guest_name="Nuno Alves")
    assert (reservation.status, reservation.arrival) == ("checked_in", today)
    go_to(page, BOARD)
    page.locator(".hb-row[data-number='103'] .hb-in-house").click()
    page.get_by_role("link", name="Check out").click()
    page.get_by_role("button", name="Check out").click()
    page.get_by_text("Nuno Alves has checked out.").wait_for()
    expect(page.locator(".hb-row[data-number='103'] .hb-stay")).to_have_count(0)
    reservation.refresh_from_db()
    assert reservation.status == "checked_out"


def send_reminders(page: Page) -> None:
    """Look at the preview of the template, and send the reminders of the first rule now, some to wrong addresses."""
    go_to(page, "reminders/template/")
    page.get_by_role("link", name=RULE).first.click()
    expect(page.locator(".te-subject")).to_contain_text(f"{NAME} is a week away")
    rule = Rule.objects.get(name=RULE).pk
    go_to(page, f"reminders/reminder/?rule__id__exact={rule}&status__exact=scheduled")
    page.check("#action-toggle")
    page.select_option("[name=action]", "send_now")
    page.click("button[name=index]")
    page.get_by_text(re.compile(r"\d+ reminders updated")).wait_for()


def reminded_reservations(*, is_refused: bool) -> list[Reservation]:
    """Return the reservations for which staff sent a reminder, to addresses that the mail server refuses or accepts."""
    first = selectors.today() + timedelta(days=cloudbeds.FIRST_REFUSED)
    domain = "@refused.example.com" if is_refused else "@example.com"
    found = Reservation.objects.filter(arrival__gte=first, status="booked", guest_email__endswith=domain)
    return list(found.order_by("arrival", "external_id"))


def read_reminder(mail: Page, browser: Browser) -> None:
    """Read a reminder on the page of the mail server. The reminder has the subject that the preview showed."""
    reservation = reminded_reservations(is_refused=False)[0]
    message = mail.get_by_role("row", name=reservation.guest_email).get_by_role("link")
    reload_until(mail, lambda: message.count() == 1)
    message.click()
    expect(mail.locator("h2").first).to_have_text(f"Your stay at {NAME} is a week away")
    expect(mail.frame_locator("iframe").locator("body")).to_contain_text(f"Dear {reservation.guest_name}")
    with open_url(browser, f"{mail.url}/html", **SHARP_PHONE) as phone:
        assert fits_width(phone)
        take_picture(phone, "mail")


def correct_failure(page: Page, mail: Page) -> None:
    """Correct the address of a reminder that the mail server refused. The worker sends the reminder again."""
    guest = reminded_reservations(is_refused=True)[0]
    go_to(page, "dlq/failure/")
    link = page.get_by_role("link", name=guest.guest_name)
    reload_until(page, lambda: link.count() > 0)
    take_picture(page, "failures")
    link.first.click()
    expect(page.get_by_text("No such mailbox here").first).to_be_visible()
    page.get_by_label("E-mail address").fill("found@example.com")
    page.get_by_role("button", name="Correct and retry").click()
    page.get_by_text("The corrected data were saved").wait_for()
    reload_until(page, lambda: page.locator(".ha-panel .dlq-status").inner_text() == "done")
    mail.goto(mail.url.partition("/messages/")[0])
    expect(mail.get_by_role("row", name="found@example.com")).to_have_count(1)
    assert Failure.objects.filter(status=FailureStatus.RESOLVED).count() == 1
    go_to(page, f"reminders/reservation/{guest.pk}/change/")
    expect(page.locator(".rm-sent")).to_contain_text("found@example.com")


def verify_trail(page: Page) -> None:
    """Find the correction in the audit trail, and see on the page for auditors that the trail is valid."""
    go_to(page, "audit/event/")
    expect(page.locator("body")).to_contain_text(re.compile("corrected", re.IGNORECASE))
    assert {
        "failure.corrected",
        "failure.resolved",
        "reminder.sent",
        "hold.confirmed",
        "reservation.checked_out",
    } <= set(Event.objects.values_list("event", flat=True))
    go_to(page, "audit/auditor/")
    reload_until(page, lambda: page.locator(".trail-good").count() == 1)


def act_in_hotel(page: Page) -> None:
    """Open the hotel's admin as platform staff with a link that works once, and end the access."""
    go_to(page, "tenants/hotel/")
    page.get_by_role("link", name=NAME).first.click()
    page.locator("a[href$='/support/']").click()
    page.fill("[name=reason]", REASON)
    page.locator("[name=role][value=auditor]").check()
    page.click(".ha-acts button")
    link = page.locator('a[href*="/admin/support/"]')
    address = link.get_attribute("href")
    link.click()
    expect(page.locator(".ha-support")).to_contain_text(REASON)
    go_to(page, "dlq/failure/")
    expect(page.locator(".ha-support")).to_contain_text(REASON)
    page.click(".ha-support button")
    page.wait_for_url("**/admin/support/ended/")
    go_to(page, "")
    assert "/admin/login/" in page.url
    page.goto(str(address))
    expect(page.locator("body")).to_contain_text("was already used")


def read_notice(page: Page, mail: Page) -> None:
    """Read the e-mail about the access on the page of the mail server, and find the access in the audit trail."""
    mail.goto(mail.url.partition("/messages/")[0])
    subject = f"Platform support opened the back office of {NAME}"
    message = mail.get_by_role("row", name="rosa@example.com").get_by_role("link", name=subject)
    reload_until(mail, lambda: message.count() == 1)
    message.click()
    expect(mail.locator("pre").first).to_contain_text(REASON)
    link = re.search(r"http\S+actor_id=\S+", mail.locator("pre").first.inner_text())
    assert link
    page.goto(link[0])
    expect(page.locator("#result_list")).to_contain_text("eva")
