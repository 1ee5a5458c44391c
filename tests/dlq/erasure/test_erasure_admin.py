"""Tests of the admin page that erases one guest's data from the failures of a hotel."""

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from audit.models import Event
from dlq.admin import erasure as page
from dlq.erasure import search, services
from dlq.erasure.models import Erasure
from dlq.models import Failure
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.dlq.conftest import Lamp, capture_failure

pytestmark = pytest.mark.django_db

LIST = "/admin/dlq/failure/"
URL = f"{LIST}erase/"
EMAIL = "ana.silva@guests.example"


@pytest.fixture
def failures(hotel: Hotel, lamp: Lamp) -> list[Failure]:
    """Store two open failures that contain the guest's e-mail address, and a failure that does not."""
    with hotel_context(hotel):
        return [
            capture_failure(to=EMAIL),
            capture_failure(note=f"mail {EMAIL}", retry=False),
            capture_failure(to="bob@guests.example"),
        ]


def post(client: Client, **fields: str) -> str:
    response = client.post(URL, fields, follow=True)
    assert response.status_code == 200
    return " ".join(unescape(re.sub(r"<[^>]+>", "", response.content.decode())).split())


def payloads(hotel: Hotel) -> list[dict[str, Any]]:
    with hotel_context(hotel):
        return list(Failure.objects.order_by("id").values_list("payload", flat=True))


def test_preview_shows_what_would_be_erased_and_changes_nothing(
    staff: Client, hotel: Hotel, failures: list[Failure]
) -> None:
    before = payloads(hotel)
    text = post(staff, identifier=f" {EMAIL} ")
    assert "The data will be erased from 2 failures. 2 open failures will be discarded." in text
    assert f"Failures that contain {EMAIL}" in text
    html = staff.post(URL, {"identifier": EMAIL}).content.decode()
    assert [str(failure.id) in html for failure in failures] == [True, True, False]
    assert payloads(hotel) == before
    with hotel_context(hotel):
        assert not Erasure.objects.exists()


def test_confirmed_erasure_erases_the_guest_and_is_recorded_without_the_identifier(
    staff: Client, hotel: Hotel, failures: list[Failure]
) -> None:
    text = post(staff, identifier=EMAIL, confirmed="1")
    assert "The data of the guest were erased from 2 failures. 2 open failures were discarded." in text
    assert payloads(hotel) == [{}, {}, failures[2].payload]
    with hotel_context(hotel):
        event = Event.objects.get(event="failure.erased")
        assert event.data == {"failures": 2, "discarded": 2, "attempts": 2, "groups": 0, "events": 0}
        assert event.actor_id == str(User.objects.get().id)
        assert EMAIL not in str(list(Event.objects.values()))
        assert [erasure.is_pending for erasure in Erasure.objects.all()] == [False]


def test_erasure_that_takes_too_long_is_finished_by_a_task(
    staff: Client, hotel: Hotel, failures: list[Failure], eager: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "MAX_SECONDS", 0.0)
    monkeypatch.setattr(search, "BATCH_SIZE", 1)
    assert "The numbers below are too low." in post(staff, identifier=EMAIL)
    assert "The data are being erased." in post(staff, identifier=EMAIL, confirmed="1")
    assert payloads(hotel) == [{}, {}, failures[2].payload]
    with hotel_context(hotel):
        assert [event.data["failures"] for event in Event.objects.filter(event="failure.erased")] == [1, 1]
        assert not Erasure.objects.filter(is_pending=True).exists()


def test_erasure_whose_task_was_not_sent_can_be_finished_later(hotel: Hotel, failures: list[Failure]) -> None:
    with hotel_context(hotel), pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "BATCH_SIZE", 1)
        patch.setattr("tenants.queue.celery_task.HotelTask.try_delay", lambda _task: False)
        assert not services.forget_within(EMAIL, seconds=0).is_complete
        assert services.apply_pending().failures == 1
    assert payloads(hotel) == [{}, {}, failures[2].payload]


@pytest.mark.parametrize(
    ("identifier", "message"),
    [
        ("ab", "Enter an e-mail address, a phone number or a reservation number."),
        ("", "This field is required."),
        ("nobody@guests.example", "No failure contains this value."),
    ],
)
def test_erasure_page_shows_a_message_for_an_invalid_or_unknown_identifier(
    staff: Client, failures: list[Failure], identifier: str, message: str
) -> None:
    text = post(staff, identifier=identifier)
    assert message in text
    assert "Erase the data" not in text


def test_only_managers_of_the_hotel_can_erase_a_guest(
    staff: Client, hotel: Hotel, failures: list[Failure]
) -> None:
    assert URL in staff.get(LIST).content.decode()
    for role in (Role.FRONT_DESK, Role.AUDITOR):
        client = Client(SERVER_NAME="alpha.localhost")
        with hotel_context(hotel):
            client.force_login(User.objects.create_user(username=role, password=None, role=role))
        assert URL not in client.get(LIST).content.decode()
        assert client.post(URL, {"identifier": EMAIL, "confirmed": "1"}).status_code == 403
    assert {} not in payloads(hotel)


def test_admin_of_the_platform_has_no_page_to_erase_a_guest(platform: None, lamp: Lamp) -> None:
    operator = Client(SERVER_NAME="localhost")
    operator.force_login(User.objects.create_user(username="operator", password=None, role=Role.PLATFORM))
    assert operator.get(URL).status_code == 403
    assert URL not in operator.get(LIST).content.decode()
