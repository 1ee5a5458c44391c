"""The command `import_rooms`: import rooms from a CSV file."""

import argparse
import csv
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from locks import services
from locks.models import Room
from locks.services import NewRoom
from tenants import selectors
from tenants.context import hotel_context
from tenants.management.hotel_command import HotelCommand

COLUMNS = ["number", "type", "floor", "capacity"]
REQUIRED_COLUMNS = {"number", "type"}


class Command(HotelCommand):
    help = """Import the rooms of a hotel from a CSV file with the columns number, type, floor and capacity.

    manage.py import_rooms --hotel resort rooms.csv

The first line contains the names of the columns. The columns floor and capacity are optional; the default
capacity is 2. Rooms whose number exists already are not changed, so the command can be repeated. Invalid
rows are reported with their line number and skipped, and the exit code is then 1."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, help="Path of the CSV file, encoded in UTF-8.")
        parser.add_argument("--hotel", required=True, metavar="SLUG", help="The hotel of the rooms.")
        parser.add_argument("--dry-run", action="store_true", help="Check the file without storing rooms.")

    def run(self, **options: Any) -> None:
        hotel = selectors.get_hotel(slug=options["hotel"])
        rooms, errors = self.read_file(options["file"])
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
        if errors:
            sys.exit(1)

    def read_file(self, path: Path) -> tuple[list[NewRoom], list[dict[str, Any]]]:
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                return read_rooms(file)
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}", returncode=2) from error
        except (UnicodeDecodeError, csv.Error) as error:
            raise CommandError(f"{path} is not a CSV file in UTF-8: {error}", returncode=2) from error

    def report(self, result: dict[str, Any], *, as_json: bool) -> None:
        added = "would be added" if result["dry_run"] else "added"
        lines = [f"Line {error['line']}: {error['reason']}" for error in result["rejected"]]
        lines.append(
            f"{result['rows']} rows: {result['added']} rooms {added}, {result['already_there']} existed already, "
            f"{len(result['rejected'])} rejected."
        )
        self.write_result("\n".join(lines), result, as_json=as_json)


def read_rooms(lines: Iterable[str]) -> tuple[list[NewRoom], list[dict[str, Any]]]:
    """Return the rooms of a CSV file, and its invalid rows as `{"line": 7, "reason": "..."}`.

    Raises CommandError if a required column is missing.
    """
    reader = csv.DictReader(lines)
    if missing := REQUIRED_COLUMNS - set(reader.fieldnames or []):
        raise CommandError(
            f"The first line must contain the names of the columns ({', '.join(COLUMNS)}). "
            f"Missing: {', '.join(sorted(missing))}.",
            returncode=2,
        )
    rooms: dict[str, NewRoom] = {}
    errors = []
    for row in reader:
        try:
            room = parse_row(row)
        except ValueError as error:
            errors.append({"line": reader.line_num, "reason": str(error)})
            continue
        if room.number in rooms:
            errors.append({"line": reader.line_num, "reason": f"duplicate room number {room.number}"})
        else:
            rooms[room.number] = room
    return list(rooms.values()), errors


def parse_row(row: dict[str, str | None]) -> NewRoom:
    """Return the room of a row. Raises ValueError with the reason if the row is not valid."""
    if None in row:
        raise ValueError("more values than columns")
    values = {name: (row.get(name) or "").strip() for name in COLUMNS}
    room = Room(
        number=values["number"],
        room_type=values["type"],
        floor=values["floor"] or None,
        capacity=values["capacity"] or 2,
    )
    try:
        room.clean_fields()
    except ValidationError as error:
        reasons = (f"{name}: {' '.join(texts)}" for name, texts in error.message_dict.items())
        raise ValueError("; ".join(reasons)) from error
    if room.capacity < 1:
        raise ValueError("capacity: must be at least 1")
    return NewRoom(number=room.number, room_type=room.room_type, floor=room.floor, capacity=room.capacity)
