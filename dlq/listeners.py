"""Signal receivers that handle the restore of a hotel and the erasure of a member of staff."""

from typing import Any
from uuid import UUID

from django.dispatch import receiver

from dlq.erasure import services as erasure
from dlq.erasure.models import Erasure
from dlq.models import Failure
from dlq.redrives.services import erase_staff_member
from dlq.retention.clean_up import end_lost_retries
from dlq.retention.models import FailureSettings
from dlq.retention.settings import change_settings
from tenants.changed_rows import number_changes_again
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tenants.signals import hotel_restored, hotel_resumed, restored_hotel_migrated, staff_erased


@receiver(restored_hotel_migrated)
def end_discarded_retries(*, hotel: Hotel, **_kwargs: Any) -> None:
    """Mark failures of a restored hotel as in doubt if the restore has removed their retries from the due queue."""
    with hotel_context(hotel):
        end_lost_retries()


@receiver(restored_hotel_migrated)
def number_failures_again(*, hotel: Hotel, **_kwargs: Any) -> None:
    """Number the changes of the failures of a restored hotel again."""
    with hotel_context(hotel):
        number_changes_again(Failure)


@receiver(hotel_restored)
def mark_erasures(*, hotel: Hotel, detail: dict[str, Any], **_kwargs: Any) -> None:
    """Mark the erasures of a restored hotel as pending, because the backup may contain the erased data.

    A hotel that was restored as a copy of another hotel gets the erasures of the original hotel.
    """
    original = UUID(str(detail["original"]["id"]))
    if original == hotel.id:
        Erasure.objects.filter(hotel_id=hotel.id).update(is_pending=True)
        return
    digests = Erasure.objects.filter(hotel_id=original).values_list("digest", flat=True)
    copies = [Erasure(hotel_id=hotel.id, digest=digest, is_pending=True) for digest in digests]
    Erasure.objects.bulk_create(copies, ignore_conflicts=True)


@receiver(restored_hotel_migrated)
@receiver(hotel_resumed)
def apply_pending_erasures(*, hotel: Hotel, **_kwargs: Any) -> None:
    """Erase the data that a restore brought back, before the hotel is active.

    If the restored hotel could not be migrated, the data are erased when the hotel is resumed.
    """
    with hotel_context(hotel):
        erasure.apply_pending()


@receiver(staff_erased)
def erase_staff_from_failures(*, user: User, email: str, **_kwargs: Any) -> None:
    """Erase a member of staff from redrives, and from the recipients of alerts."""
    erase_staff_member(str(user.pk))
    recipients = FailureSettings.objects.read().alert_recipients
    kept = [recipient for recipient in recipients if recipient.lower() != email.lower()]
    if kept != recipients:
        change_settings(alert_recipients=kept)
