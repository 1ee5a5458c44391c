"""The command `doctor`, which examines a deployment and says what to do about each problem."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from hotelagent.monitoring.doctor.findings import Finding, State
from hotelagent.monitoring.doctor.run import EXAMINATIONS, examine

_MARKS = {State.OK: "ok", State.WARNING: "WARNING", State.PROBLEM: "PROBLEM"}


class Command(BaseCommand):
    help = (
        "Examine the settings, the database, Redis, workers, beat, the mail server, the DNS records of the sender, "
        "the receiver of traces, the disks and the clocks, and say what to do about each problem. Nothing is changed "
        "and no e-mail is sent. The exit code is 1 if a problem was found. Examples: doctor; doctor --only "
        "mail-server sender-domain; doctor --json"
    )
    requires_system_checks = []  # the command runs the system checks and reports their results

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--only", nargs="+", default=[], choices=EXAMINATIONS, metavar="PART",
            help=f"Examine only these parts: {', '.join(EXAMINATIONS)}.",
        )  # fmt: skip
        parser.add_argument("--json", action="store_true", help="Print the findings as one JSON document.")

    def handle(self, *_args: Any, **options: Any) -> None:
        findings = []
        for finding in examine(options["only"]):
            findings.append(finding)
            if not options["json"]:
                self._print(finding)
        problems = sum(finding.state == State.PROBLEM for finding in findings)
        if options["json"]:
            self.stdout.write(json.dumps([finding.as_json() for finding in findings], indent=2))
        else:
            warnings = sum(finding.state == State.WARNING for finding in findings)
            self.stdout.write(f"\n{problems} problems and {warnings} warnings were found.")
        if problems:
            sys.exit(1)

    def _print(self, finding: Finding) -> None:
        styles = {
            State.OK: self.style.SUCCESS,
            State.WARNING: self.style.WARNING,
            State.PROBLEM: self.style.ERROR,
        }
        mark = styles[finding.state](f"{_MARKS[finding.state]:8}")
        self.stdout.write(f"{mark} {finding.part}: {finding.detail}")
        if finding.remedy:
            self.stdout.write(f"         {finding.remedy}")
