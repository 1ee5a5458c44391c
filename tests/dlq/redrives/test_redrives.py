"""Tests of redrives, which retry or discard very many failures as one job."""

import datetime
from collections import Counter
from typing import Any

import pytest
from django.db.models import F
from django.db.models.expressions import RawSQL

from audit.reading.search import timeline
from dlq import policy, tasks
from dlq import services as failures
from dlq.errors import InvalidRedrive, RedriveStateError
from dlq.kinds import registry
from dlq.kinds.registry import Kind
from dlq.models import Failure
from dlq.redrives import previews, progress, services
from dlq.redrives.models import Redrive, RedriveResult
from dlq.redrives.results import Entries
from dlq.redrives.services import RedriveOptions
from dlq.selection import FailureSelection
from tenants.models import DueItem, Hotel
from tenants.queue import due
from tests.dlq.conftest import NAME, Lamp, capture_failure, reload

pytestmark = pytest.mark.django_db

EVERYTHING = FailureSelection()


def store_failures(count: int, **options: Any) -> list[Failure]:
    return [capture_failure(room=str(number), **{"retry": False, **options}) for number in range(count)]


def start(selection: FailureSelection = EVERYTHING, **options: Any) -> Redrive:
    return services.start(selection=selection, options=RedriveOptions(**options))


def step(redrive: Redrive) -> Redrive:
    """Process the redrive job as far as possible now, and return the redrive."""
    progress.advance(redrive_id=redrive.id)
    return Redrive.objects.get(id=redrive.id)


def retry_scheduled() -> int:
    """Retry all failures that are due, as the workers do. Return the number of these failures."""
    scheduled = Failure.objects.filter(status="scheduled", next_retry_at__lte=now()).order_by("id")
    ids = [str(failure_id) for failure_id in scheduled.values_list("id", flat=True)]
    tasks.retry_due(ids)
    return len(ids)


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def statuses() -> Counter[str]:
    return Counter(Failure.objects.values_list("status", flat=True))


def results(redrive: Redrive) -> Counter[str]:
    return Counter(entry.result.value for entry in Entries(redrive)[0:1000])


def test_redrive_retries_each_selected_failure_once_and_finishes(in_hotel: Hotel, lamp: Lamp) -> None:
    selected = store_failures(5)
    other = capture_failure(message="dark", room="9", retry=False)
    redrive = start(FailureSelection(fingerprint=selected[0].fingerprint))
    assert (redrive.status, redrive.matched) == ("running", 5)
    redrive = step(redrive)
    assert (redrive.scheduled, statuses()) == (5, {"scheduled": 5, "permanent": 1})
    assert retry_scheduled() == 5
    redrive = step(redrive)
    assert (redrive.status, redrive.succeeded, redrive.failed) == ("finished", 5, 0)
    assert (len(lamp.retried), reload(other).status) == (5, "permanent")
    assert results(redrive) == {"succeeded": 5}
    assert not DueItem.objects.filter(kind=policy.REDRIVE_DUE).exists()


def test_redrive_retries_each_failure_only_once_if_the_retries_fail_again(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    store_failures(6)
    lamp.fail()
    redrive = step(start())
    for _ in range(5):
        retry_scheduled()
        redrive = step(redrive)
    assert (redrive.status, redrive.scheduled, redrive.failed) == ("finished", 6, 6)
    assert len(lamp.retried) == 6


def test_redrive_retries_only_failures_that_were_open_at_its_start(in_hotel: Hotel, lamp: Lamp) -> None:
    resolved, discarded, _first, second = store_failures(4)
    Failure.objects.filter(id=resolved.id).update(status="resolved")
    failures.discard(failure_id=discarded.id, reason="sent manually")
    redrive = start()
    later = capture_failure(room="later", retry=False)
    failures.discard(failure_id=second.id, reason="sent manually")
    redrive = step(redrive)
    retry_scheduled()
    redrive = step(redrive)
    assert (redrive.status, redrive.succeeded) == ("finished", 1)
    assert [payload["room"] for payload in lamp.retried] == ["2"]
    assert [reload(failure).status for failure in (resolved, discarded, later)] == [
        "resolved",
        "discarded",
        "permanent",
    ]


def test_redrive_with_a_filter_that_matches_nothing_finishes_without_a_retry(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    assert step(start()).status == "finished"
    store_failures(2)
    redrive = step(start(FailureSelection(name="other")))
    assert (redrive.status, redrive.matched, redrive.scheduled) == ("finished", 0, 0)
    assert statuses() == {"permanent": 2}


def test_redrive_continues_after_all_retries_of_the_canary_have_succeeded(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    store_failures(10)
    redrive = step(start(canary=3))
    assert (redrive.status, redrive.scheduled) == ("canary", 3)
    assert step(redrive).scheduled == 3
    retry_scheduled()
    redrive = step(redrive)
    assert (redrive.status, redrive.scheduled, redrive.succeeded) == ("running", 10, 3)
    retry_scheduled()
    assert step(redrive).status == "finished"


def test_redrive_whose_canary_fails_is_stopped(in_hotel: Hotel, lamp: Lamp) -> None:
    store_failures(10)
    lamp.fail()
    redrive = step(start(canary=3))
    retry_scheduled()
    redrive = step(redrive)
    assert (redrive.status, redrive.stop_reason, redrive.failed) == ("stopped", "canary", 3)
    assert (len(lamp.retried), retry_scheduled()) == (3, 0)
    event = timeline(kind="redrive", identifier=redrive.id)[0]
    assert (event.event, event.data["reason"]) == ("redrive.stopped", "canary")


def test_redrive_above_the_maximum_failure_rate_stops_and_withdraws_its_scheduled_retries(
    in_hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "MIN_RESULTS", 4)
    store_failures(10)
    redrive = step(start(max_failure_rate=50))
    lamp.fail()
    ids = [str(failure.id) for failure in Failure.objects.order_by("id")]
    tasks.retry_due(ids[:4])
    redrive = step(redrive)
    assert (redrive.status, redrive.stop_reason) == ("stopped", "failure_rate")
    assert (redrive.scheduled, redrive.withdrawn) == (4, 6)
    # A failed retry schedules an automatic retry, as for any other failure.
    assert statuses() == {"permanent": 6, "scheduled": 4}
    assert (results(redrive), retry_scheduled()) == ({"failed": 4, "withdrawn": 6}, 0)
    assert DueItem.objects.filter(kind=policy.FAILURE_DUE).count() == 4
    assert step(redrive).status == "stopped"


def test_redrive_whose_failure_rate_is_at_most_the_maximum_finishes(
    in_hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "MIN_RESULTS", 4)
    store_failures(8)
    redrive = step(start(max_failure_rate=50))
    ids = [str(failure.id) for failure in Failure.objects.order_by("id")]
    tasks.retry_due(ids[:4])
    lamp.fail()
    tasks.retry_due(ids[4:])
    redrive = step(redrive)
    assert (redrive.status, redrive.succeeded, redrive.failed) == ("finished", 4, 4)


def test_redrive_schedules_no_more_retries_per_minute_than_its_rate(in_hotel: Hotel, lamp: Lamp) -> None:
    store_failures(20)
    redrive = step(start(rate=30))
    assert (redrive.scheduled, step(redrive).scheduled) == (1, 1)
    item = DueItem.objects.get(kind=policy.REDRIVE_DUE)
    assert abs((item.due_at - now()).total_seconds() - 2) < 1
    Redrive.objects.update(paced_until=F("paced_until") - datetime.timedelta(seconds=6))
    assert step(redrive).scheduled == 4
    # After an hour without a step, the redrive schedules only as many retries as its rate allows in 10 seconds.
    Redrive.objects.update(paced_until=F("paced_until") - datetime.timedelta(hours=1))
    assert step(redrive).scheduled == 10


def test_paused_redrive_withdraws_its_retries_and_continues_when_it_is_resumed(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    store_failures(4)
    automatic = capture_failure(room="automatic")
    redrive = step(start())
    tasks.retry_due([str(failure.id) for failure in Failure.objects.order_by("id")[:2]])
    redrive = services.pause(redrive_id=redrive.id)
    assert (redrive.scheduled, redrive.withdrawn) == (2, 3)
    assert statuses() == {"resolved": 2, "permanent": 2, "scheduled": 1}
    assert Failure.objects.filter(id=automatic.id, next_retry_at__gt=now()).exists()
    assert retry_scheduled() == 0
    assert step(redrive).status == "paused"
    assert results(redrive) == {"succeeded": 2, "withdrawn": 3}
    redrive = step(services.resume(redrive_id=redrive.id))
    retry_scheduled()
    redrive = step(redrive)
    assert (redrive.status, redrive.succeeded, redrive.withdrawn) == ("finished", 5, 0)
    assert len(lamp.retried) == 5


def test_cancelled_redrive_leaves_the_failures_as_they_were(in_hotel: Hotel, lamp: Lamp) -> None:
    store_failures(3)
    Failure.objects.filter(payload__room="1").update(status="in_doubt")
    redrive = services.cancel(redrive_id=step(start()).id)
    assert statuses() == {"permanent": 2, "in_doubt": 1}
    assert (redrive.status, retry_scheduled()) == ("cancelled", 0)
    for operation in (services.pause, services.resume, services.cancel):
        with pytest.raises(RedriveStateError):
            operation(redrive_id=redrive.id)


def test_failures_that_cannot_be_retried_are_listed_with_the_reason(
    in_hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    not_idempotent = Kind(name=NAME, handler=lamp.handle, is_idempotent=False)
    monkeypatch.setitem(registry._kinds, NAME, not_idempotent)
    retried, running, unknown, unreadable, in_doubt, overtaken = store_failures(6)
    change = Failure.objects.filter
    change(id=running.id).update(status="retrying")
    change(id=unknown.id).update(name="tests.gone")
    change(id=unreadable.id).update(original=b"<", original_type="text/plain")
    change(id=in_doubt.id).update(status="in_doubt", ordering_key="B-1")
    change(id=overtaken.id).update(ordering_key="B-1")
    preview = services.preview(selection=EVERYTHING, options=RedriveOptions())
    redrive = step(start())
    assert redrive.refused == {
        "already_running": 1,
        "no_handler": 1,
        "unreadable": 1,
        "in_doubt": 1,
        "ordering_key": 1,
    }
    assert {entry.failure.id: entry.result for entry in Entries(redrive)[0:10]} == {
        retried.id: RedriveResult.WAITING,
        running.id: RedriveResult.ALREADY_RUNNING,
        unknown.id: RedriveResult.NO_HANDLER,
        unreadable.id: RedriveResult.UNREADABLE,
        in_doubt.id: RedriveResult.IN_DOUBT,
        overtaken.id: RedriveResult.ORDERING_KEY,
    }
    assert (preview.matched, preview.refused) == (6, redrive.refused)
    confirmed = step(start(FailureSelection(status=("in_doubt", "permanent")), confirm_in_doubt=True))
    assert confirmed.refused == {"no_handler": 1, "unreadable": 1}
    assert confirmed.scheduled == 2


def test_redrive_without_confirmation_refuses_a_failure_if_newer_work_has_succeeded(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    store_failures(2)
    Failure.objects.filter(payload__room="1").update(ordering_key="B-1", overtaken_at=now())
    preview = services.preview(selection=EVERYTHING, options=RedriveOptions())
    redrive = step(start())
    assert preview.refused == redrive.refused == {"overtaken": 1}
    redrive = step(start(confirm_in_doubt=True))
    assert (redrive.refused, redrive.scheduled) == ({}, 2)
    assert not Failure.objects.filter(overtaken_at__isnull=False).exists()


def test_retry_that_waited_for_discarded_failures_becomes_due(in_hotel: Hotel, lamp: Lamp) -> None:
    store_failures(2)
    waiting = capture_failure(room="9")
    Failure.objects.update(ordering_key="B-1")
    due.cancel(kind=policy.FAILURE_DUE, ids=[waiting.id])
    selection = FailureSelection(status=("permanent",))
    redrive = step(start(selection, action="discard", discard_reason="sent manually"))
    assert (redrive.status, redrive.discarded) == ("finished", 2)
    assert DueItem.objects.get(kind=policy.FAILURE_DUE).item_id == waiting.id


def test_discarding_redrive_discards_all_matching_failures_and_stores_the_reason(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    selected = store_failures(3)
    capture_failure(message="dark", room="9", retry=False)
    Failure.objects.filter(id=selected[0].id).update(status="retrying")
    with pytest.raises(InvalidRedrive):
        start(action="discard")
    redrive = step(
        start(
            FailureSelection(fingerprint=selected[0].fingerprint),
            action="discard",
            discard_reason="sent manually",
        )
    )
    assert (redrive.status, redrive.discarded, redrive.refused) == ("finished", 2, {"already_running": 1})
    assert statuses() == {"retrying": 1, "discarded": 2, "permanent": 1}
    assert reload(selected[1]).discard_reason == "sent manually"
    assert timeline(kind="failure", identifier=selected[1].id)[0].event == "failure.discarded"


def test_redrive_results_are_kept_if_a_later_redrive_retries_the_same_failures(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    store_failures(2)
    lamp.fail()
    first = step(start())
    retry_scheduled()
    first = step(first)
    lamp.behaviour = lambda _failure: None
    second = step(start())
    retry_scheduled()
    second = step(second)
    assert (results(first), results(second)) == ({"failed": 2}, {"succeeded": 2})


def test_automatic_retry_after_a_redrive_is_not_a_result_of_the_redrive(in_hotel: Hotel, lamp: Lamp) -> None:
    capture_failure()
    lamp.fail()
    redrive = step(start())
    retry_scheduled()
    failure = Failure.objects.get()
    assert failure.status == "scheduled"
    redrive = step(redrive)
    assert (redrive.status, redrive.failed) == ("finished", 1)
    Failure.objects.update(next_retry_at=F("created_at"))
    retry_scheduled()
    assert results(redrive) == {"failed": 1}


def test_redrive_finishes_if_a_scheduled_failure_is_closed_before_its_retry(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    store_failures(2)
    redrive = step(start())
    first = Failure.objects.order_by("id")[0]
    failures.discard(failure_id=first.id, reason="sent manually")
    retry_scheduled()
    redrive = step(redrive)
    assert (redrive.status, results(redrive)) == ("finished", {"closed": 1, "succeeded": 1})


def test_redrive_of_thirty_failures_schedules_them_with_at_most_twenty_statements(
    in_hotel: Hotel, lamp: Lamp, django_assert_max_num_queries: Any
) -> None:
    store_failures(30)
    redrive = start()
    with django_assert_max_num_queries(20):
        assert step(redrive).scheduled == 30
    for failure in Failure.objects.all():
        assert timeline(kind="failure", identifier=failure.id)[0].event == "failure.retry_requested"


def test_preview_whose_count_exceeds_the_time_limit_returns_a_sample_without_counts(
    in_hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_failures(3)
    slow = RawSQL("SELECT pg_sleep(0.05)::text", ())
    matching = previews._open
    monkeypatch.setattr(previews, "COUNT_MILLISECONDS", 20)
    monkeypatch.setattr(
        previews, "_open", lambda selection: matching(selection).annotate(slow=slow).filter(slow="")
    )
    preview = services.preview(selection=EVERYTHING, options=RedriveOptions())
    assert (preview.matched, preview.refused, len(preview.sample)) == (None, None, 3)
    redrive = step(start())
    assert (redrive.matched, redrive.scheduled) == (None, 3)


def test_results_of_a_redrive_can_be_sliced_and_filtered_by_result(in_hotel: Hotel, lamp: Lamp) -> None:
    ids = [failure.id for failure in store_failures(4)]
    Failure.objects.filter(id=ids[1]).update(name="tests.gone")
    redrive = step(start())
    tasks.retry_due([str(ids[0])])
    everything = [entry.pk for entry in Entries(redrive)[0:10]]
    assert everything == ids[::-1]
    assert [entry.pk for entry in Entries(redrive).filter(pk__lt=ids[2])[0:1]] == [ids[1]]
    assert [entry.pk for entry in Entries(redrive).order_by("pk")[0:2]] == ids[:2]
    for result, expected in (("succeeded", [ids[0]]), ("no_handler", [ids[1]]), ("waiting", ids[:1:-1])):
        assert [entry.pk for entry in Entries(redrive, frozenset({result}))[0:10]] == expected


def test_clean_up_stops_a_redrive_whose_due_item_was_lost(in_hotel: Hotel, lamp: Lamp) -> None:
    store_failures(2)
    lost, running = start(), start()
    due.cancel(kind=policy.REDRIVE_DUE, ids=[lost.id])
    tasks.clean_up([str(in_hotel.id)])
    lost.refresh_from_db()
    running.refresh_from_db()
    assert (lost.status, lost.stop_reason, running.status) == ("stopped", "restored", "running")


def test_ended_redrives_are_deleted_after_the_retention_period_of_failures(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    ended, recent, paused = step(start()), step(start()), services.pause(redrive_id=start().id)
    old = now() - datetime.timedelta(days=181)
    Redrive.objects.filter(id=ended.id).update(ended_at=old)
    Redrive.objects.filter(id=paused.id).update(started_at=old)
    tasks.clean_up([str(in_hotel.id)])
    assert set(Redrive.objects.values_list("id", flat=True)) == {recent.id, paused.id}


def test_redrive_refuses_a_failure_whose_payload_does_not_match_its_schema(
    in_hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_failures(2)
    Failure.objects.filter(payload__room="1").update(payload={"lamp": "one", "room": "1"})
    schema = {"type": "object", "properties": {"lamp": {"type": "integer"}}}
    monkeypatch.setitem(registry._kinds, NAME, Kind(name=NAME, handler=lamp.handle, schema=schema))
    assert step(start()).refused == {"invalid_payload": 1}
