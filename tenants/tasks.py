"""What the platform does by itself."""

import dataclasses
import datetime
import logging
import time
from typing import Any
from uuid import UUID

from celery import current_app, shared_task
from celery.exceptions import Ignore
from django.db import close_old_connections, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from tenants.context import actor_context, current_actor
from tenants.lifecycle import provisioning
from tenants.models import Hotel, HotelStatus, Redelivery
from tenants.queue import due, metrics
from tenants.queue.celery_task import HOTEL_HEADER, HotelTask

logger = logging.getLogger(__name__)

#: A tick that found much goes on, but not into the next one (they come every 5 s).
TICK_SECONDS = 4.0
FULL = 5_000
#: A message that has run so long begins with no other hotel.
GROUP_SECONDS = 60.0


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
        handed_out += sum(_hand_out(group) for group in due.grouped(batches))
        if found < FULL or time.monotonic() - started > TICK_SECONDS:
            break
    metrics.TICK.observe(time.monotonic() - started)
    if handed_out:
        logger.info("handed out %s due items", handed_out)
    return handed_out


def _hand_out(group: due.Group) -> int:
    """As one message: the handler's own where there is one hotel, else `handle_due`."""
    kind, items = group[0].kind, sum(len(batch.ids) for batch in group)
    try:
        if len(group) == 1:
            _send(kind, str(group[0].hotel_id), group[0].ids)
        else:
            handle_due.delay(kind.name, [(str(batch.hotel_id), batch.ids) for batch in group])
    except (OperationalError, ConnectionError):
        logger.exception("the broker did not take %s items of kind %s", items, kind.name)
        for batch in group:
            due.give_back(batch)
        return 0
    metrics.HANDED_OUT.labels(kind=kind.name).inc(items)
    return items


def _send(kind: due.Kind, hotel_id: str, ids: list[str]) -> None:
    current_app.tasks[kind.task].apply_async(args=(ids,), headers={HOTEL_HEADER: hotel_id})


@shared_task(base=HotelTask, name="tenants.tasks.handle_due", bind=True)
def handle_due(self: HotelTask, kind_name: str, batches: list[tuple[str, list[str]]]) -> None:
    """Run the handler for one hotel after the other, each in its own context: with few items a hotel, a message
    for each would cost more than the work.

    A hotel whose handler fails is sent alone, where its failure is kept; so is each of a message that lost its
    worker, and what is left after GROUP_SECONDS. The others are not held up by it.
    """
    kind = due.kinds()[kind_name]
    handler: Any = current_app.tasks[kind.task]
    actor = dataclasses.replace(current_actor(), label=handler.name)
    started = time.monotonic()
    for hotel_id, ids in batches:
        if self.is_redelivered or time.monotonic() - started > GROUP_SECONDS:
            _send(kind, hotel_id, ids)
            continue
        try:
            with handler.in_hotel(hotel_id), actor_context(actor):
                handler(ids)
        except Ignore:
            continue
        except Exception:
            logger.warning("%s failed beside other hotels' and is sent alone", handler.name, exc_info=True)
            close_old_connections()
            _send(kind, hotel_id, ids)


@shared_task(base=HotelTask, name="tenants.tasks.provision_hotel")
def provision_hotel(hotel_id: str) -> None:
    """Make a hotel that was asked for. Safe to run twice."""
    provisioning.provision_hotel(UUID(hotel_id))


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
