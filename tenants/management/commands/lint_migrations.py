"""The command `lint_migrations`, which finds migrations that are unsafe on a running system.

Such migrations lock tables for a long time or break the version of the code that is running.
"""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.lifecycle.fleet import lint


class Command(BaseCommand):
    help = (
        "Check the SQL of every migration that is not marked as initial, without a database. Findings are statements "
        "that lock a table in use for long, and changes that break the old code, which still runs during a rollout. "
        "Each finding shows the migration, the statement and a fix. The exit code is 1 if there are findings. "
        "deploy/runbook.md describes how to change the schema. Example: lint_migrations --json"
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print the findings as one JSON document.")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            findings = lint.find_problems()
        except lint.SquawkNotInstalled as error:
            raise CommandError(str(lint.SquawkNotInstalled.__doc__)) from error
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings]))
        else:
            for finding in findings:
                self.stdout.write(finding.as_text())
            if not findings:
                self.stdout.write("No problems found.")
        if findings:
            sys.exit(1)
