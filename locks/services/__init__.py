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
from locks.waiting_list.offers import look, serve
from locks.waiting_list.services import Wish, claim, join, leave
from locks.webhooks.delivery import deliver, deliver_last, warn
from locks.webhooks.services import change_webhook, delete_webhook, make_webhook, ping, rotate_secret

__all__ = [
    "Arranged",
    "NewRoom",
    "Placed",
    "Placement",
    "StayChange",
    "Wish",
    "acquire",
    "acquire_any",
    "add_rooms",
    "arrange",
    "cancel",
    "cancel_stay",
    "change_room",
    "change_webhook",
    "claim",
    "confirm",
    "create_room",
    "delete_webhook",
    "deliver",
    "deliver_last",
    "ensure_rooms",
    "expire",
    "extend",
    "force_release",
    "forget",
    "join",
    "keep_closed",
    "leave",
    "lock_types",
    "look",
    "make_webhook",
    "move_stay",
    "ping",
    "place_stays",
    "put_back_in_service",
    "release",
    "rotate_secret",
    "serve",
    "take_out_of_service",
    "warn",
]
