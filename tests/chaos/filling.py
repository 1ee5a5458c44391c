"""Makes the hotels and the reminders that are all due at once: two of each reservation."""

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

RULES = 2  # a new hotel's
#: Guests in this place of a hotel's list get an answer of their own from the mail server.
REFUSED_ONCE, REFUSED_FOR_GOOD = 7, 11
EVERY = 23


def fill(hotels: int, reminders: int) -> None:
    call_command("migrate", verbosity=0)
    for number in range(hotels):
        hotel = services.create_hotel(slug=f"hotel-{number}", name=f"Hotel {number}")
        _reminders(hotel, number, reminders // hotels)
    with platform_context():
        every_second, _made = IntervalSchedule.objects.get_or_create(every=1, period="seconds")
        PeriodicTask.objects.filter(task="tenants.tasks.tick").update(interval=every_second)
    connection.close()


def _reminders(hotel: Hotel, number: int, count: int) -> None:
    """Each reservation was made too late for both rules, which write nevertheless."""
    now = timezone.now()
    with hotel_context(hotel), transaction.atomic():
        Rule.objects.update(late_policy=LateBookingPolicy.SEND_NOW)
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
        Rule.objects.filter(offset_days=1).update(offset_days=2)
        planned = planner.plan_reminders(reservations, now=now, are_new=True)
    if planned.due != len(reservations) * RULES:
        raise RuntimeError(f"{planned.due} reminders of {len(reservations)} reservations are due.")


def _address(hotel: int, guest: int) -> str:
    mood = {REFUSED_ONCE: "busy", REFUSED_FOR_GOOD: "refused"}.get(guest % EVERY, "guest")
    return f"{mood}-{guest}@hotel-{hotel}.example.com"
