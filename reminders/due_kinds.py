"""The kinds of work that this app adds to the due queue.

The due queue is a table of work that must be done at a given time. Each row is a due item with a kind and an id.
`apps.py` registers the Celery task that handles each kind.
"""

from typing import Final

#: Due item kind: send one reminder. The id of the due item is the id of the reminder.
REMINDER: Final = "reminder"
#: Due item kind: plan all reminders of the hotel again. Each request has a new due item id.
REPLAN_ALL: Final = "replan_all"
#: Due item kind: plan the reminders of one reservation again. The due item id is the id of the reservation.
REPLAN_RESERVATION: Final = "replan_reservation"
#: Due item kind: download and import one linked calendar. The due item id is the id of the calendar.
CALENDAR: Final = "calendar"
#: Due item kind: check or import one uploaded file. The due item id is the id of the `FileImport`.
FILE_IMPORT: Final = "file_import"
#: Due item kind, once a day: delete the uploaded files that are too old. The due item id is the id of the hotel.
EXPIRED_FILES: Final = "expired_files"
