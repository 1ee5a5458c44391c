"""The command `fetch_backup`, which decrypts a backup of the storage to a file."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.template.defaultfilters import filesizeformat

from tenants.lifecycle.stored_backups.fetch import fetch_backup
from tenants.lifecycle.stored_backups.names import Kind
from tenants.management.hotel_command import HotelCommand

_NEXT_STEPS = {
    Kind.HOTEL: "Restore the hotel with: manage.py restore_hotel {file}",
    Kind.PLATFORM: "Restore the platform with: manage.py restore_platform {file}",
    Kind.DATABASE: "Restore the database with: pg_restore --dbname=NEW_DATABASE {file}",
    Kind.SERVER: "Unpack the files of the server with: tar -xzf {file} -C EMPTY_FOLDER",
}


class Command(HotelCommand):
    help = (
        "Decrypt a backup of the storage with a key in BACKUP_IDENTITY_FILE, and write it to a file that only its "
        "owner can read. The file is written only if the whole backup is unaltered. It contains personal data, so "
        "delete it after the restore. list_backups prints the names. "
        "Example: fetch_backup hotelagent-hotels.example/platform/20301130T021500000000Z.platform.age --to my.platform"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", help="The name of the backup, as list_backups prints it.")
        parser.add_argument("--to", required=True, type=Path, metavar="FILE", help="The file to write.")

    def run(self, **options: Any) -> None:
        backup, size = fetch_backup(name=options["name"], path=options["to"])
        step = _NEXT_STEPS[backup.kind].format(file=options["to"])
        text = f"{options['to']} was written, {filesizeformat(size)}. It contains personal data. {step}"
        document = {"name": backup.name, "file": str(options["to"]), "bytes": size, "kind": backup.kind}
        self.write_result(text, document, as_json=options["json"])
