"""The program that migrates the template database of the tests and creates the hotels Alpha and Beta in it.

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
        _delete_creation_event(hotel.schema)


def _delete_creation_event(schema: str) -> None:
    """Delete the event `hotel.created`, so that the audit trail has only the events about the first rows of the hotel.

    Tests begin with this trail.
    """
    from tenants.context import platform_context  # noqa: PLC0415
    from tenants.database.connections import direct_connection, execute_script  # noqa: PLC0415

    with direct_connection(), platform_context():
        execute_script(
            f'ALTER TABLE "{schema}".audit_event DISABLE TRIGGER USER; '
            f"DELETE FROM \"{schema}\".audit_event WHERE event = 'hotel.created'; "
            f'ALTER TABLE "{schema}".audit_event ENABLE TRIGGER USER'
        )


if __name__ == "__main__":
    main()
