"""Tests of `?updated_since=`: a client that polls the changes of a list misses no change, whatever commits first."""

import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from rest_framework.test import APIClient

from hotelagent.rest.lists.changes import Position, changes_after
from reminders.models import Reservation
from tenants.context import hotel_context
from tenants.models import Hotel

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/reservations/"
#: Maximum number of seconds that a poller waits for a change. The API lists a change only after all transactions of the
#: server that are older have ended, and tests in other processes keep transactions open on the same server.
TIMEOUT = 120


def put(api: APIClient, number: str, **fields: Any) -> None:
    body = {"arrival": "2031-07-01", "departure": "2031-07-04", "guest_name": "Ana Lima", **fields}
    assert api.put(f"{URL}by-external-id/{number}/", body).status_code in {200, 201}


def begin(api: APIClient, **parameters: Any) -> dict[str, Any]:
    since = datetime.now(UTC) - timedelta(hours=1)
    body: dict[str, Any] = api.get(URL, {"updated_since": since.isoformat(), **parameters}).json()
    return body


def numbers(body: dict[str, Any]) -> list[str]:
    return [row["external_id"] for row in body["results"]]


class Poller:
    """A client that polls the changes and remembers the URL of the next request."""

    def __init__(self, api: APIClient, body: dict[str, Any]) -> None:
        self.api, self.url = api, body["resume"]
        self.seen: list[str] = numbers(body)

    def poll(self) -> list[str]:
        body = self.api.get(self.url).json()
        self.url = body["resume"]
        self.seen += numbers(body)
        return numbers(body)

    def poll_until(self, is_done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + TIMEOUT
        while not is_done():
            assert time.monotonic() < deadline, self.seen
            self.poll()
            time.sleep(0.05)


def test_changes_are_listed_oldest_first_and_the_resume_url_lists_later_changes(api: APIClient) -> None:
    for number in ("R1", "R2", "R3"):
        put(api, number)
    client = Poller(api, begin(api))
    client.poll_until(lambda: client.seen == ["R1", "R2", "R3"])
    assert client.poll() == []
    put(api, "R2", adults=2)
    put(api, "R4")
    put(api, "R1")  # this request changes nothing
    client.poll_until(lambda: client.seen == ["R1", "R2", "R3", "R2", "R4"])
    body = api.get(client.url).json()
    assert (body["next"], body["previous"], body["results"]) == (None, None, [])


def test_row_that_commits_after_a_newer_row_is_not_missed(api: APIClient, hotel: Hotel) -> None:
    """For comparison, a query for the rows after the newest time that the client has seen misses the row."""
    put(api, "R0")
    client = Poller(api, begin(api))
    client.poll_until(lambda: "R0" in client.seen)
    is_open, may_commit = threading.Event(), threading.Event()

    def change_slowly() -> None:
        try:
            with hotel_context(hotel), transaction.atomic():
                put(api_of(api), "SLOW")
                is_open.set()
                assert may_commit.wait(60)
        finally:
            connection.close()

    thread = threading.Thread(target=change_slowly)
    thread.start()
    try:
        assert is_open.wait(60)
        put(api, "FAST")  # this transaction begins later than SLOW and commits earlier
        with hotel_context(hotel):
            newest_time = Reservation.objects.get(external_id="FAST").updated_at
        assert client.poll() == []  # the older transaction is still open
    finally:
        may_commit.set()
        thread.join()
    with hotel_context(hotel):
        missed = Reservation.objects.get(external_id="SLOW")
        by_time = Reservation.objects.filter(updated_at__gte=newest_time).values_list(
            "external_id", flat=True
        )
        assert missed.updated_at < newest_time
        assert list(by_time) == ["FAST"]
    client.poll_until(lambda: len(client.seen) == 3)
    assert client.seen == ["R0", "SLOW", "FAST"]


def api_of(api: APIClient) -> APIClient:
    """Return a client with the same key for another thread."""
    other = APIClient(SERVER_NAME=api.defaults["SERVER_NAME"])
    other.credentials(**vars(api)["_credentials"])
    return other


def test_first_request_lists_changes_after_updated_since_and_resume_url_all_later_changes(
    api: APIClient, hotel: Hotel
) -> None:
    put(api, "OLD")
    put(api, "NEW")
    with hotel_context(hotel):
        Reservation.objects.filter(external_id="OLD").update(updated_at=datetime(2020, 1, 1, tzinfo=UTC))
    client = Poller(api, begin(api))
    client.poll_until(lambda: "NEW" in client.seen)
    assert client.seen == ["NEW"]
    with hotel_context(hotel):
        # This change has an old time, because the clock of its writer is behind. It is listed nevertheless.
        Reservation.objects.filter(external_id="OLD").update(adults=3)
    client.poll_until(lambda: client.seen == ["NEW", "OLD"])


def test_changes_of_one_transaction_continue_on_the_next_page(api: APIClient, hotel: Hotel) -> None:
    for number in range(5):
        put(api, f"R{number}")
    with hotel_context(hotel):
        Reservation.objects.update(adults=2)  # changes all rows in one transaction
    client = Poller(api, begin(api))
    client.poll_until(lambda: len(set(client.seen)) == 5)
    first = begin(api, page_size=2)
    assert first["next"] == first["resume"]
    seen = numbers(first)
    url = first["next"]
    while url:
        body = api.get(url).json()
        assert len(body["results"]) <= 2
        seen += numbers(body)
        url = body["next"]
    assert sorted(seen) == [f"R{number}" for number in range(5)]


def test_updated_since_can_be_combined_with_other_filters(api: APIClient) -> None:
    put(api, "R1")
    put(api, "R2", status="cancelled")
    client = Poller(api, begin(api, status="cancelled"))
    client.poll_until(lambda: "R2" in client.seen)
    put(api, "R1", status="cancelled")
    client.poll_until(lambda: client.seen == ["R2", "R1"])


@pytest.mark.parametrize("cursor", ["x", "MS8yLzM=", "éé", "MS8yLw=="])
def test_cursor_that_the_api_did_not_return_is_an_error(api: APIClient, cursor: str) -> None:
    refused = api.get(URL, {"updated_since": "2031-07-01T00:00:00Z", "cursor": cursor})
    assert (refused.status_code, refused.json()["type"]) == (400, "/problems/invalid-cursor")


def test_cursor_from_a_server_with_more_transactions_is_an_error(api: APIClient) -> None:
    """After a restore on another server, the client must begin again. Otherwise the client would miss changes."""
    assert api.get(begin(api)["resume"]).status_code == 200
    future = Position(1, 2**60).encode()
    refused = api.get(URL, {"updated_since": "2031-07-01T00:00:00Z", "cursor": future})
    assert refused.json()["type"] == "/problems/invalid-cursor"


def test_invalid_updated_since_is_an_error_that_names_the_parameter(api: APIClient) -> None:
    refused = api.get(URL, {"updated_since": "soon"})
    assert refused.json()["errors"][0]["pointer"] == "?updated_since"


def test_export_can_be_filtered_by_updated_since(api: APIClient) -> None:
    put(api, "R1")
    for since, rows in (("2020-01-01T00:00:00Z", 1), ("2099-01-01T00:00:00Z", 0)):
        response: Any = api.get(f"{URL}export/", {"updated_since": since})
        assert response.getvalue().count(b"R1") == rows


def buffers_of(plan: str) -> int:
    """Return the number of database pages that the query has read, from the first line about buffers in its plan."""
    return int(re.findall(r"Buffers: shared hit=(\d+)", plan)[0])


def test_poll_reads_only_the_index_entries_of_the_changes(hotel: Hotel) -> None:
    with hotel_context(hotel), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO reminders_reservation (id, external_id, status, arrival, departure, guest_name, guest_email,"
            " guest_phone, language, country, adults, children, room_type, assigned_room_type, additional_room_types,"
            " source, changed_in) SELECT tenants_uuid7(), 'R' || n, 'booked', '2031-07-01', '2031-07-04', 'Ana', '',"
            " '', '', '', 1, 0, '', '', '{}', '', n FROM generate_series(1, 20000) n"
        )
        cursor.execute("ANALYZE reminders_reservation")
    with hotel_context(hotel):
        condition = changes_after(Position(start=19_950, transaction=19_950), since=datetime.now(UTC))
        rows = Reservation.objects.filter(condition, changed_in__lt=2**40).order_by("changed_in", "id")[:51]
        plan = rows.explain(analyze=True, buffers=True)
        first = Reservation.objects.filter(
            changes_after(Position(start=2**40, transaction=0), since=datetime(2020, 1, 1, tzinfo=UTC)),
            changed_in__lt=2**40,
        )
        first_plan = first.order_by("changed_in", "id")[:51].explain(analyze=True, buffers=True)
    assert "reminders_reservation_changed" in plan
    assert "Seq Scan" not in plan
    assert buffers_of(plan) < 50 < buffers_of(first_plan)
