"""`import_reservations`: takes a file of bookings into a hotel."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from reminders.reservations.importing.importer import Importer, Wishes
from reminders.reservations.importing.parsing import Rejected
from reminders.reservations.importing.reading import Source
from reminders.reservations.importing.report import Report
from tenants import selectors
from tenants.context import Actor, actor_context, hotel_context, platform_context
from tenants.errors import DomainError

#: The bookings that come with us, and the days around today that the demonstration takes of them.
SHIPPED = Path(settings.BASE_DIR) / "data" / "hotel_bookings.csv.gz"
DEMONSTRATION_DAYS = (7, 21)
_SHOWN = 10  # rejected rows on the screen; --rejects has all


class Command(BaseCommand):
    help = (
        "Take a CSV file of bookings, packed with gzip or not, into a hotel: every booking becomes a reservation, "
        "every stay gets a room (rooms are made as the stays need them, by type), and the reminders are planned. "
        "Rows that can't be bookings are listed with line and reason, and don't stop the rest. "
        "Run it again with every export of the hotel's own system (PMS): that system is the source of its bookings. "
        "A booking that the hotel has under the same number is brought to what the file says, also where staff "
        "changed it here, and its reminders and its room follow; an empty cell, or a column that the file lacks, "
        "leaves what is stored. The room that staff gave a stay is kept while it is free on the stay's nights, unless "
        "the file assigns another room type than before; rooms are made as needed here, too. "
        "A booking that is not in the file is left as it is: export cancelled ones too. "
        "An import that was interrupted is finished by running it again. "
        "Guests that the file does not name are invented, with addresses under example.com. "
        "Example: import_reservations bookings.csv --hotel resort --map number=confirmation --rejects bad.csv. "
        "Exit code 0: imported, whatever was rejected. 1: the file can't be read. 2: wrong usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, help="The file; its first line names the columns.")
        parser.add_argument("--hotel", required=True, metavar="SLUG", help="The hotel that it goes into.")
        parser.add_argument(
            "--only-hotel-column", default="", metavar="VALUE",
            help="Take only rows whose column `hotel` says this: 'Resort Hotel'.",
        )  # fmt: skip
        parser.add_argument(
            "--map", action="append", default=[], metavar="FIELD=COLUMN", dest="mapping",
            help="Where a field stands, if its column is not found by name; repeat it for several.",
        )  # fmt: skip
        parser.add_argument("--encoding", default="", help="utf-8, cp1252 ... (default: found out).")
        parser.add_argument("--delimiter", default="", help="Between the columns (default: found out).")
        parser.add_argument(
            "--shift-to-today", action="store_true",
            help="Move all bookings by whole weeks, so that arrivals straddle today in the same season.",
        )  # fmt: skip
        parser.add_argument(
            "--around-today", type=_days, metavar="BEFORE,AFTER",
            help="Only arrivals from BEFORE days ago to AFTER days ahead, and of those what is booked by today.",
        )  # fmt: skip
        parser.add_argument(
            "--demonstration", action="store_true",
            help="The bookings that come with hotelagent, moved to today, some weeks around it; "
            "'Resort Hotel' for the hotel `resort`, and so on.",
        )  # fmt: skip
        parser.add_argument(
            "--dry-run", action="store_true", help="Read and count everything, store nothing."
        )
        parser.add_argument(
            "--rejects", type=Path, metavar="FILE", help="Write the rejected rows to this CSV file."
        )
        parser.add_argument("--json", action="store_true", help="Print the numbers as one JSON object.")

    def handle(self, **options: Any) -> None:
        if options["demonstration"]:
            options["file"] = options["file"] or SHIPPED
            options["shift_to_today"] = True
            options["around_today"] = options["around_today"] or DEMONSTRATION_DAYS
            options["only_hotel_column"] = options["only_hotel_column"] or f"{options['hotel'].title()} Hotel"
        if options["file"] is None:
            raise CommandError("Which file? Name it, or say --demonstration.", returncode=2)
        with ExitStack() as stack:
            try:
                with platform_context():
                    hotel = selectors.get_hotel(slug=options["hotel"])
                stack.enter_context(hotel_context(hotel))
                stack.enter_context(
                    actor_context(
                        Actor(kind="command", id="import_reservations", label="import_reservations")
                    )
                )
                report, shown = self._import(options, stack)
            except DomainError as error:
                raise CommandError(error.detail, returncode=2 if error.status == 404 else 1) from None
        if options["json"]:
            self.stdout.write(
                json.dumps({"hotel": options["hotel"], "file": str(options["file"]), **report.as_json()})
            )
        else:
            self._tell(report, shown, is_dry=options["dry_run"])

    def _import(self, options: dict[str, Any], stack: ExitStack) -> tuple[Report, list[Rejected]]:
        source = Source(options["file"], encoding=options["encoding"], delimiter=options["delimiter"])
        wishes = Wishes(
            hotel_value=options["only_hotel_column"],
            mapping=_mapping(options["mapping"]),
            shift_to_today=options["shift_to_today"],
            days=options["around_today"],
            dry_run=options["dry_run"],
        )
        shown: list[Rejected] = []
        write = stack.enter_context(_rejects(options["rejects"]))

        def rejected(problem: Rejected) -> None:
            write(problem)
            if len(shown) < _SHOWN:
                shown.append(problem)

        advance = stack.enter_context(_progress(options["hotel"], is_quiet=options["json"]))
        return Importer(source, wishes, rejected=rejected, advance=advance).run(), shown

    def _tell(self, report: Report, shown: list[Rejected], *, is_dry: bool) -> None:
        for problem in shown:
            self.stdout.write(f"line {problem.line}: {problem.number}: {problem.reason} ({problem.detail})")
        if (more := report.rejected.total() - len(shown)) > 0:
            self.stdout.write(f"... and {more} more; --rejects FILE writes all of them.")
        reasons = ", ".join(f"{number} {reason}" for reason, number in report.rejected.most_common())
        would_be = "would be " if is_dry else ""
        self.stdout.write(
            f"{report.rows} rows = {report.stored} {would_be}stored + {report.updated} {would_be}updated + "
            f"{report.unchanged} unchanged + {report.rejected.total()} rejected"
            f"{f' ({reasons})' if reasons else ''} + {report.outside} outside the days asked for"
        )
        if not is_dry:
            plan = report.reminders
            self.stdout.write(
                f"{report.stays} stays in {report.rooms} rooms ({report.rooms_made} made), {report.stays_moved} moved, "
                f"{report.stays_cancelled} cancelled; reminders: {plan.scheduled} scheduled, {plan.due} of them due "
                f"now, {plan.skipped} skipped, {plan.cancelled} cancelled; "
                f"{report.seconds:.1f} s"
            )


def _days(text: str) -> tuple[int, int]:
    before, _comma, after = text.partition(",")
    return int(before), int(after)


def _mapping(pairs: list[str]) -> dict[str, str]:
    mapping = dict(pair.partition("=")[::2] for pair in pairs)
    if not all(mapping.values()):
        raise CommandError("--map wants FIELD=COLUMN.", returncode=2)
    return mapping


@contextmanager
def _rejects(path: Path | None) -> Iterator[Callable[[Rejected], None]]:
    if path is None:
        yield lambda _problem: None
        return
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["line", "number", "reason", "detail"])
        yield lambda problem: writer.writerow([problem.line, problem.number, problem.reason, problem.detail])


@contextmanager
def _progress(what: str, *, is_quiet: bool) -> Iterator[Callable[[int, int], None]]:
    console = Console(stderr=True)
    if is_quiet or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )
    with bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
