"""Helpers that run the tasks of workers, and that change the times of holds.

Tests change the times of holds, because tests can't set the database clock.
"""

import datetime
from uuid import UUID

from django.db import connection

from audit.models import Event
from locks import services
from locks.services import NewStay
from locks.waiting_list.offers import process_entry
from locks.webhooks.delivery import deliver


def expire(*ids: UUID) -> None:
    """Change the holds so that they expired a second ago."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE locks_allocation SET expires_at = clock_timestamp() - interval '1 second' WHERE id = ANY(%s)",
            [list(ids)],
        )


def events_of(event_type: str) -> list[Event]:
    """Return the audit events of this type in the order in which they were recorded."""
    return list(Event.objects.filter(event=event_type).order_by("id"))


def fill_200_rooms(today: datetime.date) -> None:
    """Create 200 rooms that are occupied for 63 nights from today, by stays of three nights each."""
    ids = services.ensure_rooms({"double": 200})["double"]
    day = datetime.timedelta(days=1)
    services.add_stays(
        [
            NewStay(room=room, check_in=today + 3 * number * day, check_out=today + (3 * number + 3) * day)
            for room in ids
            for number in range(21)
        ]
    )


def due_ids(kind: str) -> list[UUID]:
    """Return the ids of the due items of this kind that workers can process now, in ascending order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT item_id FROM public.tenants_dueitem WHERE kind = %s AND claim_at <= clock_timestamp() "
            "ORDER BY item_id",
            [kind],
        )
        return [item for (item,) in cursor.fetchall()]


def run_due_tasks() -> None:
    """Expire the holds and process the waiting list entries that are due, as the workers do."""
    services.expire_holds(ids=due_ids("hold"))
    for entry in due_ids("waiting"):
        process_entry(entry)


def send_due_deliveries() -> None:
    """Send the webhook deliveries that are due."""
    for delivery in due_ids("webhook"):
        deliver(delivery)


def make_deliveries_due() -> None:
    """Make all scheduled webhook deliveries due, and end the backoff of all webhooks."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE public.tenants_dueitem SET due_at = now(), claim_at = now() WHERE kind = 'webhook'"
        )
        cursor.execute("UPDATE locks_webhook SET backoff_until = NULL")
