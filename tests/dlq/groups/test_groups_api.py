"""Tests of the REST API for groups of failures."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from audit.reading.search import timeline
from dlq.groups import counts
from dlq.groups.models import FailureGroup
from dlq.models import Failure
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.dlq.conftest import NAME, Lamp, capture_failure
from tests.dlq.test_api import client_with_scopes

pytestmark = pytest.mark.django_db

URL = "/api/v1/dlq/groups/"


@pytest.fixture
def failures(hotel: Hotel, lamp: Lamp) -> list[Failure]:
    """Capture two failures with the same cause, and then a failure with another cause."""
    with hotel_context(hotel):
        return [
            capture_failure(message="the lamp is dark", number=1),
            capture_failure(message="the lamp is dark", number=2),
            capture_failure(message="the lamp is away", retry=False),
        ]


def url_of(failure: Failure, operation: str = "") -> str:
    return f"{URL}{failure.fingerprint}/{operation}"


def listed(api: APIClient, **filters: Any) -> list[str]:
    return [group["fingerprint"] for group in api.get(URL, filters).json()["results"]]


def test_group_list_shows_counts_times_and_state(api: APIClient, failures: list[Failure]) -> None:
    dark, _dark, away = failures
    first, second = api.get(URL).json()["results"]
    assert (first["fingerprint"], second["fingerprint"]) == (away.fingerprint, dark.fingerprint)
    assert second["counts"] == {"open": 2, "total": 2, "counted_at": None}
    assert (second["name"], second["error_message"], second["state"]) == (NAME, "the lamp is dark", "open")
    assert second["first_seen_at"] <= second["last_seen_at"]
    assert "traceback" not in second


def test_group_list_is_filtered_by_state_and_by_open_failures(
    api: APIClient, failures: list[Failure]
) -> None:
    dark, _dark, away = failures
    api.post(url_of(away, "acknowledge/"))
    api.post(f"/api/v1/dlq/entries/{away.id}/discard/", {"reason": "x"})
    assert listed(api, state="acknowledged") == [away.fingerprint]
    assert listed(api, state="open") == [dark.fingerprint]
    assert listed(api, is_open=True) == [dark.fingerprint]
    assert listed(api, is_open=False) == [away.fingerprint]
    assert api.get(URL, {"state": "unknown"}).status_code == 400


def test_group_list_is_divided_into_pages(api: APIClient, failures: list[Failure]) -> None:
    page = api.get(URL, {"page_size": 1}).json()
    following = api.get(page["next"]).json()
    found = [group["fingerprint"] for group in page["results"] + following["results"]]
    assert found == [failures[2].fingerprint, failures[0].fingerprint]
    assert following["next"] is None


def test_group_detail_contains_the_traceback_and_the_counts_of_each_day(
    api: APIClient, failures: list[Failure]
) -> None:
    body = api.get(url_of(failures[0])).json()
    assert "LampError" in body["traceback"]
    assert len(body["days"]) == counts.DAYS
    assert body["days"][-1] | {"day": ""} == {"day": "", "captured": 2, "closed": 0}


def test_request_for_an_unknown_group_returns_404(api: APIClient) -> None:
    assert api.get(f"{URL}{'0' * 16}/").status_code == 404
    assert api.post(f"{URL}{'0' * 16}/acknowledge/").status_code == 404
    assert api.get(f"{URL}x/").status_code == 404


def test_acknowledging_a_group_twice_has_one_effect(
    api: APIClient, failures: list[Failure], hotel: Hotel
) -> None:
    first, again = (api.post(url_of(failures[0], "acknowledge/")).json() for _ in range(2))
    assert first["state"] == "acknowledged"
    assert again == first
    with hotel_context(hotel):
        assert len(timeline(kind="failure_group", identifier=failures[0].fingerprint)) == 1
    assert api.post(url_of(failures[0], "reopen/")).json()["state"] == "open"


def test_group_is_muted_and_unmuted(api: APIClient, failures: list[Failure]) -> None:
    url = url_of(failures[0], "mute/")
    body = api.post(url, {"limit": 5}).json()
    assert (body["state"], body["mute_limit"], body["muted_until"]) == ("muted", 5, None)
    assert api.post(url_of(failures[0], "unmute/")).json()["state"] == "open"
    until = (timezone.now() + timedelta(hours=1)).isoformat()
    assert api.post(url, {"until": until}).json()["state"] == "muted"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"until": "2020-01-01T00:00:00Z"}, 422),
        ({"limit": 0}, 400),
        ({"limit": 1001}, 400),
        ({"x": 1}, 400),
    ],
)
def test_mute_with_an_invalid_end_is_refused(
    api: APIClient, failures: list[Failure], body: dict[str, Any], status: int
) -> None:
    response = api.post(url_of(failures[0], "mute/"), body)
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"


def test_group_is_assigned_to_active_staff_only(
    api: APIClient, failures: list[Failure], hotel: Hotel
) -> None:
    with hotel_context(hotel):
        rosa = User.objects.create_user(username="rosa", password=None, role=Role.MANAGER)
        luis = User.objects.create_user(username="luis", password=None, role=Role.MANAGER, is_active=False)
    url = url_of(failures[0], "assign/")
    assert api.post(url, {"user": str(rosa.id)}).json()["assigned_to"] == str(rosa.id)
    assert api.post(url, {"user": str(luis.id)}).json()["type"] == "/problems/assignee-not-found"
    assert listed(api, assigned_to=str(rosa.id)) == [failures[0].fingerprint]
    assert api.post(url, {"user": None}, format="json").json()["assigned_to"] is None


def test_note_of_a_group_is_stored_but_not_in_the_audit_trail(
    api: APIClient, failures: list[Failure], hotel: Hotel
) -> None:
    assert api.post(url_of(failures[0], "note/"), {"note": "Ana called"}).json()["note"] == "Ana called"
    with hotel_context(hotel):
        [event] = timeline(kind="failure_group", identifier=failures[0].fingerprint)
    assert event.data == {"name": NAME}
    assert api.post(url_of(failures[0], "note/"), {"note": "x" * 1001}).status_code == 400


def test_groups_are_joined_and_separated(api: APIClient, failures: list[Failure]) -> None:
    dark, _dark, away = failures
    body = api.post(url_of(away, "join/"), {"into": dark.fingerprint}).json()
    assert body["joined_to"] == dark.fingerprint
    assert listed(api) == [dark.fingerprint]
    target = api.get(url_of(dark)).json()
    assert (target["counts"]["open"], target["joined_groups"]) == (3, [away.fingerprint])
    conflict = api.post(url_of(dark, "join/"), {"into": away.fingerprint})
    assert (conflict.status_code, conflict.json()["type"]) == (409, "/problems/failure-group-conflict")
    assert api.post(url_of(away, "separate/")).json()["counts"]["open"] == 1


def test_group_is_split_by_a_condition(api: APIClient, failures: list[Failure]) -> None:
    dark = failures[0]
    body = api.post(url_of(dark, "split/"), {"field": "number", "value": "2"}).json()
    assert (body["split_from"], body["counts"]["open"]) == (dark.fingerprint, 1)
    assert api.post(url_of(dark, "split/"), {"field": "number", "value": "2"}).json() == body
    [rule] = api.get(url_of(dark)).json()["splits"]
    assert rule == {"field": "number", "value": "2", "fingerprint": body["fingerprint"]}
    assert api.post(url_of(dark, "split/"), {}).json()["type"] == "/problems/invalid-split"


def test_repeated_split_with_an_idempotency_key_returns_the_stored_response(
    api: APIClient, failures: list[Failure]
) -> None:
    url, headers = url_of(failures[0], "split/"), {"Idempotency-Key": "one"}
    first = api.post(url, {"text": "dark"}, headers=headers)
    again = api.post(url, {"text": "dark"}, headers=headers)
    assert again.json() == first.json()
    assert again["Idempotency-Replayed"] == "true"


def test_reading_and_changing_groups_require_different_scopes(hotel: Hotel, failures: list[Failure]) -> None:
    reader = client_with_scopes(hotel, "dlq:read")
    assert reader.get(URL).status_code == 200
    assert reader.post(url_of(failures[0], "acknowledge/")).status_code == 403
    writer = client_with_scopes(hotel, "dlq:write")
    assert writer.get(URL).status_code == 403
    assert writer.post(url_of(failures[0], "acknowledge/")).status_code == 200


def test_group_of_another_hotel_is_not_found(api: APIClient, other_hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(other_hotel):
        failure = capture_failure(message="the heater is dark")
    assert listed(api) == []
    assert api.post(url_of(failure, "acknowledge/")).status_code == 404


def test_group_counts_of_many_failures_are_stored_with_the_count_time(
    api: APIClient, hotel: Hotel, failures: list[Failure], monkeypatch: pytest.MonkeyPatch, eager: None
) -> None:
    monkeypatch.setattr(counts, "MAX_COUNTED_LIVE", 2)
    # The response was built before the failures were counted, and started the count.
    assert [group["counts"] for group in api.get(URL).json()["results"]] == [None, None]
    with hotel_context(hotel):
        counted_at = FailureGroup.objects.values_list("counted_at", flat=True)
        assert None not in counted_at
        capture_failure(message="the lamp is dark", number=3)
    body = api.get(url_of(failures[0])).json()
    assert (body["counts"]["open"], body["counts"]["total"], body["days"][-1]["captured"]) == (2, 2, 2)
    assert body["counts"]["counted_at"] is not None
    assert len(listed(api, is_open=True)) == 2
