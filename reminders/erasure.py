"""The parts of this app that the erasures of guests and of staff use.

The erasure of a guest searches the dead-letter queue and the audit trail for the ids and numbers of the guest's
reservations, and for the ids of their reminders. The erasure of a member of staff changes uploaded files.
"""

from collections.abc import Iterator
from typing import Any

from django.db.models import Q
from django.dispatch import receiver

from dlq.erasure.search import identifier_finder
from reminders.file_imports import services as file_imports
from reminders.models import Reminder, Reservation
from tenants.context import current_tenant
from tenants.models import User
from tenants.signals import staff_erased

#: Reservation numbers with fewer characters are not searched, because prices and other numbers would be found too.
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


@receiver(staff_erased)
def erase_staff_from_file_imports(*, user: User, **_kwargs: Any) -> None:
    """Erase the name of a member of staff from the records of the hotel's uploaded files."""
    if not current_tenant().is_platform:
        file_imports.erase_staff_member(str(user.pk))
