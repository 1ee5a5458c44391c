"""The command `audit_verify` verifies the audit trails of the platform and of hotels."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.dateparse import parse_date, parse_datetime

from audit.sealing import logs, rows
from audit.verification import remembered
from audit.verification.results import Status, TrailReport, UndeterminedTrail, overall_status
from audit.verification.verify import Options, verify_trail
from tenants.context import PLATFORM, Tenant
from tenants.management.hotel_command import HotelCommand, add_tenant_arguments, selected_tenant
from tenants.management.progress import item_progress

EXIT_CODES = {Status.VALID: 0, Status.INVALID: 1, Status.UNDETERMINED: 2}


class Command(HotelCommand):
    help = (
        "Verify the audit trails of the platform and of all hotels, or of one of them: every event, hash and signed "
        "checkpoint, and the triggers and privileges that protect the trail. The first wrong position is shown with "
        "the reason. The exit code is 0 if all trails are valid, 1 if one is invalid, and 2 if that is unknown. "
        "Use --remember with a file on another machine or medium: it finds a history that was cut and sealed again.  "
        "Examples: audit_verify; audit_verify --hotel resort --since 2030-05-01; "
        "audit_verify --remember /mnt/audit/checkpoints.json --json"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_tenant_arguments(parser, "audit trail", required=False)
        parser.add_argument(
            "--since",
            metavar="WHEN",
            help="Do not read the events before this date or time (UTC). Hashes are verified.",
        )
        parser.add_argument(
            "--rows",
            action="store_true",
            help="Compare the rows of staff, API keys, rules, templates and webhooks with their recorded changes.",
        )
        parser.add_argument(
            "--remember",
            type=Path,
            metavar="FILE",
            help="Compare with the checkpoints in this file, and store the newest checkpoints in it.",
        )

    def run(self, **options: Any) -> None:
        tenants = _selected(options)
        since = parse_time(options["since"]) if options["since"] else None
        path: Path | None = options["remember"]
        try:
            notes = remembered.read_remembered(path) if path else {}
        except UndeterminedTrail as error:
            raise CommandError(str(error), returncode=EXIT_CODES[Status.UNDETERMINED]) from error
        total = _sealed_events(tenants)
        with item_progress("Verifying", total, stream=self.stderr, quiet=options["json"]) as progress:
            reports = [
                verify_trail(
                    tenant,
                    Options(since=since, rows=options["rows"], remembered=notes, progress=progress),
                )
                for tenant in tenants
            ]
        result = overall_status(reports)
        delay = rows.find_oldest_transaction() if any(report.unsealed for report in reports) else None
        text = "\n".join([*map(str, reports), *([f"Sealing is delayed by {delay}."] if delay else [])])
        document = {
            "result": result.value,
            "trails": [report.as_json() for report in reports],
            "delayed_by": str(delay) if delay else None,
        }
        self.write_result(text, document, as_json=options["json"])
        if path:
            _remember(path, notes, reports)
        if code := EXIT_CODES[result]:
            raise SystemExit(code)


def _selected(options: dict[str, Any]) -> list[Tenant]:
    if options["platform"] or options["hotel"]:
        return [selected_tenant(options)]
    return [PLATFORM, *(hotel.tenant for hotel in logs.sealed_hotels())]


def _sealed_events(tenants: list[Tenant]) -> int:
    """Return the number of sealed events in the trails of these tenants, without deleted events."""
    ids = {tenant.id for tenant in tenants}
    return sum(log.size - log.first_kept for hotel_id, log in logs.open_logs().items() if hotel_id in ids)


def parse_time(text: str) -> datetime:
    """Return the date or time in a command-line argument. Times without a zone are UTC. Raises CommandError."""
    try:
        moment = parse_datetime(text)
        if moment is None and (day := parse_date(text)):
            moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    except ValueError:
        moment = None
    if moment is None:
        raise CommandError(
            f"{text!r} is not a date or time. Use 2030-05-01 or 2030-05-01T12:00Z.", returncode=2
        )
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _remember(path: Path, notes: dict[str, str], reports: list[TrailReport]) -> None:
    """Store the newest checkpoints of the valid trails in the file at `path`. Keep the checkpoints of other trails."""
    new = {report.origin: report.note for report in reports if report.status == Status.VALID and report.note}
    try:
        remembered.write_remembered(path, {**notes, **new})
    except OSError as error:
        raise CommandError(
            f"The checkpoints could not be stored: {error}", returncode=EXIT_CODES[Status.UNDETERMINED]
        ) from error
