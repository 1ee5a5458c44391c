"""The operations on rooms, holds, stays and closures. Each operation is one transaction and records audit events."""

from locks.allocations.bulk import AddedStays, NewStay, add_stays
from locks.allocations.changes import expire_holds
from locks.allocations.closures import exclude_from_closures, synchronize_closures
from locks.allocations.locked_rooms import lock_rooms_of_types
from locks.allocations.reallocation import Reallocation, StayChange, StayRule, reallocate
from locks.allocations.rooms import NewRoom, add_rooms, change_room, create_room, ensure_rooms
from locks.services.acquisition import acquire_hold, acquire_hold_of_type
from locks.services.front_desk import (
    cancel_stay,
    cancel_unbooked_stay,
    close_room,
    confirm_rooms,
    force_release_hold,
    move_allocation,
    move_at_front_desk,
    move_remaining_nights,
    reopen_room,
)
from locks.services.holds import (
    cancel_confirmed_hold,
    confirm_hold,
    confirm_hold_for_booking,
    extend_hold,
    keep_hold,
    release_hold,
)
from locks.services.retention import delete_ended_records
from locks.webhooks.publishing import create_deliveries

__all__ = [
    "AddedStays",
    "NewRoom",
    "NewStay",
    "Reallocation",
    "StayChange",
    "StayRule",
    "acquire_hold",
    "acquire_hold_of_type",
    "add_rooms",
    "add_stays",
    "cancel_confirmed_hold",
    "cancel_stay",
    "cancel_unbooked_stay",
    "change_room",
    "close_room",
    "confirm_hold",
    "confirm_hold_for_booking",
    "confirm_rooms",
    "create_deliveries",
    "create_room",
    "delete_ended_records",
    "ensure_rooms",
    "exclude_from_closures",
    "expire_holds",
    "extend_hold",
    "force_release_hold",
    "keep_hold",
    "lock_rooms_of_types",
    "move_allocation",
    "move_at_front_desk",
    "move_remaining_nights",
    "reallocate",
    "release_hold",
    "reopen_room",
    "synchronize_closures",
]
