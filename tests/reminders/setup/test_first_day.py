"""The first day of a new hotel in a browser: from the login of platform staff to a reminder that a guest receives.

The test counts the clicks, because a new hotel should need few of them. Typing is not counted.
"""

import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from celery.contrib.testing.worker import start_worker
from celery.signals import task_postrun
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from hotelagent.celery import app
from reminders.sending.smtp import thread_transport
from tenants import tasks
from tenants.context import platform_context
from tenants.models import User
from tenants.scopes import Role
from tests.browser import open_page, screenshot
from tests.servers import MailServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

MANAGER, DESK, GUEST = "rosa@sol.example", "desk@sol.example", "ana@example.com"
PASSWORD = "correct horse battery"
#: The numbers of clicks that README.md of `reminders` states: of platform staff, and of the manager.
PLATFORM_CLICKS, MANAGER_CLICKS = 4, 14


class Clicks:
    """The clicks of a person, with the labels of what was clicked. A login by a submit button is also a click."""

    def __init__(self) -> None:
        self.labels: list[str] = []

    def click(self, targets: Locator) -> None:
        """Click the first visible target, and count the click."""
        target = targets.filter(visible=True).first
        self.labels.append(" ".join(target.inner_text().split()))
        target.click()

    def __str__(self) -> str:
        return f"{len(self.labels)} clicks: {', '.join(self.labels)}"


@pytest.fixture
def worker(transactional_db: None, redis_url: str, unpersistent_connections: None) -> Iterator[None]:
    """Run a Celery worker during the test."""
    task_postrun.connect(close_mail_connection)
    try:
        with start_worker(app, perform_ping_check=False, pool="solo", loglevel="WARNING"):
            yield
    finally:
        task_postrun.disconnect(close_mail_connection)


def close_mail_connection(**_signal: object) -> None:
    """Close the mail server connection of this thread, because the thread of the worker ends with the test."""
    with thread_transport():
        pass


def wait_until(is_true: Callable[[], object], *, page: Page) -> None:
    """Wait until the condition is true. Meanwhile, dispatch the due items twice a second, as Celery beat does."""
    deadline = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < deadline, "The condition did not become true within a minute."
        with platform_context():
            tasks.tick.delay()
        page.wait_for_timeout(500)


def invitation_path(smtp: MailServer) -> str:
    """Return the path and the token of the link in the e-mail that the manager received."""
    body = smtp.to(MANAGER)[0].get_body(("plain",))
    assert body is not None
    link = re.search(r"http://[^/]+(/admin/invitation/\?token=\S+)", body.get_content())
    assert link is not None
    return link[1]


def create_hotel(page: Page, clicks: Clicks) -> None:
    """Log in as platform staff, and create a hotel whose manager is invited by e-mail."""
    page.fill("[name=username]", "operator")
    page.fill("[name=password]", PASSWORD)
    clicks.click(page.locator("#login-form [type=submit]"))
    clicks.click(page.locator("nav a[href='/admin/tenants/hotel/']"))
    clicks.click(page.locator("a[href='/admin/tenants/hotel/add/']"))
    page.fill("[name=name]", "Hotel Sol")
    page.fill("[name=slug]", "sol")
    page.fill("[name=manager_email]", MANAGER)
    clicks.click(page.locator("[name=_save]"))
    page.wait_for_url("**/admin/tenants/hotel/")


def create_account(page: Page, clicks: Clicks) -> None:
    page.fill("[name=username]", "rosa")
    page.fill("[name=password]", PASSWORD)
    page.fill("[name=repeated]", PASSWORD)
    clicks.click(page.locator("form [type=submit]"))
    page.wait_for_url("**/admin/")


def add_rooms(page: Page, clicks: Clicks) -> None:
    clicks.click(page.locator("[data-step=rooms] .su-main"))
    page.fill("[name=room_type]", "Double")
    clicks.click(page.locator("#preview .ha-main", has_text="30"))
    page.wait_for_url("**/admin/locks/room/")


def set_sender(page: Page, clicks: Clicks) -> None:
    """Store the reply address of the hotel, and send a test e-mail."""
    clicks.click(page.locator("nav a[href='/admin/']"))
    expect(page.locator("[data-step=rooms]")).to_have_class(re.compile("su-done"))
    clicks.click(page.locator("[data-step=sender] a"))
    page.fill("[name=email]", DESK)
    clicks.click(page.locator("form:has([name=email]) .ha-main"))
    clicks.click(page.locator("form:has([name=template]) .ha-main"))


def book_guest(page: Page, clicks: Clicks) -> None:
    """Enter a reservation of a guest who arrives in ten days."""
    arrival = timezone.now().date() + timedelta(days=10)
    clicks.click(page.locator("nav a[href='/admin/reminders/reservation/add/']"))
    page.fill("[name=arrival]", str(arrival))
    page.fill("[name=departure]", str(arrival + timedelta(days=2)))
    clicks.click(page.locator("[name=find]"))
    clicks.click(page.locator(".fd-rooms label", has_text="101"))
    page.fill("[name=guest_name]", "Ana Lima")
    page.fill("[name=guest_email]", GUEST)
    clicks.click(page.locator("[name=save]"))


def send_reminder(page: Page, clicks: Clicks) -> None:
    clicks.click(page.locator(".rm-scheduled a"))
    clicks.click(page.locator("[name=action][value=send_now]"))


def test_new_hotel_reaches_a_sent_reminder_using_only_the_browser(
    worker: None,
    browser: "Browser",
    live_server: Any,
    smtp: MailServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with platform_context():
        User.objects.create_user(username="operator", password=PASSWORD, role=Role.PLATFORM)
    of_platform, of_manager = Clicks(), Clicks()
    with open_page(browser, live_server, Client(), "/admin/", host="localhost") as page:
        create_hotel(page, of_platform)
        wait_until(lambda: smtp.to(MANAGER), page=page)
    of_manager.labels.append("the link in the e-mail")
    with open_page(browser, live_server, Client(), invitation_path(smtp), host="sol.localhost") as page:
        create_account(page, of_manager)
        screenshot(page, "first-day-1-checklist")
        add_rooms(page, of_manager)
        set_sender(page, of_manager)
        wait_until(lambda: len(smtp.to(MANAGER)) == 2, page=page)
        screenshot(page, "first-day-2-sender")
        book_guest(page, of_manager)
        screenshot(page, "first-day-3-reservation")
        assert smtp.to(GUEST) == []
        send_reminder(page, of_manager)
        wait_until(lambda: smtp.to(GUEST), page=page)
        page.reload()
        expect(page.get_by_text("sent", exact=True).first).to_be_visible()
        expect(page.locator("[name=action]")).to_have_count(0)
        screenshot(page, "first-day-4-reminder")
        page.goto("/admin/")
        for step in ("rooms", "sender", "test_email", "reservations"):
            expect(page.locator(f"[data-step={step}]")).to_have_class(re.compile("su-done"))
        expect(page.locator("[data-step=api_keys]")).not_to_have_class(re.compile("su-done"))
        screenshot(page, "first-day-5-checklist")
    [reminder] = smtp.to(GUEST)
    assert "Hotel Sol" in str(reminder["From"])
    assert reminder["Reply-To"] == DESK
    with capsys.disabled():
        print(f"\nplatform staff: {of_platform}\nmanager: {of_manager}")
    assert (len(of_platform.labels), len(of_manager.labels)) == (PLATFORM_CLICKS, MANAGER_CLICKS)
