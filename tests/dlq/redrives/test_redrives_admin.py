"""Tests of the admin pages of redrive jobs."""

import re
from html import unescape

import pytest
from django.test import Client

from dlq import tasks
from dlq.models import Failure
from dlq.redrives import progress
from dlq.redrives.models import Redrive
from hotelagent.admin.base import MAX_SELECTED
from hotelagent.core.ids import uuid7
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.dlq.conftest import Lamp, capture_failure

pytestmark = pytest.mark.django_db

LIST = "/admin/dlq/failure/"
START = "/admin/dlq/redrive/start/"
OPTIONS = {"action": "retry", "canary": "", "max_failure_rate": "50", "rate": ""}


@pytest.fixture
def failures(hotel: Hotel, lamp: Lamp) -> list[Failure]:
    """Store three permanent failures with the message "dark", and a scheduled failure with another message."""
    with hotel_context(hotel):
        dark = [capture_failure(message="dark", room=str(number), retry=False) for number in range(3)]
        return [*dark, capture_failure(room="9")]


def page_of(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return unescape(re.sub(r"<[^>]+>", "", response.content.decode()))


def statuses(hotel: Hotel) -> list[str]:
    with hotel_context(hotel):
        return list(Failure.objects.order_by("id").values_list("status", flat=True))


def test_failure_list_links_to_a_redrive_of_all_matching_failures(
    staff: Client, failures: list[Failure]
) -> None:
    html = staff.get(LIST, {"q": "dark", "status__exact": "permanent"}).content.decode()
    [url] = re.findall(rf'href="({START}[^"]*)"', html)
    page = page_of(staff, unescape(url))
    assert "3 open failures match." in page
    assert "status: needs a decision · “dark”" in page


def test_action_on_all_failures_of_the_list_opens_the_redrive_page(
    staff: Client, failures: list[Failure]
) -> None:
    for action in ("retry", "discard"):
        response = staff.post(
            f"{LIST}?q=dark",
            {"action": action, "_selected_action": [str(failures[0].id)], "select_across": "1"},
        )
        assert response["Location"] == f"{START}?q=dark&view=all&action={action}"


def test_redrive_that_staff_start_shows_its_progress_and_results(
    staff: Client, hotel: Hotel, failures: list[Failure]
) -> None:
    with hotel_context(hotel):
        Failure.objects.filter(id=failures[0].id).update(name="tests.gone")
    response = staff.post(f"{START}?q=dark", OPTIONS)
    with hotel_context(hotel):
        redrive = Redrive.objects.get()
        assert (redrive.selection, redrive.max_failure_rate) == ({"text": "dark"}, 50)
        progress.advance(redrive_id=redrive.id)
        tasks.retry_due([str(failure.id) for failure in failures])
        progress.advance(redrive_id=redrive.id)
    page = page_of(staff, response["Location"])
    for text in ("3 of 3 failures", "2 succeeded", "1 refused", "no worker can retry the failure", "manager"):
        assert text in page
    results = page_of(staff, f"{response['Location']}?result=no_handler")
    assert "tests.gone" in results
    assert "tests.lamp" not in results
    assert "retry: “dark”" in page_of(staff, "/admin/dlq/redrive/")


def test_redrive_of_a_filter_covers_more_failures_than_one_page(
    staff: Client, hotel: Hotel, failures: list[Failure]
) -> None:
    """The person starts one redrive job and does not have to retry the failures page by page."""
    with hotel_context(hotel):
        copies = [Failure.objects.get(id=failures[0].id) for _ in range(MAX_SELECTED)]
        for number, copy in enumerate(copies):
            copy.id, copy.work_key = uuid7(), f"copy {number}"
        Failure.objects.bulk_create(copies)
    select_all = {"action": "retry", "_selected_action": [str(failures[0].id)], "select_across": "1"}
    start = staff.post(f"{LIST}?q=dark", select_all)["Location"]
    staff.post(start, OPTIONS)
    with hotel_context(hotel):
        progress.advance(redrive_id=Redrive.objects.get().id)
        assert Redrive.objects.get().scheduled == MAX_SELECTED + 3
    assert set(statuses(hotel)) == {"scheduled"}


def test_redrive_is_paused_resumed_and_cancelled_on_its_page(
    staff: Client, hotel: Hotel, failures: list[Failure]
) -> None:
    url = staff.post(START, OPTIONS)["Location"]
    with hotel_context(hotel):
        progress.advance(redrive_id=Redrive.objects.get().id)
    for operation, status in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        staff.post(url, {"operation": operation})
        with hotel_context(hotel):
            assert Redrive.objects.get().status == status
    assert statuses(hotel) == ["permanent"] * 3 + ["scheduled"]
    page = staff.post(url, {"operation": "pause"}, follow=True).content.decode()
    assert "The operation is not possible, because the status of the redrive is cancelled." in page


def test_redrive_with_the_action_discard_requires_a_reason(
    staff: Client, hotel: Hotel, failures: list[Failure]
) -> None:
    discard = {**OPTIONS, "action": "discard"}
    response = staff.post(f"{START}?status__exact=permanent", discard)
    assert "Enter a reason for discarding." in response.content.decode()
    staff.post(f"{START}?status__exact=permanent", {**discard, "discard_reason": "sent manually"})
    with hotel_context(hotel):
        progress.advance(redrive_id=Redrive.objects.get().id)
    assert statuses(hotel) == ["discarded"] * 3 + ["scheduled"]


def test_redrive_page_with_a_filter_that_redrives_cannot_use_shows_an_error(
    staff: Client, failures: list[Failure]
) -> None:
    page = staff.get(f"{START}?payload__room=7", follow=True).content.decode()
    assert "A redrive cannot use these filters: payload__room." in unescape(page)


def test_redrive_page_with_a_filter_that_matches_nothing_has_no_form(
    staff: Client, failures: list[Failure]
) -> None:
    page = page_of(staff, f"{START}?q=nothing")
    assert "0 open failures match." in page
    assert "Retries per minute" not in page


def test_front_desk_can_view_redrives_but_not_start_or_cancel_them(
    staff: Client, hotel: Hotel, failures: list[Failure]
) -> None:
    url = staff.post(START, OPTIONS)["Location"]
    desk = Client(SERVER_NAME="alpha.localhost")
    with hotel_context(hotel):
        desk.force_login(User.objects.create_user(username="desk", password=None, role=Role.FRONT_DESK))
    assert desk.get(url).status_code == 200
    assert desk.post(url, {"operation": "cancel"}).status_code == 404
    assert (desk.get(START).status_code, desk.post(START, OPTIONS).status_code) == (404, 404)
