"""The command `import_calendar`, which imports an iCalendar file or URL into a hotel."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import CommandError, CommandParser

from reminders.errors import CalendarUnavailable, InvalidFile
from reminders.reservations.calendars.download import Download, Validators, download
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
reservations is kept. Closures ("Not available") are counted and not imported, because the calendar has no room.

A calendar is identified by its URL, and all files count as one calendar. Only reservations that came from the same
calendar are changed.

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
        file_or_url = options["calendar"]
        url = file_or_url if _is_url(file_or_url) else ""
        try:
            result = _read(file_or_url)
            with hotel_context(hotel):
                report = import_calendar(result.content or b"", charset=result.charset, url=url)
        except InvalidFile as error:
            raise CommandError(error.detail, returncode=1) from error
        for event in [*report.rejected, *report.warnings][:_MAX_PRINTED]:
            nights = ", ".join(f"{check_in} to {check_out}" for check_in, check_out in event.nights[:3])
            self.stderr.write(f"{event.uid or '(no UID)'}, {nights or 'no dates'}: {event.detail}")
        self.write_result(
            f"{report.events} events = {report.created} created + {report.updated} updated + {report.cancelled} "
            f"cancelled + {report.unchanged} unchanged + {report.closures} closures + {report.ignored} ignored + "
            f"{len(report.rejected)} rejected",
            report.as_json(),
            as_json=options["json"],
        )
        if report.rejected and report.events == len(report.rejected):
            sys.exit(1)


def _is_url(file_or_url: str) -> bool:
    return urlsplit(file_or_url).scheme in {"http", "https"}


def _read(file_or_url: str) -> Download:
    try:
        if _is_url(file_or_url):
            return download(file_or_url)
        return Download(Path(file_or_url).read_bytes(), Validators())
    except CalendarUnavailable as error:
        # The error message omits the URL, because the URL may contain a secret.
        raise InvalidFile(f"The calendar can't be read: {error.detail}") from None
    except (OSError, ValueError) as error:
        raise InvalidFile(f"The calendar can't be read: {error}") from error
