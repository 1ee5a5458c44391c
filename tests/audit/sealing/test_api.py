"""Tests of the REST API of the transparency log, and of the stream of sealed events."""

import base64
import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from audit.models import Event
from audit.registry import EventType
from audit.sealing.models import Log
from audit.transparency.checkpoints import open_checkpoint
from audit.transparency.merkle import leaf_hash, subtree_hash, verify_inclusion
from audit.transparency.notes import PrivateKey
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.audit.sealing.trails import record_events, seal_trail

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def log(hotel: Hotel, lamp_lit: EventType, api: APIClient) -> Log:
    with hotel_context(hotel):
        record_events(lamp_lit, 300)
    return seal_trail(hotel.tenant)


def read_all(api: APIClient, cursor: str = "") -> tuple[list[dict[str, Any]], str]:
    """Read the stream page by page, and return its events and the last cursor."""
    events: list[dict[str, Any]] = []
    while True:
        page = api.get(f"/api/v1/audit/stream/?cursor={cursor}&limit=100").json()
        events += page["events"]
        cursor = page["cursor"]
        if not page["has_more"]:
            return events, cursor


def test_proof_of_an_event_leads_to_the_signed_checkpoint(
    api: APIClient, hotel: Hotel, log: Log, signing_key: PrivateKey
) -> None:
    with hotel_context(hotel):
        event = Event.objects.filter(event="lamp.lit").order_by("transaction", "id")[257]
    body = api.get(f"/api/v1/audit/{event.id}/proof/").json()
    note = api.get("/api/v1/audit/log/checkpoint").content.decode()
    assert body["checkpoint"] == note
    checkpoint, _signers = open_checkpoint(note, [signing_key.public], origin=log.origin)
    proof = [base64.b64decode(part) for part in body["proof"]]
    leaf = leaf_hash(body["entry"].encode())
    verify_inclusion(leaf, body["position"], checkpoint.size, proof, checkpoint.root)
    assert json.loads(body["entry"])["id"] == str(event.id)


def test_each_tile_contains_the_hashes_of_the_entries_in_its_bundle(api: APIClient, log: Log) -> None:
    hashes = api.get("/api/v1/audit/log/tile/0/000").content
    bundle = api.get("/api/v1/audit/log/tile/entries/000").content
    leaves, at = b"", 0
    while at < len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        leaves += leaf_hash(bundle[at + 2 : end])
        at = end
    assert leaves == hashes
    assert api.get("/api/v1/audit/log/tile/1/000.p/1").content == subtree_hash(hashes)
    width = log.size - 256
    assert len(api.get(f"/api/v1/audit/log/tile/0/001.p/{width}").content) == width * 32
    assert api.get(f"/api/v1/audit/log/tile/0/001.p/{width + 1}").status_code == 404
    assert api.get("/api/v1/audit/log/tile/0/../001").status_code == 404


def test_stream_of_sealed_events_continues_after_the_cursor_without_gaps(
    api: APIClient, hotel: Hotel, log: Log, lamp_lit: EventType
) -> None:
    first, cursor = read_all(api)
    assert [event["position"] for event in first] == list(range(log.size))
    again, _cursor = read_all(api)
    assert again == first
    with hotel_context(hotel):
        record_events(lamp_lit, 2)
    later = seal_trail(hotel.tenant)
    second, _cursor = read_all(api, cursor)
    assert [event["position"] for event in second] == list(range(log.size, later.size))
    with hotel_context(hotel):
        recorded = set(map(str, Event.objects.values_list("id", flat=True)))
    streamed = {json.loads(event["entry"])["id"] for event in first + second}
    assert len(streamed) == later.size
    assert streamed <= recorded


def test_cursor_of_another_hotel_or_a_changed_cursor_is_refused(
    api: APIClient, hotel: Hotel, other_hotel: Hotel, log: Log, lamp_lit: EventType
) -> None:
    with hotel_context(other_hotel):
        record_events(lamp_lit, 1)
    other = seal_trail(other_hotel.tenant)
    for cursor, message in (
        (f"{other.pk.hex}.1", "another hotel"),
        (f"{log.pk.hex}.{log.size + 1}", "was changed"),
        ("1", "was changed"),
    ):
        response = api.get("/api/v1/audit/stream/", {"cursor": cursor})
        assert response.status_code == 422
        assert response.json()["type"].endswith("/problems/invalid-trail-cursor")
        assert message in response.json()["detail"]


def test_log_of_a_trail_without_sealed_events_returns_404(api: APIClient, hotel: Hotel) -> None:
    response = api.get("/api/v1/audit/log/checkpoint")
    assert response.status_code == 404
    assert response.json()["type"].endswith("/problems/trail-not-sealed")


def test_log_is_forbidden_without_the_scope_to_read_the_trail(hotel: Hotel, log: Log) -> None:
    with hotel_context(hotel):
        _key, text = api_keys.create(name="rooms", scopes=["rooms:read"])
    client = APIClient(SERVER_NAME="alpha.localhost")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    for path in ("log/checkpoint", "log/tile/0/000", "stream/"):
        assert client.get(f"/api/v1/audit/{path}").status_code == 403
