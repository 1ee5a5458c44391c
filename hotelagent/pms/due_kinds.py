"""The kinds of items that this app adds to the due queue."""

from typing import Final

#: The kind of due item that resolves a booking. The id of the item is the id of the booking.
BOOKING: Final = "pms_booking"
#: The kind of due item that imports the changes of the PMS. The id of the item is the id of the hotel.
SYNC: Final = "pms_sync"
