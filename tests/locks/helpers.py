"""What tests do to the clock: it is the database's, so they move the hold and not the time."""

from uuid import UUID

from django.db import connection

from audit.models import Event


def lapse(*ids: UUID) -> None:
    """Let these holds have ended a second ago."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE locks_stay SET expires_at = clock_timestamp() - interval '1 second' WHERE id = ANY(%s)",
            [list(ids)],
        )


def events_of(name: str) -> list[Event]:
    return list(Event.objects.filter(event=name).order_by("id"))
