"""The command `import_reservations`, which imports a file of bookings into a hotel."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from reminders.errors import FileChoice, InvalidFile
from reminders.management.import_output import MAX_LISTED_ERRORS, progress_bar, rejects_writer, summary
from reminders.models import ReservationStatus
from reminders.reservations.importing.columns.fields import FIELDS
from reminders.reservations.importing.columns.profiles import Profile, built_in_profiles, load_profile
from reminders.reservations.importing.files import BookingsFile
from reminders.reservations.importing.importer import Importer
from reminders.reservations.importing.inspection import ImportOptions
from reminders.reservations.importing.report import ImportReport
from reminders.reservations.importing.values.dates import DateOrder
from reminders.reservations.importing.values.errors import RowError
from reminders.reservations.importing.values.statuses import status_words
from tenants import selectors
from tenants.context import actor_context, hotel_context, platform_context
from tenants.errors import DomainError
from tenants.management.hotel_command import command_actor

#: If a file cannot be imported without a choice, the hint says which option to use.
HINTS = {
    FileChoice.COLUMNS: "Name the column of a field with --map, such as --map number=Localizador.",
    FileChoice.DATE_FORMAT: "Choose one with --date-format day-first or --date-format month-first.",
    FileChoice.ENCODING: "Choose another --encoding, such as utf-8 or cp1252.",
    FileChoice.HOTEL: "Choose one with --property NAME.",
}


class Command(BaseCommand):
    help = """\
Import a file of bookings into a hotel. Every booking becomes a reservation, every stay gets a room (missing rooms are
created, by room type), and the reminders are planned.

Run the command again with every export of the hotel's property management system (PMS). The PMS is the source of the
bookings: a reservation with the same number is updated to what the file says, also if staff changed it here, and its
room and reminders follow. An empty cell or a missing column leaves the stored value as it is. Reservations that are
not in the file stay as they are, so export cancelled bookings too. To finish an import that was interrupted, run it
again.

Only the number, the dates and the rooms decide whether a booking exists. An error in another cell leaves that cell
out. All errors are listed with their line and the reason. They do not stop the import."""

    @property
    def epilog(self) -> str:
        fields = "".join(
            f"\n  {field.name:19}{field.description}{' (required)' if field.is_required else ''}"
            f"\n{'':21}columns: {', '.join(field.column_names)}"
            for field in FIELDS.values()
        )
        profiles = "".join(f"\n  {name:16} {profile.title}" for name, profile in built_in_profiles().items())
        return f"""\
file formats:
  CSV (any usual delimiter; UTF-8, UTF-16 or Windows-1252), Excel workbook (.xlsx), JSON Lines. Plain or compressed
  with gzip. Lines with a title before the column names and lines with totals are skipped.

profiles, detected from the column names:{profiles}

fields, and the column names that are recognized without a profile:{fields}

statuses:
  {", ".join(ReservationStatus.values)}

examples:
  Check a file before the first import:
    manage.py import_reservations bookings.csv --hotel resort --dry-run --rejects errors.csv
  Import a file with other column names, another status word, and dates such as 3/12/2026:
    manage.py import_reservations bookings.xlsx --hotel resort --map number=Localizador \\
      --map guest_name=Nombre+Apellidos --status Anulada=cancelled --date-format day-first

exit codes:
  0  The file was imported. Some rows may have been rejected.
  1  The file can't be read, or rows were rejected and nothing was stored.
  2  The hotel does not exist, or an option is not valid."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, epilog=self.epilog, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", type=Path, help="A CSV file, an Excel workbook (.xlsx) or a JSON Lines file."
        )
        parser.add_argument(
            "--hotel", required=True, metavar="SLUG", help="The hotel into which the file is imported."
        )
        parser.add_argument(
            "--profile", default="", metavar="NAME|FILE",
            help="The system that the file comes from, or a TOML file that describes its columns (default: detected).",
        )  # fmt: skip
        parser.add_argument(
            "--property", default="", metavar="NAME",
            help='Import only rows with this value in the column "hotel" or "property".',
        )  # fmt: skip
        parser.add_argument(
            "--map", action="append", default=[], metavar="FIELD=COLUMN", dest="columns",
            help="The column of a field. First+Last joins two columns. Can be repeated.",
        )  # fmt: skip
        parser.add_argument(
            "--status", action="append", default=[], metavar="WORD=STATUS", dest="statuses",
            help="The meaning of a word in the status column. Can be repeated.",
        )  # fmt: skip
        parser.add_argument(
            "--date-format", default="", choices=[order.value for order in DateOrder],
            help="The order of day and month, for dates that can be read in two ways (default: detected).",
        )  # fmt: skip
        parser.add_argument("--encoding", default="", help="Such as utf-8 or cp1252 (default: detected).")
        parser.add_argument(
            "--delimiter", default="", help="The character between the cells (default: detected)."
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Read the file and count, but store nothing."
        )
        parser.add_argument(
            "--rejects",
            type=Path,
            metavar="FILE",
            help="Write all errors of rows and cells to a CSV file.",
        )
        parser.add_argument("--json", action="store_true", help="Print the result as a JSON object.")

    def handle(self, **options: Any) -> None:
        import_options = _import_options(options)
        actor = command_actor("import_reservations")
        try:
            with platform_context():
                hotel = selectors.get_hotel(slug=options["hotel"])
            with hotel_context(hotel), actor_context(actor):
                report, profile, errors = _import(options, import_options)
        except InvalidFile as error:
            hint = f" {HINTS[error.choice]}" if error.choice else ""
            raise CommandError(f"{error.detail}{hint}", returncode=1) from None
        except DomainError as error:
            raise CommandError(error.detail, returncode=2 if error.status == 404 else 1) from None
        if options["json"]:
            result = {
                "hotel": options["hotel"], "file": str(options["file"]), "profile": profile and profile.name,
                **report.as_json(),
            }  # fmt: skip
            self.stdout.write(json.dumps(result))
        else:
            text = summary(
                report,
                file_name=options["file"].name,
                profile=profile,
                errors=errors,
                is_dry_run=options["dry_run"],
            )
            self.stdout.write(text)
        if report.rejected and not report.has_bookings:
            sys.exit(1)


def _import(
    options: dict[str, Any], import_options: ImportOptions
) -> tuple[ImportReport, Profile | None, list[RowError]]:
    """Import the file. Return the import report, the profile, and the first row errors and cell errors."""
    file = BookingsFile(
        options["file"],
        encoding=options["encoding"],
        delimiter=options["delimiter"],
        column_names=import_options.expected_columns,
    )
    listed: list[RowError] = []
    counts = {True: 0, False: 0}
    with (
        rejects_writer(options["rejects"]) as write,
        progress_bar(options["hotel"], is_quiet=options["json"]) as advance,
    ):

        def on_error(error: RowError) -> None:
            write(error)
            counts[error.is_rejected] += 1
            if counts[error.is_rejected] <= MAX_LISTED_ERRORS:
                listed.append(error)

        importer = Importer(file, import_options, on_error=on_error, on_progress=advance)
        return importer.run(), importer.profile, listed


def _import_options(options: dict[str, Any]) -> ImportOptions:
    """Parse the options. Raises CommandError with exit code 2 if an option is not valid."""
    columns = _pairs(
        options["columns"], "--map needs a field and a column, such as --map number=Localizador."
    )
    if unknown := sorted(columns.keys() - FIELDS.keys()):
        raise CommandError(
            f"Unknown field: {', '.join(unknown)}. The fields are: {', '.join(FIELDS)}.", returncode=2
        )
    statuses = _pairs(options["statuses"], "--status needs a word and a status, such as --status ok=booked.")
    try:
        status_words(statuses)
        profile = load_profile(options["profile"]) if options["profile"] else None
    except InvalidFile as error:
        raise CommandError(error.detail, returncode=2) from None
    return ImportOptions(
        profile=profile,
        property_name=options["property"],
        columns=columns,
        statuses=statuses,
        date_format=options["date_format"],
        dry_run=options["dry_run"],
    )


def _pairs(arguments: list[str], hint: str) -> dict[str, str]:
    """Parse arguments of the form NAME=VALUE. Raises CommandError with `hint` if an argument is not valid."""
    pairs = dict(argument.partition("=")[::2] for argument in arguments)
    if not all(pairs.values()):
        raise CommandError(hint, returncode=2)
    return pairs
