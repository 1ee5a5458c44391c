"""The command `import_rooms`, which imports rooms from a file."""

import argparse
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from locks import services
from locks.allocations import rooms_file
from locks.services import NewRoom
from reminders.errors import InvalidFile
from reminders.file_imports.error_messages import error_message
from reminders.file_imports.rooms import open_rooms_file
from tenants import selectors
from tenants.context import hotel_context
from tenants.management.hotel_command import HotelCommand

_DESCRIPTIONS = {
    "number": "the room number, up to 20 characters (required)",
    "type": "the room type, up to 40 characters (required)",
    "floor": "whole number; empty: unknown",
    "capacity": "number of guests, at least 1; empty: 2",
}


def _field_lines() -> str:
    return "\n".join(
        f"  {field:<10}{_DESCRIPTIONS[field]}\n{'':12}columns: {', '.join(names)}"
        for field, names in rooms_file.COLUMN_NAMES.items()
    )


class Command(HotelCommand):
    help = """Import the rooms of a hotel from a file.

The header contains the names of the columns, in upper or lower case. Rooms whose number exists already are not
changed, so the command can be repeated. Invalid rows are reported with their line number and skipped. The page
"Import rooms" of the hotel's admin imports the same files."""
    epilog = f"""\
fields, and the column names that are recognized:
{_field_lines()}

file formats:
  CSV (any usual delimiter; UTF-8, UTF-16 or Windows-1252), Excel workbook (.xlsx), JSON Lines. Plain or compressed
  with gzip. Lines with a title before the column names are skipped.

examples:
  Check a file before the import:
    manage.py import_rooms rooms.csv --hotel resort --dry-run
  Import it, and print the result for a script:
    manage.py import_rooms rooms.xlsx --hotel resort --json

exit codes:
  0  The file was imported. Some rows may have been rejected.
  1  The file can't be read, or rows were rejected and the hotel has none of the rooms.
  2  The hotel does not exist, or an option is not valid."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, epilog=self.epilog, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "file", type=Path, help="A CSV file, an Excel workbook (.xlsx) or a JSON Lines file."
        )
        parser.add_argument("--hotel", required=True, metavar="SLUG", help="The hotel of the rooms.")
        parser.add_argument("--dry-run", action="store_true", help="Check the file without storing rooms.")

    def run(self, **options: Any) -> None:
        hotel = selectors.get_hotel(slug=options["hotel"])
        rooms, errors = _read_rooms(options["file"])
        with hotel_context(hotel), transaction.atomic():
            added = services.add_rooms(rooms)
            transaction.set_rollback(options["dry_run"])
        self.report(
            {
                "rows": len(rooms) + len(errors),
                "added": len(added),
                "already_there": len(rooms) - len(added),
                "rejected": errors,
                "dry_run": options["dry_run"],
            },
            as_json=options["json"],
        )
        if errors and not rooms:
            sys.exit(1)

    def report(self, result: dict[str, Any], *, as_json: bool) -> None:
        added = "would be added" if result["dry_run"] else "added"
        lines = [f"Line {error['line']}: {error['reason']}" for error in result["rejected"]]
        lines.append(
            f"{result['rows']} rows: {result['added']} rooms {added}, {result['already_there']} existed already, "
            f"{len(result['rejected'])} rejected."
        )
        self.write_result("\n".join(lines), result, as_json=as_json)


def _read_rooms(path: Path) -> tuple[list[NewRoom], list[dict[str, Any]]]:
    """Return the rooms in the file, and the invalid rows as `{"line": 7, "reason": "..."}`.

    Raises CommandError if the file can't be read or a required column is missing.
    """
    try:
        file = open_rooms_file(path)
        columns = rooms_file.detect_columns(file.header)
        if missing := [field for field in rooms_file.REQUIRED_FIELDS if field not in columns]:
            raise CommandError(
                f"The first line must contain the names of the columns ({', '.join(rooms_file.COLUMN_NAMES)}). "
                f"Missing: {', '.join(missing)}.",
                returncode=1,
            )
        rooms, rejected = rooms_file.read_rooms(file.rows(), columns=columns, width=len(file.header))
    except InvalidFile as error:
        raise CommandError(error_message(error), returncode=1) from error
    return rooms, [{"line": row.line, "reason": str(row.reason)} for row in rejected]
