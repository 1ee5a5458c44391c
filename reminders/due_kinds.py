"""The kinds of work that this app adds to the due queue.

The due queue is a table of work that must be done at a given time. Each row is an entry (due item) with a kind and an
id. `apps.py` registers the Celery task that handles each kind.
"""

from typing import Final

#: The kind of entries for sending one reminder. The id of an entry is the id of the reminder.
REMINDER: Final = "reminder"
#: The kind of entries for planning all reminders of a hotel again. Each entry has a new random id.
REPLAN_ALL: Final = "replan_all"
#: The kind of entries for planning the reminders of a reservation again. The id of an entry is the reservation's id.
REPLAN_RESERVATION: Final = "replan_reservation"
#: The kind of entries for downloading and importing a linked calendar. The id of an entry is the calendar's id.
CALENDAR: Final = "calendar"
#: The kind of entries for checking or importing an uploaded file. The id of an entry is the id of the `FileImport`.
FILE_IMPORT: Final = "file_import"
#: The kind of entries for deleting old uploaded files once a day. The id of an entry is the hotel's id.
EXPIRED_FILES: Final = "expired_files"
