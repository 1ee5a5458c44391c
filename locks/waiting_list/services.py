"""The waiting list, for who waits: to join it, to take up what is offered, to leave."""

import datetime
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from audit.services import record
from hotelagent.core.ids import uuid7
from locks import metrics, policy, sql
from locks.errors import InvalidCheckIn, RoomNotFound
from locks.events import HOLD_RELEASED
from locks.holds import Hold, held_rooms, rows
from locks.models import Room
from locks.nights import Nights
from locks.owner import digest, holder, new_token, staff_holder
from locks.waiting_list import events
from locks.waiting_list import policy as waiting_policy
from locks.waiting_list import sql as waiting_sql
from locks.waiting_list.errors import (
    NoOpenOffer,
    OfferAlreadyClaimed,
    OfferExpired,
    TooManyWaitingListEntries,
    WaitingListEntryNotFound,
)
from locks.waiting_list.models import IN_LINE, WaitingListEntry, WaitingStatus
from locks.waiting_list.offers import BUSY, describe_request, offer_free_rooms
from locks.webhooks.publishing import publish
from tenants.context import current_hotel
from tenants.queue import due

#: Joining does not see a room that is being given back at that moment, nor does the giver see who joins: so the
#: entry is looked at once more, when both are committed.
LOOK_AGAIN = datetime.timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class NewEntry:
    """One room for some nights: this `room`, or where none is named any of `room_type` that sleeps so many."""

    nights: Nights
    room: int | None = None
    room_type: str = ""
    guests: int = 1
    session: str = ""
    reference: str = ""


def create_entry(new: NewEntry) -> WaitingListEntry:
    """Stand in line. Where a room is free already, it is offered at once to who comes first.

    Raises RoomNotFound, InvalidCheckIn or TooManyWaitingListEntries.
    """
    _check(new)
    with transaction.atomic():
        entry = WaitingListEntry.objects.create(
            id=uuid7(),
            room_id=new.room,
            room_type=_type_of(new),
            guests=new.guests,
            nights=(new.nights.check_in, new.nights.check_out),
            holder=holder(),
            session=new.session,
            reference=new.reference,
            offer_seconds=waiting_policy.OFFER_SECONDS,
        )
        entry.refresh_from_db()
        record(
            events.ENTRY_CREATED,
            subject=("waiting_list_entry", entry.id),
            wanted=describe_request(entry),
            check_in=new.nights.check_in.isoformat(),
            check_out=new.nights.check_out.isoformat(),
            reference=new.reference,
        )
        again = BUSY if offer_free_rooms(entry) else LOOK_AGAIN
        due.schedule(kind="waiting", items=[(entry.id, entry.joined_at + again)])
        entry.refresh_from_db()
    return entry


def claim_offer(entry_id: UUID) -> Hold:
    """Take up an offer: the hold with its token, once. It ends when the offer would, and can be extended.

    Raises WaitingListEntryNotFound, NoOpenOffer, OfferAlreadyClaimed or OfferExpired.
    """
    token = new_token()
    with transaction.atomic():
        entry = _own(entry_id)
        # The hold before the entry: so does whoever ends a hold.
        found = held_rooms(
            waiting_sql.CLAIM,
            {
                "id": entry.hold_id,
                "digest": digest(token),
                "extensions": policy.EXTENSIONS,
                "life": policy.LIFE_SECONDS,
            },
        )
        moved = WaitingListEntry.objects.filter(id=entry.id, status=WaitingStatus.OFFERED).update(
            status=WaitingStatus.CLAIMED, ended_at=Now()
        )
        if not found or not moved:
            entry.refresh_from_db(fields=["status"])
            raise _no_claim(entry)
        record(
            events.OFFER_CLAIMED,
            subject=("waiting_list_entry", entry.id),
            **found[0].dates,
            hold=str(found[0].id),
            expires_at=found[0].expires_at,
        )
    return Hold.of(found, token=token)


def cancel_entry(entry_id: UUID) -> WaitingListEntry:
    """Stop waiting; what was offered goes to the next. Again is no error.

    Raises WaitingListEntryNotFound or OfferAlreadyClaimed.
    """
    with transaction.atomic():
        entry = _own(entry_id)
        offered = entry.status == WaitingStatus.OFFERED
        ended = held_rooms(sql.FORCE_RELEASE, {"id": entry.hold_id, "reason": ""}) if offered else []
        left = WaitingListEntry.objects.filter(id=entry.id, status__in=IN_LINE).update(
            status=WaitingStatus.CANCELLED, ended_at=Now()
        )
        if left:
            due.cancel(kind="waiting", ids=[entry.id])
            record(
                events.ENTRY_CANCELLED,
                subject=("waiting_list_entry", entry.id),
                wanted=describe_request(entry),
            )
        entry.refresh_from_db()
        if entry.status == WaitingStatus.CLAIMED:
            raise OfferAlreadyClaimed("Release the hold that it became.")
        if ended:
            due.cancel(kind="hold", ids=[room.id for room in ended])
            for room in ended:
                record(HOLD_RELEASED, subject=("hold", room.id), **room.dates)
            publish("hold.released", [room.id for room in ended])
            metrics.ENDED.labels(how="released").inc(len(ended))
    return entry


def _check(new: NewEntry) -> None:
    [situation] = rows(
        waiting_sql.WAITING_SITUATION,
        {
            "time_zone": current_hotel().time_zone,
            "room": new.room,
            "room_type": new.room_type,
            "guests": new.guests,
            "holder": holder(),
            "session": new.session,
        },
    )
    if not situation["fitting"]:
        what = f"No room has the id {new.room}." if new.room else f"No room is of the type {new.room_type!r}"
        raise RoomNotFound(what if new.room else f"{what} and sleeps {new.guests}.")
    if new.nights.check_in < situation["today"]:
        today = situation["today"].isoformat()
        raise InvalidCheckIn(f"At the hotel it is {today}.", today=today)
    if situation["by_client"] >= waiting_policy.WAITING_PER_CLIENT:
        raise TooManyWaitingListEntries(
            f"You have {situation['by_client']} entries.", limit=waiting_policy.WAITING_PER_CLIENT
        )
    if new.session and situation["by_session"] >= waiting_policy.WAITING_PER_SESSION:
        raise TooManyWaitingListEntries(
            f"This guest's session has {situation['by_session']} entries.",
            limit=waiting_policy.WAITING_PER_SESSION,
        )


def _type_of(new: NewEntry) -> str:
    return Room.objects.values_list("room_type", flat=True).get(id=new.room) if new.room else new.room_type


def _own(entry_id: UUID) -> WaitingListEntry:
    """The client's own entry; staff may act for anybody."""
    entry = WaitingListEntry.objects.select_related("room").filter(id=entry_id).first()
    if entry is None or (entry.holder != holder() and staff_holder() is None):
        raise WaitingListEntryNotFound(f"There is no entry {entry_id} of yours.")
    return entry


def _no_claim(entry: WaitingListEntry) -> Exception:
    match entry.status:
        case WaitingStatus.WAITING:
            return NoOpenOffer()
        case WaitingStatus.CLAIMED:
            return OfferAlreadyClaimed()
        case _:
            return OfferExpired()
