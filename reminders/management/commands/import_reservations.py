"""The command `import_reservations`, which imports a file of bookings into a hotel."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from reminders.reservations.importing.files import BookingsFile
from reminders.reservations.importing.importer import Importer
from reminders.reservations.importing.inspection import ImportOptions
from reminders.reservations.importing.report import ImportReport
from reminders.reservations.importing.values.errors import RowError
from tenants import selectors
from tenants.context import Actor, actor_context, hotel_context, platform_context
from tenants.errors import DomainError

_MAX_LISTED_REJECTS = 10
_RESULTS = {True: "row not imported", False: "cell left out"}


class Command(BaseCommand):
    help = """\
Import a CSV file of bookings, plain or compressed with gzip, into a hotel. Every booking becomes a reservation,
every stay gets a room (missing rooms are created, by room type), and the reminders are planned.

Run the command again with every export of the hotel's property management system (PMS). The PMS is the source of the
bookings: a reservation with the same number is updated to what the file says, also if staff changed it here, and its
room and reminders follow. An empty cell or a missing column leaves the stored value as it is. Reservations that are
not in the file stay as they are, so export cancelled bookings too. To finish an import that was interrupted, run it
again.

A booking without a guest name or e-mail address is stored without it. Its reminders are skipped as long
as the reservation has no e-mail address. Rows that can't be imported are listed with their line and the reason. They do
not stop the import."""
    epilog = """\
examples:
  Check a file before the first import:
    manage.py import_reservations bookings.csv --hotel resort --dry-run --rejects rejected.csv
  Import it. The booking number is in the column "Localizador":
    manage.py import_reservations bookings.csv --hotel resort --map number=Localizador
  Import the bookings of one of the hotels in a file, and print the result for a script:
    manage.py import_reservations group.csv.gz --hotel resort --property "Resort Hotel" --json

exit codes:
  0  The file was imported. Some rows may have been rejected.
  1  The file can't be read, or an error stopped the import.
  2  The hotel does not exist, or an option is not valid."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, epilog=self.epilog, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="A CSV file. Its first line has the column names.")
        parser.add_argument(
            "--hotel", required=True, metavar="SLUG", help="The hotel into which the file is imported."
        )
        parser.add_argument(
            "--property", default="", metavar="NAME",
            help='Import only rows with this value in the column "hotel" or "property".',
        )  # fmt: skip
        parser.add_argument(
            "--map", action="append", default=[], metavar="FIELD=COLUMN", dest="columns",
            help="The column of a field that is not recognised by its name. Can be repeated.",
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
            help="Write the rejected rows and the reasons to a CSV file.",
        )
        parser.add_argument("--json", action="store_true", help="Print the result as a JSON object.")

    def handle(self, **options: Any) -> None:
        actor = Actor(kind="command", id="import_reservations", label="import_reservations")
        try:
            with platform_context():
                hotel = selectors.get_hotel(slug=options["hotel"])
            with hotel_context(hotel), actor_context(actor):
                report, rejected = _import(options)
        except DomainError as error:
            raise CommandError(error.detail, returncode=2 if error.status == 404 else 1) from None
        if options["json"]:
            result = {"hotel": options["hotel"], "file": str(options["file"]), **report.as_json()}
            self.stdout.write(json.dumps(result))
        else:
            self._print(report, rejected, options)

    def _print(self, report: ImportReport, rejected: list[RowError], options: dict[str, Any]) -> None:
        reservations = (
            f"{report.created} new, {report.updated} updated, {report.unchanged} unchanged, "
            f"{report.rejected.total()} rejected"
        )
        reminders = (
            f"{report.reminders.scheduled} scheduled ({report.reminders.due} due now), "
            f"{report.reminders.skipped} skipped, {report.reminders.cancelled} cancelled"
        )
        verb = "Checked" if options["dry_run"] else "Imported"
        lines = [
            f"{verb} {options['file'].name} in {report.seconds:.1f} s: {report.rows} rows",
            f"  reservations  {reservations}",
        ]
        if options["dry_run"]:
            lines.append("  Nothing was stored. Run the command without --dry-run to import the file.")
        else:
            lines += [
                f"  stays         {report.stays} new, {report.stays_moved} moved, {report.stays_cancelled} cancelled",
                f"  rooms         {report.rooms} needed, {report.rooms_created} created",
                f"  reminders     {reminders}",
            ]
        if rejected:
            lines.append("Rejected rows:")
            lines += [
                f"  line {row.line}: {row.number}: {row.reason} ({row.detail or row.value})"
                for row in rejected
            ]
        if (more := report.rejected.total() - len(rejected)) > 0:
            lines.append(f"  and {more} more. Use --rejects FILE to save all of them.")
        self.stdout.write("\n".join(lines))


def _import(options: dict[str, Any]) -> tuple[ImportReport, list[RowError]]:
    """Import the file. Return the import report and the first errors."""
    file = BookingsFile(options["file"], encoding=options["encoding"], delimiter=options["delimiter"])
    import_options = ImportOptions(
        property_name=options["property"],
        columns=_columns(options["columns"]),
        dry_run=options["dry_run"],
    )
    listed: list[RowError] = []
    with (
        _rejects_writer(options["rejects"]) as write,
        _progress_bar(options["hotel"], is_quiet=options["json"]) as advance,
    ):

        def on_rejected(row: RowError) -> None:
            write(row)
            if len(listed) < _MAX_LISTED_REJECTS:
                listed.append(row)

        importer = Importer(file, import_options, on_error=on_rejected, on_progress=advance)
        return importer.run(), listed


def _columns(pairs: list[str]) -> dict[str, str]:
    """Parse the `--map` arguments. Return the column name of each booking field. Raises CommandError."""
    columns = dict(pair.partition("=")[::2] for pair in pairs)
    if not all(columns.values()):
        raise CommandError(
            "--map needs a field and a column, such as --map number=Localizador.", returncode=2
        )
    return columns


@contextmanager
def _rejects_writer(path: Path | None) -> Iterator[Callable[[RowError], None]]:
    if path is None:
        yield lambda _row: None
        return
    try:
        stream = path.open("w", newline="", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} can't be written: {error.strerror}.", returncode=2) from error
    with stream:
        writer = csv.writer(stream)
        writer.writerow(["line", "number", "column", "value", "reason", "detail", "result"])
        yield lambda row: writer.writerow(
            [row.line, row.number, row.column, row.value, row.reason, row.detail, _RESULTS[row.is_rejected]]
        )


@contextmanager
def _progress_bar(label: str, *, is_quiet: bool) -> Iterator[Callable[[int, int], None]]:
    if is_quiet or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    with progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
