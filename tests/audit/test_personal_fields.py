"""Tests of personal and secret event fields, of their stored hashes, and of the trigger that allows only erasure."""

import base64
import hashlib
import json
from typing import Any

import pytest
from django.db import ProgrammingError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.entries import MAX_ENTRY_BYTES, canonical_json, commitment, entry
from audit.models import Event
from audit.recording.values import SECRET_MASK
from audit.registry import EventType
from audit.services import record, record_many
from tenants.context import Actor, hotel_context
from tenants.database.connections import direct_connection
from tenants.models import Hotel

FIELDS: dict[str, Any] = {"room": 7, "guest": "Ada Lovelace", "reason": None, "pin": "4711"}


def call(event_type: EventType, **changed: Any) -> Event:
    return Event.objects.get(id=record(event_type, **{**FIELDS, **changed}).id)


def execute(statement: str, *values: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)


def erase(event: Event, field: str) -> None:
    execute(
        "UPDATE audit_event SET personal = jsonb_set(personal, ARRAY[%s], audit_erased(personal -> %s)) WHERE id = %s",
        field,
        field,
        event.id,
    )


@pytest.mark.django_db
def test_personal_fields_are_stored_with_salts_and_secret_fields_are_masked(
    in_hotel: Hotel, guest_called: EventType
) -> None:
    record(guest_called, **FIELDS)
    record_many(guest_called, [(None, FIELDS)])
    for event in Event.objects.filter(event="guest.called"):
        assert event.data == {"room": 7, "pin": SECRET_MASK}
        assert event.personal
        assert {name: field["value"] for name, field in event.personal.items()} == {
            "guest": "Ada Lovelace",
            "reason": None,
        }
        assert len({field["salt"] for field in event.personal.values()}) == 2
        assert event.fields == {**FIELDS, "pin": SECRET_MASK}
        assert (event.version, event.severity, event.outcome) == (2, 3, 3)


@pytest.mark.django_db
def test_erasure_of_a_field_keeps_the_entry_and_removes_the_value(
    in_hotel: Hotel, guest_called: EventType, as_ana: Actor
) -> None:
    event = call(guest_called)
    before = entry(event)
    assert b"Ada" not in before
    assert b"ana" not in before
    for field in ("guest", "actor"):
        erase(event, field)
    erased = Event.objects.get(id=event.id)
    assert entry(erased) == before
    assert erased.erased_fields == ["actor", "guest"]
    assert "Ada" not in str(erased.personal)
    assert erased.ip is None
    assert erased.description == "staff member called ?"


@pytest.mark.django_db
def test_commitment_to_a_value_is_the_sha_256_of_salt_and_canonical_json(
    in_hotel: Hotel, guest_called: EventType
) -> None:
    event = call(guest_called, guest={"b": "ü", "a": [1, None, True]})
    assert event.personal
    salt = base64.b64decode(event.personal["guest"]["salt"])
    expected = hashlib.sha256(salt + '{"a":[1,null,true],"b":"ü"}'.encode()).hexdigest()
    assert json.loads(entry(event))["personal"]["guest"] == expected
    assert commitment(event.personal["guest"]) == expected


FORGED = [
    ("another value", {"salt": "AAAA", "value": "Eve"}),
    ("another digest", {"digest": "0" * 64}),
    ("no digest", {"digest": None}),
    ("nothing", None),
]


@pytest.mark.parametrize("connection_kind", ["runtime", "owner"])
@pytest.mark.django_db(transaction=True)
def test_update_of_personal_values_is_refused_unless_it_is_an_erasure(
    hotel: Hotel, guest_called: EventType, connection_kind: str
) -> None:
    with hotel_context(hotel):
        event = call(guest_called)
        if connection_kind == "owner":
            with direct_connection():
                _refuse_forged_values(event)
        else:
            _refuse_forged_values(event)
        erase(event, "guest")
        erased = Event.objects.get(id=event.id)
        assert erased.personal
        assert event.personal
        for stored in (event.personal["guest"], {"digest": None}, {"digest": "0" * 64}):
            with pytest.raises(ProgrammingError, match="append-only"):
                _set_personal(event, {**erased.personal, "guest": stored})


def _refuse_forged_values(event: Event) -> None:
    assert event.personal
    values = [{**event.personal, "guest": value} for _name, value in FORGED]
    values += [{**event.personal, "new": {"digest": None}}, {"guest": event.personal["guest"]}]
    for personal in values:
        with pytest.raises(ProgrammingError, match="append-only"):
            _set_personal(event, personal)
    with pytest.raises(ProgrammingError, match="append-only"):
        execute("UPDATE audit_event SET personal = NULL WHERE id = %s", event.id)


def _set_personal(event: Event, personal: dict[str, Any]) -> None:
    execute("UPDATE audit_event SET personal = %s::jsonb WHERE id = %s", json.dumps(personal), event.id)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), children, max_size=4
        )
    ),
    max_leaves=12,
)


@pytest.mark.django_db
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(value=_JSON)
def test_database_and_python_encode_values_to_the_same_canonical_json(in_hotel: Hotel, value: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_canonical_json(%s::jsonb)", [json.dumps(value)])
        assert cursor.fetchone()[0].encode() == canonical_json(value)


@pytest.mark.django_db
@pytest.mark.parametrize("value", ["x" * 1_000_000, "\\" * 200_000, "ü" * 100_000, ["y" * 100] * 5000])
def test_long_values_are_shortened_and_the_event_names_the_shortened_fields(
    in_hotel: Hotel, guest_called: EventType, value: object
) -> None:
    event = call(guest_called, room=value, guest=value)
    assert event.data["cut"] == ["guest", "room"]
    assert event.fields["room"].endswith("…")
    assert event.fields["guest"].endswith("…")
    assert event.fields["reason"] is None
    assert len(entry(event)) <= MAX_ENTRY_BYTES
    assert len(json.dumps(event.personal, ensure_ascii=False).encode()) <= MAX_ENTRY_BYTES


@pytest.mark.django_db
def test_characters_that_postgresql_refuses_are_replaced(in_hotel: Hotel, guest_called: EventType) -> None:
    event = call(guest_called, room={"a\0": "\ud800", "b": ["\0"]}, guest="\0Ada\udfff")
    assert event.data["room"] == {"a\ufffd": "?", "b": ["\ufffd"]}
    assert event.fields["guest"] == "\ufffdAda?"


@pytest.mark.django_db
def test_entry_contains_the_actor_and_request_and_omits_empty_columns(
    in_hotel: Hotel, lamp_lit: EventType, as_ana: Actor
) -> None:
    event = Event.objects.get(id=record(lamp_lit, subject=("lamp", 1), colour=1.5).id)
    members = json.loads(entry(event))
    assert members.pop("personal").keys() == {"actor"}
    assert members == {
        "v": 1,
        "id": str(event.id),
        "at": event.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "event": "lamp.lit",
        "version": 1,
        "severity": 1,
        "outcome": 1,
        "actor": ["user", as_ana.id],
        "request": "request-1",
        "subject": ["lamp", "1"],
        "data": {"colour": "1.5"},
    }
