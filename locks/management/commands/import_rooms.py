"""Rooms from a CSV file."""

import argparse
import csv
import sys
from collections.abc import Iterator
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

HEADER = ["number", "type", "floor", "capacity"]


class Command(HotelCommand):
    help = """Add rooms to a hotel from a CSV file with the columns number, type, floor, capacity.

    manage.py import_rooms --hotel resort rooms.csv

The first line names the columns; floor and capacity may be empty or missing (then the floor is unknown and
the room sleeps 2). Rooms whose number is there already are left as they are, so running it again changes
nothing. A row that is wrong is listed with its line, and the others are imported; the exit code is then 1."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, help="The CSV file, UTF-8.")
        parser.add_argument("--hotel", required=True, metavar="SLUG", help="Whose rooms they are.")
        parser.add_argument("--dry-run", action="store_true", help="Check the file and store nothing.")

    def work(self, **options: Any) -> None:
        hotel = selectors.get_hotel(slug=options["hotel"])
        rooms, problems = self.read_file(options["file"])
        with hotel_context(hotel), transaction.atomic():
            added = services.add_rooms(rooms)
            transaction.set_rollback(options["dry_run"])
        self.report(
            {
                "rows": len(rooms) + len(problems),
                "added": len(added),
                "already_there": len(rooms) - len(added),
                "rejected": problems,
                "dry_run": options["dry_run"],
            },
            as_json=options["json"],
        )
        if problems:
            sys.exit(1)

    def read_file(self, path: Path) -> tuple[list[NewRoom], list[dict[str, Any]]]:
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                return read(file)
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}", returncode=2) from error
        except (UnicodeDecodeError, csv.Error) as error:
            raise CommandError(f"{path} is no CSV file in UTF-8: {error}", returncode=2) from error

    def report(self, result: dict[str, Any], *, as_json: bool) -> None:
        would = "would be added" if result["dry_run"] else "added"
        lines = [f"line {problem['line']}: {problem['reason']}" for problem in result["rejected"]]
        lines.append(
            f"{result['rows']} rows: {result['added']} rooms {would}, {result['already_there']} were there, "
            f"{len(result['rejected'])} rejected."
        )
        self.tell("\n".join(lines), result, as_json=as_json)


def read(file: Iterator[str]) -> tuple[list[NewRoom], list[dict[str, Any]]]:
    """The rooms of a CSV file, and the rows that are none: `{"line": 7, "reason": "..."}`."""
    reader = csv.DictReader(file)
    if missing := {"number", "type"} - set(reader.fieldnames or []):
        names = ", ".join(HEADER)
        raise CommandError(
            f"The first line must name the columns {names}; missing: {', '.join(sorted(missing))}.",
            returncode=2,
        )
    rooms: dict[str, NewRoom] = {}
    problems = []
    for row in reader:
        try:
            room = parse(row)
        except ValueError as error:
            problems.append({"line": reader.line_num, "reason": str(error)})
            continue
        if room.number in rooms:
            problems.append({"line": reader.line_num, "reason": "its number stands in the file twice"})
        else:
            rooms[room.number] = room
    return list(rooms.values()), problems


def parse(row: dict[str, str | None]) -> NewRoom:
    """Raises ValueError with the reason."""
    values = {name: (row.get(name) or "").strip() for name in HEADER}
    if None in row:
        raise ValueError("more values than columns")
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
        raise ValueError("capacity: a room sleeps at least one")
    return NewRoom(number=room.number, room_type=room.room_type, floor=room.floor, capacity=room.capacity)
