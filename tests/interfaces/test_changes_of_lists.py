"""Tests of `?updated_since=` in the lists of holds, stays and closures, of reminders and of failures."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import Model, QuerySet
from rest_framework.test import APIClient

from dlq.models import Failure
from locks import services
from locks.models import Allocation
from locks.nights import Nights
from locks.selectors import today
from reminders.models import Reminder, Reservation
from tenants.changed_rows import number_changes_again
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel
from tenants.signals import restored_hotel_migrated
from tests.dlq.external.clients import ENTRIES, claim, make_client, report_due
from tests.interfaces.test_changes import Poller, put
from tests.locks.helpers import expire
from tests.tenants import sql

pytestmark = pytest.mark.django_db(transaction=True)
LOCKS, REMINDERS = "/api/v1/locks/", "/api/v1/reminders/"
FAILURES = ENTRIES


class StatusPoller(Poller):
    """A poller that remembers the status of each row instead of its number."""

    def poll(self) -> list[str]:
        body = self.api.get(self.url).json()
        self.url = body["resume"]
        statuses = [row["status"] for row in body["results"]]
        self.seen += statuses
        return statuses


def follow(api: APIClient, url: str, **parameters: Any) -> StatusPoller:
    body = api.get(url, {"updated_since": "2020-01-01T00:00:00Z", **parameters}).json()
    poller = StatusPoller(api, {**body, "results": []})
    poller.seen = [row["status"] for row in body["results"]]
    return poller


@pytest.fixture
def rooms(hotel: Hotel) -> list[int]:
    with hotel_context(hotel):
        return services.ensure_rooms({"double": 3})["double"]


def nights() -> Nights:
    return Nights(today() + timedelta(days=2), today() + timedelta(days=4))


def test_changes_of_allocations_contain_each_new_status(
    api: APIClient, hotel: Hotel, rooms: list[int]
) -> None:
    client = follow(api, LOCKS)
    with hotel_context(hotel):
        hold = services.acquire_hold(rooms=rooms[:1], nights=nights())
        client.poll_until(lambda: client.seen == ["held"])
        services.extend_hold(hold.id, token=hold.token)
        client.poll_until(lambda: client.seen == ["held"] * 2)
        services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0)
        client.poll_until(lambda: client.seen[2:] == ["confirmed"])
        services.move_allocation(hold.id, room=rooms[1], nights=nights())
        client.poll_until(lambda: client.seen[3:] == ["confirmed"])
        services.cancel_stay(hold.id)
        client.poll_until(lambda: client.seen[4:] == ["cancelled"])
        services.close_room(room=rooms[2], nights=nights(), reason="Paint")
        client.poll_until(lambda: client.seen[5:] == ["closed"])
        forgotten = services.acquire_hold(rooms=rooms[:1], nights=nights())
        client.poll_until(lambda: client.seen[6:] == ["held"])
        expire(forgotten.id)
        services.expire_holds(ids=[forgotten.id])
        client.poll_until(lambda: client.seen[-1] == "expired")
    assert client.poll() == []


def test_changes_of_reminders_contain_planned_and_cancelled_reminders(api: APIClient, hotel: Hotel) -> None:
    client = follow(api, REMINDERS)
    put(api, "R1", guest_email="ana@example.com")
    client.poll_until(lambda: client.seen == ["scheduled"] * 2)
    put(api, "R1", guest_email="ana@example.com", status="cancelled")
    client.poll_until(lambda: client.seen[2:] == ["cancelled"] * 2)
    assert client.poll() == []


def test_changes_of_failures_contain_each_new_status(hotel: Hotel) -> None:
    handler = make_client(hotel)
    client = follow(handler, FAILURES)
    first = report_due(handler, hotel)
    client.poll_until(lambda: "scheduled" in client.seen)
    assert handler.post(f"{FAILURES}{first}/discard/", {"reason": "Paid"}).status_code == 200
    client.poll_until(lambda: client.seen[-1] == "discarded")
    second = report_due(handler, hotel)
    client.poll_until(lambda: client.seen[-1] == "scheduled")
    assert len(claim(handler)) == 1
    client.poll_until(lambda: client.seen[-1] == "retrying")
    with hotel_context(hotel):
        assert Failure.objects.get(id=second).status == "retrying"
    assert client.poll() == []


def test_row_that_changes_while_a_client_reads_the_pages_is_listed_again(
    api: APIClient, hotel: Hotel, rooms: list[int]
) -> None:
    with hotel_context(hotel):
        holds = [services.acquire_hold(rooms=[room], nights=nights()) for room in rooms]
        # All rows have the same time, because one statement changes them.
        Allocation.objects.update(reason="x")
        whole = follow(api, LOCKS)
        whole.poll_until(lambda: len(whole.seen) >= len(rooms))
        url = f"{LOCKS}?updated_since=2020-01-01T00:00:00Z&page_size=1"
        pages = []
        for number in range(10):
            body = api.get(url).json()
            pages += [(row["id"], row["status"]) for row in body["results"]]
            url = body["resume"]
            if number == 0:
                services.release_hold(holds[0].id, token=holds[0].token)
    first = str(holds[0].id)
    assert {id_ for id_, _status in pages} == {str(hold.id) for hold in holds}
    follower = StatusPoller(api, {"resume": url, "results": []})
    follower.poll_until(lambda: (first, "released") in pages or "released" in follower.seen)


@pytest.mark.parametrize("url", [LOCKS, REMINDERS, FAILURES])
@pytest.mark.parametrize(
    ("since", "status"),
    [
        ("2031-07-01T00:00:00+14:00", 200),
        ("2031-07-01T00:00:00", 200),
        ("2031-07-01T00:00:00+99:99", 400),
        ("0001-01-01T00:00:00+10:00", 400),
        ("2031-13-01T00:00:00Z", 400),
        ("Europe/Lisbon", 400),
    ],
)
def test_time_with_an_offset_is_converted_and_an_invalid_time_is_an_error(
    api: APIClient, url: str, since: str, status: int
) -> None:
    for path in (url,) if url == FAILURES else (url, f"{url}export/"):
        response = api.get(path, {"updated_since": since})
        assert response.status_code == status
        if status == 400:
            assert response.json()["errors"][0]["pointer"] == "?updated_since"


def test_offset_of_the_time_decides_which_changes_are_listed(
    api: APIClient, hotel: Hotel, rooms: list[int]
) -> None:
    with hotel_context(hotel):
        services.acquire_hold(rooms=rooms[:1], nights=nights())
    now = datetime.now(UTC).replace(tzinfo=None)
    # The same local time is an hour ago at the offset +01:00, and in an hour at the offset -01:00.
    for offset, expected in (("+01:00", 1), ("-01:00", 0)):
        content: Any = api.get(f"{LOCKS}export/", {"updated_since": f"{now.isoformat()}{offset}"})
        assert content.getvalue().count(b"held") == expected


def test_rows_that_are_numbered_again_keep_their_time_and_are_listed_again(
    api: APIClient, hotel: Hotel, rooms: list[int]
) -> None:
    """A restore numbers the rows again."""
    with hotel_context(hotel):
        services.acquire_hold(rooms=rooms[:1], nights=nights())
        client = follow(api, LOCKS)
        client.poll_until(lambda: client.seen == ["held"])
        before = Allocation.objects.get()
        number_changes_again(Allocation)
        same = Allocation.objects.get()
        assert same.updated_at == before.updated_at
        assert same.changed_in > before.changed_in
        client.poll_until(lambda: client.seen == ["held"] * 2)
        Allocation.objects.update(reason="Paint")
        assert Allocation.objects.get().updated_at > before.updated_at


@pytest.mark.parametrize("model", [Allocation, Reminder, Failure, Reservation])
def test_restored_hotel_numbers_the_changes_of_each_table_again(
    hotel: Hotel, model: type[Model], rooms: list[int], api: APIClient
) -> None:
    with hotel_context(hotel):
        services.acquire_hold(rooms=rooms[:1], nights=nights())
    put(api, "R1", guest_email="ana@example.com")
    report_due(make_client(hotel), hotel)
    in_future = 2**50
    table = f"{hotel.schema}.{model._meta.db_table}"
    sql.execute(
        f"ALTER TABLE {table} DISABLE TRIGGER set_changed_in; UPDATE {table} SET changed_in = {in_future}; "
        f"ALTER TABLE {table} ENABLE TRIGGER set_changed_in"
    )
    with platform_context():
        restored_hotel_migrated.send(Hotel, hotel=hotel)
    with hotel_context(hotel):
        numbers = list(QuerySet(model).values_list("changed_in", flat=True))
        assert numbers
        assert max(numbers) < in_future
