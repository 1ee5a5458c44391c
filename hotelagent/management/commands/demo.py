from typing import Any

from django.core.management.base import BaseCommand

from hotelagent.demo import hotels
from hotelagent.embedded import paths


class Command(BaseCommand):
    help = (
        "Makes the two demonstration hotels, resort and city, with real bookings shifted so that "
        "arrivals straddle today, and staff to log in with. Running it again makes what "
        "is missing and prints the logins."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        logins_of = hotels.set_up(paths.private_folder(paths.RUN) / hotels.PROGRESS, self.stderr.write)
        for place, logins in logins_of.items():
            for username, password in logins.items():
                self.stdout.write(f"{place or 'platform'}\t{username}\t{password}")
