"""The command `import_calendar`, which imports an iCalendar file or URL into a hotel."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import CommandError, CommandParser

from reminders.errors import CalendarUnavailable, InvalidFile
from reminders.reservations.calendars.download import download
from reminders.reservations.calendars.event_import import import_calendar
from tenants.context import hotel_context
from tenants.management.hotel_command import HotelCommand
from tenants.selectors import get_hotel

_MAX_PRINTED = 10


class Command(HotelCommand):
    help = """\
Import the iCalendar file (.ics) of a channel manager into a hotel. Each event becomes a reservation without a room. The
UID of the event is the reservation's number, and its dates are the stay.

Run the command again, for example from cron, to import changed dates and cancellations. Guest data of existing
reservations is kept. Closures ("Not available") are counted and ignored.

    manage.py import_calendar --hotel resort https://channel.example/export/1234.ics
    manage.py import_calendar --hotel resort bookings.ics

exit codes:
  0  The calendar was imported. Some events may have been rejected.
  1  The calendar can't be read, or events were rejected and nothing was stored.
  2  The hotel does not exist, or an option is not valid."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("calendar", metavar="FILE_OR_URL", help="An .ics file, or the https URL of one.")
        parser.add_argument(
            "--hotel", required=True, metavar="SLUG", help="The hotel into which the file is imported."
        )
        super().add_arguments(parser)

    def run(self, **options: Any) -> None:
        hotel = get_hotel(slug=options["hotel"])
        try:
            content = _read(options["calendar"])
            with hotel_context(hotel):
                report = import_calendar(content)
        except InvalidFile as error:
            raise CommandError(error.detail, returncode=1) from error
        for event in report.rejected[:_MAX_PRINTED]:
            self.stderr.write(f"{event.uid}: {event.detail}")
        self.write_result(
            f"{report.events} events = {report.created} created + {report.updated} updated + {report.cancelled} "
            f"cancelled + {report.unchanged} unchanged + {report.closures} closures + "
            f"{len(report.rejected)} rejected",
            asdict(report),
            as_json=options["json"],
        )
        if report.rejected and report.events == len(report.rejected):
            sys.exit(1)


def _read(file_or_url: str) -> bytes:
    try:
        if urlsplit(file_or_url).scheme in {"http", "https"}:
            return download(file_or_url).content or b""
        return Path(file_or_url).read_bytes()
    except CalendarUnavailable as error:  # the error omits the URL, which may contain a secret
        raise InvalidFile(f"The calendar can't be read: {error.detail}") from None
    except (OSError, ValueError) as error:
        raise InvalidFile(f"The calendar can't be read: {error}") from error
