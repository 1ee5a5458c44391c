"""Functions that record events about a hotel in two audit trails: the platform's trail and the hotel's trail.

The hotel's trail shows the hotel what the operator of the platform did to the hotel. The platform's trail keeps the
events after the hotel is deleted.
"""

from django.db import connection, transaction

from audit.registry import EventType
from audit.services import Subject, record
from tenants.context import Actor, actor_context, current_actor, hotel_context, platform_context
from tenants.models import Hotel, HotelStatus

#: The trails of hotels show this text instead of the names of the platform's staff and API keys.
PLATFORM_LABEL = "platform"


def record_in_both_trails(
    event_type: EventType, *, hotel: Hotel, subject: Subject | None = None, **fields: object
) -> None:
    """Record an event about a hotel in both audit trails: the platform's trail and the hotel's trail.

    The default subject is the hotel. The hotel's trail gets the actor's id, but not the name or IP address. The erasure
    of a member of the platform's staff changes only the platform's trail.

    If the hotel's schema does not exist yet or lacks migrations of `audit`, the event is recorded only in the
    platform's trail. Nothing is recorded if the migrations of `audit` are unapplied on the platform.
    """
    subject = subject or ("hotel", hotel.pk)
    with platform_context(), transaction.atomic():
        migrations = _applied_migrations()
        if not migrations:
            return
        record(event_type, subject=subject, **fields)
        if hotel.status == HotelStatus.PROVISIONING:
            return
        with hotel_context(hotel), actor_context(_without_personal_data(current_actor())):
            if _applied_migrations() == migrations:
                record(event_type, subject=subject, **fields)


def _applied_migrations() -> set[str]:
    """Return the names of the migrations of the app `audit` that are applied in the schema of the current tenant."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM django_migrations WHERE app = 'audit'")
        return {name for (name,) in cursor.fetchall()}


def _without_personal_data(actor: Actor) -> Actor:
    if actor.kind == "support":
        # The hotel may know who acts in it during a support session. An erasure of this person also changes the hotel's
        # trail.
        return actor
    is_person_or_key = actor.kind in {"user", "key"}
    return Actor(
        kind=actor.kind,
        id=actor.id,
        label=PLATFORM_LABEL if is_person_or_key else actor.id or actor.kind,
        request_id=actor.request_id,
        task_id=actor.task_id,
        idempotency_key=actor.idempotency_key,
        initiator=actor.initiator and _without_personal_data(actor.initiator),
    )
