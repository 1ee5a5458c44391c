"""A program that prepares the hotel Alpha for the clients of the fault tests, and writes an API key to its output."""

import django

#: The numbers of rooms and of nights. No two holds of a test have the same room and the same night.
ROOMS = 20
NIGHTS = 300
SCOPES = ["rooms:read", "locks:write", "reservations:write"]


def main() -> None:
    django.setup()
    # These imports need the loaded apps.
    from locks import services  # noqa: PLC0415
    from reminders.models import LateBookingPolicy, Rule  # noqa: PLC0415
    from tenants.access import api_keys  # noqa: PLC0415
    from tenants.context import hotel_context, platform_context  # noqa: PLC0415
    from tenants.models import Hotel  # noqa: PLC0415
    from tests.chaos.hotels import read_due_queue_every_second  # noqa: PLC0415

    read_due_queue_every_second()
    with platform_context():
        hotel = Hotel.objects.get(slug="alpha")
    with hotel_context(hotel):
        services.ensure_rooms({"double": ROOMS})
        Rule.objects.update(late_policy=LateBookingPolicy.SEND_NOW)
        Rule.objects.filter(offset_days=1).update(offset_days=2)
        print(api_keys.create(name="fault tests", scopes=SCOPES)[1])


if __name__ == "__main__":
    main()
