"""The command `audit_export` exports the events of an audit trail with proofs."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from audit.errors import NothingSealed
from audit.management.commands.audit_verify import parse_time
from audit.sealing.export import ExportFormat, export_trail, is_shortened
from tenants.lifecycle.backup import output_file
from tenants.management.hotel_command import HotelCommand, add_tenant_arguments, selected_tenant
from tenants.management.progress import item_progress


class Command(HotelCommand):
    help = (
        "Export the sealed events of the audit trail of a hotel or of the platform, with the signed checkpoint and the "
        "hashes that prove them. deploy/verify_trail.py verifies an export as JSON Lines on any machine. The file has "
        "personal data, so only its owner can read it. The export is recorded in the trail.  "
        "Examples: audit_export --hotel resort --to resort.jsonl; "
        "audit_export --platform --since 2030-05-01 --until 2030-06-01 --format csv --to may.csv"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_tenant_arguments(parser, "audit trail")
        parser.add_argument("--since", metavar="WHEN", help="The first date or time (UTC).")
        parser.add_argument(
            "--until", metavar="WHEN", help="The date or time (UTC) before which the export ends."
        )
        parser.add_argument("--format", choices=[member.value for member in ExportFormat], default="jsonl")
        parser.add_argument("--to", type=Path, required=True, metavar="FILE", help="The file to write.")
        parser.add_argument("--force", action="store_true", help="Overwrite an existing file.")

    def run(self, **options: Any) -> None:
        path: Path = options["to"]
        output_file.refuse_existing_file(path, overwrite=options["force"])
        tenant = selected_tenant(options)
        export_format = ExportFormat(options["format"])
        try:
            export = export_trail(
                tenant,
                export_format=export_format,
                since=parse_time(options["since"]) if options["since"] else None,
                until=parse_time(options["until"]) if options["until"] else None,
            )
        except NothingSealed as error:
            raise CommandError(str(error)) from error
        lines = export.jsonl() if export_format == ExportFormat.JSONL else export.csv()
        number = export.end - export.start
        with (
            output_file.new_file(path) as (file, temporary),
            item_progress("Exporting", number, stream=self.stderr, quiet=options["json"]) as progress,
        ):
            try:
                for line in lines:
                    file.write(line.encode())
                    progress(1)
            finally:
                if is_shortened(export):
                    raise CommandError("Retention deleted events during the export. Run the command again.")
            output_file.flush_to_disk(file)
            temporary.replace(path)
        first_kept = export.log.first_kept
        deleted = (
            f" Retention has deleted the {first_kept} events before position {first_kept}."
            if first_kept
            else ""
        )
        self.write_result(
            f"{number} events from position {export.start} on were exported to {path}.{deleted}",
            {
                "file": str(path),
                "log": export.log.origin,
                "from": export.start,
                "to": export.end,
                "events": number,
                "deleted": first_kept,
            },
            as_json=options["json"],
        )
