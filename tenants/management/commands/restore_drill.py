"""The command `restore_drill`, which restores the newest backups beside the originals and compares every row."""

from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from tenants import selectors
from tenants.lifecycle.stored_backups.create import list_backups
from tenants.lifecycle.stored_backups.drill import DrillResult, run_drills
from tenants.lifecycle.stored_backups.names import Kind, hotel_target
from tenants.lifecycle.stored_backups.storage import get_storage
from tenants.management.hotel_command import HotelCommand
from tenants.management.progress import item_progress
from tenants.models import HotelStatus


class Command(HotelCommand):
    help = (
        "Restore the newest backup of each hotel and of the platform beside the originals, and compare every row with "
        "the backup. Hotels are restored in a transaction that is rolled back, and dumps in a separate database that "
        "is dropped. Nothing existing is changed, and nothing is sent. Needs BACKUP_IDENTITY_FILE. The exit code is 1 "
        "if a backup is missing, damaged or different. Example: restore_drill --hotel resort --json"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--hotel",
            action="append",
            metavar="SLUG",
            default=[],
            help="Restore only this hotel. Repeatable.",
        )

    def run(self, **options: Any) -> None:
        targets = _list_targets(options["hotel"])
        results: list[DrillResult] = []
        with item_progress("Restoring", len(targets), stream=self.stderr, quiet=options["json"]) as progress:
            for result in run_drills(targets=targets):
                results.append(result)
                progress(1)
        failed = [result for result in results if result.error]
        rows = sum(result.rows or 0 for result in results)
        text = "\n".join(
            [
                *(f"{result.slug or result.target}: {result.error}" for result in failed),
                f"{len(results) - len(failed)} backups were restored without a difference: {rows} rows.",
            ]
        )
        document = {"passed": len(results) - len(failed), "failed": len(failed), "drills": _as_json(results)}
        self.write_result(text, document, as_json=options["json"])
        if failed:
            raise CommandError(f"{len(failed)} of {len(results)} drills failed.", returncode=1)


def _list_targets(slugs: list[str]) -> list[tuple[str, UUID | None]]:
    """Return the targets of the drills: the hotels with these slugs.

    Without slugs, return all hotels, the platform, and the database and the server if they have a stored backup.
    """
    if slugs:
        hotels = [selectors.get_hotel(slug=slug) for slug in slugs]
        return [(hotel_target(hotel.id), hotel.id) for hotel in hotels]
    skipped = {HotelStatus.PROVISIONING, HotelStatus.ARCHIVED}
    listed: list[tuple[str, UUID | None]] = [
        (hotel_target(hotel.id), hotel.id) for hotel in selectors.list_hotels() if hotel.status not in skipped
    ]
    stored = {backup.target for backup in list_backups(get_storage())}
    others = [kind.value for kind in (Kind.DATABASE, Kind.SERVER) if kind.value in stored]
    return [*listed, (Kind.PLATFORM.value, None), *((name, None) for name in others)]


def _as_json(results: list[DrillResult]) -> list[dict[str, Any]]:
    return [
        {
            "target": result.target,
            "slug": result.slug,
            "name": result.name,
            "created_at": result.created_at.isoformat() if result.created_at else None,
            "rows": result.rows,
            "seconds": round(result.seconds, 3),
            "error": result.error,
        }
        for result in results
    ]
