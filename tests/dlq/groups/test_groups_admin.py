"""Tests of the admin pages of groups of failures."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.test import Client

from dlq import services
from dlq.events import NAMES
from dlq.groups import counts, titles
from dlq.groups.models import FailureGroup
from dlq.models import Failure
from dlq.redrives.models import Redrive
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.dlq.conftest import NAME, Lamp, capture_failure

pytestmark = pytest.mark.django_db

LIST = "/admin/dlq/failuregroup/"


@pytest.fixture
def failures(hotel: Hotel, lamp: Lamp) -> list[Failure]:
    with hotel_context(hotel):
        return [
            capture_failure(message="the lamp is dark", number=1),
            capture_failure(message="the lamp is dark", number=2, retry=False),
            capture_failure(message="the lamp is away", retry=False),
        ]


def page_of(client: Client, failure: Failure) -> str:
    return client.get(f"{LIST}{failure.fingerprint}/change/").content.decode()


def perform(client: Client, failure: Failure, operation: str, **fields: str) -> str:
    url = f"{LIST}{failure.fingerprint}/change/"
    return client.post(url, {"operation": operation, **fields}, follow=True).content.decode()


def group_of(hotel: Hotel, failure: Failure) -> FailureGroup:
    with hotel_context(hotel):
        return FailureGroup.objects.get(pk=failure.fingerprint)


def test_group_list_shows_titles_and_counts_in_words(
    staff: Client, failures: list[Failure], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        titles._titles, NAME, titles.Title("Lamps could not be lit", lambda number: f"{number} lamps")
    )
    page = staff.get(LIST).content.decode()
    assert "Lamps could not be lit" in page
    assert "the lamp is dark" in page
    assert "2 lamps" in page


@pytest.mark.parametrize("live", [True, False], ids=["counted", "stored"])
def test_group_list_opens_on_the_groups_that_need_a_decision(
    staff: Client, hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch, live: bool
) -> None:
    with hotel_context(hotel):
        mixed = capture_failure(message="first lamp", number=1).fingerprint
        capture_failure(message="first lamp", number=2, retry=False)
        retried = capture_failure(message="second lamp", number=3).fingerprint
        done = capture_failure(message="third lamp", number=4, retry=False)
        services.discard(failure_id=done.id, reason="fixed")
        if not live:
            monkeypatch.setattr(counts, "MAX_COUNTED_LIVE", 0)
            counts.store_counts()
            # Every view lists the groups whose latest error is newer than their count. Here, no group is such a group.
            FailureGroup.objects.update(last_seen_at=F("counted_at") - timedelta(seconds=1))
    for query, expected in (
        ("", {mixed}),
        ("?view=retrying", {mixed, retried}),
        ("?view=done", {done.fingerprint}),
        ("?view=all", {mixed, retried, done.fingerprint}),
        ("?q=third", {done.fingerprint}),
    ):
        assert {group.pk for group in staff.get(LIST + query).context["cl"].result_list} == expected, query


def test_group_list_is_filtered_by_state(staff: Client, failures: list[Failure]) -> None:
    perform(staff, failures[2], "acknowledge")
    page = staff.get(LIST, {"state": "acknowledged"}).content.decode()
    assert "the lamp is away" in page
    assert "the lamp is dark" not in page
    assert "the lamp is dark" in staff.get(LIST, {"state": "open"}).content.decode()


def test_group_page_shows_traceback_and_latest_failures(staff: Client, failures: list[Failure]) -> None:
    page = page_of(staff, failures[0])
    assert "LampError" in page
    for failure in failures[:2]:
        assert f"/admin/dlq/failure/{failure.id}/change/" in page
    assert f"/admin/dlq/failure/{failures[2].id}/change/" not in page


def test_group_page_of_an_unknown_fingerprint_is_not_found(staff: Client) -> None:
    for fingerprint in ("0" * 16, "x"):
        assert staff.get(f"{LIST}{fingerprint}/change/").status_code == 404


def test_operations_of_the_group_page_change_the_group(
    staff: Client, hotel: Hotel, failures: list[Failure]
) -> None:
    with hotel_context(hotel):
        rosa = User.objects.create_user(username="rosa", password=None, role=Role.MANAGER)
    dark, away = failures[0], failures[2]
    perform(staff, dark, "acknowledge")
    perform(staff, dark, "mute", mute="10")
    perform(staff, dark, "assign", user=str(rosa.id))
    perform(staff, dark, "note", note="Ask the electrician")
    group = group_of(hotel, dark)
    assert group.acknowledged_at is not None
    assert (group.mute_limit, group.assigned_to_id, group.note) == (10, rosa.id, "Ask the electrician")
    assert "until 10 more failures" in page_of(staff, dark)
    perform(staff, dark, "reopen")
    perform(staff, dark, "unmute")
    perform(staff, dark, "assign", user="")
    group = group_of(hotel, dark)
    assert (group.acknowledged_at, group.muted_from, group.assigned_to_id) == (None, None, None)
    perform(staff, away, "join", into=dark.fingerprint)
    assert group_of(hotel, away).joined_to == dark.fingerprint
    perform(staff, dark, "separate", joined=away.fingerprint)
    assert group_of(hotel, away).joined_to is None
    perform(staff, dark, "split", field="number", value="2")
    assert group_of(hotel, dark).splits


def test_invalid_operation_of_the_group_page_shows_the_error(staff: Client, failures: list[Failure]) -> None:
    assert "Enter a part of the message" in perform(staff, failures[0], "split")
    assert "There is no group" in perform(staff, failures[0], "join", into="0" * 16)
    assert "Enter a reason for discarding" in perform(staff, failures[0], "discard")
    assert "There is no active member of staff" in perform(staff, failures[0], "assign", user="x")
    assert perform(staff, failures[0], "unknown")


def test_retry_all_and_discard_all_change_the_waiting_failures_of_the_group(
    staff: Client, hotel: Hotel, failures: list[Failure]
) -> None:
    def statuses() -> list[str]:
        with hotel_context(hotel):
            return list(Failure.objects.order_by("id").values_list("status", flat=True))

    assert "2 failures will be retried" in perform(staff, failures[0], "retry")
    assert statuses() == ["scheduled", "scheduled", "permanent"]
    assert "2 failures were discarded" in perform(staff, failures[0], "discard", reason="replaced")
    assert statuses() == ["discarded", "discarded", "permanent"]


def test_retry_all_of_a_large_group_starts_a_redrive(
    staff: Client, hotel: Hotel, failures: list[Failure], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlq.admin.groups.MAX_SELECTED", 1)
    assert "are being processed" in perform(staff, failures[0], "retry")
    with hotel_context(hotel):
        redrive = Redrive.objects.get()
    assert (redrive.action, redrive.matched) == ("retry", 2)


def test_front_desk_can_view_groups_but_not_change_them(hotel: Hotel, failures: list[Failure]) -> None:
    client = Client(SERVER_NAME="alpha.localhost")
    with hotel_context(hotel):
        client.force_login(User.objects.create_user(username="desk", password=None, role=Role.FRONT_DESK))
    assert client.get(LIST).status_code == 200
    assert "Retry all" not in page_of(client, failures[0])
    assert (
        client.post(f"{LIST}{failures[0].fingerprint}/change/", {"operation": "acknowledge"}).status_code
        == 403
    )
    assert group_of(hotel, failures[0]).acknowledged_at is None


def test_group_list_with_many_failures_shows_the_time_of_the_count(
    staff: Client, hotel: Hotel, failures: list[Failure], monkeypatch: pytest.MonkeyPatch, eager: None
) -> None:
    monkeypatch.setattr(counts, "MAX_COUNTED_LIVE", 2)
    assert "being counted" in staff.get(LIST).content.decode()
    page = staff.get(LIST).content.decode()
    assert "2 failures" in page
    assert "counted at" in page


def test_group_history_shows_the_operations_of_staff(staff: Client, failures: list[Failure]) -> None:
    perform(staff, failures[0], "acknowledge")
    page = staff.get(f"{LIST}{failures[0].fingerprint}/history/").content.decode()
    assert f"acknowledged failures of {NAMES.get(NAME, NAME)}" in page
