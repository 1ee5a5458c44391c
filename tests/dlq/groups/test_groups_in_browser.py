"""Tests of the pages of groups in a browser: what a clerk sees and does when reminders fail."""

import pytest
from playwright.sync_api import expect

from dlq.groups.models import FailureGroup
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.browser import PHONE, OpenPage, fits_width, screenshot
from tests.dlq.conftest import Lamp, capture_failure

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def groups(hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(hotel):
        for number in range(3):
            capture_failure(message="the lamp is dark", number=number, retry=False)
        capture_failure(message="the lamp is away, and " + "so is the next lamp, " * 8, retry=False)


def test_clerk_opens_a_group_acknowledges_it_and_discards_its_failures(
    open_as_manager: OpenPage, hotel: Hotel, groups: None
) -> None:
    with open_as_manager("/admin/dlq/failuregroup/") as page:
        screenshot(page, "groups")
        row = page.locator("tr", has_text="the lamp is dark")
        expect(row).to_contain_text("3 failures")
        row.get_by_role("link", name="tests.lamp").click()
        expect(page.locator(".dlq-latest li")).to_have_count(3)
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.locator(".dlq-state")).to_have_text("acknowledged")
        page.get_by_placeholder("Reason for discarding").fill("the lamp was replaced")
        page.get_by_role("button", name="Discard all").click()
        expect(page.locator(".dlq-count").first).to_contain_text("0 failures")
        screenshot(page, "group")
    with hotel_context(hotel):
        assert FailureGroup.objects.filter(acknowledged_at__isnull=False).count() == 1


def test_pages_of_groups_fit_on_a_phone(open_as_manager: OpenPage, hotel: Hotel, groups: None) -> None:
    with hotel_context(hotel):
        fingerprint = FailureGroup.objects.values_list("pk", flat=True).order_by("pk")[0]
    for path in ("", f"{fingerprint}/change/"):
        with open_as_manager(f"/admin/dlq/failuregroup/{path}", **PHONE) as page:
            page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
            screenshot(page, f"groups-phone{len(path)}")
            assert fits_width(page)
