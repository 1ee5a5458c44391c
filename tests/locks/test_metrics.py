"""Tests of the metric that counts the held rooms of all hotels. The metric is read with a single query."""

import re

import pytest
from django.db import connection
from django.test import Client

from locks import services
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.locks.conftest import SomeNights


@pytest.mark.django_db(transaction=True)
def test_metrics_page_contains_the_number_of_holds_of_all_hotels(
    hotel: Hotel, other_hotel: Hotel, rooms: list[int], nights: SomeNights
) -> None:
    for start in range(3):
        services.acquire_hold(rooms=rooms[:1], nights=nights(start))
    ended = services.acquire_hold(rooms=rooms[:1], nights=nights(4))
    services.release_hold(ended.id, token=ended.token)
    expired = services.acquire_hold(rooms=rooms[:1], nights=nights(5))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE public.tenants_dueitem SET due_at = now(), claim_at = now() + interval '5 min' WHERE item_id = %s",
            [expired.id],
        )
    with hotel_context(other_hotel):
        [room] = services.ensure_rooms({"suite": 1})["suite"]
        services.acquire_hold(rooms=[room], nights=nights(1))
    page = Client(SERVER_NAME="10.0.0.1", REMOTE_ADDR="127.0.0.1").get("/metrics").content.decode()
    assert re.search(r"^hotelagent_holds_active 4\.0$", page, re.MULTILINE), page[-400:]
    assert "alpha" not in page


def test_metrics_page_is_returned_without_access_to_a_database() -> None:
    page = Client(SERVER_NAME="10.0.0.1", REMOTE_ADDR="127.0.0.1").get("/metrics").content.decode()
    assert "hotelagent_request_seconds" in page
