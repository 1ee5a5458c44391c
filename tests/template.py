"""The program that creates the template database of the tests: migrated, with the hotels Alpha and Beta.

`tests.servers` runs it as a separate process before the tests. Each pytest worker copies the database.
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
