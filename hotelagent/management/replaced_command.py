"""The base class for replacements of Django commands that do not support several hotels."""

import sys
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError


class ReplacedCommand(BaseCommand):
    """A command that a different command has replaced.

    The command always fails with exit code 2. The error message `reason` names the command to use instead.
    """

    requires_system_checks = []
    reason: str

    def run_from_argv(self, argv: list[str]) -> NoReturn:  # noqa: ARG002 - Django's signature
        self.stderr.write(f"CommandError: {self.reason}")
        sys.exit(2)

    def handle(self, *_args: Any, **_options: Any) -> NoReturn:
        raise CommandError(self.reason, returncode=2)
