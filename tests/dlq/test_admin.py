"""Tests of the admin pages of failures in the dead-letter queue."""

import pytest
from django.test import Client

from dlq.models import Failure
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.dlq.conftest import Lamp, capture_failure, reload

pytestmark = pytest.mark.django_db

LIST = "/admin/dlq/failure/"


@pytest.fixture
def failure(hotel: Hotel, lamp: Lamp) -> Failure:
    with hotel_context(hotel):
        return capture_failure(message="550 no such lamp", retry=False)


def post_action(client: Client, failure: Failure, action: str, **fields: str) -> str:
    response = client.post(
        LIST, {"action": action, "_selected_action": [str(failure.id)], **fields}, follow=True
    )
    return response.content.decode()


def status_of(hotel: Hotel, failure: Failure) -> str:
    with hotel_context(hotel):
        return reload(failure).status


def test_failure_list_shows_name_error_and_group(staff: Client, failure: Failure) -> None:
    page = staff.get(LIST).content.decode()
    assert "tests.lamp" in page
    assert "LampError: 550 no such lamp" in page


def test_failure_list_with_filters_shows_matching_failures(staff: Client, failure: Failure) -> None:
    for query, is_shown in (
        ({"status__exact": "permanent"}, True),
        ({"status__exact": "resolved"}, False),
        ({"fingerprint": failure.fingerprint}, True),
        ({"fingerprint": "0" * 16}, False),
    ):
        assert ("550 no such lamp" in staff.get(LIST, query).content.decode()) is is_shown


def test_failure_page_shows_error_and_attempts(staff: Client, failure: Failure) -> None:
    page = staff.get(f"{LIST}{failure.id}/change/").content.decode()
    assert "LampError" in page
    assert "550 no such lamp" in page
    assert "The work was tried 1 time, on" in page
    assert page.count("dlq-failed") == 1


def test_retry_action_schedules_the_failure(staff: Client, hotel: Hotel, failure: Failure) -> None:
    assert "1 failure will be retried" in post_action(staff, failure, "retry")
    assert status_of(hotel, failure) == "scheduled"


def test_discard_action_without_a_reason_changes_nothing(
    staff: Client, hotel: Hotel, failure: Failure
) -> None:
    post_action(staff, failure, "discard")
    assert status_of(hotel, failure) == "permanent"
    post_action(staff, failure, "discard", reason="sent manually")
    assert status_of(hotel, failure) == "discarded"


def test_retry_action_of_a_discarded_failure_shows_the_error(
    staff: Client, hotel: Hotel, failure: Failure
) -> None:
    post_action(staff, failure, "discard", reason="sent manually")
    assert "The status of this failure is discarded" in post_action(staff, failure, "retry")


def test_front_desk_can_view_failures_but_not_retry_them(hotel: Hotel, failure: Failure) -> None:
    client = Client(SERVER_NAME="alpha.localhost")
    with hotel_context(hotel):
        client.force_login(User.objects.create_user(username="desk", password=None, role=Role.FRONT_DESK))
    assert client.get(LIST).status_code == 200
    post_action(client, failure, "retry")
    assert status_of(hotel, failure) == "permanent"


def test_failures_cannot_be_added_changed_or_deleted(staff: Client, failure: Failure) -> None:
    assert staff.get(f"{LIST}add/").status_code == 403
    assert staff.post(f"{LIST}{failure.id}/change/", {"status": "resolved"}).status_code == 403
    assert staff.post(f"{LIST}{failure.id}/delete/", {"post": "yes"}).status_code == 403
