"""Tests of handlers of other systems, which claim failures over REST and report the result."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from audit.models import Event
from dlq import selectors, services
from dlq.models import Attempt, Failure
from dlq.redrives.models import Redrive, RedriveResult
from dlq.redrives.refusals import Traits, refusal
from dlq.retention import pauses
from dlq.retries import attempts, runner
from tenants.context import hotel_context
from tenants.models import ApiKey, DueItem, Hotel
from tests.dlq.conftest import LampError
from tests.dlq.external.clients import (
    ENTRIES,
    KIND,
    REPORT,
    claim,
    expire_lease,
    make_client,
    make_due,
    report_due,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def pms(hotel: Hotel) -> APIClient:
    """Return the API client of a PMS (hotel software), which reports and processes failures of the namespace `pms`."""
    return make_client(hotel)


def post(client: APIClient, entry: dict[str, Any], operation: str, **body: Any) -> Any:
    return client.post(
        f"{ENTRIES}{entry['id']}/{operation}/", {"fencing_token": entry["fencing_token"], **body}
    )


ERROR = {"error_type": "Timeout", "error_message": "still no answer for ana@guests.example.com"}


def test_claimed_failure_has_the_reported_payload_a_lease_and_a_fencing_token(
    pms: APIClient, hotel: Hotel
) -> None:
    failure_id = report_due(pms, hotel, payload={"booking": "B-1", "guest": "Ana"})
    [entry] = claim(pms, lease_seconds=120)
    assert (entry["id"], entry["idempotency_key"]) == (failure_id, failure_id)
    assert (entry["kind"], entry["payload"]) == (KIND, {"booking": "B-1", "guest": "Ana"})
    assert (entry["fencing_token"], entry["retries"]) == (1, 1)
    lease_until = datetime.fromisoformat(entry["lease_until"])
    assert timedelta(seconds=110) < lease_until - timezone.now() <= timedelta(seconds=121)
    with hotel_context(hotel):
        event = Event.objects.get(event="failure.claimed")
        assert (event.subject_id, event.actor_kind) == (failure_id, "key")
        assert event.actor_label.startswith("pms (")
        assert "B-1" not in str(event.fields)


def test_claims_return_each_failure_once_and_oldest_first(pms: APIClient, hotel: Hotel) -> None:
    ids = [report_due(pms, hotel) for _number in range(3)]
    assert [entry["id"] for entry in claim(pms, limit=2)] == ids[:2]
    assert [entry["id"] for entry in claim(pms, limit=2)] == ids[2:]
    response = pms.post(f"{ENTRIES}claim/", {"kinds": [KIND]})
    assert (response.json(), response["Retry-After"]) == ({"entries": []}, "5")


def test_each_of_very_many_failures_is_claimed_once(
    pms: APIClient, hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "SAMPLE_SIZE", 2)
    monkeypatch.setattr(attempts, "SPARE_CANDIDATES", 0)
    ids = [report_due(pms, hotel) for _number in range(6)]
    claimed = [entry["id"] for _claim in ids for entry in claim(pms, limit=1)]
    assert sorted(claimed) == sorted(ids)


def test_claim_repeated_with_an_idempotency_key_returns_the_same_failures(
    pms: APIClient, hotel: Hotel
) -> None:
    report_due(pms, hotel)
    headers = {"Idempotency-Key": "one"}
    first, again = (pms.post(f"{ENTRIES}claim/", {"kinds": [KIND]}, headers=headers) for _number in range(2))
    assert len(first.json()["entries"]) == 1
    assert again.json() == first.json()


def test_acknowledged_failure_is_resolved_and_a_repeated_acknowledgement_has_no_effect(
    pms: APIClient, hotel: Hotel
) -> None:
    report_due(pms, hotel)
    [entry] = claim(pms)
    for _repetition in range(2):
        response = post(pms, entry, "acknowledge")
        assert (response.status_code, response.json()["status"]) == (200, "resolved")
    with hotel_context(hotel):
        attempts = Attempt.objects.filter(failure_id=entry["id"]).values_list("number", "outcome", "worker")
        assert list(attempts) == [(0, "failed", ""), (1, "succeeded", "pms")]
        assert Event.objects.filter(event="failure.resolved").count() == 1


def test_failure_is_permanent_after_its_external_handler_has_failed_three_times(
    pms: APIClient, hotel: Hotel
) -> None:
    failure_id = report_due(pms, hotel)
    for delay in (120, 240):
        [entry] = claim(pms)
        response = post(pms, entry, "fail", **ERROR)
        assert (response.status_code, response.json()["status"]) == (200, "scheduled")
        next_retry_at = datetime.fromisoformat(response.json()["next_retry_at"])
        seconds = (next_retry_at - timezone.now()).total_seconds()
        assert delay * 0.85 < seconds < delay * 1.15
        assert post(pms, entry, "fail", **ERROR).json() == response.json()
        with hotel_context(hotel):
            make_due(failure_id)
    [entry] = claim(pms)
    assert post(pms, entry, "fail", **ERROR).json()["status"] == "permanent"
    with hotel_context(hotel):
        failure = Failure.objects.get(id=failure_id)
        assert (failure.retries, failure.error_type) == (3, "Timeout")
        assert "ana@" not in failure.error_message
        assert Event.objects.filter(event="failure.retry_failed").count() == 3


def test_failure_whose_attempt_failed_with_retry_false_waits_for_a_person(
    pms: APIClient, hotel: Hotel
) -> None:
    report_due(pms, hotel)
    [entry] = claim(pms)
    assert post(pms, entry, "fail", **ERROR, retry=False).json()["status"] == "permanent"
    assert claim(pms) == []
    assert pms.post(f"{ENTRIES}{entry['id']}/retry/").json()["status"] == "scheduled"
    assert [again["fencing_token"] for again in claim(pms)] == [2]


def test_extended_lease_begins_at_the_time_of_the_request(pms: APIClient, hotel: Hotel) -> None:
    report_due(pms, hotel)
    [entry] = claim(pms, lease_seconds=5)
    response = post(pms, entry, "extend", lease_seconds=300)
    assert response.status_code == 200
    lease_until = datetime.fromisoformat(response.json()["lease_until"])
    assert lease_until - timezone.now() > timedelta(seconds=290)
    with hotel_context(hotel):
        runner.retry_due(failure_id=Failure.objects.get().id)
        assert Failure.objects.get().status == "retrying"


def lose_lease(hotel: Hotel, entry: dict[str, Any]) -> None:
    """Let the lease of the claimed failure expire, and run the task that the due queue then sends."""
    with hotel_context(hotel):
        expire_lease(entry["id"])
        runner.retry_due(failure_id=Failure.objects.get(id=entry["id"]).id)


def test_failure_of_idempotent_work_can_be_claimed_again_after_its_lease_has_expired(
    pms: APIClient, hotel: Hotel
) -> None:
    report_due(pms, hotel)
    [entry] = claim(pms, idempotent=True)
    lose_lease(hotel, entry)
    with hotel_context(hotel):
        assert Attempt.objects.get(number=1).outcome == "lost"
        make_due(entry["id"])
    [again] = claim(pms, idempotent=True)
    assert (again["id"], again["fencing_token"]) == (entry["id"], 2)


def test_failure_of_non_idempotent_work_is_in_doubt_after_its_lease_expires(
    pms: APIClient, hotel: Hotel
) -> None:
    report_due(pms, hotel)
    [entry] = claim(pms)
    lose_lease(hotel, entry)
    assert pms.get(f"{ENTRIES}{entry['id']}/").json()["status"] == "in_doubt"
    assert claim(pms) == []


@pytest.mark.parametrize(("operation", "body"), [("extend", {}), ("acknowledge", {}), ("fail", ERROR)])
def test_stale_fencing_token_returns_409_with_the_current_state(
    pms: APIClient, hotel: Hotel, operation: str, body: dict[str, str]
) -> None:
    report_due(pms, hotel)
    [entry] = claim(pms, idempotent=True)
    lose_lease(hotel, entry)
    with hotel_context(hotel):
        make_due(entry["id"])
    [again] = claim(pms, idempotent=True)
    response = post(pms, entry, operation, **body)
    assert (response.status_code, response.json()["type"]) == (409, "/problems/attempt-state-error")
    assert (response.json()["state"], response.json()["fencing_token"]) == ("retrying", 2)
    with hotel_context(hotel):
        assert Failure.objects.get().attempt == 2  # the stale token has not changed the running attempt
    assert post(pms, again, operation, **body).status_code == 200


def test_success_reported_after_the_lease_has_expired_resolves_the_failure(
    pms: APIClient, hotel: Hotel
) -> None:
    report_due(pms, hotel)
    [entry] = claim(pms)
    lose_lease(hotel, entry)
    assert post(pms, entry, "acknowledge").json()["status"] == "resolved"
    assert post(pms, entry, "fail", **ERROR).status_code == 409


def test_success_reported_after_the_lease_ended_is_stored_while_another_attempt_is_running(
    pms: APIClient, hotel: Hotel
) -> None:
    report_due(pms, hotel)
    [entry] = claim(pms, idempotent=True)
    lose_lease(hotel, entry)
    with hotel_context(hotel):
        make_due(entry["id"])
    [again] = claim(pms, idempotent=True)
    assert post(pms, entry, "acknowledge").status_code == 409
    assert post(pms, again, "fail", **ERROR).json()["status"] == "resolved"


def test_api_key_with_another_name_than_the_reporting_key_cannot_process_failures(
    pms: APIClient, hotel: Hotel
) -> None:
    report_due(pms, hotel)
    for name in ("pm", "pms:booking.created", "pms%", "p" * 100):
        other = make_client(hotel, name=name)
        assert claim(other, kinds=[KIND, f"pms:{KIND}", f"external:pms:{KIND}"]) == []
    [entry] = claim(pms)
    for operation, body in (("extend", {}), ("acknowledge", {}), ("fail", ERROR)):
        response = post(other, entry, operation, **body)
        assert (response.status_code, response.json()["type"]) == (404, "/problems/failure-not-found")
    with hotel_context(hotel):
        assert Failure.objects.get().status == "retrying"


def test_api_keys_with_the_same_name_share_a_namespace(pms: APIClient, hotel: Hotel) -> None:
    failure_id = report_due(pms, hotel)
    assert [entry["id"] for entry in claim(make_client(hotel, "dlq:work"))] == [failure_id]


def test_failures_of_internal_kinds_and_of_another_hotel_cannot_be_claimed(
    hotel: Hotel, other_hotel: Hotel
) -> None:
    with hotel_context(hotel):
        captured = services.capture(
            is_task=False, source="pms", name="reminders.send", payload={}, error=LampError("dark")
        )
    here, elsewhere = make_client(hotel), make_client(other_hotel)
    report_due(elsewhere, other_hotel)
    assert claim(here, kinds=["reminders.send", KIND]) == []
    response = here.post(f"{ENTRIES}{captured.id}/acknowledge/", {"fencing_token": 1})
    assert response.status_code == 404


def test_claims_and_results_require_the_scope_dlq_work(hotel: Hotel) -> None:
    writer = make_client(hotel, "dlq:read", "dlq:write")
    failure_id = "01a203e7-7538-7000-b926-fbd8a9dddc9d"
    for path in ("claim", f"{failure_id}/extend", f"{failure_id}/acknowledge", f"{failure_id}/fail"):
        response = writer.post(f"{ENTRIES}{path}/", {})
        assert (response.status_code, response.json()["required_scope"]) == (403, "dlq:work")
    worker = make_client(hotel, "dlq:work")
    assert worker.post(ENTRIES, REPORT).status_code == 403
    assert worker.get(ENTRIES).status_code == 403


def test_celery_worker_leaves_an_external_failure_to_its_external_handler(
    pms: APIClient, hotel: Hotel
) -> None:
    failure_id = report_due(pms, hotel)
    with hotel_context(hotel):
        before = Failure.objects.get()
        runner.retry_due(failure_id=before.id)
        failure = Failure.objects.get()
        assert (failure.status, failure.next_retry_at) == ("scheduled", before.next_retry_at)
        assert DueItem.objects.get(item_id=failure_id).due_at == failure.expires_at
    assert [entry["id"] for entry in claim(pms)] == [failure_id]


def test_external_failure_that_no_handler_claims_is_permanent_when_it_expires(
    pms: APIClient, hotel: Hotel
) -> None:
    failure_id = report_due(pms, hotel)
    with hotel_context(hotel):
        Failure.objects.update(expires_at=timezone.now())
        runner.retry_due(failure_id=Failure.objects.get().id)
        assert Failure.objects.get(id=failure_id).status == "permanent"


def test_reported_failure_is_permanent_if_no_valid_api_key_can_process_the_failure(hotel: Hotel) -> None:
    reporter = make_client(hotel, "dlq:write")
    make_client(hotel, "dlq:work", name="other")
    body = reporter.post(ENTRIES, REPORT).json()
    assert body["status"] == "permanent"
    refused = reporter.post(f"{ENTRIES}{body['id']}/retry/")
    assert refused.json()["type"] == "/problems/failure-not-retryable"
    make_client(hotel, "dlq:work")
    assert reporter.post(f"{ENTRIES}{body['id']}/retry/").json()["status"] == "scheduled"
    with hotel_context(hotel):
        ApiKey.objects.update(expires_at=timezone.now())
    unlimited = make_client(hotel, "dlq:write")
    assert unlimited.post(ENTRIES, {**REPORT, "payload": {"booking": "B-2"}}).json()["status"] == "permanent"


def test_handler_gets_the_corrected_payload(pms: APIClient, hotel: Hotel) -> None:
    url = f"{ENTRIES}{report_due(pms, hotel)}/"
    clerk = make_client(hotel, "dlq:read", "dlq:write", "dlq:payload", name="clerk")
    etag = clerk.get(url)["ETag"]
    corrected = clerk.post(f"{url}correct/", {"payload": {"booking": "B-7"}}, headers={"If-Match": etag})
    assert corrected.status_code < 300, corrected.content
    [entry] = claim(pms)
    assert entry["payload"] == {"booking": "B-7"}


def test_failures_of_a_paused_kind_are_not_claimed(pms: APIClient, hotel: Hotel) -> None:
    report_due(pms, hotel)
    with hotel_context(hotel):
        pauses.pause(name=f"external:pms:{KIND}")
    assert claim(pms) == []
    with hotel_context(hotel):
        pauses.resume(name=f"external:pms:{KIND}")
    assert len(claim(pms)) == 1


def test_failures_with_one_ordering_key_are_claimed_one_at_a_time(pms: APIClient, hotel: Hotel) -> None:
    first, second = (report_due(pms, hotel, ordering_key="B-1") for _number in range(2))
    other = report_due(pms, hotel, ordering_key="B-2")
    entries = claim(pms)
    assert [entry["id"] for entry in entries] == [first, other]
    assert post(pms, entries[0], "acknowledge").status_code == 200
    assert [entry["id"] for entry in claim(pms)] == [second]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "{number}"}])
def test_handlers_that_claim_at_the_same_time_get_different_failures(
    hotel: Hotel, headers: dict[str, str]
) -> None:
    client = make_client(hotel)
    ids = [report_due(client, hotel) for _number in range(8)]
    start = threading.Barrier(8)

    def claim_one(number: int) -> list[str]:
        key = {name: value.format(number=number) for name, value in headers.items()}
        try:
            start.wait(10)
            response = client.post(f"{ENTRIES}claim/", {"kinds": [KIND]}, headers=key)
            return [entry["id"] for entry in response.json()["entries"]]
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        claimed = [failure_id for found in pool.map(claim_one, range(8)) for failure_id in found]
    assert sorted(claimed) == sorted(ids)


def test_redrive_refuses_external_failures_in_doubt_unless_a_person_confirms_the_retry(
    pms: APIClient, hotel: Hotel
) -> None:
    traits = Traits(is_task=False, name=f"external:pms:{KIND}", status="in_doubt", original_type="")
    with hotel_context(hotel):
        assert refusal(traits, Redrive()) == RedriveResult.IN_DOUBT
        assert refusal(traits, Redrive(confirm_in_doubt=True)) is None


def test_claims_count_towards_the_rate_limit_of_the_api_key(pms: APIClient) -> None:
    response = pms.post(f"{ENTRIES}claim/", {"kinds": [KIND]})
    assert response["RateLimit-Policy"].startswith('"client"')


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"kinds": []}, "/kinds"),
        ({"kinds": KIND}, "/kinds"),
        ({"kinds": [KIND], "limit": 0}, "/limit"),
        ({"kinds": [KIND], "limit": 101}, "/limit"),
        ({"kinds": [KIND], "lease_seconds": 0}, "/lease_seconds"),
        ({"kinds": [KIND], "lease_seconds": 3601}, "/lease_seconds"),
        ({"kinds": [KIND], "lease": 60}, "/lease"),
    ],
)
def test_invalid_claim_returns_400_with_the_invalid_value(
    pms: APIClient, body: dict[str, Any], pointer: str
) -> None:
    response = pms.post(f"{ENTRIES}claim/", body)
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, pointer)


def test_invalid_fencing_token_returns_400(pms: APIClient, hotel: Hotel) -> None:
    entry = {"id": report_due(pms, hotel)}
    for token in (0, -1, "x", None, 10**20):
        response = pms.post(f"{ENTRIES}{entry['id']}/acknowledge/", {"fencing_token": token})
        assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, "/fencing_token")
