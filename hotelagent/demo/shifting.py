"""Moves old bookings to today, so that a demonstration has guests who arrive tomorrow."""

from __future__ import annotations

from datetime import date, timedelta


def to_today(*, first: date, last: date, today: date) -> timedelta:
    """By how much to move arrivals from `first` to `last` so that they straddle `today`.

    Whole weeks, so that weekdays stay; of all the years that would do, the one that brings the same season to
    today from nearest to the middle of the file.
    """
    middle = first + (last - first) / 2
    same_season = min(
        (_same_day(today, year) for year in range(first.year - 1, last.year + 2)),
        key=lambda day: abs(day - middle),
    )
    return timedelta(weeks=round((today - same_season).days / 7))


def _same_day(day: date, year: int) -> date:
    try:
        return day.replace(year=year)
    except ValueError:  # 29 February
        return day.replace(year=year, day=28)
