"""What can be done with rooms and holds: each is one transaction and leaves its event in the trail."""

from locks.services.acquiring import acquire, acquire_any
from locks.services.desk import (
    cancel_stay,
    force_release,
    move_stay,
    put_back_in_service,
    take_out_of_service,
)
from locks.services.expiry import expire
from locks.services.owned import cancel, confirm, extend, release
from locks.services.placing import Placed, Placement, place_stays
from locks.services.rooms import NewRoom, add_rooms, change_room, create_room, ensure_rooms

__all__ = [
    "NewRoom",
    "Placed",
    "Placement",
    "acquire",
    "acquire_any",
    "add_rooms",
    "cancel",
    "cancel_stay",
    "change_room",
    "confirm",
    "create_room",
    "ensure_rooms",
    "expire",
    "extend",
    "force_release",
    "move_stay",
    "place_stays",
    "put_back_in_service",
    "release",
    "take_out_of_service",
]
