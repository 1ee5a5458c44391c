"""Services that let clients join the waiting list, claim an offer and cancel an entry."""

import datetime
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from audit.services import record
from hotelagent.core.ids import uuid7
from locks import metrics, selectors
from locks import policy as hold_policy
from locks.database import call, fetch_rows
from locks.errors import InvalidCheckIn, RoomNotFound
from locks.events import HOLD_RELEASED
from locks.holds import AllocatedRoom, Hold
from locks.models import Allocation, AllocationStatus, Room
from locks.nights import Nights
from locks.owner import holder, staff_holder
from locks.waiting_list import events, policy
from locks.waiting_list import sql as waiting_sql
from locks.waiting_list.errors import (
    NoOpenOffer,
    OfferAlreadyClaimed,
    OfferExpired,
    TooManyWaitingListEntries,
    WaitingListEntryNotFound,
)
from locks.waiting_list.models import OPEN_STATUSES, WaitingListEntry, WaitingStatus
from locks.waiting_list.offers import offer_free_rooms
from tenants.access.tokens import digest, new_token
from tenants.context import current_hotel
from tenants.database.clock import database_now
from tenants.errors import DomainError
from tenants.queue import due


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A client's request to join the waiting list.

    The client waits for the room `room`. If `room` is None, the client waits for any room of the type `room_type` that
    has space for `guests` guests.
    """

    nights: Nights
    room: int | None = None
    room_type: str = ""
    guests: int = 1
    session: str = ""
    reference: str = ""


def create_entry(new: NewEntry) -> WaitingListEntry:
    """Join the waiting list. If a suitable room is already free, it is offered immediately to the oldest entry.

    Raises RoomNotFound, InvalidCheckIn or TooManyWaitingListEntries.
    """
    _check_request(new)
    with transaction.atomic():
        entry = WaitingListEntry.objects.create(
            id=uuid7(),
            room_id=new.room,
            room_type=_type_of_room(new.room) if new.room else new.room_type,
            guests=new.guests,
            nights=(new.nights.check_in, new.nights.check_out),
            holder=holder(),
            session=new.session,
            reference=new.reference,
            offer_seconds=policy.OFFER_SECONDS,
        )
        entry.refresh_from_db()
        record(
            events.WAITING_LIST_JOINED,
            subject=("waiting_list_entry", entry.id),
            requested=entry.requested,
            check_in=new.nights.check_in.isoformat(),
            check_out=new.nights.check_out.isoformat(),
            reference=new.reference,
        )
        delay = policy.PROCESS_AGAIN_AFTER if offer_free_rooms(entry) else policy.RETRY_LOCKED_ROOM_AFTER
        due.schedule(kind="waiting", items=[(entry.id, entry.joined_at + delay)])
        entry.refresh_from_db()
    return entry


def claim_offer(entry_id: UUID) -> Hold:
    """Claim the offer of a waiting list entry. Return the hold with its token, which can't be read again.

    The hold expires when the offer would have expired, and can be extended like any other hold. Raises
    WaitingListEntryNotFound, NoOpenOffer, OfferAlreadyClaimed or OfferExpired.
    """
    token = new_token()
    with transaction.atomic():
        entry = _get_entry(entry_id)
        claimed = _claim_hold(entry.hold_id, token) if entry.hold_id else None
        updated = WaitingListEntry.objects.filter(id=entry.id, status=WaitingStatus.OFFERED).update(
            status=WaitingStatus.CLAIMED, ended_at=Now()
        )
        if claimed is None or not updated:
            entry.refresh_from_db(fields=["status"])
            raise _claim_error(entry)
        record(
            events.OFFER_CLAIMED,
            subject=("waiting_list_entry", entry.id),
            **claimed.event_fields,
            hold=str(claimed.id),
            expires_at=claimed.expires_at,
        )
    return Hold.of([claimed], token=token)


def cancel_entry(entry_id: UUID) -> WaitingListEntry:
    """Cancel a waiting list entry and release its offer. The next entries become due.

    Does nothing if the entry has been cancelled or has expired. Raises WaitingListEntryNotFound or OfferAlreadyClaimed.
    """
    with transaction.atomic():
        entry = _get_entry(entry_id)
        has_offer = (
            entry.hold_id is not None and entry.status == WaitingStatus.OFFERED and _lock_hold(entry.hold_id)
        )
        cancelled = WaitingListEntry.objects.filter(id=entry.id, status__in=OPEN_STATUSES).update(
            status=WaitingStatus.CANCELLED, ended_at=Now()
        )
        if cancelled:
            due.cancel(kind="waiting", ids=[entry.id])
            record(
                events.ENTRY_CANCELLED, subject=("waiting_list_entry", entry.id), requested=entry.requested
            )
        entry.refresh_from_db()
        if entry.status == WaitingStatus.CLAIMED:
            raise OfferAlreadyClaimed(
                _(
                    "The offer has already been claimed, so the entry can't be cancelled. Release the hold instead."
                )
            )
        if has_offer:
            released = call(
                "locks_end",
                {
                    "allocation": str(entry.hold_id),
                    "status": AllocationStatus.HELD,
                    "new_status": AllocationStatus.RELEASED,
                    "event": HOLD_RELEASED.name,
                    "event_fields": "{}",
                },
            )
            metrics.ENDED.labels(how="released").inc(len(released))
    return entry


def _lock_hold(hold_id: UUID) -> bool:
    """Lock the row of an offer's hold. Return False if the hold has ended.

    Lock the hold before the waiting list entry, as other transactions do, to prevent deadlocks.
    """
    holds = Allocation.objects.filter(id=hold_id, status=AllocationStatus.HELD)
    return holds.select_for_update(no_key=True).first() is not None


def _claim_hold(hold_id: UUID, token: str) -> AllocatedRoom | None:
    """Give the hold of an offer a token and the usual number of extensions.

    Return None if the hold has ended or expired.
    """
    if not _lock_hold(hold_id):
        return None
    now = database_now()
    claimed = Allocation.objects.filter(id=hold_id, expires_at__gt=now).update(
        token_digest=digest(token),
        extensions_left=hold_policy.EXTENSIONS,
        max_expires_at=now + datetime.timedelta(seconds=hold_policy.MAX_LIFETIME_SECONDS),
    )
    return AllocatedRoom.from_allocation(selectors.allocations().get(id=hold_id)) if claimed else None


def _check_request(new: NewEntry) -> None:
    [situation] = fetch_rows(
        waiting_sql.NEW_ENTRY_SITUATION,
        {
            "time_zone": current_hotel().time_zone,
            "room": new.room,
            "room_type": new.room_type,
            "guests": new.guests,
            "holder": holder(),
            "session": new.session,
        },
    )
    if not situation["has_room"]:
        raise _room_not_found(new)
    if new.nights.check_in < situation["today"]:
        today = situation["today"].isoformat()
        raise InvalidCheckIn(
            _("The check-in date is in the past. Today's date at the hotel is {today}.").format(today=today),
            today=today,
        )
    if situation["entries_of_client"] >= policy.MAX_ENTRIES_PER_CLIENT:
        raise TooManyWaitingListEntries(
            _("You have {count} open waiting list entries. The limit is {limit}.").format(
                count=situation["entries_of_client"], limit=policy.MAX_ENTRIES_PER_CLIENT
            ),
            limit=policy.MAX_ENTRIES_PER_CLIENT,
        )
    if new.session and situation["entries_of_session"] >= policy.MAX_ENTRIES_PER_SESSION:
        raise TooManyWaitingListEntries(
            _("This guest session has {count} open waiting list entries. The limit is {limit}.").format(
                count=situation["entries_of_session"], limit=policy.MAX_ENTRIES_PER_SESSION
            ),
            limit=policy.MAX_ENTRIES_PER_SESSION,
        )


def _room_not_found(new: NewEntry) -> RoomNotFound:
    if new.room:
        return RoomNotFound(_("There is no room with the id {id}.").format(id=new.room))
    return RoomNotFound(
        _("The hotel has no room of type '{type}' for {guests} guests.").format(
            type=new.room_type, guests=new.guests
        )
    )


def _type_of_room(room: int) -> str:
    return Room.objects.values_list("room_type", flat=True).get(id=room)


def _get_entry(entry_id: UUID) -> WaitingListEntry:
    """Return a waiting list entry that the current actor may change.

    A client may change its own entries, and staff may change any entry. Raises WaitingListEntryNotFound.
    """
    entry = WaitingListEntry.objects.select_related("room").filter(id=entry_id).first()
    if entry is None or (entry.holder != holder() and staff_holder() is None):
        raise entry_not_found(entry_id)
    return entry


def entry_not_found(entry_id: UUID) -> WaitingListEntryNotFound:
    return WaitingListEntryNotFound(_("You have no waiting list entry with the id {id}.").format(id=entry_id))


def _claim_error(entry: WaitingListEntry) -> DomainError:
    match entry.status:
        case WaitingStatus.WAITING:
            return NoOpenOffer()
        case WaitingStatus.CLAIMED:
            return OfferAlreadyClaimed()
        case _:
            return OfferExpired()
