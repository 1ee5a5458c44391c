"""The command `audit_rotate_key` creates or replaces the key that signs the audit trails."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from audit.errors import SigningKeyError
from audit.sealing import rotation
from tenants.management.hotel_command import HotelCommand


class Command(HotelCommand):
    help = (
        "Create the key that signs the audit trails, or replace it. The new key is written to a file that only its "
        "owner can read. While the file has the new key and the old key, both sign. Set AUDIT_SIGNING_KEY_FILE to the "
        "file, wait until all processes use it, then run the command again with --finish. Give the public keys, which "
        "the command prints, to those who verify the trails. Keep the file outside the database and its backups.  "
        "Examples: audit_rotate_key /etc/hotelagent/audit.key; audit_rotate_key /etc/hotelagent/audit.key --finish"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "file",
            type=Path,
            help="The key file to write: a new file, or the file of AUDIT_SIGNING_KEY_FILE.",
        )
        parser.add_argument("--finish", action="store_true", help="Remove the old keys.")

    def run(self, **options: Any) -> None:
        path: Path = options["file"]
        try:
            if options["finish"]:
                removed = rotation.finish_rotation(path)
                text = f"{path} has only the newest key now. Verifiers still need these keys for older checkpoints:\n"
                self.write_result(
                    text + "\n".join(key.text for key in removed),
                    {"file": str(path), "removed": [key.text for key in removed]},
                    as_json=options["json"],
                )
            else:
                new = rotation.begin_rotation(path)
                self.write_result(
                    f"{path} has a new key. Set AUDIT_SIGNING_KEY_FILE={path} for all processes, and restart them if "
                    f"the variable is new. The public key for verifiers:\n{new.text}",
                    {"file": str(path), "public_key": new.text},
                    as_json=options["json"],
                )
        except SigningKeyError as error:
            raise CommandError(str(error)) from error
