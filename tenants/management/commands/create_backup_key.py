"""The command `create_backup_key`, which creates a key pair for the encryption of backups."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from tenants.lifecycle.stored_backups.age_encryption import create_key_file
from tenants.management.hotel_command import HotelCommand


class Command(HotelCommand):
    help = (
        "Create a key pair for the encryption of backups, in the format of age. The private key is written to FILE, "
        "which only its owner can read, and which BACKUP_IDENTITY_FILE names. The public key is printed. Add it to "
        "BACKUP_RECIPIENTS. Keep copies of FILE outside this machine: without it, no backup can be read. "
        "Example: create_backup_key /etc/hotelagent/backup.key"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, help="The file to write. It must not exist.")

    def run(self, **options: Any) -> None:
        public_key = create_key_file(options["file"])
        text = (
            f"The private key is in {options['file']}. Keep a copy outside this machine.\n"
            f"BACKUP_RECIPIENTS={public_key}"
        )
        document = {"file": str(options["file"]), "public_key": public_key}
        self.write_result(text, document, as_json=options["json"])
