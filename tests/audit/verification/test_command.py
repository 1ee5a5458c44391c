"""Tests of the command `audit_verify`: its results, its exit codes and the remembered checkpoints."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audit.registry import EventType
from audit.sealing.models import Log, StoredTile
from tenants.context import PLATFORM, hotel_context, platform_context
from tenants.models import Hotel
from tests.audit.sealing.trails import record_event, seal_trail

pytestmark = pytest.mark.django_db(transaction=True)


def verify(**options: Any) -> tuple[int, dict[str, Any]]:
    """Run the command `audit_verify`. Return the exit code and the JSON document that the command prints."""
    out = StringIO()
    try:
        call_command("audit_verify", json=True, stdout=out, **options)
    except SystemExit as stop:
        return int(str(stop.code)), json.loads(out.getvalue())
    return 0, json.loads(out.getvalue())


@pytest.fixture
def sealed(hotel: Hotel, other_hotel: Hotel, lamp_lit: EventType) -> Hotel:
    """Seal the trails of the platform and of two hotels, and return one of the hotels."""
    for context in (hotel_context(hotel), hotel_context(other_hotel), platform_context()):
        with context:
            record_event(lamp_lit)
    for tenant in (hotel.tenant, other_hotel.tenant, PLATFORM):
        seal_trail(tenant)
    return hotel


def test_command_verifies_the_platform_and_all_hotels_and_stores_the_results(sealed: Hotel) -> None:
    code, document = verify()
    assert (code, document["result"]) == (0, "valid")
    assert [trail["trail"] for trail in document["trails"]] == ["platform", "alpha", "beta"]
    with platform_context():
        assert set(Log.objects.values_list("verification", flat=True)) == {"valid"}


def test_command_with_one_invalid_trail_verifies_all_trails_and_exits_with_1(sealed: Hotel) -> None:
    with platform_context():
        StoredTile.objects.filter(log__hotel_id=sealed.id).update(hashes=bytes(32))
    code, document = verify()
    assert (code, document["result"]) == (1, "invalid")
    results = {trail["trail"]: (trail["result"], trail["position"]) for trail in document["trails"]}
    assert results == {"platform": ("valid", None), "alpha": ("invalid", 0), "beta": ("valid", None)}


def test_command_without_a_signing_key_exits_with_2(sealed: Hotel, settings: Any) -> None:
    settings.AUDIT_SIGNING_KEY = ""
    code, document = verify(hotel="alpha")
    assert (code, document["result"]) == (2, "undetermined")


def test_remembered_checkpoint_is_compared_and_replaced_if_the_trail_is_valid(
    sealed: Hotel, lamp_lit: EventType, tmp_path: Path
) -> None:
    file = tmp_path / "checkpoints.json"
    assert verify(remember=file)[0] == 0
    first = json.loads(file.read_text())
    assert len(first) == 3
    with hotel_context(sealed):
        record_event(lamp_lit)
    seal_trail(sealed.tenant)
    assert verify(remember=file, hotel="alpha")[0] == 0
    second = json.loads(file.read_text())
    changed = [origin for origin in first if first[origin] != second[origin]]
    assert changed == [f"localhost/audit/{sealed.id}"]
    with platform_context():
        Log.objects.filter(hotel_id=sealed.id).delete()
    seal_trail(sealed.tenant)
    assert (
        verify(hotel="alpha")[0] == 0
    )  # the control: without the remembered checkpoint, the new log is valid
    with hotel_context(sealed):
        record_event(lamp_lit)
    seal_trail(sealed.tenant)
    code, document = verify(remember=file, hotel="alpha")
    assert (code, document["result"]) == (0, "valid")  # the new log has the same events in the same order
    assert json.loads(file.read_text()) != second


def test_command_with_a_damaged_file_of_remembered_checkpoints_exits_with_2(
    sealed: Hotel, tmp_path: Path
) -> None:
    file = tmp_path / "checkpoints.json"
    file.write_text("{")
    with pytest.raises(CommandError, match="cannot be read") as raised:
        call_command("audit_verify", remember=file)
    assert raised.value.returncode == 2


def test_command_with_an_invalid_time_exits_with_2(sealed: Hotel) -> None:
    with pytest.raises(CommandError, match="not a date or time") as raised:
        call_command("audit_verify", since="yesterday")
    assert raised.value.returncode == 2


def test_command_prints_the_number_of_unsealed_events(sealed: Hotel, lamp_lit: EventType) -> None:
    with hotel_context(sealed):
        record_event(lamp_lit)
    _code, document = verify(hotel="alpha")
    assert document["trails"][0]["unsealed"] == 1
