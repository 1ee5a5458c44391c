"""Browser test of a correction: a manager opens a failed reminder, corrects the e-mail address and sends it again."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from audit.reading.search import timeline
from dlq.models import Failure, FailureStatus
from dlq.retries import runner
from reminders.models import Reminder, Reservation
from reminders.sending import batch
from reminders.services.reminders import send_now
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.browser import OpenPage, screenshot
from tests.servers import MailServer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]


@pytest.fixture
def failure(book: Callable[..., Reservation], smtp: MailServer) -> Failure:
    """Return the dead-letter queue entry of a reminder whose address the mail server refused."""
    smtp.refuse("ana@exmaple.com")
    reservation = book("R1", "2030-05-10", "2030-05-12", guest_email="ana@exmaple.com")
    reminder = Reminder.objects.filter(reservation=reservation).order_by("planned_for")[0]
    send_now(reminder_id=reminder.id)
    batch.send_due([reminder.id])
    return Failure.objects.get()


def test_reminder_is_sent_after_a_manager_corrects_the_email_address(
    open_as_manager: OpenPage, hotel: Hotel, failure: Failure, smtp: MailServer
) -> None:
    with open_as_manager("/admin/dlq/failure/") as page:
        screenshot(page, "failures")
        page.get_by_role("link", name="Ana Lima").click()
        expect(page.get_by_text("no such mailbox").first).to_be_visible()
        screenshot(page, "failure")
        page.get_by_label("E-mail address").fill("ana@example.com")
        page.get_by_role("button", name="Correct and retry").click()
        expect(page.get_by_text("The corrected data were saved")).to_be_visible()
        corrected = page.get_by_role("row", name="E-mail address ana@exmaple.com ana@example.com")
        expect(corrected).to_be_visible()
        with hotel_context(hotel):
            runner.retry_due(failure_id=failure.id)
        page.reload()
        expect(page.locator(".ha-panel .dlq-status")).to_have_text("done")
        screenshot(page, "failure-resolved")
    assert len(smtp.to("ana@example.com")) == 1
    with hotel_context(hotel):
        assert Failure.objects.get().status == FailureStatus.RESOLVED
        events = list(timeline(kind="failure", identifier=failure.id).values_list("event", "actor_kind"))
        assert ("failure.corrected", "user") in events
        assert ("failure.payload_viewed", "user") in events


@pytest.mark.parametrize("locale", ["en-GB", "es-ES"])
def test_page_of_a_failure_fits_a_phone(open_as_manager: OpenPage, failure: Failure, locale: str) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "locale": locale}
    for name, path in (("failures", ""), ("failure", f"{failure.id}/change/")):
        with open_as_manager(f"/admin/dlq/failure/{path}", **phone) as page:
            screenshot(page, f"{name}-phone-{locale}")
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= 360
