"""The command `flower`, which runs Flower, a monitor of the Celery workers, behind a login."""

import os
import re
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from hotelagent.celery import app

#: A user name, a colon, and a password with at least 12 characters. Flower separates several logins by commas.
_LOGIN = re.compile(r"[^\s:,]+:[^\s,]{12,}")


class Command(BaseCommand):
    help = (
        "Run Flower, which shows the workers, their tasks and the queues of this deployment. The login is the setting "
        "WORKER_MONITOR_LOGIN. Only this machine can connect, and nothing can be changed, unless the options say "
        "otherwise. Examples: flower; flower --port 5556 --allow-changes"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--address", default="127.0.0.1", help="The IP address to listen on.")
        parser.add_argument("--port", type=int, default=5555, help="The port to listen on.")
        parser.add_argument(
            "--allow-changes",
            action="store_true",
            help="Allow users to stop workers and to cancel tasks. A cancelled task is not stored as a failure.",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        if not _LOGIN.fullmatch(settings.WORKER_MONITOR_LOGIN):
            raise CommandError(
                "Set WORKER_MONITOR_LOGIN to user:password. The password needs 12 characters or more, and no spaces "
                "or commas. Without a login, everyone who can connect could see the tasks."
            )
        if find_spec("flower") is None:
            raise CommandError("Flower is not installed. Install requirements/flower.txt.")
        # Other variables of Flower could turn the login off. Command-line arguments are visible in the process list.
        for name in [name for name in os.environ if name.startswith("FLOWER_")]:
            del os.environ[name]
        os.environ["FLOWER_BASIC_AUTH"] = settings.WORKER_MONITOR_LOGIN
        app.start(
            [
                "flower",
                f"--address={options['address']}",
                f"--port={options['port']}",
                f"--read_only={not options['allow_changes']}",
                f"--conf={os.devnull}",  # no configuration file of the current folder
            ]
        )
