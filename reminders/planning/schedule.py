"""Calculation of when a reminder is planned, until when it may be sent, and how late bookings are treated.

The functions of this module don't access the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from reminders.local_time import local_to_utc
from reminders.models import GuestFilter, LateBookingPolicy, Reservation, ReservationStatus, Rule, RuleAnchor

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SendWindow:
    """The period in which one reminder may be sent, in UTC."""

    planned_for: datetime
    send_until: datetime
    is_late: bool = False  # True if the reservation was booked after the send window had ended.
    is_skipped: bool = False


def send_window(
    rule: Rule, *, arrival: date, departure: date, zone: ZoneInfo, now: datetime
) -> SendWindow | None:
    """Return the period in which the rule's reminder may be sent for a stay that was booked or changed at `now`.

    Return None if it is too late to send the reminder. The deadline is the end of the arrival day in the time zone
    `zone`. If the rule sends its reminders relative to the departure, the deadline is the end of the send window.
    """
    planned_for = _planned_for(rule, arrival=arrival, departure=departure, zone=zone)
    send_until = planned_for + timedelta(hours=rule.window_hours)
    if rule.anchor == RuleAnchor.DEPARTURE:
        return None if now > send_until else SendWindow(planned_for, send_until)
    day_ends = local_to_utc(arrival + ONE_DAY, time.min, zone=zone)
    if now >= day_ends:
        return None
    if now <= send_until:
        return SendWindow(planned_for, min(send_until, day_ends))
    is_skipped = rule.late_policy == LateBookingPolicy.SKIP
    return SendWindow(planned_for, day_ends, is_late=True, is_skipped=is_skipped)


def expected_statuses(rule: Rule) -> set[ReservationStatus]:
    """Return the statuses in which a reservation gets the reminders of the rule.

    A guest in house gets the reminders of the arrival day and of the departure, but no reminders from before the
    arrival day.
    """
    if rule.anchor == RuleAnchor.DEPARTURE:
        return {ReservationStatus.BOOKED, ReservationStatus.CHECKED_IN, ReservationStatus.CHECKED_OUT}
    if rule.offset_days or rule.offset_hours > rule.send_at.hour:
        return {ReservationStatus.BOOKED}
    return {ReservationStatus.BOOKED, ReservationStatus.CHECKED_IN}


def rule_applies(rule: Rule, reservation: Reservation, *, is_returning: bool) -> bool:
    """Return whether the rule applies to the reservation, regardless of the time.

    `is_returning` is used only if the rule has a guest filter (see `guest_history.returning_guests`).
    """
    return (
        rule.is_active
        and reservation.status in expected_statuses(rule)
        and (rule.guests == GuestFilter.ANY or (rule.guests == GuestFilter.RETURNING) == is_returning)
        and (not rule.room_types or reservation.room_type in rule.room_types)
        and (not rule.sources or reservation.source in rule.sources)
        and (rule.min_nights is None or reservation.nights >= rule.min_nights)
        and (rule.max_nights is None or reservation.nights <= rule.max_nights)
    )


def manual_send_deadline(rule: Rule, *, arrival: date, zone: ZoneInfo, now: datetime) -> datetime:
    """Return the latest time at which staff may send the reminder manually, in UTC.

    The deadline is the end of the arrival day. If the rule sends its reminders relative to the departure, the deadline
    is `now` plus the send window of the rule.
    """
    if rule.anchor == RuleAnchor.DEPARTURE:
        return now + timedelta(hours=rule.window_hours)
    return local_to_utc(arrival + ONE_DAY, time.min, zone=zone)


def _planned_for(rule: Rule, *, arrival: date, departure: date, zone: ZoneInfo) -> datetime:
    if rule.anchor == RuleAnchor.DEPARTURE:
        at = local_to_utc(departure + timedelta(days=rule.offset_days), rule.send_at, zone=zone)
        return at + timedelta(hours=rule.offset_hours)
    at = local_to_utc(arrival - timedelta(days=rule.offset_days), rule.send_at, zone=zone)
    return at - timedelta(hours=rule.offset_hours)
