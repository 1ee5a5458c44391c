"""The ids and numbers of a guest's reservations and the ids of their reminders.

The erasure of a guest's data searches the dead-letter queue and the audit trail for these identifiers.
"""

from collections.abc import Iterator

from django.db.models import Q

from dlq.erasure.search import identifier_finder
from reminders.models import Reminder, Reservation

#: Shorter numbers of reservations are not searched, because other numbers, such as prices, would be found too.
_MIN_NUMBER_LENGTH = 5


@identifier_finder
def ids_of_reservations(identifier: str) -> Iterator[str]:
    """Yield the ids and numbers of the guest's reservations, and the ids of their reminders.

    `identifier` is the e-mail address or the phone number of the guest, or the number of a reservation.
    """
    reservations = Reservation.objects.filter(
        Q(guest_email__iexact=identifier) | Q(guest_phone=identifier) | Q(external_id=identifier)
    )
    numbers = dict(reservations.values_list("id", "external_id"))
    ids = list(numbers)
    yield from map(str, ids)
    yield from (number for number in numbers.values() if len(number) >= _MIN_NUMBER_LENGTH)
    yield from map(str, Reminder.objects.filter(reservation_id__in=ids).values_list("id", flat=True))
