"""What somebody asks to hold."""

from dataclasses import dataclass
from typing import Any

from locks import policy
from locks.nights import Nights
from locks.owner import holder
from tenants.context import current_hotel


@dataclass(frozen=True, slots=True)
class Wanted:
    """`count` rooms for some nights: these `rooms`, or where none are named any of `room_type`."""

    nights: Nights
    count: int
    session: str
    reference: str
    rooms: tuple[int, ...] = ()
    room_type: str = ""
    guests: int = 1

    def params(self) -> dict[str, Any]:
        """For the statements that look for rooms and hold them."""
        return {
            "check_in": self.nights.check_in,
            "check_out": self.nights.check_out,
            "count": self.count,
            "rooms": list(self.rooms),
            "room_type": self.room_type,
            "guests": self.guests,
            "session": self.session,
            "reference": self.reference,
            "holder": holder(),
            "time_zone": current_hotel().time_zone,
            "per_client": policy.HOLDS_PER_CLIENT,
            "per_session": policy.HOLDS_PER_SESSION,
            "seconds": policy.HOLD_SECONDS,
            "life": policy.LIFE_SECONDS,
            "extensions": policy.EXTENSIONS,
        }

    def what(self) -> str:
        """For the trail."""
        if self.rooms:
            return "rooms " + ", ".join(map(str, self.rooms))
        return f"{self.count} x {self.room_type}"
