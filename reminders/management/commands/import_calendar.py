"""`import_calendar`: takes a channel manager's iCalendar into a hotel."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import CommandParser

from reminders.errors import CalendarUnavailable, InvalidFile
from reminders.reservations.calendars.fetching import fetch
from reminders.reservations.calendars.importing import import_calendar
from tenants.context import hotel_context
from tenants.management.hotel_command import HotelCommand
from tenants.selectors import get_hotel


class Command(HotelCommand):
    help = """\
Takes a channel manager's calendar (iCalendar, .ics) into a hotel: each event becomes a reservation, its UID the
number, its days the stay. Run it again, from cron too, and what changed in the calendar follows; what the hotel
knows of the guests stays. Nights that a channel closed ("Not available") and events without a night are counted
and passed over.

    manage.py import_calendar --hotel resort https://channel.example/export/1234.ics
    manage.py import_calendar --hotel resort bookings.ics

Exit code 0: brought in, whatever was refused; 2: there is no such hotel, or no calendar at that address."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "calendar", metavar="FILE_OR_URL", help="An .ics file, or an https address of one."
        )
        parser.add_argument("--hotel", required=True, metavar="SLUG", help="The hotel that it goes into.")
        super().add_arguments(parser)

    def work(self, **options: Any) -> None:
        content = _fetch(options["calendar"])
        with hotel_context(get_hotel(slug=options["hotel"])):
            report = import_calendar(content)
        for refused in report.refused[:10]:
            self.stderr.write(f"{refused.uid}: {refused.detail}")
        self.tell(
            f"{report.events} events = {report.stored} stored + {report.changed} changed + {report.cancelled} "
            f"cancelled + {report.unchanged} unchanged + {report.blocks} closed nights + "
            f"{len(report.refused)} refused",
            asdict(report),
            as_json=options["json"],
        )


def _fetch(where: str) -> bytes:
    try:
        if urlsplit(where).scheme in {"http", "https"}:
            return fetch(where).content or b""
        return Path(where).read_bytes()
    except CalendarUnavailable as error:  # an address may hold a secret: it is not repeated
        raise InvalidFile(f"The calendar can't be read: {error.detail}") from None
    except (OSError, ValueError) as error:
        raise InvalidFile(f"The calendar can't be read: {error}") from error
