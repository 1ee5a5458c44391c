"""The output of `import_reservations`: the summary, the CSV file of all errors, and the progress bar."""

from __future__ import annotations

import csv
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.core.management.base import CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from reminders.reservations.importing.columns.profiles import Profile
from reminders.reservations.importing.report import ImportReport
from reminders.reservations.importing.values.errors import RowError

#: The summary lists at most this many items of each kind: rejected rows, ignored cells and unknown status words.
MAX_LISTED_ERRORS = 10
_RESULTS = {True: "row not imported", False: "cell left out"}


def summary(
    report: ImportReport,
    *,
    file_name: str,
    profile: Profile | None,
    errors: Sequence[RowError],
    is_dry_run: bool,
) -> str:
    """Return the counts of an import, followed by its first errors, as lines of text."""
    reservations = (
        f"{report.created} new, {report.updated} updated, {report.unchanged} unchanged, "
        f"{report.rejected.total()} rejected"
    )
    reminders = (
        f"{report.reminders.scheduled} scheduled ({report.reminders.due} due now), "
        f"{report.reminders.skipped} skipped, {report.reminders.cancelled} cancelled"
    )
    verb = "Checked" if is_dry_run else "Imported"
    lines = [f"{verb} {file_name} in {report.seconds:.1f} s: {report.rows} rows"]
    if profile is not None:
        lines.append(f"  profile       {profile.title}")
    if orders := sorted(set(report.date_orders.values())):
        lines.append(f"  dates         {', '.join(orders)}")
    lines.append(f"  reservations  {reservations}")
    if report.joined:
        lines.append(f"  rooms         {report.joined} rows are further rooms of a booking")
    if report.left_out:
        lines.append(f"  cells         {report.left_out.total()} left out")
    if is_dry_run:
        lines.append("  Nothing was stored. Run the command without --dry-run to import the file.")
    else:
        lines += [
            f"  stays         {report.stays} new, {report.stays_moved} moved, {report.stays_cancelled} cancelled",
            f"  rooms         {report.rooms} needed, {report.rooms_created} created",
            f"  reminders     {reminders}",
        ]
    return "\n".join([*lines, *_error_lines(report, errors)])


def _error_lines(report: ImportReport, errors: Sequence[RowError]) -> Iterator[str]:
    """Yield lines of text about the first rejected rows, the first ignored cells, and the unknown status words."""
    for is_rejected, title, total in (
        (True, "Rejected rows:", report.rejected.total()),
        (False, "Cells that were left out:", report.left_out.total()),
    ):
        listed = [error for error in errors if error.is_rejected == is_rejected]
        if listed:
            yield title
        for error in listed:
            column = f'{error.column} "{_shortened(error.value)}": ' if error.column else ""
            detail = f" ({error.detail})" if error.detail else ""
            yield f"  line {error.line}: {_shortened(error.number)}: {column}{error.reason}{detail}"
        if (more := total - len(listed)) > 0:
            yield f"  and {more} more. Use --rejects FILE to save all of them."
    for word, rows in report.unknown_statuses.most_common(MAX_LISTED_ERRORS):
        yield f'The status "{_shortened(word)}" ({rows} rows) is not known. Use --status "{_shortened(word)}=STATUS".'


def _shortened(text: str) -> str:
    return textwrap.shorten(text, 60, placeholder="...") if text.strip() else text


@contextmanager
def rejects_writer(path: Path | None) -> Iterator[Callable[[RowError], None]]:
    """Yield a function that writes an error to the CSV file `path`.

    If `path` is None, the yielded function does nothing. Raises CommandError if the file can't be opened.
    """
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
def progress_bar(label: str, *, is_quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows the numbers of finished rows and of all rows, if standard error is a terminal."""
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
