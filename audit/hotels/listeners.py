"""Signal receivers that record events about hotels, guest contacts and support sessions.

Most of these events are in the platform's and in the hotel's audit trail.
"""

from typing import Any

from django.dispatch import Signal, receiver

from audit import events
from audit.hotels import backup_events
from audit.hotels import events as access_events
from audit.hotels.both_trails import record_in_both_trails
from audit.registry import EventType
from audit.services import record, record_in_own_transaction
from tenants import signals as tenant_signals
from tenants.models import ContactIdentifier, Hotel, SupportSession


def _record_hotel(signal: Signal, event: EventType) -> None:
    def record_signal(*, hotel: Hotel, detail: dict[str, Any], **_: Any) -> None:
        record_in_both_trails(event, hotel=hotel, slug=hotel.slug, detail=detail)

    signal.connect(record_signal, weak=False, dispatch_uid=event.name)


def _record_hotel_on_platform(signal: Signal, event: EventType) -> None:
    def record_signal(*, hotel: Hotel, detail: dict[str, Any], **_: Any) -> None:
        record(event, subject=("hotel", hotel.pk), slug=hotel.slug, detail=detail)

    signal.connect(record_signal, weak=False, dispatch_uid=event.name)


def _record_support(signal: Signal, event: EventType, *, with_reason: bool = False) -> None:
    def record_signal(*, hotel: Hotel, session: SupportSession, **_: Any) -> None:
        reason: dict[str, Any] = {"reason": session.reason} if with_reason else {}
        record_in_both_trails(
            event,
            hotel=hotel,
            slug=hotel.slug,
            session=str(session.pk),
            role=session.role,
            until=session.expires_at,
            **reason,
        )

    signal.connect(record_signal, weak=False, dispatch_uid=event.name)


@receiver(tenant_signals.support_refused)
def _support_refused(**_: Any) -> None:
    record_in_own_transaction(access_events.SUPPORT_REFUSED)


@receiver(tenant_signals.backup_stored)
def _backup_stored(*, target: str, detail: dict[str, Any], **_: Any) -> None:
    record(backup_events.BACKUP_STORED, target=target, detail=detail)


@receiver(tenant_signals.backup_failed)
def _backup_failed(*, target: str, hotel: Hotel | None, detail: dict[str, Any], **_: Any) -> None:
    subject = None if hotel is None else ("hotel", hotel.pk)
    record(backup_events.BACKUP_FAILED, subject=subject, target=target, detail=detail)


@receiver(tenant_signals.backups_drilled)
def _backups_drilled(*, passed: int, failed: int, detail: dict[str, Any], **_: Any) -> None:
    record(backup_events.BACKUPS_DRILLED, passed=passed, failed=failed, detail=detail)


def _record_contact(signal: Signal, event: EventType) -> None:
    def record_signal(*, hotel: Hotel, contact: ContactIdentifier, **_: Any) -> None:
        subject = ("contact", contact.pk)
        record_in_both_trails(event, hotel=hotel, subject=subject, slug=hotel.slug, kind=contact.kind)

    signal.connect(record_signal, weak=False, dispatch_uid=event.name)


# The registration, creation and deletion of a hotel are recorded only in the platform's trail, because the hotel has no
# schema at these times.
_record_hotel_on_platform(tenant_signals.hotel_registered, events.HOTEL_REGISTERED)
_record_hotel_on_platform(tenant_signals.hotel_deleted, events.HOTEL_DELETED)
_record_hotel(tenant_signals.hotel_created, events.HOTEL_CREATED)
_record_hotel(tenant_signals.hotel_changed, events.HOTEL_CHANGED)
_record_hotel(tenant_signals.hotel_suspended, events.HOTEL_SUSPENDED)
_record_hotel(tenant_signals.hotel_resumed, events.HOTEL_RESUMED)
_record_hotel(tenant_signals.hotel_renamed, events.HOTEL_RENAMED)
_record_hotel(tenant_signals.hotel_migrated, events.HOTEL_MIGRATED)
_record_hotel(tenant_signals.hotel_migration_failed, events.HOTEL_MIGRATION_FAILED)
_record_hotel(tenant_signals.hotel_deletion_requested, events.HOTEL_DELETION_REQUESTED)
_record_hotel(tenant_signals.hotel_backed_up, events.HOTEL_BACKED_UP)
_record_hotel(tenant_signals.hotel_restored, events.HOTEL_RESTORED)
_record_hotel(tenant_signals.domain_added, events.DOMAIN_ADDED)
_record_hotel(tenant_signals.domain_removed, events.DOMAIN_REMOVED)
_record_support(tenant_signals.support_requested, access_events.SUPPORT_REQUESTED, with_reason=True)
_record_support(tenant_signals.support_opened, access_events.SUPPORT_OPENED)
_record_support(tenant_signals.support_ended, access_events.SUPPORT_ENDED)
_record_support(tenant_signals.support_expired, access_events.SUPPORT_EXPIRED)
_record_hotel(tenant_signals.manager_invited, access_events.MANAGER_INVITED)
_record_hotel(tenant_signals.manager_invitation_sent, access_events.MANAGER_INVITATION_SENT)
_record_contact(tenant_signals.contact_added, events.CONTACT_ADDED)
_record_contact(tenant_signals.contact_removed, events.CONTACT_REMOVED)
