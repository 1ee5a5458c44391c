"""Tests of the selection of failures by criteria, which lists, redrive jobs and exports share."""

from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from dlq.errors import InvalidSelection
from dlq.models import Failure
from dlq.selection import FailureSelection
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.dlq.conftest import Lamp, capture_failure

pytestmark = pytest.mark.django_db


@pytest.fixture
def failures(hotel: Hotel, lamp: Lamp) -> list[Failure]:
    """Store one scheduled and two permanent failures of the hotel, and return them."""
    with hotel_context(hotel):
        return [
            capture_failure(message="no current"),
            capture_failure(message="dark", retry=False, room="5"),
            capture_failure(message="50% OFF_peak", retry=False, room="7"),
        ]


def test_each_criterion_selects_the_matching_failures(hotel: Hotel, failures: list[Failure]) -> None:
    first, second, third = failures
    cases: list[tuple[dict[str, Any], list[Failure]]] = [
        ({}, failures),
        ({"status": ("permanent",)}, [second, third]),
        ({"status": ("permanent", "scheduled")}, failures),
        ({"is_task": True}, []),
        ({"is_task": False, "source": "tests", "name": first.name}, failures),
        ({"source": "other"}, []),
        ({"fingerprint": second.fingerprint}, [second]),
        ({"error_type": second.error_type}, failures),
        ({"ordering_key": "B-1"}, []),
        ({"since": third.last_seen_at}, [third]),
        ({"until": third.last_seen_at}, [first, second]),
        ({"text": "DARK"}, [second]),
        ({"text": "50% off_"}, [third]),
        ({"text": "50%%off"}, []),
        ({"text": "off_peak lamp"}, [third]),
        ({"text": '"off_peak lamp"'}, []),
        ({"text": second.fingerprint}, [second]),
        ({"text": "dark", "status": ("scheduled",)}, []),
    ]
    with hotel_context(hotel):
        for criteria, expected in cases:
            selection = FailureSelection(**criteria)
            assert list(selection.queryset().order_by("id")) == expected, criteria
            assert FailureSelection.from_json(selection.as_json()) == selection


def test_rest_api_list_with_criteria_returns_the_selected_failures(
    api: APIClient, hotel: Hotel, failures: list[Failure]
) -> None:
    start = failures[1].last_seen_at
    for parameters, selection in (
        ({"text": "dark"}, FailureSelection(text="dark")),
        ({"status": ["permanent"]}, FailureSelection(status=("permanent",))),
        ({"is_task": "true"}, FailureSelection(is_task=True)),
        ({"is_task": "false"}, FailureSelection(is_task=False)),
        (
            {"since": start.isoformat(), "until": (start + timedelta(days=1)).isoformat()},
            FailureSelection(since=start),
        ),
    ):
        rows = api.get("/api/v1/dlq/entries/", parameters).json()["results"]
        with hotel_context(hotel):
            selected = selection.queryset().order_by("-id").values_list("id", flat=True)
            assert [row["id"] for row in rows] == [str(failure_id) for failure_id in selected]


def test_selection_with_invalid_criteria_is_refused(failures: list[Failure]) -> None:
    now = failures[0].last_seen_at
    for criteria in ({"status": ("gone",)}, {"since": now, "until": now}, {"text": "a\0b"}):
        with pytest.raises(InvalidSelection):
            FailureSelection(**criteria)
    with pytest.raises(InvalidSelection, match="Unknown criteria: colour"):
        FailureSelection.from_json({"colour": "red"})
