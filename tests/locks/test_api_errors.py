"""Tests of the problem documents that the REST API of holds returns for invalid requests."""

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
    period = nights(start, count)
    return {"check_in": period.check_in.isoformat(), "check_out": period.check_out.isoformat()}


def problem(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["type"].removeprefix("/problems/")


@pytest.fixture
def hold(api: APIClient, rooms: list[int], nights: SomeNights) -> dict[str, Any]:
    created: dict[str, Any] = api.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 3)}).json()
    return created


def test_extending_or_confirming_a_released_hold_returns_hold_state_error(
    api: APIClient, hold: dict[str, Any], rooms: list[int]
) -> None:
    token, tokens = (
        {"token": hold["token"]},
        {"token": hold["token"], "fencing_token": hold["fencing_token"]},
    )
    address = f"{LOCKS}{hold['id']}/"
    assert api.post(f"{address}release/", token).status_code == 200
    assert api.post(f"{address}release/", token).status_code == 200  # a repeated release is not an error
    assert problem(api.post(f"{address}extend/", token)) == (409, "hold-state-error")
    assert problem(api.post(f"{address}confirm/", tokens)) == (409, "hold-state-error")


def test_extending_or_releasing_a_confirmed_hold_returns_hold_state_error(
    api: APIClient, hold: dict[str, Any]
) -> None:
    token, tokens = (
        {"token": hold["token"]},
        {"token": hold["token"], "fencing_token": hold["fencing_token"]},
    )
    address = f"{LOCKS}{hold['id']}/"
    assert api.post(f"{address}confirm/", tokens).status_code == 200
    assert problem(api.post(f"{address}extend/", token)) == (409, "hold-state-error")
    assert problem(api.post(f"{address}release/", token)) == (409, "hold-state-error")


def test_requests_with_the_token_of_another_hold_return_invalid_hold_token(
    api: APIClient, hold: dict[str, Any], rooms: list[int], nights: SomeNights
) -> None:
    other = api.post(LOCKS, {"rooms": rooms[1:2], **dates(nights, 3)}).json()
    address = f"{LOCKS}{hold['id']}/"
    for action, fields in (
        ("extend", {}),
        ("release", {}),
        ("confirm", {"fencing_token": hold["fencing_token"]}),
    ):
        body = {"token": other["token"], **fields}
        assert problem(api.post(f"{address}{action}/", body)) == (403, "invalid-hold-token")


def test_requests_for_a_hold_of_another_hotel_return_hold_not_found(
    api: APIClient, hold: dict[str, Any], other_hotel: Hotel
) -> None:
    with hotel_context(other_hotel):
        _, secret = api_keys.create(name="other", scopes=["locks:read", "locks:write"])
    other_api = APIClient(SERVER_NAME=f"{other_hotel.slug}.{ALPHA_HOST.partition('.')[2]}")
    other_api.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    address = f"{LOCKS}{hold['id']}/"
    for action, fields in (
        ("extend", {}),
        ("release", {}),
        ("confirm", {"fencing_token": hold["fencing_token"]}),
    ):
        body = {"token": hold["token"], **fields}
        assert problem(other_api.post(f"{address}{action}/", body)) == (404, "hold-not-found")
    assert api.get(address).json()["status"] == "held"


def test_confirmation_with_an_earlier_fencing_token_returns_stale_fencing_token(
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
def test_request_for_a_hold_with_invalid_dates_returns_the_reason(
    api: APIClient, rooms: list[int], check_in: Any, check_out: Any, expected: tuple[int, str]
) -> None:
    for rooms_wanted in ({"room": rooms[0]}, {"rooms": rooms}, {"room_type": "double"}):
        response = api.post(LOCKS, {**rooms_wanted, "check_in": check_in, "check_out": check_out})
        assert problem(response) == expected
        assert response.json()["detail"]


@pytest.mark.parametrize(
    "invalid",
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
def test_request_for_a_hold_of_invalid_rooms_returns_400_and_holds_nothing(
    api: APIClient, rooms: list[int], nights: SomeNights, invalid: dict[str, Any]
) -> None:
    response = api.post(LOCKS, {**invalid, **dates(nights, 1)})
    assert problem(response) == (400, "invalid")
    assert response.json()["errors"]
    assert not Allocation.objects.exists()


@pytest.mark.parametrize(
    "body", ["[]", "null", '"hold"', "1", "{", "", '{"room": NaN}', '{"reference": "\\ud800"}']
)
def test_create_with_a_body_that_is_not_an_object_returns_400(
    api: APIClient, rooms: list[int], body: str
) -> None:
    response = api.post(LOCKS, body, content_type="application/json")
    assert response.status_code == 400
    assert response.json()["type"].startswith("/problems/")


@pytest.mark.parametrize("fencing_token", ["x", -1, 2**63, 1.5, None, [1], True])
def test_confirmation_with_an_invalid_fencing_token_is_refused(
    api: APIClient, hold: dict[str, Any], fencing_token: Any
) -> None:
    response = api.post(
        f"{LOCKS}{hold['id']}/confirm/", {"token": hold["token"], "fencing_token": fencing_token}
    )
    assert response.status_code in {400, 409}
    assert Allocation.objects.get(id=hold["id"]).status == "held"


@pytest.mark.parametrize("key", [str(uuid.UUID(int=1)), "-" * 36, "f" * 36])
@pytest.mark.parametrize(
    ("action", "fields"), [("extend", {}), ("release", {}), ("confirm", {"fencing_token": 1})]
)
def test_requests_with_an_unknown_id_return_404(
    api: APIClient, rooms: list[int], action: str, fields: dict[str, Any], key: str
) -> None:
    assert api.post(f"{LOCKS}{key}/{action}/", {"token": "x", **fields}).status_code == 404


def test_request_for_several_rooms_holds_none_if_one_room_is_unavailable(
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


def test_limit_of_holds_is_checked_without_reading_all_10000_holds(
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
        response = api.post(LOCKS, {"room": rooms[1], **dates(nights, 1)})
    assert problem(response) == (429, "too-many-holds")
    assert response.json()["limit"] == policy.MAX_HOLDS_PER_CLIENT
    assert "release" in response.json()["detail"]
    # The failed attempt reads the client's holds once, and the search for the reason of the failure reads them again.
    assert rows_read() - before <= 2 * policy.MAX_HOLDS_PER_CLIENT + 10


def rows_read() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables "
            "WHERE relid = 'locks_allocation'::regclass"
        )
        [read] = cursor.fetchone()
    return int(read)
