"""Queries about the other reservations of a guest: earlier stays, and e-mails that are sent on the same day.

A guest is identified by the e-mail address of the reservation, ignoring case.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, time
from typing import Any

from django.db import connection
from django.db.models.functions import Lower

from reminders.local_time import hotel_time_zone, local_date, local_to_utc
from reminders.models import GuestFilter, Reminder, Reservation, ReservationStatus, Rule
from reminders.planning.schedule import ONE_DAY

# The query compares `earlier.departure < r.arrival`: an earlier stay must end before the day on which this stay begins.
# If a booking begins on the day on which another booking of the guest ends, both bookings belong to the same visit.
_RETURNING = """
SELECT r.id FROM reminders_reservation r
WHERE r.id = ANY(%s::uuid[]) AND r.guest_email <> '' AND EXISTS (
    SELECT FROM reminders_reservation earlier
    WHERE lower(earlier.guest_email) = lower(r.guest_email) AND earlier.departure < r.arrival
    AND earlier.status IN ('booked', 'checked_in', 'checked_out')
)
"""

# The query selects the guest's e-mails of the day: sent e-mails, and e-mails that are due before this reminder.
# The query uses the index on the e-mail address of reservations and the unique index of reminders.
_EMAILS_OF_THE_DAY = """
SELECT r.transmission_started_at IS NOT NULL AS has_started, rule.daily_limit
FROM reminders_reservation v JOIN reminders_reminder r ON r.reservation_id = v.id
JOIN reminders_rule rule ON rule.id = r.rule_id
WHERE lower(v.guest_email) = lower(%(email)s) AND r.id <> %(id)s AND (
    r.status IN ('sent', 'unknown') AND coalesce(r.sent_at, r.transmission_started_at) >= %(day_begins)s
    OR r.status = 'sending' AND r.transmission_started_at IS NOT NULL
    OR r.status IN ('scheduled', 'sending') AND r.transmission_started_at IS NULL
    AND r.planned_for < %(day_ends)s AND r.send_until >= %(now)s
    AND (rule."order", r.planned_for, r.id) < (%(order)s, %(planned_for)s, %(id)s)
)
ORDER BY has_started DESC, rule."order", r.planned_for, r.id
"""


def returning_guests(reservations: Sequence[Reservation], *, rules: Iterable[Rule]) -> set[uuid.UUID]:
    """Return the ids of the given reservations whose guests are returning guests.

    A guest is a returning guest if another stay of the guest ended before the arrival.
    """
    if all(rule.guests == GuestFilter.ANY for rule in rules):
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_RETURNING, [[reservation.id for reservation in reservations]])
        return {row[0] for row in cursor.fetchall()}


def rules_filter_guests() -> bool:
    """Return whether the hotel has an active rule that is only for new guests or only for returning guests."""
    return Rule.objects.filter(is_active=True).exclude(guests=GuestFilter.ANY).exists()


def other_stays(reservation: Reservation, *, addresses: Collection[str]) -> list[uuid.UUID]:
    """Return the ids of the reservations, except `reservation`, that were made with these e-mail addresses.

    The list is empty if no rule depends on whether a guest is new or returning.
    """
    if not rules_filter_guests():
        return []
    others = (
        Reservation.objects.alias(address=Lower("guest_email"))
        .filter(address__in={address.lower() for address in addresses if address})
        .exclude(id=reservation.id)
        .exclude(status=ReservationStatus.CANCELLED)
    )
    return list(others.values_list("id", flat=True))


def has_reached_daily_limit(reminder: Reminder, *, now: datetime) -> bool:
    """Return whether the guest already gets the rule's daily maximum of e-mails, without counting this reminder.

    Days begin and end in the hotel's time zone. The count includes today's sent e-mails, and pending e-mails that take
    precedence over this reminder. A pending e-mail takes precedence if its rule has a lower `order` or, if the order is
    equal, if its planned time is earlier.
    """
    limit = reminder.rule.daily_limit
    if limit is None:
        return False
    zone = hotel_time_zone()
    today = local_date(now, zone=zone)
    parameters: dict[str, Any] = {
        "email": reminder.reservation.guest_email,
        "id": reminder.id,
        "order": reminder.rule.order,
        "planned_for": reminder.planned_for,
        "day_begins": local_to_utc(today, time.min, zone=zone),
        "day_ends": local_to_utc(today + ONE_DAY, time.min, zone=zone),
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_EMAILS_OF_THE_DAY, parameters)
        emails = 0
        for has_started, limit_of_its_rule in cursor.fetchall():
            emails += has_started or limit_of_its_rule is None or emails < limit_of_its_rule
    return emails >= limit
