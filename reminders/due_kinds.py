"""The kinds of items that this app adds to the queue of due items. A due item must be processed at a given time.

Each item (due item) has a kind and an id. `apps.py` registers the Celery task that processes the items of each kind.
"""

from typing import Final

#: The kind of due item for sending one reminder. The id of the due item is the id of the reminder.
REMINDER: Final = "reminder"
#: The kind of due item for planning all reminders of a hotel again. Each such due item has a new random id.
REPLAN_ALL: Final = "replan_all"
#: The kind of due item for planning a reservation's reminders again. The id of the due item is the reservation's id.
REPLAN_RESERVATION: Final = "replan_reservation"
#: The kind of due item for downloading and importing a linked calendar. The id of the due item is the calendar's id.
CALENDAR: Final = "calendar"
#: The kind of due item for checking or importing an uploaded file. The id of the due item is the id of the file.
FILE_IMPORT: Final = "file_import"
#: The kind of due item for counting the hotel's e-mails of the last days. The id of the due item is the hotel's id.
MAIL_FIGURES: Final = "mail_figures"
#: The kind of due item for deleting old uploaded files once a day. The id of the due item is the hotel's id.
EXPIRED_FILES: Final = "expired_files"
