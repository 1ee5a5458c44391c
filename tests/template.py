"""Creates the migrated template database with two hotels. Each test worker gets a copy of it.

`tests.servers` runs it as a separate process before the tests.
"""

import django
from django.core.management import call_command

HOTELS = {"alpha": "Europe/Lisbon", "beta": "America/New_York"}


def main() -> None:
    django.setup()
    from tenants import services  # noqa: PLC0415 - needs Django's app registry

    call_command("migrate", verbosity=0)
    for slug, time_zone in HOTELS.items():
        services.create_hotel(slug=slug, name=f"Hotel {slug.title()}", time_zone=time_zone)


if __name__ == "__main__":
    main()
