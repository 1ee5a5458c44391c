"""Tests of pauses of retries.

During a pause, failures are captured but not retried. After the pause, their retries start at a limited rate.
"""

import json
from datetime import timedelta
from io import StringIO
from itertools import pairwise

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.test import Client
from rest_framework.test import APIClient

from dlq import selectors, services, tasks
from dlq.kinds import registry
from dlq.kinds.registry import Kind
from dlq.models import Failure
from dlq.policy import FAILURE_DUE, MAX_AGE, NEVER, RELEASE_DUE
from dlq.retention import pauses
from dlq.retries import attempts, runner
from tenants.context import hotel_context, platform_context
from tenants.database.clock import database_now
from tenants.models import DueItem, Hotel, User
from tenants.queue import due
from tenants.scopes import Role
from tests.dlq.conftest import NAME, Lamp, LampError, capture_failure, make_due, reload

pytestmark = pytest.mark.django_db

OTHER_NAME = "tests.lantern"
URL = "/api/v1/dlq/pauses/"
PAGE = "/admin/dlq/failuresettings/"


@pytest.fixture
def lantern(monkeypatch: pytest.MonkeyPatch) -> Lamp:
    lantern = Lamp()
    monkeypatch.setitem(registry._kinds, OTHER_NAME, Kind(name=OTHER_NAME, handler=lantern.handle))
    return lantern


def due_failure(*, name: str = NAME, number: int = 1) -> Failure:
    captured = services.capture(
        is_task=False, source="tests", name=name, payload={"number": number}, error=LampError("no current")
    )
    failure = Failure.objects.get(id=captured.id)
    make_due(failure)
    return failure


def retry(failure: Failure) -> None:
    runner.retry_due(failure_id=failure.id)


def due_time(failure: Failure) -> object:
    with platform_context():
        return DueItem.objects.values_list("due_at", flat=True).get(kind=FAILURE_DUE, item_id=failure.id)


@pytest.mark.parametrize("name", [NAME, ""], ids=["kind", "hotel"])
def test_failure_captured_during_a_pause_is_not_retried_until_its_end(
    in_hotel: Hotel, lamp: Lamp, name: str
) -> None:
    assert pauses.pause(name=name)
    failure = due_failure()
    retry(failure)
    assert (reload(failure).status, reload(failure).next_retry_at, lamp.retried) == ("scheduled", None, [])
    pauses.resume(name=name)
    tasks.release([str(in_hotel.id)])
    retry(failure)
    assert reload(failure).status == "resolved"
    with platform_context():
        assert not DueItem.objects.filter(kind__in=[RELEASE_DUE, FAILURE_DUE]).exists()


def test_pause_of_one_kind_of_failure_does_not_affect_other_kinds(
    in_hotel: Hotel, lamp: Lamp, lantern: Lamp
) -> None:
    pauses.pause(name=NAME)
    paused, other = due_failure(), due_failure(name=OTHER_NAME)
    for failure in (paused, other):
        retry(failure)
    assert (reload(paused).status, reload(other).status) == ("scheduled", "resolved")


def test_pause_of_one_hotel_does_not_affect_another_hotel(
    hotel: Hotel, other_hotel: Hotel, lamp: Lamp
) -> None:
    with hotel_context(hotel):
        pauses.pause()
    with hotel_context(other_hotel):
        assert not pauses.current_pauses().cover(NAME)
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM public.dlq_failuresettings")
            assert cursor.fetchone() == (0,)


def test_paused_failure_does_not_become_permanent_when_its_age_limit_passes(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    pauses.pause(name=NAME)
    failure = due_failure()
    Failure.objects.update(expires_at=F("created_at") - timedelta(days=1))
    retry(failure)
    assert reload(failure).status == "scheduled"
    pauses.resume(name=NAME)
    pauses.release()
    retry(failure)
    assert reload(failure).status == "resolved"


def test_age_limit_restarts_only_for_failures_that_became_due_during_the_pause(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    pauses.pause(name=NAME)
    parked, later = due_failure(), capture_failure(number=2)
    for failure in (parked, later):
        retry(failure)
    pauses.resume(name=NAME)
    pauses.release()
    released = reload(parked)
    assert released.next_retry_at
    assert released.expires_at == released.next_retry_at + MAX_AGE > parked.expires_at
    assert reload(later).expires_at == later.expires_at


def test_failure_that_is_not_paused_becomes_permanent_when_its_age_limit_passes(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    failure = due_failure()
    Failure.objects.update(expires_at=F("created_at") - timedelta(days=1))
    retry(failure)
    assert reload(failure).status == "permanent"


def test_paused_failures_are_scheduled_at_a_limited_rate_after_the_pause(
    in_hotel: Hotel, lamp: Lamp, lantern: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pauses, "BATCH_SIZE", 3)
    pauses.pause(name=NAME)
    pauses.pause(name=OTHER_NAME)
    still_paused = due_failure(name=OTHER_NAME)
    parked = [due_failure(number=number) for number in range(10)]
    for failure in (still_paused, *parked):
        retry(failure)
    pauses.resume(name=NAME)
    started = database_now()
    assert pauses.release() == 10
    times = [reload(failure).next_retry_at for failure in parked]
    assert times == [due_time(failure) for failure in parked]
    steps = {later - earlier for earlier, later in pairwise(times) if earlier and later}
    assert steps == {timedelta(seconds=1 / pauses.RELEASED_PER_SECOND)}
    assert times[0]
    assert times[0] - started < timedelta(seconds=1)
    assert due_time(still_paused) == NEVER
    assert pauses.release() == 0


def test_paused_failure_stays_scheduled_after_the_clean_up_and_can_be_discarded(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    pauses.pause()
    failure = due_failure()
    retry(failure)
    tasks.clean_up([str(in_hotel.id)])
    assert reload(failure).status == "scheduled"
    services.discard(failure_id=failure.id, reason="not needed")
    with platform_context():
        assert not DueItem.objects.filter(kind=FAILURE_DUE).exists()


def test_paused_failure_stays_paused_after_its_hotel_was_suspended_and_resumed(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    pauses.pause()
    failure = due_failure()
    retry(failure)
    with platform_context():
        due.pause_hotel(hotel_id=in_hotel.id)
        due.resume_hotel(hotel_id=in_hotel.id)
        assert DueItem.objects.get(item_id=failure.id).claim_at == NEVER


def test_retry_that_runs_when_a_pause_begins_ends_normally(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = due_failure()

    def pause(_failure: Failure) -> None:
        pauses.pause(name=NAME)

    lamp.behaviour = pause
    retry(failure)
    assert reload(failure).status == "resolved"


def test_paused_platform_failures_are_not_retried_until_the_pause_ends(platform: None, lamp: Lamp) -> None:
    failure = capture_failure()
    make_due(failure)
    Failure.objects.update(expires_at=F("created_at") - timedelta(days=1))
    pauses.pause(name=NAME)
    retry(failure)
    tasks.retry_platform_due()
    assert (reload(failure).status, lamp.retried) == ("scheduled", [])
    pauses.pause()
    assert selectors.due_failures(limit=1) == []
    pauses.resume()
    pauses.resume(name=NAME)
    tasks.retry_platform_due()
    assert reload(failure).status == "resolved"


def test_paused_failure_is_not_claimed_by_another_system(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = due_failure()
    pauses.pause(name=NAME)
    assert attempts.claim_next(names=[NAME], lease=timedelta(minutes=1)) == []
    pauses.resume(name=NAME)
    [claimed] = attempts.claim_next(names=[NAME], lease=timedelta(minutes=1))
    assert claimed.id == failure.id


def test_api_client_pauses_and_resumes_retries_of_a_kind_of_failure(api: APIClient, hotel: Hotel) -> None:
    assert api.get(URL).json() == {"all_kinds": False, "kinds": []}
    assert api.post(URL, {"kind": NAME}).json() == {"all_kinds": False, "kinds": [NAME]}
    assert api.post(URL, {}).json() == {"all_kinds": True, "kinds": [NAME]}
    assert api.post(f"{URL}resume/", {"kind": NAME}).json() == {"all_kinds": True, "kinds": []}
    assert api.post(f"{URL}resume/").json() == {"all_kinds": False, "kinds": []}
    assert api.post(URL, {"name": NAME}).status_code == 400
    [event] = api.get("/api/v1/audit/?event=failure.paused").json()["results"][:1]
    assert event["description"].endswith("paused the retries of all failures")


def test_command_pauses_and_resumes_retries_of_a_kind_of_failure(hotel: Hotel) -> None:
    def run(command: str, *arguments: str) -> object:
        out = StringIO()
        call_command(command, "--hotel", "alpha", "--json", *arguments, stdout=out)
        return json.loads(out.getvalue())

    paused = {"all_kinds": False, "kinds": [NAME]}
    assert run("dlq_pause", "--kind", NAME) == {"changed": True, **paused}
    assert run("dlq_pause", "--kind", NAME) == {"changed": False, **paused}
    assert run("dlq_resume", "--kind", NAME) == {"changed": True, "all_kinds": False, "kinds": []}
    assert run("dlq_resume") == {"changed": False, "all_kinds": False, "kinds": []}


def test_manager_pauses_retries_of_a_kind_of_failure_in_the_admin(staff: Client, hotel: Hotel) -> None:
    staff.post(f"{PAGE}pause/", {"name": NAME, "action": "pause"})
    page = staff.get(PAGE).content.decode()
    assert f"Paused: {NAME}" in page
    staff.post(f"{PAGE}pause/", {"name": NAME, "action": "resume"})
    with hotel_context(hotel):
        assert not pauses.current_pauses().cover(NAME)


def test_front_desk_can_see_the_settings_but_not_pause_retries(hotel: Hotel) -> None:
    client = Client(SERVER_NAME="alpha.localhost")
    with hotel_context(hotel):
        client.force_login(User.objects.create_user(username="desk", password=None, role=Role.FRONT_DESK))
    page = client.get(PAGE)
    assert page.status_code == 200
    assert "Pause all retries" not in page.content.decode()
    assert client.post(f"{PAGE}pause/", {"action": "pause"}).status_code == 403
