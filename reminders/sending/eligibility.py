"""Checks whether a reminder may be sent, given the current state of its reservation."""

from __future__ import annotations

from datetime import datetime

from reminders.local_time import hotel_time_zone
from reminders.models import Reminder, SkipReason
from reminders.planning.guest_history import has_reached_daily_limit
from reminders.planning.schedule import manual_send_deadline, rule_applies


def skip_reason(
    reminder: Reminder, *, recipient: str, is_suppressed: bool, is_returning: bool, now: datetime
) -> SkipReason | None:
    """Return why the reminder must not be sent to this address, or None if it may be sent.

    `is_suppressed` is True if the address is on the suppression list. `is_returning` is True if the guest has stayed
    before (see `guest_history.returning_guests`).
    """
    reservation = reminder.reservation
    if reminder.arrival != reservation.arrival or not rule_applies(
        reminder.rule, reservation, is_returning=is_returning
    ):
        return SkipReason.RESERVATION_CHANGED
    if now > reminder.send_until:
        return SkipReason.WINDOW_PASSED
    if not recipient:
        return SkipReason.NO_EMAIL
    if is_suppressed:
        return SkipReason.SUPPRESSED
    return SkipReason.DAILY_LIMIT if has_reached_daily_limit(reminder, now=now) else None


def manual_deadline(reminder: Reminder, *, now: datetime) -> datetime:
    """Return the latest time at which staff may send this reminder manually, in UTC."""
    return manual_send_deadline(reminder.rule, arrival=reminder.arrival, zone=hotel_time_zone(), now=now)
