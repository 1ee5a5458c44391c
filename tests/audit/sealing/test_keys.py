"""Tests of the keys that sign the trails: unusable keys are reported, and trails stay valid during a key rotation."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audit import checks
from audit.errors import SigningKeyError
from audit.models import Event
from audit.registry import EventType
from audit.sealing.keys import load_signing_keys
from audit.sealing.logs import open_log
from audit.sealing.run import seal_all
from audit.tasks import seal_all as seal_all_task
from audit.transparency.checkpoints import open_checkpoint
from audit.transparency.notes import PrivateKey, PublicKey
from audit.verification.results import Status
from audit.verification.verify import verify_trail
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel
from tests.audit.sealing.conftest import KEY
from tests.audit.sealing.trails import record_event, seal_trail


def key_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "audit.key"
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("text", "mode", "message"),
    [
        (KEY.text, 0o604, "Every user of this machine can read or change"),
        (KEY.text, 0o602, "Every user of this machine can read or change"),
        ("", 0o600, "contains no key"),
        (KEY.public.text, 0o600, "does not begin with PRIVATE"),
        (KEY.text[:-8], 0o600, "invalid key"),
        (f"{KEY.text}\n{KEY.text}", 0o600, "the same key twice"),
    ],
)
def test_key_file_that_cannot_be_used_is_reported(
    settings: Any, tmp_path: Path, text: str, mode: int, message: str
) -> None:
    settings.AUDIT_SIGNING_KEY = ""
    settings.AUDIT_SIGNING_KEY_FILE = str(key_file(tmp_path, text, mode))
    with pytest.raises(SigningKeyError, match=message) as raised:
        load_signing_keys()
    assert KEY.text[-20:] not in str(raised.value)
    [problem] = checks.check_signing_key(app_configs=None)
    assert problem.id == "audit.E002"


def test_missing_key_file_is_reported(settings: Any, tmp_path: Path) -> None:
    settings.AUDIT_SIGNING_KEY = ""
    settings.AUDIT_SIGNING_KEY_FILE = str(tmp_path / "absent")
    with pytest.raises(SigningKeyError, match="cannot be read: No such file"):
        load_signing_keys()
    [warning] = checks.check_signing_key_exists(app_configs=None)
    assert warning.id == "audit.W003"


@pytest.mark.django_db(transaction=True)
def test_missing_key_file_does_not_prevent_the_command_that_creates_the_file(
    settings: Any, tmp_path: Path
) -> None:
    settings.AUDIT_SIGNING_KEY = ""
    settings.AUDIT_SIGNING_KEY_FILE = str(tmp_path / "audit.key")
    assert checks.check_signing_key(app_configs=None) == []
    created = PublicKey.parse(rotate(tmp_path / "audit.key").split()[-1])
    assert [key.public for key in load_signing_keys()] == [created]
    assert checks.check_signing_key_exists(app_configs=None) == []


def test_key_in_a_variable_and_in_a_file_at_the_same_time_is_refused(settings: Any, tmp_path: Path) -> None:
    settings.AUDIT_SIGNING_KEY_FILE = str(key_file(tmp_path, KEY.text))
    with pytest.raises(SigningKeyError, match="both set"):
        load_signing_keys()


def test_trail_is_not_sealed_without_a_signing_key_and_a_system_check_warns(settings: Any) -> None:
    settings.AUDIT_SIGNING_KEY = ""
    assert seal_all_task() == 0
    assert checks.check_signing_key(app_configs=None) == []
    [warning] = checks.check_signing_key_exists(app_configs=None)
    assert warning.id == "audit.W003"
    with pytest.raises(SigningKeyError, match="No key is configured"):
        load_signing_keys()


def rotate(path: Path, **options: Any) -> str:
    out = StringIO()
    call_command("audit_rotate_key", str(path), stdout=out, **options)
    return out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_trail_stays_valid_during_and_after_a_key_rotation(
    hotel: Hotel, lamp_lit: EventType, settings: Any, tmp_path: Path
) -> None:
    settings.AUDIT_SIGNING_KEY = ""
    path = tmp_path / "audit.key"
    first = PublicKey.parse(rotate(path).split()[-1])
    settings.AUDIT_SIGNING_KEY_FILE = str(path)
    assert path.stat().st_mode & 0o777 == 0o600
    with hotel_context(hotel):
        record_event(lamp_lit)
    seal_trail(hotel.tenant)

    second = PublicKey.parse(rotate(path).split()[-1])
    # The trail has no new events, but the newest checkpoint gets a signature of the second key.
    assert verify_trail(hotel.tenant).status == Status.VALID
    note = verify_trail(hotel.tenant).note
    assert open_checkpoint(note, [first, second], origin=open_log(hotel.id).origin)[1] == [first, second]
    rotate(path, finish=True)
    assert [key.public for key in load_signing_keys()] == [second]
    assert verify_trail(hotel.tenant).status == Status.VALID
    with hotel_context(hotel):
        record_event(lamp_lit)
    seal_trail(hotel.tenant)
    report = verify_trail(hotel.tenant)
    assert (report.status, report.events) == (Status.VALID, 2)
    with platform_context():
        keys = Event.objects.filter(event__startswith="audit.key").order_by("id")
        assert [event.data["key"] for event in keys] == [first.text, second.text, first.text]


@pytest.mark.django_db(transaction=True)
def test_trail_whose_key_was_replaced_without_a_rotation_is_not_sealed_and_not_changed(
    hotel: Hotel, lamp_lit: EventType, settings: Any
) -> None:
    with hotel_context(hotel):
        record_event(lamp_lit)
    log = seal_trail(hotel.tenant)
    settings.AUDIT_SIGNING_KEY = PrivateKey("localhost", bytes(32)).text
    problems = seal_all().problems
    assert "add the old key" in problems[log.origin]
    settings.AUDIT_SIGNING_KEY = KEY.text
    assert log.origin not in seal_all().problems
    assert verify_trail(hotel.tenant).status == Status.VALID


@pytest.mark.django_db(transaction=True)
def test_key_rotation_does_not_overwrite_an_existing_file(settings: Any, tmp_path: Path) -> None:
    path = key_file(tmp_path, "something else")
    with pytest.raises(CommandError, match="exists"):
        rotate(path)
    assert path.read_text() == "something else"


@pytest.mark.django_db(transaction=True)
def test_key_rotation_with_one_key_cannot_be_finished(settings: Any, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="only one key"):
        rotate(tmp_path / "audit.key", finish=True)
