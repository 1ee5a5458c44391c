"""The identifiers by which failures refer to the reservations of a guest."""

from collections.abc import Iterator

from django.db.models import Q

from dlq.retention.erasure import identifier_finder
from reminders.models import Reminder, Reservation


@identifier_finder
def ids_of_reservations(identifier: str) -> Iterator[str]:
    """Yield the ids of the reservations with this e-mail address, phone number or number, and of their reminders."""
    reservations = Reservation.objects.filter(
        Q(guest_email__iexact=identifier) | Q(guest_phone=identifier) | Q(external_id=identifier)
    )
    ids = list(reservations.values_list("id", flat=True))
    yield from map(str, ids)
    yield from map(str, Reminder.objects.filter(reservation_id__in=ids).values_list("id", flat=True))
