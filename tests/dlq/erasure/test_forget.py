"""Tests of the erasure of one guest's data from failures. A restore from a backup repeats earlier erasures."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audit.models import Event
from dlq import services
from dlq.erasure import services as erasure
from dlq.erasure.models import Erasure
from dlq.groups.models import FailureGroup
from dlq.models import Attempt, Failure
from dlq.retries import attempts, runner
from tenants.context import hotel_context, platform_context
from tenants.models import DueItem, Hotel
from tenants.services import create_hotel
from tests.dlq.conftest import Lamp, capture_failure, is_due, make_due, reload
from tests.tenants import backups

pytestmark = pytest.mark.django_db

EMAIL, PHONE, NUMBER = "ana.silva@guests.example", "+34 600 111 222", "R-000123"


def forget(*arguments: str, **options: Any) -> dict[str, int]:
    out = StringIO()
    call_command("dlq_forget", *(arguments or ("--hotel", "alpha", EMAIL)), yes=True, json=True, stdout=out)
    result: dict[str, int] = json.loads(out.getvalue())
    return result


@pytest.mark.parametrize(
    ("identifier", "payload"),
    [
        (EMAIL, {"to": "Ana.Silva@Guests.example"}),
        (EMAIL, {"headers": [{"To": f"Ana Silva <{EMAIL}>"}]}),
        (PHONE, {"phone": "+34600111222"}),
        (PHONE, {"text": "call 0034-600-111-222 today"}),
        (NUMBER, {"booking": NUMBER}),
        (NUMBER, {"bookings": {"r-000123": {"nights": 2}}}),
        ("123456", {"booking": 123456}),
    ],
)
def test_failure_that_contains_the_identifier_loses_its_data_and_is_discarded(
    in_hotel: Hotel, lamp: Lamp, identifier: str, payload: dict[str, Any]
) -> None:
    failure, other = (
        capture_failure(**payload),
        capture_failure(to="bob@guests.example", phone="+34600111223"),
    )
    assert forget("--hotel", "alpha", identifier)["failures"] == 1
    erased = reload(failure)
    assert (erased.status, erased.payload, erased.error_message) == ("discarded", {}, "")
    assert erased.discard_reason == "The data of the guest were erased."
    assert erased.work_key == f"erased:{erased.id}"
    assert not Attempt.objects.filter(failure_id=failure.id).exclude(error_message="").exists()
    assert reload(other).status == "scheduled"
    with platform_context():
        assert list(DueItem.objects.filter(kind="failure").values_list("item_id", flat=True)) == [other.id]


def test_erasure_finds_the_identifier_in_every_text_of_failures_and_groups(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    failures = [capture_failure(room=str(room), retry=False) for room in range(4)]
    failures.append(capture_failure(room=f"\0{NUMBER}", retry=False))
    Attempt.objects.filter(failure=failures[0]).update(error_message=f"no stay {NUMBER}")
    Failure.objects.filter(id=failures[1].id).update(discard_reason=f"{NUMBER} left", status="discarded")
    Failure.objects.filter(id=failures[2].id).update(corrected_payload={"booking": NUMBER})
    Failure.objects.filter(id=failures[3].id).update(ordering_key=NUMBER)
    FailureGroup.objects.update(note=f"see {NUMBER}")
    result = forget("--hotel", "alpha", NUMBER)
    assert result == {"failures": 5, "discarded": 4, "attempts": 5, "groups": 1, "events": 0}
    stored = [*Failure.objects.values(), *Attempt.objects.values(), *FailureGroup.objects.values()]
    assert NUMBER not in str(stored)


def test_erasure_makes_the_next_failure_with_the_same_ordering_key_due(in_hotel: Hotel, lamp: Lamp) -> None:
    first = capture_failure(to=EMAIL, ordering_key="booking:7", retry=False)
    second, third = (capture_failure(step=step, ordering_key="booking:7") for step in (2, 3))
    for waiting in (second, third):
        make_due(waiting)
        runner.retry_due(failure_id=waiting.id)  # no retry, because an older failure must be retried first
    assert (is_due(second), is_due(third)) == (False, False)
    assert forget()["failures"] == 1
    assert (is_due(second), is_due(third)) == (True, False)
    runner.retry_due(failure_id=second.id)
    assert (reload(first).status, reload(second).status) == ("discarded", "resolved")


def test_erasure_during_an_attempt_delays_the_next_failure_with_the_same_ordering_key(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    first = capture_failure(to=EMAIL, ordering_key="booking:7")
    following = capture_failure(ordering_key="booking:7")
    for failure in (first, following):
        make_due(failure)
    claimed = attempts.claim(failure_id=first.id)
    assert claimed
    assert forget()["discarded"] == 1
    assert reload(following).next_retry_at == claimed.claimed_until
    assert not is_due(following)
    assert attempts.claim(failure_id=following.id) is None


def test_erasure_is_recorded_without_the_identifier(in_hotel: Hotel, lamp: Lamp) -> None:
    capture_failure(to=EMAIL)
    forget()
    event = Event.objects.get(event="failure.erased")
    assert event.data == {"failures": 1, "discarded": 1, "attempts": 1, "groups": 0, "events": 0}
    assert EMAIL not in str(list(Event.objects.values()))
    [stored] = Erasure.objects.values()
    assert EMAIL not in str(stored)


def test_erasure_of_one_hotel_does_not_change_another_hotel(
    hotel: Hotel, other_hotel: Hotel, lamp: Lamp
) -> None:
    with hotel_context(other_hotel):
        other = capture_failure(to=EMAIL)
    assert forget()["failures"] == 0
    with hotel_context(other_hotel):
        assert reload(other).payload["to"] == EMAIL
        assert not Erasure.objects.exists()


def test_guest_is_erased_from_failures_of_the_platform(platform: None, lamp: Lamp) -> None:
    failure = capture_failure(to=EMAIL)
    assert forget("--platform", EMAIL)["failures"] == 1
    assert reload(failure).status == "discarded"


@pytest.mark.parametrize("arguments", [("--hotel", "alpha", "a"), ("--hotel", "unknown", EMAIL)])
def test_erasure_with_an_invalid_argument_fails(hotel: Hotel, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError) as error:
        forget(*arguments)
    assert error.value.returncode == 2


def test_erasure_without_a_terminal_requires_the_option_yes(hotel: Hotel) -> None:
    with pytest.raises(CommandError, match="Use --yes"):
        call_command("dlq_forget", "--hotel", "alpha", EMAIL)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_copy", [False, True], ids=["replaced", "copy"])
def test_erasure_is_repeated_when_a_backup_from_before_the_erasure_is_restored(
    lamp: Lamp, tmp_path: Path, is_copy: bool
) -> None:
    hotel = create_hotel(slug="sol", name="Sol")
    file = tmp_path / "sol.hotel"
    with hotel_context(hotel):
        failure = capture_failure(to=EMAIL)
        services.discard(failure_id=failure.id, reason="not needed")
    backups.backup(file, "sol")
    assert forget("--hotel", "sol", EMAIL)["failures"] == 1
    if not is_copy:
        backups.delete(hotel)
    restored = backups.restore(file, **({"slug": "sol-copy"} if is_copy else {}))
    with hotel_context(backups.get_hotel(restored["slug"])):
        assert Failure.objects.get(id=failure.id).payload == {}
        assert not Erasure.objects.filter(is_pending=True, hotel_id=restored["id"]).exists()
        # Without the table of erasures, a restore also restores the erased data.
    with platform_context():
        Erasure.objects.all().delete()
    again = backups.restore(file, slug="sol-again")
    with hotel_context(backups.get_hotel(again["slug"])):
        assert Failure.objects.get(id=failure.id).payload["to"] == EMAIL
        assert erasure.apply_pending() == erasure.ErasureResult()
