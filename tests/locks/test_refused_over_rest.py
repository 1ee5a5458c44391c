"""What a client does wrong with holds, and what it is told."""

import uuid
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from locks import policy
from locks.models import Allocation
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import ApiKey, Hotel
from tests.conftest import ALPHA_HOST
from tests.locks.conftest import SomeNights

pytestmark = pytest.mark.django_db

LOCKS = "/api/v1/locks/"


def dates(nights: SomeNights, start: int, count: int = 1) -> dict[str, str]:
    some = nights(start, count)
    return {"check_in": some.check_in.isoformat(), "check_out": some.check_out.isoformat()}


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


@pytest.fixture
def hold(api: APIClient, rooms: list[int], nights: SomeNights) -> dict[str, Any]:
    made: dict[str, Any] = api.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 3)}).json()
    return made


def test_a_token_that_was_used_up(api: APIClient, hold: dict[str, Any], rooms: list[int]) -> None:
    own, fencing_token = (
        {"token": hold["token"]},
        {"token": hold["token"], "fencing_token": hold["fencing_token"]},
    )
    address = f"{LOCKS}{hold['id']}/"
    assert api.post(f"{address}release/", own).status_code == 200
    assert api.post(f"{address}release/", own).status_code == 200  # again is no error
    assert problem(api.post(f"{address}extend/", own)) == (409, "hold-state-error")
    assert problem(api.post(f"{address}confirm/", fencing_token)) == (409, "hold-state-error")


def test_a_token_of_a_hold_that_is_a_stay(api: APIClient, hold: dict[str, Any]) -> None:
    own, fencing_token = (
        {"token": hold["token"]},
        {"token": hold["token"], "fencing_token": hold["fencing_token"]},
    )
    address = f"{LOCKS}{hold['id']}/"
    assert api.post(f"{address}confirm/", fencing_token).status_code == 200
    assert problem(api.post(f"{address}extend/", own)) == (409, "hold-state-error")
    assert problem(api.post(f"{address}release/", own)) == (409, "hold-state-error")


def test_the_token_of_another_hold(
    api: APIClient, hold: dict[str, Any], rooms: list[int], nights: SomeNights
) -> None:
    other = api.post(LOCKS, {"rooms": rooms[1:2], **dates(nights, 3)}).json()
    address = f"{LOCKS}{hold['id']}/"
    for what, more in (
        ("extend", {}),
        ("release", {}),
        ("confirm", {"fencing_token": hold["fencing_token"]}),
    ):
        body = {"token": other["token"], **more}
        assert problem(api.post(f"{address}{what}/", body)) == (403, "invalid-hold-token")


def test_a_token_of_another_hotel(api: APIClient, hold: dict[str, Any], other_hotel: Hotel) -> None:
    with hotel_context(other_hotel):
        _, secret = api_keys.create(name="other", scopes=["locks:read", "locks:write"])
    there = APIClient(SERVER_NAME=f"{other_hotel.slug}.{ALPHA_HOST.partition('.')[2]}")
    there.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    address = f"{LOCKS}{hold['id']}/"
    for what, more in (
        ("extend", {}),
        ("release", {}),
        ("confirm", {"fencing_token": hold["fencing_token"]}),
    ):
        body = {"token": hold["token"], **more}
        assert problem(there.post(f"{address}{what}/", body)) == (404, "hold-not-found")
    assert api.get(address).json()["status"] == "held"


def test_a_fence_from_before(
    api: APIClient, hold: dict[str, Any], rooms: list[int], nights: SomeNights
) -> None:
    api.post(f"{LOCKS}{hold['id']}/release/", {"token": hold["token"]})
    again = api.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 3)}).json()
    assert again["fencing_token"] > hold["fencing_token"]
    stale = {"token": again["token"], "fencing_token": hold["fencing_token"]}
    assert problem(api.post(f"{LOCKS}{again['id']}/confirm/", stale)) == (409, "stale-fencing-token")


@pytest.mark.parametrize(
    ("check_in", "check_out", "expected"),
    [
        ("2031-05-02", "2031-05-02", (422, "invalid-date-range")),
        ("2031-05-02", "2031-05-01", (422, "invalid-date-range")),
        ("2031-05-01", "2041-05-01", (422, "invalid-date-range")),
        ("2020-05-01", "2020-05-02", (422, "invalid-check-in")),
        ("0001-01-01", "0001-01-02", (422, "invalid-check-in")),
        ("9999-12-30", "9999-12-31", (422, "invalid-date-range")),
        ("2031-02-30", "2031-03-01", (400, "invalid")),
        ("2031-05-01T10:00:00Z", "2031-05-02", (400, "invalid")),
        (20310501, "2031-05-02", (400, "invalid")),
        (None, None, (400, "invalid")),
        ([], {}, (400, "invalid")),
    ],
)
def test_dates_that_are_none(
    api: APIClient, rooms: list[int], check_in: Any, check_out: Any, expected: tuple[int, str]
) -> None:
    for wanted in ({"room": rooms[0]}, {"rooms": rooms}, {"room_type": "double"}):
        answer = api.post(LOCKS, {**wanted, "check_in": check_in, "check_out": check_out})
        assert problem(answer) == expected
        assert answer.json()["detail"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"room": "; DROP TABLE locks_allocation"},
        {"room": 1.5},
        {"room": True, "rooms": None},
        {"room": 0},
        {"room": 2**31},
        {"room": 10**400},
        {"rooms": {}},
        {"rooms": [None]},
        {"rooms": "1"},
        {"rooms": [[1]]},
        {"rooms": list(range(1, 12))},
        {"room_type": ["double"]},
        {"room_type": "double", "count": "many"},
        {"room_type": "double", "count": 0},
        {"room_type": "double", "guests": -1},
        {"room_type": "double", "session": {"a": 1}},
        {"room_type": "double", "reference": "x" * 65},
        {"room_type": "double", "reference": "a\u0000b"},
        {},
    ],
    ids=repr,
)
def test_rooms_that_are_none(
    api: APIClient, rooms: list[int], nights: SomeNights, wrong: dict[str, Any]
) -> None:
    answer = api.post(LOCKS, {**wrong, **dates(nights, 1)})
    assert problem(answer) == (400, "invalid")
    assert answer.json()["errors"]
    assert not Allocation.objects.exists()


@pytest.mark.parametrize(
    "body", ["[]", "null", '"hold"', "1", "{", "", '{"room": NaN}', '{"reference": "\\ud800"}']
)
def test_a_body_that_is_no_object(api: APIClient, rooms: list[int], body: str) -> None:
    answer = api.post(LOCKS, body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["type"].startswith("/problems/")


@pytest.mark.parametrize("fencing_token", ["x", -1, 2**63, 1.5, None, [1], True])
def test_a_fence_that_is_none(api: APIClient, hold: dict[str, Any], fencing_token: Any) -> None:
    answer = api.post(
        f"{LOCKS}{hold['id']}/confirm/", {"token": hold["token"], "fencing_token": fencing_token}
    )
    assert answer.status_code in {400, 409}
    assert Allocation.objects.get(id=hold["id"]).status == "held"


@pytest.mark.parametrize("key", [str(uuid.UUID(int=1)), "-" * 36, "f" * 36])
@pytest.mark.parametrize(
    ("what", "more"), [("extend", {}), ("release", {}), ("confirm", {"fencing_token": 1})]
)
def test_an_id_that_is_none(
    api: APIClient, rooms: list[int], what: str, more: dict[str, Any], key: str
) -> None:
    assert api.post(f"{LOCKS}{key}/{what}/", {"token": "x", **more}).status_code == 404


def test_several_rooms_are_held_or_none(
    api: APIClient, hold: dict[str, Any], rooms: list[int], nights: SomeNights
) -> None:
    assert problem(api.post(LOCKS, {"rooms": rooms, **dates(nights, 2, 3)})) == (409, "room-unavailable")
    assert problem(api.post(LOCKS, {"rooms": [*rooms[1:], 9999], **dates(nights, 2)})) == (
        404,
        "room-not-found",
    )
    assert problem(api.post(LOCKS, {"room_type": "double", "count": 3, **dates(nights, 3)})) == (
        409, "room-type-unavailable"
    )  # fmt: skip
    assert Allocation.objects.count() == 1


def test_who_holds_10_000_rooms_is_refused_at_the_cost_of_the_limit(
    api: APIClient, rooms: list[int], nights: SomeNights
) -> None:
    holder = f"key:{ApiKey.objects.get().pk}"
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO locks_allocation (id, room_id, nights, status, token_digest, fencing_token,
                expires_at, max_expires_at, extensions_left, holder, session, reference, reason)
            SELECT gen_random_uuid(), %s, daterange(current_date + day, current_date + day + 1), 'held', '', 1,
                now() + interval '1 hour', now() + interval '1 hour', 0, %s, '', '', ''
            FROM generate_series(1, 10000) AS day
            """,
            [rooms[0], holder],
        )
        before = rows_read()
        answer = api.post(LOCKS, {"room": rooms[1], **dates(nights, 1)})
    assert problem(answer) == (429, "too-many-holds")
    assert answer.json()["limit"] == policy.HOLDS_PER_CLIENT
    assert "release" in answer.json()["detail"]
    # Once to be refused and once to be told why.
    assert rows_read() - before <= 2 * policy.HOLDS_PER_CLIENT + 10


def rows_read() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables "
            "WHERE relid = 'locks_allocation'::regclass"
        )
        [read] = cursor.fetchone()
    return int(read)
