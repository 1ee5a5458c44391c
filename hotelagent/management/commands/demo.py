"""The command `demo`, which sets up the two demonstration hotels."""

from typing import Any

from django.core.management.base import BaseCommand

from hotelagent.demo import hotels


class Command(BaseCommand):
    help = (
        "Set up the two demonstration hotels, resort and city, with generated bookings around today and a staff "
        "account for each role. Print the logins: hotel, user name and password, separated by tabs. "
        "If the hotels exist, only missing parts are created. `manage.py serve` does the same at its start."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        for slug, passwords in hotels.set_up(self.stderr.write).items():
            for username, password in passwords.items():
                self.stdout.write(f"{slug or 'platform'}\t{username}\t{password}")
