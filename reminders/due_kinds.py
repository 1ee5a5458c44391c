"""The kinds of work that this app adds to the due queue.

The due queue is a table of work that must be done at a given time. Each row is a due item with a kind and an id.
`apps.py` registers the Celery task that handles each kind.
"""

from typing import Final

#: The due item kind for sending one reminder. The id of the due item is the id of the reminder.
REMINDER: Final = "reminder"
#: The due item kind for planning all reminders of the hotel again. Each request has a new due item id.
REPLAN_ALL: Final = "replan_all"
#: The due item kind for planning the reminders of one reservation again. The due item id is the reservation id.
REPLAN_RESERVATION: Final = "replan_reservation"
#: The due item kind for downloading and importing one linked calendar. The due item id is the calendar id.
CALENDAR: Final = "calendar"
#: The due item kind for checking or importing one uploaded file. The due item id is the `FileImport` id.
FILE_IMPORT: Final = "file_import"
#: The due item kind for deleting old uploaded files once a day. The due item id is the hotel id.
EXPIRED_FILES: Final = "expired_files"
