"""Tests of the rules of groups: joined groups share their failures, and a split assigns some errors to a new group."""

from typing import Any

import pytest

from audit.reading.search import timeline
from dlq.errors import FailureGroupConflict, FailureGroupNotFound, InvalidSplit
from dlq.groups import splitting
from dlq.groups.models import FailureGroup
from dlq.groups.splitting import SplitCondition, join, regroup, separate, split
from dlq.kinds import registry
from dlq.kinds.registry import Kind
from dlq.models import Attempt, Failure
from dlq.retries import attempts
from tenants.models import Hotel
from tests.dlq.conftest import NAME, Lamp, LampError, capture_failure, make_due

pytestmark = pytest.mark.django_db


def capture(message: str, **payload: Any) -> Failure:
    return capture_failure(message=message, work_key=f"{message} {payload}", **payload)


def fingerprints(*failures: Failure) -> list[str]:
    ids = [failure.id for failure in failures]
    found = dict(Failure.objects.filter(id__in=ids).values_list("id", "fingerprint"))
    return [found[id_] for id_ in ids]


def test_joined_groups_share_existing_and_new_failures(in_hotel: Hotel, lamp: Lamp) -> None:
    dark, away = capture("the lamp is dark"), capture("the lamp is away")
    assert join(fingerprint=away.fingerprint, into=dark.fingerprint) == 1
    later = capture("the lamp is away", number=2)
    assert set(fingerprints(dark, away, later)) == {dark.fingerprint}
    visible = FailureGroup.objects.visible()
    assert [group.fingerprint for group in visible] == [dark.fingerprint]
    # Each attempt keeps the fingerprint of its error, so the traceback of this error is kept too.
    assert Attempt.objects.get(failure=later).fingerprint == away.fingerprint
    [event] = timeline(kind="failure_group", identifier=away.fingerprint)
    assert event.event == "failure_group.joined"


def test_failed_retry_in_a_joined_group_stays_in_the_group(in_hotel: Hotel, lamp: Lamp) -> None:
    dark, away = capture("the lamp is dark"), capture("the lamp is away")
    join(fingerprint=away.fingerprint, into=dark.fingerprint)
    make_due(dark)
    claimed = attempts.claim(failure_id=dark.id)
    assert claimed
    attempts.record_failure(failure_id=dark.id, number=claimed.attempt, error=LampError("the lamp is away"))
    assert fingerprints(dark) == [dark.fingerprint]


def test_separate_returns_failures_and_new_errors_to_the_original_group(in_hotel: Hotel, lamp: Lamp) -> None:
    dark, away = capture("the lamp is dark"), capture("the lamp is away")
    join(fingerprint=away.fingerprint, into=dark.fingerprint)
    later = capture("the lamp is away", number=2)
    assert separate(fingerprint=away.fingerprint) == 2
    newest = capture("the lamp is away", number=3)
    assert fingerprints(dark, away, later, newest) == [dark.fingerprint] + 3 * [away.fingerprint]


def test_groups_joined_in_a_chain_assign_all_failures_to_the_last_group(in_hotel: Hotel, lamp: Lamp) -> None:
    first, second, third = (capture(f"the lamp is {word}") for word in ("dark", "away", "hot"))
    join(fingerprint=first.fingerprint, into=second.fingerprint)
    join(fingerprint=second.fingerprint, into=third.fingerprint)
    later = capture("the lamp is dark", number=2)
    assert set(fingerprints(first, second, third, later)) == {third.fingerprint}


@pytest.fixture
def one_group(in_hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give all errors the same fingerprint.

    All failures then form one group, which the tests split.
    """
    monkeypatch.setattr("dlq.error_reports.ErrorReport.fingerprint", lambda _report, *, name: "a" * 16)


@pytest.mark.parametrize(
    ("condition", "matching", "other"),
    [
        ({"text": "HALL"}, ("no current (hall)", {}), ("no current (attic)", {})),
        (
            {"field": "room.floor", "value": "2"},
            ("no", {"room": {"floor": 2}}),
            ("no", {"room": {"floor": 3}}),
        ),
        ({"field": "rooms.0", "value": "12A"}, ("no", {"rooms": ["12A"]}), ("no", {"rooms": "12A"})),
        (
            {"text": "no", "field": "floor", "value": "2"},
            ("no", {"floor": 2}),
            ("no", {"floor": 1}),
        ),
    ],
)
def test_split_assigns_the_errors_that_meet_the_condition_to_a_new_group(
    one_group: None,
    condition: dict[str, str],
    matching: tuple[str, dict[str, Any]],
    other: tuple[str, dict[str, Any]],
) -> None:
    before = capture(matching[0], **matching[1]), capture(other[0], **other[1])
    new = split(fingerprint="a" * 16, condition=SplitCondition(**condition))
    after = capture(matching[0], **matching[1], number=2), capture(other[0], **other[1], number=2)
    assert fingerprints(*before, *after) == [new, "a" * 16, new, "a" * 16]
    assert FailureGroup.objects.get(fingerprint=new).traceback
    # A repeated split changes nothing. Joining the new group to the old one undoes the split.
    assert split(fingerprint="a" * 16, condition=SplitCondition(**condition)) == new
    assert join(fingerprint=new, into="a" * 16) == 2
    last = capture(matching[0], **matching[1], number=3)
    assert set(fingerprints(*before, *after, last)) == {"a" * 16}


def test_split_by_source_and_name_applies_to_a_joined_group(in_hotel: Hotel, lamp: Lamp) -> None:
    dark, away = capture("the lamp is dark"), capture("the lamp is away")
    join(fingerprint=away.fingerprint, into=dark.fingerprint)
    assert split(fingerprint=dark.fingerprint, condition=SplitCondition(source="other")) not in fingerprints(
        dark, away
    )
    new = split(fingerprint=dark.fingerprint, condition=SplitCondition(source="tests", name=NAME))
    assert set(fingerprints(dark, away)) == {new}


def test_failures_of_a_large_group_move_in_batches(
    in_hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splitting, "BATCH_SIZE", 2)
    dark = capture("the lamp is dark")
    away = [capture("the lamp is away", number=number) for number in range(5)]
    assert join(fingerprint=away[0].fingerprint, into=dark.fingerprint) == 2
    assert splitting.groups_to_regroup() == [away[0].fingerprint]
    assert regroup(fingerprint=away[0].fingerprint)
    assert not regroup(fingerprint=away[0].fingerprint)
    assert set(fingerprints(*away)) == {dark.fingerprint}
    assert splitting.groups_to_regroup() == []


def test_rule_change_of_a_large_group_moves_remaining_failures_in_a_task(
    in_hotel: Hotel,
    lamp: Lamp,
    eager: None,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    monkeypatch.setattr(splitting, "BATCH_SIZE", 2)
    dark = capture("the lamp is dark")
    away = [capture("the lamp is away", number=number) for number in range(5)]
    with django_capture_on_commit_callbacks(execute=True):
        join(fingerprint=away[0].fingerprint, into=dark.fingerprint)
    assert set(fingerprints(*away)) == {dark.fingerprint}
    with django_capture_on_commit_callbacks(execute=True):
        separate(fingerprint=away[0].fingerprint)
    assert set(fingerprints(*away)) == {away[0].fingerprint}
    with django_capture_on_commit_callbacks(execute=True):
        new = split(fingerprint=away[0].fingerprint, condition=SplitCondition(source="tests"))
    assert set(fingerprints(*away)) == {new}


def test_rules_that_would_form_a_circle_are_refused(in_hotel: Hotel, lamp: Lamp) -> None:
    first, second = capture("the lamp is dark"), capture("the lamp is away")
    join(fingerprint=first.fingerprint, into=second.fingerprint)
    with pytest.raises(FailureGroupConflict):
        join(fingerprint=second.fingerprint, into=first.fingerprint)
    with pytest.raises(FailureGroupConflict):
        join(fingerprint=second.fingerprint, into=second.fingerprint)
    new = split(fingerprint=second.fingerprint, condition=SplitCondition(text="dark"))
    third = capture("the lamp is hot")
    join(fingerprint=new, into=third.fingerprint)
    with pytest.raises(FailureGroupConflict, match="rules assign errors"):
        join(fingerprint=third.fingerprint, into=second.fingerprint)


@pytest.mark.parametrize(
    "condition", [{}, {"field": "floor"}, {"value": "2"}, {"text": "x" * 301}, {"text": "\0"}]
)
def test_split_by_an_invalid_condition_is_refused(condition: dict[str, str]) -> None:
    with pytest.raises(InvalidSplit):
        SplitCondition(**condition)


@pytest.mark.parametrize("field", ["guest.email", "guest", "cards.0.number"])
def test_split_by_a_personal_or_secret_field_is_refused(
    in_hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    kind = Kind(name=NAME, personal_fields=("guest.email",), secret_fields=("cards.*.number",))
    monkeypatch.setitem(registry._kinds, NAME, kind)
    failure = capture("no current")
    with pytest.raises(InvalidSplit, match="personal"):
        split(fingerprint=failure.fingerprint, condition=SplitCondition(field=field, value="x"))


def test_group_that_does_not_exist_cannot_be_joined_or_split(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = capture("no current")
    with pytest.raises(FailureGroupNotFound):
        join(fingerprint=failure.fingerprint, into="0" * 16)
    with pytest.raises(FailureGroupNotFound):
        split(fingerprint="0" * 16, condition=SplitCondition(text="x"))
