"""`lint_migrations`: refuse migrations that lock a table for long, or that old code can't live with."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.lifecycle.fleet import lint


class Command(BaseCommand):
    help = (
        "Judge the SQL of every migration after the first release, without a database: what would lock a table of "
        "people at work for long, and what breaks the old code that still runs during a roll-out. Each finding "
        "names the migration, the statement and the cure; the exit code is 1 then. "
        "deploy/runbook.md, 'A change of the schema', says how such a change is made."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print one JSON document.")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            found = lint.findings()
        except lint.NoSquawk as error:
            raise CommandError(str(lint.NoSquawk.__doc__)) from error
        if options["json"]:
            fields = ("migration", "statement", "rule", "message", "cure")
            self.stdout.write(json.dumps([{name: getattr(f, name) for name in fields} for f in found]))
        else:
            for finding in found:
                self.stdout.write(finding.text())
            if not found:
                self.stdout.write("The migrations lock no table for long.")
        if found:
            sys.exit(1)
