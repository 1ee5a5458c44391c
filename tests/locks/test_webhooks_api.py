"""Webhooks over REST and in the admin."""

import json
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from rest_framework.test import APIClient

from locks.webhooks.services import create_webhook
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.conftest import ALPHA_HOST
from tests.locks.helpers import events_of
from tests.locks.receiver import Receiver, verify

pytestmark = pytest.mark.django_db

HOOKS = "/api/v1/webhooks/"


def test_a_webhook_is_made_tested_changed_and_deleted(
    api: APIClient, in_hotel: Hotel, receiver: Receiver
) -> None:
    made = api.post(HOOKS, {"url": receiver.url, "events": ["hold.confirmed", "hold.expired"]})
    assert made.status_code == 201, made.json()
    hook = made.json()
    assert hook["secret"].startswith("whsec_")
    address = f"{HOOKS}{hook['id']}/"
    assert "secret" not in api.get(address).json()
    tested = api.post(f"{address}ping/").json()
    assert (tested["delivered"], tested["status"]) == (True, 204)
    [(headers, body)] = receiver.requests
    assert json.loads(body)["type"] == "ping"
    assert verify(hook["secret"], headers, body)
    changed = api.patch(address, {"active": False, "events": ["hold.created"]}).json()
    assert (changed["active"], changed["events"]) == (False, ["hold.created"])
    assert api.delete(address).status_code == 204
    assert api.get(address).status_code == 404
    told = [len(events_of(f"webhook.{what}")) for what in ("created", "tested", "updated", "deleted")]
    assert told == [1, 1, 1, 1]
    [event] = events_of("webhook.created")
    assert event.data["host"] == "127.0.0.1"
    assert "tenant=1" not in str(event.data)


def test_a_secret_is_rotated_and_shown_once(api: APIClient, in_hotel: Hotel, receiver: Receiver) -> None:
    hook = api.post(HOOKS, {"url": receiver.url, "events": ["hold.created"]}).json()
    address = f"{HOOKS}{hook['id']}/"

    def rotate() -> Any:
        return api.post(
            f"{address}rotate-secret/", {"overlap_hours": 2}, headers={"Idempotency-Key": "rotate-1"}
        )

    rotated = rotate()
    assert rotated.status_code == 200, rotated.json()
    secret = rotated.json()["secret"]
    assert secret.startswith("whsec_")
    assert secret != hook["secret"]
    assert rotate().json()["secret"] == secret
    shown = api.get(address).json()
    assert shown["previous_secret_expires_at"] == rotated.json()["previous_secret_expires_at"]
    assert "secret" not in shown
    api.post(f"{address}ping/")
    [(headers, body)] = receiver.requests
    assert verify(secret, headers, body)
    assert verify(hook["secret"], headers, body)
    [event] = events_of("webhook.secret_rotated")
    assert event.data["host"] == "127.0.0.1"
    assert secret not in str(event.data)


@pytest.mark.parametrize("hours", [-1, 169, "a day"])
def test_an_overlap_has_bounds(api: APIClient, in_hotel: Hotel, receiver: Receiver, hours: int | str) -> None:
    hook = api.post(HOOKS, {"url": receiver.url, "events": ["hold.created"]}).json()
    refused = api.post(f"{HOOKS}{hook['id']}/rotate-secret/", {"overlap_hours": hours})
    assert refused.status_code == 400
    assert api.post(f"{HOOKS}{UUID(int=1)}/rotate-secret/").status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"url": "https://pms.example.com/", "events": []}, 400),
        ({"url": "https://pms.example.com/", "events": ["guest.arrived"]}, 400),
        ({"url": "https://pms.example.com/", "events": ["hold.created"], "sekret": "x"}, 400),
        ({"url": "http://pms.example.com/", "events": ["hold.created"]}, 422),
        ({"url": "https://169.254.169.254/", "events": ["hold.created"]}, 422),
    ],
)
def test_what_can_t_be_a_webhook(api: APIClient, settings: Any, body: dict[str, Any], status: int) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = False
    assert api.post(HOOKS, body).status_code == status


def test_who_may_hold_rooms_may_not_have_all_holds_told(hotel: Hotel) -> None:
    with hotel_context(hotel):
        _, secret = api_keys.create(name="engine", scopes=["locks:write"])
    client = APIClient(SERVER_NAME=ALPHA_HOST)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    refused = client.post(HOOKS, {"url": "https://pms.example.com/", "events": ["hold.created"]})
    assert (refused.status_code, refused.json()["required_scope"]) == (403, "webhooks:write")


def test_another_hotel_s_webhook_is_none(api: APIClient, other_hotel: Hotel, receiver: Receiver) -> None:
    with hotel_context(other_hotel):
        theirs, _secret = create_webhook(url=receiver.url, topics=["hold.created"])
    assert api.post(f"{HOOKS}{theirs.id}/ping/").status_code == 404
    assert receiver.requests == []


def test_the_description_says_what_is_sent(api: APIClient) -> None:
    document = Client(SERVER_NAME=ALPHA_HOST).get("/api/schema/?format=json").json()
    assert {"hold.created", "hold.expiring_soon", "stay.moved", "waiting_list.offered"} <= document[
        "webhooks"
    ].keys()
    notice = document["webhooks"]["hold.created"]["post"]
    assert "webhook-signature" in notice["description"]
    assert "webhooks" not in Client(SERVER_NAME="localhost").get("/api/schema/?format=json").json()
