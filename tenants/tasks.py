"""What the platform does by itself."""

import datetime
import logging
import time
from uuid import UUID

from celery import current_app, shared_task
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from tenants import due, metrics, provisioning
from tenants.celery_task import HOTEL_HEADER, HotelTask
from tenants.models import Hotel, HotelStatus, Redelivery

logger = logging.getLogger(__name__)

#: A tick that found much goes on, but not into the next one (they come every 5 s).
TICK_SECONDS = 4.0
FULL = 5_000


@shared_task(base=HotelTask, name="tenants.tasks.tick")
def tick() -> int:
    """Hand out what is due: the number of items. One query when nothing is."""
    started = time.monotonic()
    handed_out = 0
    while True:
        with transaction.atomic():
            batches = due.claim(limit=FULL)
        # Sent after the commit: a crash between the two is a lease that ends.
        found = sum(len(batch.ids) for batch in batches)
        handed_out += sum(_hand_out(batch) for batch in batches)
        if found < FULL or time.monotonic() - started > TICK_SECONDS:
            break
    metrics.TICK.observe(time.monotonic() - started)
    if handed_out:
        logger.info("handed out %s due items", handed_out)
    return handed_out


def _hand_out(batch: due.Batch) -> int:
    try:
        current_app.tasks[batch.kind.task].apply_async(
            args=(batch.ids,), headers={HOTEL_HEADER: str(batch.hotel_id)}
        )
    except (OperationalError, ConnectionError):
        logger.exception("the broker did not take %s items of kind %s", len(batch.ids), batch.kind.name)
        due.give_back(batch)
        return 0
    metrics.HANDED_OUT.labels(kind=batch.kind.name).inc(len(batch.ids))
    return len(batch.ids)


@shared_task(base=HotelTask, name="tenants.tasks.provision_hotel")
def provision_hotel(hotel_id: str) -> None:
    """Make a hotel that was asked for. Safe to run twice."""
    provisioning.provision(UUID(hotel_id))


@shared_task(base=HotelTask, name="tenants.tasks.provision_pending")
def provision_pending() -> int:
    """Make the hotels whose task was lost or failed: those that have waited for a minute."""
    waiting = Hotel.objects.filter(
        status=HotelStatus.PROVISIONING, created_at__lt=timezone.now() - datetime.timedelta(minutes=1)
    )
    ids = list(waiting.values_list("id", flat=True))
    for hotel_id in ids:
        provision_hotel.delay(str(hotel_id))
    return len(ids)


@shared_task(base=HotelTask, name="tenants.tasks.forget_redeliveries")
def forget_redeliveries() -> int:
    """Drop the counts of tasks that ended long ago."""
    week = timezone.now() - datetime.timedelta(days=7)
    return Redelivery.objects.filter(created_at__lt=week).delete()[0]


@shared_task(base=HotelTask, name="tenants.tasks.plan_daily")
def plan_daily() -> int:
    """Have every hotel do what it does once a day."""
    return due.plan_daily()
