"""Tests of exports of a trail: the stand-alone verifier accepts exports, and finds changed events."""

import base64
import csv
import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from audit.models import Event
from audit.registry import EventType
from audit.transparency.checkpoints import unverified_checkpoint
from audit.transparency.merkle import leaf_hash, verify_inclusion
from audit.transparency.notes import PrivateKey
from deploy import verify_trail
from tenants.context import hotel_context, platform_context
from tenants.database.connections import direct_connection
from tenants.models import Hotel
from tests.audit.sealing.trails import record_events, seal_trail

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sealed(hotel: Hotel, lamp_lit: EventType, as_ana: Any) -> Hotel:
    for number in (300, 20):
        with hotel_context(hotel):
            record_events(lamp_lit, number)
        seal_trail(hotel.tenant)
    return hotel


def export(folder: Path, **options: Any) -> Path:
    path = folder / "export"
    call_command("audit_export", hotel="alpha", to=path, stdout=StringIO(), force=True, **options)
    return path


@pytest.fixture
def key_path(tmp_path: Path, signing_key: PrivateKey) -> str:
    path = tmp_path / "key.txt"
    path.write_text(signing_key.public.text)
    return str(path)


def test_standalone_verifier_accepts_an_export_that_only_its_owner_can_read(
    sealed: Hotel, tmp_path: Path, key_path: str, capsys: Any
) -> None:
    path = export(tmp_path)
    assert verify_trail.main([str(path), "--key", key_path]) == 0
    assert "320 events from position 0 on" in capsys.readouterr().out
    assert path.stat().st_mode & 0o777 == 0o600
    event = json.loads(path.read_text().splitlines()[10])
    assert event["personal"]["actor"]["value"]["label"] == "ana"
    with hotel_context(sealed):
        recorded = Event.objects.get(event="audit.exported")
    assert recorded.data == {"first": 0, "events": 320, "format": "jsonl"}


def test_event_that_was_changed_in_the_database_makes_the_export_invalid(
    sealed: Hotel, tmp_path: Path, key_path: str, capsys: Any
) -> None:
    with hotel_context(sealed):
        changed = Event.objects.order_by("transaction", "id")[256]
    with direct_connection(), hotel_context(sealed), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_event DISABLE TRIGGER USER")
        cursor.execute("UPDATE audit_event SET severity = 4 WHERE id = %s", [changed.id])
        cursor.execute("ALTER TABLE audit_event ENABLE TRIGGER USER")
    assert verify_trail.main([str(export(tmp_path)), "--key", key_path]) == 1
    assert "position 256" in capsys.readouterr().out


def test_export_of_a_period_is_a_valid_part_of_the_log(sealed: Hotel, tmp_path: Path, key_path: str) -> None:
    with hotel_context(sealed):
        newest = Event.objects.order_by("-transaction")[0].at
    later = export(tmp_path, since=newest.isoformat())
    assert json.loads(later.read_text().splitlines()[0])["from"] == 300
    assert verify_trail.main([str(later), "--key", key_path, "--part"]) == 0
    earlier = export(tmp_path, until=newest.isoformat())
    header = json.loads(earlier.read_text().splitlines()[0])
    assert (header["from"], header["to"]) == (0, 300)
    nothing = export(tmp_path, since=(newest + timedelta(hours=1)).isoformat())
    assert verify_trail.main([str(nothing), "--key", key_path, "--part"]) == 0


def test_each_row_of_a_csv_export_has_a_proof_that_leads_to_the_checkpoint(
    sealed: Hotel, tmp_path: Path
) -> None:
    rows = list(csv.reader(export(tmp_path, format="csv").read_text().splitlines(keepends=True)))
    assert len(rows) == 321
    checkpoint = unverified_checkpoint(rows[0][-1])
    for row in (rows[1], rows[256], rows[257], rows[320]):
        proof = [base64.b64decode(part) for part in row[7].split()]
        verify_inclusion(leaf_hash(row[5].encode()), int(row[0]), checkpoint.size, proof, checkpoint.root)


def test_trail_without_a_checkpoint_cannot_be_exported(hotel: Hotel, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No event of this trail is sealed"):
        export(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with platform_context():
        assert not Event.objects.filter(event="audit.exported").exists()
