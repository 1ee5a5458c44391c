"""Tests of uploaded files: the check and the import by a worker, and what happens if the worker dies."""

import datetime
import gzip
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from audit.models import Event
from locks import services as services_of_rooms
from locks.models import Room
from reminders import due_kinds, tasks
from reminders.errors import FileImportStateError, InvalidFile
from reminders.file_imports import problems, services, worker
from reminders.models import FileImport, ImportKind, Reservation
from reminders.reservations.importing import importer, storing
from tenants.context import Actor, actor_context, platform_context
from tenants.models import DueItem, Hotel
from tenants.queue import dispatch, due
from tests.programs import running_python

pytestmark = pytest.mark.django_db

HEADER = "booking_id,check_in,check_out,adults,room_type,guest_name,guest_email,status"
ROWS = [
    "B1,2031-07-01,2031-07-04,2,Double,Ana Lima,ana@example.com,booked",
    "B2,2031-07-02,2031-07-05,1,Double,Bo Chan,not an address,booked",
    "B3,2031-07-09,2031-07-05,1,Double,Cy Doe,cy@example.com,booked",
]


def upload(*rows: str, kind: ImportKind = ImportKind.RESERVATIONS, header: str = HEADER) -> FileImport:
    content = "\n".join([header, *rows]).encode()
    return services.upload_file(kind=kind, name="bookings.csv", content=content)


def check(uploaded: FileImport) -> FileImport:
    services.request_check(uploaded)
    worker.run(uploaded.id)
    return reload(uploaded)


def run(uploaded: FileImport) -> FileImport:
    services.start_import(check(uploaded))
    worker.run(uploaded.id)
    return reload(uploaded)


def reload(uploaded: FileImport) -> FileImport:
    return FileImport.objects.get(id=uploaded.id)


def queued(kind: str = due_kinds.FILE_IMPORT) -> int:
    return DueItem.objects.filter(kind=kind).count()


def test_check_of_a_file_reports_counts_and_problems_but_stores_no_rows(in_hotel: Hotel) -> None:
    checked = check(upload(*ROWS))
    assert (checked.status, checked.total_rows, checked.finished_rows) == ("checked", 3, 3)
    assert {name: checked.counts[name] for name in ("created", "rejected", "incomplete")} == {
        "created": 2,
        "rejected": 1,
        "incomplete": 1,
    }
    found = list(problems.read(checked.problems))
    assert [(problem.line, problem.number, problem.is_rejected) for problem in found] == [
        (3, "B2", False),
        (4, "B3", True),
    ]
    assert (found[0].column, found[0].value) == ("guest_email", "not an address")
    assert Reservation.objects.count() == Room.objects.count() == queued() == 0


def test_import_stores_the_rows_and_records_the_person_who_started_the_import(in_hotel: Hotel) -> None:
    uploaded = check(upload(*ROWS))
    with actor_context(Actor("user", "7", "ana")):
        services.start_import(uploaded)
    worker.run(uploaded.id)
    finished = reload(uploaded)
    assert (finished.status, finished.counts["created"]) == ("finished", 2)
    assert set(Reservation.objects.values_list("external_id", flat=True)) == {"B1", "B2"}
    events = Event.objects.filter(event__startswith="import.").values_list("event", "subject_id")
    assert set(events) == {("import.uploaded", str(finished.id)), ("import.started", str(finished.id))}
    imported = Event.objects.get(event="reservation.imported")
    assert (imported.data["created"], imported.initiator_kind, imported.initiator_id) == (2, "user", "7")
    assert imported.initiator_label == "ana"
    assert imported.description.startswith("ana imported")
    assert queued() == 0


def test_worker_continues_after_the_last_stored_batch_of_a_killed_worker(
    in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report contains the counts and problems of all batches, and no row is stored twice."""
    monkeypatch.setattr(storing, "BATCH_SIZE", 1)
    uploaded = check(upload(ROWS[1], *ROWS[:1], ROWS[2], "B4,2031-08-01,2031-08-02,1,Double,,,booked"))
    services.start_import(uploaded)
    store_batch = storing.store_batch
    stored: list[str] = []

    def store_and_die(bookings: Any) -> Any:
        if len(stored) == 2:
            raise KeyboardInterrupt  # the worker does not catch this exception
        stored.extend(booking.number for booking in bookings)
        return store_batch(bookings)

    monkeypatch.setattr(storing, "store_batch", store_and_die)
    with pytest.raises(KeyboardInterrupt):
        worker.run(uploaded.id)
    assert Reservation.objects.count() == 2
    monkeypatch.setattr(storing, "store_batch", store_batch)
    worker.run(uploaded.id)
    assert reload(uploaded).status == "importing"  # the lease of the killed worker has not ended
    assert queued() == 1
    FileImport.objects.update(lease_ends_at=timezone.now() - datetime.timedelta(seconds=1))
    worker.run(uploaded.id)
    finished = reload(uploaded)
    assert (finished.status, finished.finished_rows) == ("finished", 4)
    assert (finished.counts["created"], finished.counts["unchanged"]) == (3, 0)
    assert [problem.number for problem in problems.read(finished.problems)] == ["B2", "B3"]
    assert Event.objects.get(event="reservation.imported").data["created"] == 3


#: Runs the worker in a process that a test can kill.
_WORKER = """
import sys, uuid
from reminders.file_imports import worker
from tenants.context import hotel_context, platform_context
from tenants.selectors import get_hotel
with platform_context():
    hotel = get_hotel(slug="alpha")
with hotel_context(hotel):
    worker.run(uuid.UUID(sys.argv[1]))
"""


@pytest.mark.django_db(transaction=True)
def test_import_by_a_killed_worker_continues_when_the_lease_of_the_worker_ends(in_hotel: Hotel) -> None:
    rows = 5_000
    uploaded = check(
        upload(*(f"K{n},2031-01-{1 + n % 28:02},2031-02-01,2,{n % 50},,,booked" for n in range(rows)))
    )
    services.start_import(uploaded)
    with running_python("-c", _WORKER, str(uploaded.id)) as process:
        deadline = time.monotonic() + 60
        while not Reservation.objects.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    killed = reload(uploaded)
    assert 0 < killed.finished_rows < rows
    assert Reservation.objects.count() == killed.finished_rows  # only complete batches are stored
    FileImport.objects.update(lease_ends_at=timezone.now())
    with platform_context():
        DueItem.objects.filter(kind=due_kinds.FILE_IMPORT).update(claim_at=timezone.now())
        [batch] = dispatch.claim(limit=10)
    tasks.run_file_import(batch.ids)
    finished = reload(uploaded)
    assert (finished.status, finished.finished_rows, finished.counts["created"]) == ("finished", rows, rows)
    assert Reservation.objects.count() == rows


@pytest.mark.django_db(transaction=True)
def test_stopping_an_import_keeps_stored_batches_and_rolls_back_the_current_batch(
    in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "BATCH_SIZE", 1)
    uploaded = check(upload(*ROWS))
    services.start_import(uploaded)
    store_batch = storing.store_batch

    def stop_during_the_second_batch(bookings: Any) -> Any:
        if bookings[0].number == "B2":
            with ThreadPoolExecutor(1) as staff:
                staff.submit(copy_context().run, stop_in_other_connection, uploaded).result()
        return store_batch(bookings)

    monkeypatch.setattr(storing, "store_batch", stop_during_the_second_batch)
    worker.run(uploaded.id)
    stopped = reload(uploaded)
    assert (stopped.status, stopped.finished_rows, stopped.counts["created"]) == ("stopped", 1, 1)
    assert list(Reservation.objects.values_list("external_id", flat=True)) == ["B1"]
    assert Event.objects.get(event="import.stopped").data["rows"] == 1
    assert queued() == 0


def stop_in_other_connection(uploaded: FileImport) -> None:
    services.stop(reload(uploaded))
    connection.close()


def test_remaining_rows_after_the_time_limit_are_imported_by_a_new_task(
    in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    monkeypatch.setattr(storing, "BATCH_SIZE", 1)
    monkeypatch.setattr(importer, "_PROGRESS_INTERVAL", 1)
    uploaded = check(upload(*ROWS))
    services.start_import(uploaded)
    monkeypatch.setattr(worker, "TIME_LIMIT", -1.0)
    with django_capture_on_commit_callbacks() as sent:
        worker.run(uploaded.id)
    assert (reload(uploaded).status, len(sent), queued()) == ("importing", 1, 1)
    monkeypatch.undo()
    worker.run(uploaded.id)
    assert (reload(uploaded).status, Reservation.objects.count()) == ("finished", 2)


def test_import_continues_after_an_unexpected_error_that_is_shown_to_staff(
    in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded = check(upload(*ROWS))
    services.start_import(uploaded)

    def fail(_bookings: Any) -> Any:
        raise RuntimeError("secret of a guest")

    with monkeypatch.context() as patch:
        patch.setattr(storing, "store_batch", fail)
        with pytest.raises(RuntimeError):
            worker.run(uploaded.id)
    interrupted = reload(uploaded)
    assert (interrupted.status, queued()) == ("importing", 0)
    assert "secret" not in interrupted.error_message != ""
    services.resume(interrupted)
    worker.run(uploaded.id)
    assert (reload(uploaded).status, reload(uploaded).error_message) == ("finished", "")


def test_import_of_a_worker_killed_before_its_first_batch_becomes_due_again(
    in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded = upload(*ROWS)
    services.request_check(uploaded)

    def die(_uploaded: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(worker, "open_content", die)
    with pytest.raises(KeyboardInterrupt):
        worker.run(uploaded.id)
    due_at = DueItem.objects.get(kind=due_kinds.FILE_IMPORT).due_at
    assert abs(due_at - timezone.now() - worker.LEASE) < datetime.timedelta(seconds=5)


def test_task_for_a_deleted_or_fully_imported_file_does_nothing(in_hotel: Hotel) -> None:
    finished = run(upload(*ROWS))
    due.schedule(kind=due_kinds.FILE_IMPORT, items=[(finished.id, timezone.now())])
    worker.run(finished.id)
    services.delete(finished)
    worker.run(finished.id)
    assert queued() == FileImport.objects.count() == 0


def test_operation_that_the_file_status_forbids_raises_file_import_state_error(in_hotel: Hotel) -> None:
    uploaded = upload(*ROWS)
    for operation in (services.start_import, services.resume, services.stop):
        with pytest.raises(FileImportStateError):
            operation(uploaded)
    services.request_check(uploaded)
    with pytest.raises(FileImportStateError):
        services.delete(uploaded)


def test_expired_files_are_deleted_by_the_daily_task(in_hotel: Hotel) -> None:
    kept, expired = upload(*ROWS), upload(*ROWS)
    before = timezone.now() - datetime.timedelta(days=services.DAYS_UNTIL_DELETION, minutes=1)
    FileImport.objects.filter(id=expired.id).update(created_at=before)
    tasks.delete_expired_files([str(in_hotel.id)])
    assert list(FileImport.objects.values_list("id", flat=True)) == [kept.id]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"%PDF-1.4",
        b"x" * (services.MAX_FILE_SIZE + 1),
        gzip.compress(HEADER.encode() + b"\nB1" * 20_000_000, 1),
        b"\x1f\x8bdamaged",
    ],
    ids=["empty", "pdf", "too large", "gzip bomb", "damaged gzip"],
)
def test_upload_of_an_unreadable_file_stores_nothing(in_hotel: Hotel, content: bytes) -> None:
    with pytest.raises(InvalidFile):
        services.upload_file(kind=ImportKind.RESERVATIONS, name="bookings.csv", content=content)
    assert FileImport.objects.count() == Event.objects.filter(event__startswith="import.").count() == 0


def test_import_of_rooms_adds_new_rooms_and_does_not_change_existing_rooms(in_hotel: Hotel) -> None:
    services_of_rooms.add_rooms([services_of_rooms.NewRoom(number="101", room_type="Suite")])
    rows = ["101,Double,1", "102,Double,x", "103,Double,1", "103,Suite,1"]
    checked = check(upload(*rows, kind=ImportKind.ROOMS, header="Room,Category,Level"))
    assert (checked.counts["created"], checked.counts["unchanged"], Room.objects.count()) == (1, 1, 1)
    services.start_import(checked)
    worker.run(checked.id)
    finished = reload(checked)
    assert (finished.status, finished.finished_rows) == ("finished", 4)
    assert set(Room.objects.values_list("number", "room_type")) == {("101", "Suite"), ("103", "Double")}
    assert [(problem.line, problem.number) for problem in problems.read(finished.problems)] == [
        (3, "102"),
        (5, "103"),
    ]


def test_problem_report_contains_no_cell_that_a_spreadsheet_would_run_as_a_formula(in_hotel: Hotel) -> None:
    stored = problems.compress([problems.Problem(2, "=1+1", "reason", "column", "@SUM(A1)", "-2", True)])
    [_header, row] = problems.report_lines(stored)
    assert row == "2,'=1+1,not imported,reason,column,'@SUM(A1),'-2\r\n"
