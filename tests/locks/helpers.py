"""What tests do to the clock, which is the database's: they move the hold and not the time. And what workers do."""

import datetime
from uuid import UUID

from django.db import connection

from audit.models import Event
from locks import services
from locks.services import NewStay
from locks.waiting_list.offers import process_entry
from locks.webhooks.delivery import deliver


def lapse(*ids: UUID) -> None:
    """Let these holds have ended a second ago."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE locks_allocation SET expires_at = clock_timestamp() - interval '1 second' WHERE id = ANY(%s)",
            [list(ids)],
        )


def events_of(name: str) -> list[Event]:
    return list(Event.objects.filter(event=name).order_by("id"))


def fill_200_rooms(today: datetime.date) -> None:
    """Stays of three nights, one after the other, for more than 60 nights."""
    ids = services.ensure_rooms({"double": 200})["double"]
    day = datetime.timedelta(days=1)
    services.add_stays(
        [
            NewStay(room=room, check_in=today + 3 * step * day, check_out=today + (3 * step + 3) * day)
            for room in ids
            for step in range(21)
        ]
    )


def due(kind: str) -> list[UUID]:
    """What the tick would hand out now, in the order in which it does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT item_id FROM public.tenants_dueitem WHERE kind = %s AND claim_at <= clock_timestamp() "
            "ORDER BY item_id",
            [kind],
        )
        return [item for (item,) in cursor.fetchall()]


def work() -> None:
    """What the workers do with all that is due."""
    services.expire_holds(ids=due("hold"))
    for entry in due("waiting"):
        process_entry(entry)


def send_due() -> None:
    """Let what webhooks are to be told be sent."""
    for notice in due("webhook"):
        deliver(notice)


def due_now() -> None:
    """Let what waits for another try be due, and no webhook be left alone."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE public.tenants_dueitem SET due_at = now(), claim_at = now() WHERE kind = 'webhook'"
        )
        cursor.execute("UPDATE locks_webhook SET backoff_until = NULL")
