"""The program that creates the template database of the tests: migrated, with the hotels Alpha and Beta.

Each pytest worker copies the database.
"""

import django
from django.core.management import call_command

HOTELS = {"alpha": "Europe/Lisbon", "beta": "America/New_York"}


def main() -> None:
    django.setup()
    from tenants import services  # noqa: PLC0415 - needs Django's app registry

    call_command("migrate", verbosity=0)
    for slug, time_zone in HOTELS.items():
        hotel = services.create_hotel(slug=slug, name=f"Hotel {slug.title()}", time_zone=time_zone)
        _empty_trail(hotel.schema)


def _empty_trail(schema: str) -> None:
    """Delete the event `hotel.created`, so that tests begin with a hotel whose audit trail is empty."""
    from tenants.context import platform_context  # noqa: PLC0415
    from tenants.database.connections import direct_connection, execute_script  # noqa: PLC0415

    with direct_connection(), platform_context():
        execute_script(
            f'ALTER TABLE "{schema}".audit_event DISABLE TRIGGER USER; TRUNCATE "{schema}".audit_event; '
            f'ALTER TABLE "{schema}".audit_event ENABLE TRIGGER USER'
        )


if __name__ == "__main__":
    main()
