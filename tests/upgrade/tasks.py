"""The task of the app `notes`, which is the same in all releases."""

import time

from celery import shared_task
from django.apps import apps

from tenants.queue.celery_task import HotelTask


@shared_task(base=HotelTask, name="tests.upgrade.tasks.confirm")
def confirm(note_id: int, seconds: float) -> None:
    """Wait, then mark a note as confirmed, so that the test can count the tasks that were completed."""
    time.sleep(seconds)
    apps.get_app_config("notes").get_model("Note")._default_manager.filter(pk=note_id).update(confirmed=True)
