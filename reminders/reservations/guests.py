"""What the hotel knows of a guest, who is an e-mail address to it: was here before, gets mails today."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, time
from typing import Any

from django.db import connection
from django.db.models.functions import Lower

from reminders.models import Reminder, Reservation, ReservationStatus, Rule, Suppression
from reminders.planning.choices import Guests
from reminders.planning.schedule import ONE_DAY, at_local, local_day, zone_of
from tenants.context import current_hotel

# Strictly before: two bookings of which one begins where the other ends are one visit.
_RETURNING = """
SELECT r.id FROM reminders_reservation r
WHERE r.id = ANY(%s::uuid[]) AND r.guest_email <> '' AND EXISTS (
    SELECT FROM reminders_reservation earlier
    WHERE lower(earlier.guest_email) = lower(r.guest_email) AND earlier.departure < r.arrival
    AND earlier.status IN ('booked', 'checked_out')
)
"""

# Whatever has left, and what is still to go today and comes before this one. The index on the address finds the
# guest's few reservations, the unique one their reminders.
_MAILS_OF_THE_DAY = """
SELECT r.transmission_started_at IS NOT NULL AS has_left, rule.guest_cap
FROM reminders_reservation v JOIN reminders_reminder r ON r.reservation_id = v.id
JOIN reminders_rule rule ON rule.id = r.rule_id
WHERE lower(v.guest_email) = lower(%(email)s) AND r.id <> %(id)s AND (
    r.status IN ('sent', 'unknown') AND coalesce(r.sent_at, r.transmission_started_at) >= %(begins)s
    OR r.status = 'sending' AND r.transmission_started_at IS NOT NULL
    OR r.status IN ('scheduled', 'sending') AND r.transmission_started_at IS NULL
    AND r.planned_for < %(ends)s AND r.send_until >= %(now)s
    AND (rule."order", r.planned_for, r.id) < (%(order)s, %(planned_for)s, %(id)s)
)
ORDER BY has_left DESC, rule."order", r.planned_for, r.id
"""


def returning(reservations: Sequence[Reservation], *, rules: Iterable[Rule]) -> set[uuid.UUID]:
    """The ids of those whose guest had left an earlier stay before this one begins.

    Not looked up, and empty, where no rule asks.
    """
    if all(rule.guests == Guests.ANY for rule in rules):
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_RETURNING, [[reservation.id for reservation in reservations]])
        return {row[0] for row in cursor.fetchall()}


def matter() -> bool:
    """Whether any rule asks who is new and who returns."""
    return Rule.objects.filter(is_active=True).exclude(guests=Guests.ANY).exists()


def other_stays(reservation: Reservation, *, addresses: Collection[str]) -> list[uuid.UUID]:
    """Other reservations of these guests, for which they may be new or returning now. None where no rule asks."""
    if not matter():
        return []
    found = (
        Reservation.objects.alias(address=Lower("guest_email"))
        .filter(address__in={address.lower() for address in addresses if address})
        .exclude(id=reservation.id)
        .exclude(status=ReservationStatus.CANCELLED)
    )
    return list(found.values_list("id", flat=True))


def is_suppressed(address: str) -> bool:
    """Whether no mail may go there. The list has its addresses in lower case."""
    return Suppression.objects.filter(email=address.lower()).exists()


def is_over_cap(reminder: Reminder, *, now: datetime) -> bool:
    """Whether the guest gets as many mails today as the reminder's rule allows, without it.

    Today is the hotel's. The mails that have left count, and those still to go that come before: a lower order,
    then the earlier moment. Two workers at once agree, for each sees the other's; only a mail planned anew while
    this one leaves is not seen.
    """
    cap = reminder.rule.guest_cap
    if cap is None:
        return False
    zone = zone_of(current_hotel().time_zone)
    today = local_day(now, zone=zone)
    parameters: dict[str, Any] = {
        "email": reminder.reservation.guest_email,
        "id": reminder.id,
        "order": reminder.rule.order,
        "planned_for": reminder.planned_for,
        "begins": at_local(today, time.min, zone=zone),
        "ends": at_local(today + ONE_DAY, time.min, zone=zone),
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_MAILS_OF_THE_DAY, parameters)
        mails = 0
        for has_left, others_cap in cursor.fetchall():
            mails += has_left or others_cap is None or mails < others_cap
    return mails >= cap
