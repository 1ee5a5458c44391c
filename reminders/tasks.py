"""The Celery tasks of reservations and reminders."""

import uuid

from celery import shared_task

from reminders import due_kinds, mail_figures
from reminders.file_imports import services as file_import_services
from reminders.file_imports import worker
from reminders.planning import replan
from reminders.reservations.calendars import services as calendar_services
from reminders.sending import batch, smtp
from tenants.queue import due
from tenants.queue.celery_task import HotelTask


@shared_task(base=HotelTask, name="reminders.tasks.send_due")
def send_due(ids: list[str]) -> None:
    """Send the due reminders. `ids` contains the ids of reminders whose due time in the queue of due items has come."""
    batch.send_due([uuid.UUID(id_) for id_ in ids], transport=smtp.thread_transport())


@shared_task(base=HotelTask, name="reminders.tasks.replan_reservations")
def replan_reservations(ids: list[str]) -> None:
    """Plan the reminders of reservations again after another reservation of the same guest has changed."""
    replan.replan_requested([uuid.UUID(id_) for id_ in ids])


@shared_task(base=HotelTask, name="reminders.tasks.replan_all")
def replan_all(ids: list[str]) -> None:
    """Plan all reminders of the hotel again.

    `ids` are the ids of the due items that requested the planning. The task removes these due items.
    """
    replan.replan_all()
    due.cancel(kind=due_kinds.REPLAN_ALL, ids=[uuid.UUID(id_) for id_ in ids])


@shared_task(base=HotelTask, name="reminders.tasks.sync_calendars")
def sync_calendars(ids: list[str]) -> None:
    """Import the linked calendars whose next import is due, one after the other.

    If a calendar has failed repeatedly, the task `sync_calendar` imports it again, so that the failure is recorded.
    """
    failing = [id_ for id_ in ids if not calendar_services.sync_due_calendar(uuid.UUID(id_))]
    for id_ in failing:
        sync_calendar.delay(id_)


@shared_task(base=HotelTask, name="reminders.tasks.run_file_import")
def run_file_import(ids: list[str]) -> None:
    """Check or import an uploaded file. `ids` contains exactly one id, the id of the file."""
    for id_ in ids:
        worker.run(uuid.UUID(id_))


@shared_task(base=HotelTask, name="reminders.tasks.delete_expired_files")
def delete_expired_files(ids: list[str]) -> None:
    """Delete old uploaded files, because the files contain guests' data.

    The task runs once a day. `ids` contains the id of the hotel, which is also the id of the due item.
    """
    file_import_services.delete_expired_files()
    due.complete(kind=due_kinds.EXPIRED_FILES, ids=[uuid.UUID(id_) for id_ in ids])


@shared_task(base=HotelTask, name="reminders.tasks.sync_calendar")
def sync_calendar(calendar_id: str) -> None:
    """Import one linked calendar. Runs as a separate task, so that its failure is recorded and can be retried."""
    calendar_services.sync_calendar(uuid.UUID(calendar_id))


@shared_task(base=HotelTask, name="reminders.tasks.count_all_mails")
def count_all_mails() -> int:
    """Schedule the task `count_mails` for each active hotel. Celery beat sends this task once an hour."""
    return due.schedule_for_all_hotels(kind=due_kinds.MAIL_FIGURES)


@shared_task(base=HotelTask, name="reminders.tasks.count_mails")
def count_mails(ids: list[str]) -> None:
    """Count the hotel's e-mails of the last seven days. `ids` contains only the id of the hotel."""
    mail_figures.count_mails()
    due.complete(kind=due_kinds.MAIL_FIGURES, ids=[uuid.UUID(hotel) for hotel in ids])
