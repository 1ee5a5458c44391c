"""The kinds of due items that this app schedules."""

from typing import Final

#: The kind of due item for finding out whether the PMS has made a booking. The id of the item is the booking's id.
BOOKING: Final = "pms_booking"
#: The kind of due item for importing the changes of the PMS. The id of the item is the id of the hotel.
SYNC: Final = "pms_sync"
