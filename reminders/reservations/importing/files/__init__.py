"""The readers of booking files: CSV, Excel workbooks (.xlsx) and JSON Lines."""

from reminders.reservations.importing.files.bookings_file import BookingsFile
from reminders.reservations.importing.files.formats import FileFormat, Source

__all__ = ["BookingsFile", "FileFormat", "Source"]
