"""Browser tests of the pages of redrive jobs: a manager previews, starts and cancels a redrive job."""

import pytest
from playwright.sync_api import Page, expect

from dlq import tasks
from dlq.models import Failure
from dlq.redrives import progress
from dlq.redrives.models import Redrive
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.browser import PHONE, OpenPage, fits_width, screenshot
from tests.dlq.conftest import Lamp, capture_failure

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

FILTERED_LIST = "/admin/dlq/failure/?status__exact=permanent"
#: The interval in milliseconds after which the page of an unfinished redrive loads its content again.
POLL_MILLISECONDS = 3_000


@pytest.fixture
def failures(hotel: Hotel, lamp: Lamp) -> list[Failure]:
    """Store eight permanent failures and a scheduled failure. No worker can retry the eighth failure."""
    with hotel_context(hotel):
        permanent = [capture_failure(room=str(number), retry=False) for number in range(8)]
        Failure.objects.filter(id=permanent[7].id).update(name="tests.gone")
        return [*permanent, capture_failure(room="9")]


def statuses(hotel: Hotel) -> list[str]:
    with hotel_context(hotel):
        return list(Failure.objects.order_by("id").values_list("status", flat=True))


def preview(page: Page) -> None:
    """Open the page that starts a redrive job from the filtered list, and check the preview."""
    page.get_by_role("link", name="Retry or discard all matching failures").click()
    expect(page.get_by_role("heading", name="Retry or discard all matching failures")).to_be_visible()
    expect(page.get_by_text("8 open failures match.")).to_be_visible()
    expect(page.get_by_text("7 can be retried.")).to_be_visible()
    expect(page.locator(".dlq-refused")).to_contain_text("no worker can retry the failure")
    page.get_by_text("Show the oldest failures").click()
    expect(page.locator("details .dlq-latest li")).to_have_count(8)


def advance(hotel: Hotel, failures: list[Failure]) -> None:
    """Process a step of the redrive job, the retries that this step scheduled, and the next step, as the workers do."""
    with hotel_context(hotel):
        redrive = Redrive.objects.get()
        progress.advance(redrive_id=redrive.id)
        tasks.retry_due([str(failure.id) for failure in failures])
        progress.advance(redrive_id=redrive.id)


def test_manager_previews_and_starts_a_redrive_and_sees_its_progress_without_reloading(
    open_as_manager: OpenPage, hotel: Hotel, failures: list[Failure]
) -> None:
    with open_as_manager(FILTERED_LIST) as page:
        preview(page)
        screenshot(page, "redrive-start")
        assert statuses(hotel) == ["permanent"] * 8 + ["scheduled"]  # the preview has changed no failure
        page.clock.install()
        page.get_by_label("Retry first").fill("")
        page.get_by_role("button", name="Start").click()
        expect(page.locator(".dlq-state")).to_have_text("running")
        expect(page.get_by_text("No failure has been retried or discarded yet.")).to_be_visible()
        page.evaluate("window.isSamePage = true")
        advance(hotel, failures)
        page.clock.fast_forward(POLL_MILLISECONDS)
        expect(page.locator(".dlq-state")).to_have_text("finished")
        assert page.evaluate("window.isSamePage")
        expect(page.get_by_text("8 of 8 failures")).to_be_visible()
        expect(page.locator(".dlq-facts")).to_contain_text("7 succeeded")
        page.get_by_label("Result", exact=True).select_option(
            label="refused: no worker can retry the failure"
        )
        page.get_by_role("button", name="Show", exact=True).click()
        expect(page.locator(".dlq-latest li")).to_have_count(1)
        screenshot(page, "redrive-finished")
    assert statuses(hotel) == ["resolved"] * 7 + ["permanent", "scheduled"]


def test_manager_cancels_a_redrive_and_the_failures_it_has_not_retried_stay_permanent(
    open_as_manager: OpenPage, hotel: Hotel, failures: list[Failure]
) -> None:
    with open_as_manager(FILTERED_LIST) as page:
        preview(page)
        page.get_by_label("Retry first").fill("2")
        page.get_by_role("button", name="Start").click()
        expect(page.locator(".dlq-state")).to_have_text("trial")
        with hotel_context(hotel):
            progress.advance(redrive_id=Redrive.objects.get().id)
            tasks.retry_due([str(failures[0].id)])
        page.get_by_role("button", name="Cancel the rest").click()
        expect(page.locator(".dlq-state")).to_have_text("cancelled")
        expect(page.get_by_role("button", name="Cancel the rest")).to_have_count(0)
        screenshot(page, "redrive-cancelled")
    assert statuses(hotel) == ["resolved"] + ["permanent"] * 7 + ["scheduled"]


@pytest.mark.parametrize("locale", ["en-GB", "es-ES"])
def test_pages_of_redrives_fit_on_a_phone(
    open_as_manager: OpenPage, hotel: Hotel, failures: list[Failure], locale: str
) -> None:
    with open_as_manager("/admin/dlq/redrive/start/?status__exact=permanent", locale=locale, **PHONE) as page:
        screenshot(page, f"redrive-start-phone-{locale}")
        assert fits_width(page)
        page.locator("button.ha-main").click()
        expect(page.locator(".dlq-state")).to_be_visible()
        screenshot(page, f"redrive-phone-{locale}")
        assert fits_width(page)
