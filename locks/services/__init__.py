"""What can be done with rooms and holds: each is one transaction and leaves its event in the trail."""

from locks.allocations.bulk import Placed, Placement, place_stays
from locks.allocations.closures import keep_closed
from locks.allocations.locked_rooms import lock_types
from locks.allocations.reallocation import Arranged, StayChange, arrange
from locks.services.acquiring import acquire, acquire_any
from locks.services.desk import (
    cancel_stay,
    force_release,
    move_stay,
    put_back_in_service,
    take_out_of_service,
)
from locks.services.expiry import expire
from locks.services.forgetting import forget
from locks.services.owned import cancel, confirm, extend, release
from locks.services.rooms import NewRoom, add_rooms, change_room, create_room, ensure_rooms

__all__ = [
    "Arranged",
    "NewRoom",
    "Placed",
    "Placement",
    "StayChange",
    "acquire",
    "acquire_any",
    "add_rooms",
    "arrange",
    "cancel",
    "cancel_stay",
    "change_room",
    "confirm",
    "create_room",
    "ensure_rooms",
    "expire",
    "extend",
    "force_release",
    "forget",
    "keep_closed",
    "lock_types",
    "move_stay",
    "place_stays",
    "put_back_in_service",
    "release",
    "take_out_of_service",
]
