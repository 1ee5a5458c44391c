"""The rules of time: when a reminder is due, until when it may go, and what a late booking means.

Nothing here touches the database. A local time that the hotel's clock skips in spring is read with the offset
before the gap, so it moves forward by the gap; one that the clock shows twice in autumn is the first of the
two (RFC 5545, 3.3.5; `zoneinfo` with fold=0 does the same).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from reminders.models import Reservation, ReservationStatus, Rule
from reminders.planning.choices import Anchor, Guests, LatePolicy

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Moment:
    """When a reminder is planned to go, until when it may, and when it is to be looked at. All in UTC."""

    planned_for: datetime
    send_until: datetime
    due_at: datetime
    is_late: bool = False  # the ordinary window had passed when the reservation became known
    is_skipped: bool = False


def at_local(day: date, at: time, *, zone: ZoneInfo) -> datetime:
    """The moment, in UTC, at which the clock in `zone` first shows this day and time."""
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)


def local_day(moment: datetime, *, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def moment(rule: Rule, *, arrival: date, departure: date, zone: ZoneInfo, now: datetime) -> Moment | None:
    """When `rule` writes about this stay, if the reservation becomes known `now`.

    None where it is over: the day of arrival has ended at the hotel or, for a rule that counts from departure,
    the window has passed. A mail about a stay that has begun helps nobody.
    """
    planned_for = _planned_for(rule, arrival=arrival, departure=departure, zone=zone)
    send_until = planned_for + timedelta(hours=rule.window_hours)
    if rule.anchor == Anchor.DEPARTURE:
        return None if now > send_until else Moment(planned_for, send_until, due_at=max(planned_for, now))
    day_ends = at_local(arrival + ONE_DAY, time.min, zone=zone)
    if now >= day_ends:
        return None
    if now <= send_until:
        return Moment(planned_for, min(send_until, day_ends), due_at=max(planned_for, now))
    skipped = rule.late_policy == LatePolicy.SKIP
    return Moment(planned_for, day_ends, due_at=now, is_late=True, is_skipped=skipped)


def applies(rule: Rule, reservation: Reservation, *, is_returning: bool) -> bool:
    """Whether `rule` writes to this guest at all, whenever that would be.

    `is_returning` is looked at only if the rule asks: see `reminders.reservations.guests.returning`.
    """
    alive = {ReservationStatus.BOOKED}
    if rule.anchor == Anchor.DEPARTURE:
        alive.add(ReservationStatus.CHECKED_OUT)
    return (
        rule.is_active
        and reservation.status in alive
        and (rule.guests == Guests.ANY or (rule.guests == Guests.RETURNING) == is_returning)
        and (not rule.room_types or reservation.room_type in rule.room_types)
        and (not rule.sources or reservation.source in rule.sources)
        and (rule.min_nights is None or reservation.nights >= rule.min_nights)
        and (rule.max_nights is None or reservation.nights <= rule.max_nights)
    )


def last_call(rule: Rule, *, arrival: date, zone: ZoneInfo, now: datetime) -> datetime:
    """Until when a person may still have it sent:

    the end of the day of arrival; after departure, the window.
    """
    if rule.anchor == Anchor.DEPARTURE:
        return now + timedelta(hours=rule.window_hours)
    return at_local(arrival + ONE_DAY, time.min, zone=zone)


def _planned_for(rule: Rule, *, arrival: date, departure: date, zone: ZoneInfo) -> datetime:
    if rule.anchor == Anchor.DEPARTURE:
        at = at_local(departure + timedelta(days=rule.offset_days), rule.send_at, zone=zone)
        return at + timedelta(hours=rule.offset_hours)
    at = at_local(arrival - timedelta(days=rule.offset_days), rule.send_at, zone=zone)
    return at - timedelta(hours=rule.offset_hours)


@functools.lru_cache(maxsize=64)
def zone_of(name: str) -> ZoneInfo:
    return ZoneInfo(name)
