"""Tests of the publication of checkpoints: a target (file or URL) that fails delays no other work, and is reported."""

import errno
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from audit.publishing import states
from audit.registry import EventType
from audit.sealing.logs import last_checkpoint, open_log
from audit.sealing.metrics import read_metrics
from audit.sealing.models import Log
from audit.tasks import publish_all
from audit.transparency.checkpoints import open_checkpoint
from audit.transparency.notes import PrivateKey
from hotelagent.core.messages import message_from_json
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel
from tests.audit.sealing.trails import record_events, seal_once, seal_trail
from tests.web import QuietHandler, listening, serving

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def log(hotel: Hotel, lamp_lit: EventType) -> Log:
    with hotel_context(hotel):
        record_events(lamp_lit, 3)
    return seal_trail(hotel.tenant)


def record_and_seal(log: Log, lamp_lit: EventType) -> None:
    with platform_context():
        hotel = Hotel.objects.get(pk=str(log.hotel_id))
    with hotel_context(hotel):
        record_events(lamp_lit, 1)
    seal_trail(hotel.tenant)


def unpublished_seconds() -> float:
    [metric] = [found for found in read_metrics() if found.name == "hotelagent_audit_unpublished_seconds"]
    return float(metric.samples[0].value)


def error_of(log: Log, target: str) -> str:
    return message_from_json(open_log(log.hotel_id).published[target]["error"])


def note_of(log: Log) -> str:
    last = last_checkpoint(log)
    assert last is not None
    return last.note


def test_newest_checkpoint_of_a_log_is_written_to_a_file_only_once(
    log: Log, lamp_lit: EventType, settings: Any, tmp_path: Path, signing_key: PrivateKey
) -> None:
    settings.AUDIT_PUBLISH_DIRECTORY = str(tmp_path)
    assert publish_all() == 1
    [path] = tmp_path.iterdir()
    checkpoint, _signers = open_checkpoint(path.read_text(), [signing_key.public], origin=log.origin)
    assert checkpoint.size == log.size
    assert publish_all() == 0
    record_and_seal(log, lamp_lit)
    assert publish_all() == 1
    assert path.read_text() == note_of(log)


def test_publication_without_new_checkpoints_executes_one_query_for_all_logs(
    log: Log, other_hotel: Hotel, lamp_lit: EventType, settings: Any, tmp_path: Path
) -> None:
    settings.AUDIT_PUBLISH_DIRECTORY = str(tmp_path)
    with hotel_context(other_hotel):
        record_events(lamp_lit, 1)
    seal_trail(other_hotel.tenant)
    assert publish_all() == 2
    with CaptureQueriesContext(connection) as queries:
        assert publish_all() == 0
    assert len([query for query in queries if "audit_checkpoint" in query["sql"]]) == 1


def test_checkpoint_file_is_kept_if_the_log_does_not_continue_that_checkpoint(
    hotel: Hotel, log: Log, lamp_lit: EventType, settings: Any, tmp_path: Path
) -> None:
    settings.AUDIT_PUBLISH_DIRECTORY = str(tmp_path)
    publish_all()
    [path] = tmp_path.iterdir()
    published = path.read_text()
    with platform_context():
        Log.objects.filter(pk=log.pk).delete()
    with hotel_context(hotel), transaction.atomic():
        record_events(lamp_lit, 5)
    # The new log lacks the first events, because the sealer is made to skip them.
    new = open_log(hotel.id)
    with platform_context():
        Log.objects.filter(pk=new.pk).update(sealed_transaction=log.sealed_transaction)
    seal_trail(hotel.tenant)
    assert publish_all() == 0
    assert path.read_text() == published
    assert "the log was cut or changed" in error_of(open_log(hotel.id), "directory")
    assert unpublished_seconds() > 0


def test_sealing_continues_while_the_directory_for_checkpoints_is_missing(
    hotel: Hotel, log: Log, lamp_lit: EventType, settings: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "mounted"
    settings.AUDIT_PUBLISH_DIRECTORY = str(folder)
    assert publish_all() == 0
    assert unpublished_seconds() > 0
    with hotel_context(hotel):
        record_events(lamp_lit, 1)
    assert seal_trail(hotel.tenant).size == log.size + 1
    assert seal_once(hotel.tenant).problems == {}
    folder.mkdir()
    assert publish_all() == 1
    assert unpublished_seconds() == 0


def test_checkpoint_that_cannot_be_written_completely_leaves_no_file(
    log: Log, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Path, _mode: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    settings.AUDIT_PUBLISH_DIRECTORY = str(tmp_path)
    monkeypatch.setattr(Path, "chmod", fail)
    assert publish_all() == 0
    assert "No space left" in error_of(log, "directory")
    assert list(tmp_path.iterdir()) == []


def test_damaged_published_file_does_not_prevent_the_publication_of_other_logs(
    log: Log, other_hotel: Hotel, lamp_lit: EventType, settings: Any, tmp_path: Path
) -> None:
    settings.AUDIT_PUBLISH_DIRECTORY = str(tmp_path)
    publish_all()
    [path] = tmp_path.iterdir()
    path.write_bytes(b"\xff")
    record_and_seal(log, lamp_lit)
    with hotel_context(other_hotel):
        record_events(lamp_lit, 1)
    seal_trail(other_hotel.tenant)
    assert publish_all() == 1
    assert "is damaged" in error_of(log, "directory")
    assert path.read_bytes() == b"\xff"


def test_checkpoint_is_written_to_the_file_if_the_url_is_unreachable_and_posted_later(
    log: Log, settings: Any, tmp_path: Path
) -> None:
    received: list[str] = []

    class Receiver(QuietHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_head(204)

    settings.ALLOW_PRIVATE_ADDRESSES = True
    settings.AUDIT_PUBLISH_DIRECTORY = str(tmp_path)
    settings.AUDIT_PUBLISH_URL = "http://127.0.0.1:1/"
    assert publish_all() == 1
    assert len(list(tmp_path.iterdir())) == 1
    assert "ConnectionRefusedError" in error_of(log, "url")
    with serving(listening(Receiver)) as server:
        settings.AUDIT_PUBLISH_URL = f"http://127.0.0.1:{server.server_port}/"
        assert publish_all() == 1
    assert received == [note_of(log)]
    assert connection.in_atomic_block is False


def test_error_of_a_target_that_is_no_longer_configured_is_deleted(log: Log, settings: Any) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = True
    settings.AUDIT_PUBLISH_URL = "http://127.0.0.1:1/"
    publish_all()
    assert unpublished_seconds() > 0
    settings.AUDIT_PUBLISH_URL = ""
    publish_all()
    assert open_log(log.hotel_id).published == {}
    assert unpublished_seconds() == 0


def test_state_of_a_target_is_kept_if_another_task_stores_the_state_of_another_target(
    log: Log, settings: Any, tmp_path: Path
) -> None:
    settings.AUDIT_PUBLISH_DIRECTORY = str(tmp_path)
    publish_all()
    # The instance `log` was read before the publication, as in a task that runs at the same time.
    states.store_success(log, states.URL, log.size)
    published = open_log(log.hotel_id).published
    assert {name: state["size"] for name, state in published.items()} == {
        "directory": log.size,
        "url": log.size,
    }
