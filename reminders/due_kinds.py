"""The kinds of work that this app adds to the due queue.

The due queue is a table of work that must be done at a given time. Each row is an entry (due item) with a kind and an
id. `apps.py` registers the Celery task that handles each kind.
"""

from typing import Final

#: Entries of the due queue that send one reminder. The id of an entry is the id of the reminder.
REMINDER: Final = "reminder"
#: Entries of the due queue that plan all reminders of a hotel again. Each entry has a new random id.
REPLAN_ALL: Final = "replan_all"
#: Requests in the due queue to plan the reminders of a reservation again. The id of a request is the reservation's id.
REPLAN_RESERVATION: Final = "replan_reservation"
#: Entries of the due queue that download and import a linked calendar. The id of an entry is the calendar's id.
CALENDAR: Final = "calendar"
#: Entries of the due queue that check or import an uploaded file. The id of an entry is the id of the `FileImport`.
FILE_IMPORT: Final = "file_import"
#: Entries of the due queue that delete old uploaded files once a day. The id of an entry is the hotel's id.
EXPIRED_FILES: Final = "expired_files"
