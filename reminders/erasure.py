"""The ids of a guest's reservations and reminders, which failures in the dead-letter queue contain.

The erasure of a guest's data searches the dead-letter queue for these ids.
"""

from collections.abc import Iterator

from django.db.models import Q

from dlq.erasure.search import identifier_finder
from reminders.models import Reminder, Reservation


@identifier_finder
def ids_of_reservations(identifier: str) -> Iterator[str]:
    """Yield the ids of the guest's reservations and of their reminders.

    `identifier` is the e-mail address or the phone number of the guest, or the number of a reservation.
    """
    reservations = Reservation.objects.filter(
        Q(guest_email__iexact=identifier) | Q(guest_phone=identifier) | Q(external_id=identifier)
    )
    ids = list(reservations.values_list("id", flat=True))
    yield from map(str, ids)
    yield from map(str, Reminder.objects.filter(reservation_id__in=ids).values_list("id", flat=True))
