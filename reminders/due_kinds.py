"""The kinds of due items that this app schedules. `apps.py` registers the task that handles each kind."""

from typing import Final

#: One reminder to be sent. The item id is the reminder's id.
REMINDER: Final = "reminder"
#: A request to plan all reminders of the hotel again. The item id is a new id for each request.
REPLAN_ALL: Final = "replan_all"
#: One reservation whose reminders are planned again. The item id is the reservation's id.
REPLAN_RESERVATION: Final = "replan_reservation"
#: One linked calendar to be fetched and imported. The item id is the calendar's id.
CALENDAR: Final = "calendar"
