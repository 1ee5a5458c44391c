"""The command `backup_all`, which backs up all hotels, the database or the server to the storage."""

from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser
from django.template.defaultfilters import filesizeformat

from tenants import selectors
from tenants.errors import DomainError
from tenants.lifecycle.stored_backups import create
from tenants.lifecycle.stored_backups.names import Kind, StoredBackup, hotel_target
from tenants.lifecycle.stored_backups.storage import get_storage
from tenants.management.hotel_command import HotelCommand
from tenants.management.progress import item_progress
from tenants.models import HotelStatus


class Command(HotelCommand):
    help = (
        "Make encrypted backups in the storage that BACKUP_URL names, and delete expired ones. `--kind hotels` (the "
        "default) makes one backup per hotel, and one of the platform's own tables. `--kind database` makes one "
        "pg_dump of the whole database. `--kind server` copies the files of the whole server with pg_basebackup, with "
        "the WAL that makes the copy consistent. A failure does not stop the other backups, and makes the exit code 1. "
        "Example: backup_all --kind database --json"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--kind", choices=("hotels", "database", "server"), default="hotels", help="What to back up."
        )
        parser.add_argument(
            "--hotel",
            action="append",
            metavar="SLUG",
            default=[],
            help="Back up only this hotel. Repeatable.",
        )

    def run(self, **options: Any) -> None:
        if options["hotel"] and options["kind"] != "hotels":
            raise CommandError("--hotel can only be used with --kind hotels.", returncode=2)
        targets = _list_targets(options["kind"], options["hotel"])
        backups = create.make_backups((target, hotel_id) for _slug, target, hotel_id in targets)
        results: list[dict[str, Any]] = []
        with item_progress("Backing up", len(targets), stream=self.stderr, quiet=options["json"]) as progress:
            for (slug, target, _hotel_id), outcome in zip(targets, backups, strict=True):
                results.append(_as_json(slug, target, outcome))
                progress(1)
        failed = [result for result in results if result["error"]]
        size = sum(result["bytes"] or 0 for result in results)
        text = "\n".join(
            [
                *(f"{result['slug'] or result['target']}: {result['error']}" for result in failed),
                f"{len(results) - len(failed)} backups were stored in {get_storage().place}, {filesizeformat(size)}.",
            ]
        )
        self.write_result(text, {"backups": results}, as_json=options["json"])
        if failed:
            raise CommandError(f"{len(failed)} of {len(results)} backups failed.", returncode=1)


def _list_targets(kind: str, slugs: list[str]) -> list[tuple[str, str, UUID | None]]:
    """Return the slug, the target and the hotel's id of each backup to make. Raises HotelNotFound."""
    if kind != "hotels":
        return [("", Kind(kind).value, None)]
    if slugs:
        hotels = [selectors.get_hotel(slug=slug) for slug in slugs]
    else:
        skipped = {HotelStatus.PROVISIONING, HotelStatus.ARCHIVED}
        hotels = [hotel for hotel in selectors.list_hotels() if hotel.status not in skipped]
    listed: list[tuple[str, str, UUID | None]] = [
        (hotel.slug, hotel_target(hotel.id), hotel.id) for hotel in hotels
    ]
    return listed if slugs else [*listed, ("", Kind.PLATFORM.value, None)]


def _as_json(slug: str, target: str, outcome: StoredBackup | DomainError) -> dict[str, Any]:
    result: dict[str, Any] = {"slug": slug, "target": target, "name": "", "bytes": None, "error": ""}
    if isinstance(outcome, DomainError):
        return {**result, "error": outcome.detail}
    return {**result, "name": outcome.name, "bytes": outcome.size}
