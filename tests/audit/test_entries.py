"""Tests that the stand-alone verifier accepts exports of recorded events, also after personal values are erased."""

import json
from pathlib import Path
from typing import Any

import pytest

from audit.entries import canonical_json, commitment, entry
from audit.models import Event
from audit.registry import EventType
from audit.transparency.export_format import ExportedEvent
from deploy import verify_trail
from hotelagent.core.ids import uuid7
from tenants.context import Actor
from tenants.models import Hotel
from tests.audit.test_personal_fields import call, erase, execute
from tests.audit.transparency.exports import KEY, Trail, text_of


def export_of(events: list[Event], folder: Path) -> list[str]:
    """Write an export of a log with these events to a folder. Return the command-line arguments for the verifier."""
    trail = Trail()
    trail.append([ExportedEvent(0, entry(event), event.personal or {}) for event in events])
    (folder / "export.jsonl").write_text(text_of(trail.export()))
    (folder / "key.txt").write_text(KEY.public.text)
    return [str(folder / "export.jsonl"), "--key", str(folder / "key.txt")]


@pytest.mark.django_db
def test_export_of_recorded_events_is_valid_before_and_after_an_erasure(
    in_hotel: Hotel,
    guest_called: EventType,
    as_ana: Actor,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    values: list[Any] = [
        'Ada\u2028\x07\x7f"\\ü🛎',
        7,
        1.5,
        True,
        None,
        [1, {"ß": [], "z": {}, "\u0101": "a"}],
        2**70,
    ]
    keys = [call(guest_called, guest=value, room=value).id for value in values]
    assert verify_trail.main(export_of([Event.objects.get(id=key) for key in keys], tmp_path)) == 0
    assert "0 personal values are erased" in capsys.readouterr().out

    for key in keys:
        erase(Event.objects.get(id=key), "guest")
    assert verify_trail.main(export_of([Event.objects.get(id=key) for key in keys], tmp_path)) == 0
    assert f"{len(keys)} personal values are erased" in capsys.readouterr().out


def insert_copy(event: Event, *, data: str, personal: str) -> Event:
    """Insert a copy of an event whose JSON texts are passed to PostgreSQL unchanged. Return the copy."""
    copied = "event, version, severity, outcome, actor_kind, actor_id, request_id, task_id, idempotency_key"
    key = uuid7()
    execute(
        f"INSERT INTO audit_event (id, data, personal, subject_kind, subject_id, {copied})"
        f" SELECT %s, %s::jsonb, %s::jsonb, subject_kind, subject_id, {copied} FROM audit_event WHERE id = %s",
        key,
        data,
        personal,
        event.id,
    )
    return Event.objects.get(id=key)


NUMBERS = ["1.10", "1.0", "-0.50", "1e-7", "123456789012345678901234567890.10", "1E3"]


@pytest.mark.django_db
@pytest.mark.parametrize("number", NUMBERS)
def test_erasure_of_a_number_with_a_fraction_keeps_the_signed_hash(
    in_hotel: Hotel, guest_called: EventType, number: str
) -> None:
    personal = f'{{"guest": {{"salt": "AAAAAAAAAAAAAAAAAAAAAA==", "value": {number}}}}}'
    event = insert_copy(call(guest_called), data="{}", personal=personal)
    assert event.personal
    signed = commitment(event.personal["guest"])
    erase(event, "guest")
    assert Event.objects.get(id=event.id).personal == {"guest": {"digest": signed}}


@pytest.mark.django_db
def test_different_numbers_that_are_equal_as_floats_have_different_canonical_texts(
    in_hotel: Hotel, guest_called: EventType
) -> None:
    event = call(guest_called)
    texts = []
    for number in ("0.1", "0.10000000000000000001"):
        inserted = insert_copy(event, data=f'{{"room": {number}}}', personal="{}")
        texts.append(json.loads(entry(inserted))["data"])
    assert texts == [{"room": "0.1"}, {"room": "0.10000000000000000001"}]


@pytest.mark.parametrize("value", [{"b": [1, None, True, {"ü": "\x7f\u2028"}], "a": ""}, "1.50", [], -3])
def test_verifier_and_audit_app_encode_values_to_the_same_canonical_json(value: Any) -> None:
    assert verify_trail.canonical_json(value) == canonical_json(value)
