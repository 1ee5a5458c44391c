"""The hotels of the chaos test. Each reservation has two reminders, and all reminders are due at the start."""

from datetime import timedelta

from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from reminders.models import LateBookingPolicy, Reservation, Rule
from reminders.planning import planner
from tenants import services
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel

#: The number of rules of a new hotel.
RULES = 2
#: The positions, in each group of `GROUP_SIZE` guests, of the guest whom the mail server defers once and of the guest
#: whom the mail server rejects.
DEFERRED_ONCE, REJECTED = 7, 11
GROUP_SIZE = 23


def create_hotels(hotels: int, reminders: int) -> None:
    """Migrate the database, create hotels with due reminders, and let the scheduler read the due queue every second."""
    call_command("migrate", verbosity=0)
    for number in range(hotels):
        hotel = services.create_hotel(slug=f"hotel-{number}", name=f"Hotel {number}")
        create_reminders(hotel, number, reminders // hotels)
    read_due_queue_every_second()
    connection.close()


def read_due_queue_every_second() -> None:
    with platform_context():
        every_second, _created = IntervalSchedule.objects.get_or_create(every=1, period="seconds")
        PeriodicTask.objects.filter(task="tenants.tasks.tick").update(interval=every_second)


def create_reminders(hotel: Hotel, number: int, count: int) -> None:
    """Create reservations in the hotel. Their reminders are all due now.

    The guests book after the planned times of both reminders, so both reminders are sent immediately.
    """
    now = timezone.now()
    with hotel_context(hotel), transaction.atomic():
        Rule.objects.update(late_policy=LateBookingPolicy.SEND_NOW)
        Rule.objects.filter(offset_days=1).update(offset_days=2)
        arrival = (now + timedelta(days=1)).date()
        reservations = Reservation.objects.bulk_create(
            Reservation(
                external_id=f"{number}-{guest}",
                arrival=arrival,
                departure=arrival + timedelta(days=2),
                guest_name=f"Guest {guest}",
                guest_email=_address(number, guest),
                booked_on=now.date(),
            )
            for guest in range(count // RULES)
        )
        planned = planner.plan_reminders(reservations, now=now, are_new=True)
    if planned.due != len(reservations) * RULES:
        raise RuntimeError(f"{planned.due} reminders of {len(reservations)} reservations are due.")


def _address(hotel: int, guest: int) -> str:
    name = {DEFERRED_ONCE: "deferred", REJECTED: "rejected"}.get(guest % GROUP_SIZE, "guest")
    return f"{name}-{guest}@hotel-{hotel}.example.com"
