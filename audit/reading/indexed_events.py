"""The query set that finds events with the search index.

The search index is written when events are sealed (`audit.indexing`). For each property, the index contains the periods
in which events with this property exist. Only events of these periods are read, by ranges of the primary key. The index
lacks events that are not sealed yet. All events since the start of the period of the oldest unsealed event are
therefore also read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from django.db import connection
from django.db.models import BooleanField, Lookup, QuerySet
from django.db.models.expressions import RawSQL

from audit.indexing.terms import END_OF_PERIODS, first_id_of, period_of
from audit.models import Event
from audit.sealing import logs, rows
from audit.sealing.rows import Key
from tenants.context import current_tenant

#: The number of periods whose events the first query reads. Most pages need only one query.
_FIRST_PERIODS = 8
#: The number of periods whose events each further query reads. A page of 50 events needs at most two queries, even if
#: each event is in a different period.
_MORE_PERIODS = 48

_DESCENDING = (("-id",), ("-pk",))
_ASCENDING = (("id",), ("pk",))

# Each subquery reads the index entries of one term, and only as many as the query returns.
_PERIODS = """
SELECT DISTINCT period FROM unnest(%s::integer[]) AS wanted (term) CROSS JOIN LATERAL (
    SELECT period FROM audit_search_term AS entry
    WHERE entry.term = wanted.term AND period >= %s AND period < %s {others} ORDER BY period {order} LIMIT %s
) AS found ORDER BY period {order} LIMIT %s
"""
_OTHER = """
AND EXISTS (SELECT FROM audit_search_term AS other WHERE other.term = ANY(%s) AND other.period = entry.period)
"""

_IN_RANGE = "(audit_event.id >= %s AND audit_event.id < %s)"

#: A range of consecutive periods: the first period and the period after the last period.
PeriodRange = tuple[int, int]


@dataclass(frozen=True, slots=True)
class IndexCondition:
    """A search condition. An event meets the condition if it has one of the terms, or is in one of the periods."""

    terms: Sequence[int]
    periods: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class IndexSearch:
    """A search with the index. `unsealed_from` is the period of the oldest unsealed event, or None.

    Put the rarest condition first, because the search reads the index entries of the first condition first.
    """

    conditions: Sequence[IndexCondition]
    unsealed_from: int | None

    def ranges(self, start: int, end: int, *, is_descending: bool) -> Iterator[list[PeriodRange]]:
        """Yield lists of ranges of periods that may contain matching events.

        The periods are between `start` and `end - 1`. Each period is in at most one range. The lists are in the
        requested order of the events.
        """
        sealed_end = end if self.unsealed_from is None else min(end, self.unsealed_from)
        unsealed = [(sealed_end, end)] if sealed_end < end else []
        if is_descending and unsealed:
            yield unsealed
        number = _FIRST_PERIODS
        while start < sealed_end:
            periods = self._find_periods(start, sealed_end, number, is_descending=is_descending)
            if periods:
                yield _merge(periods)
            if len(periods) < number:
                break
            if is_descending:
                sealed_end = min(periods)
            else:
                start = max(periods) + 1
            number = _MORE_PERIODS
        if unsealed and not is_descending:
            yield unsealed

    def _find_periods(self, start: int, end: int, number: int, *, is_descending: bool) -> list[int]:
        """Return the first `number` periods from `start` to `end - 1` that meet the conditions, in the given order."""
        first, *others = self.conditions
        # Events in `other.periods` also meet the condition `other`, but the index may not list these periods.
        # A condition with `periods` is therefore not part of the query.
        narrowing = [list(other.terms) for other in others if not other.periods]
        query = _PERIODS.format(others=_OTHER * len(narrowing), order="DESC" if is_descending else "ASC")
        with connection.cursor() as cursor:
            cursor.execute(query, [list(first.terms), start, end, *narrowing, number, number])
            found = {period for (period,) in cursor.fetchall()}
        found |= {period for period in first.periods if start <= period < end}
        return sorted(found, reverse=is_descending)[:number]


class IndexedEvents(QuerySet[Event]):
    """A query set of events whose rows are read with the search index.

    The results are those of the same query without the index. The index is used if rows are read in the order of ids.
    The methods `count()`, `exists()` and `iterator()` do not use the index.
    """

    search: IndexSearch | None = None

    def _clone(self) -> Self:
        clone: Self = super()._clone()  # type: ignore[misc]
        clone.search = self.search
        return clone

    def _fetch_all(self) -> None:
        order = self.query.order_by or _DESCENDING[0]
        if self._result_cache is None and self.search and order in (*_DESCENDING, *_ASCENDING):
            self._result_cache = self._read(self.search, is_descending=order in _DESCENDING)
        super()._fetch_all()

    def _read(self, search: IndexSearch, *, is_descending: bool) -> list[Any]:
        events = self._clone()
        events.search = None
        events.query.clear_limits()
        first, end = self.query.low_mark, self.query.high_mark
        found: list[Any] = []
        for ranges in search.ranges(*self._bounds(), is_descending=is_descending):
            found += events.filter(_in_periods(ranges))[: None if end is None else end - len(found)]
            if len(found) == end:
                break
        return found[first:]

    def _bounds(self) -> PeriodRange:
        """Return the periods to which the query's conditions on the primary key limit the search."""
        start, end = 0, END_OF_PERIODS
        for condition in self.query.where.children:
            if isinstance(condition, Lookup) and getattr(condition.lhs, "target", None) == Event._meta.pk:
                if condition.lookup_name in {"gt", "gte"}:
                    start = max(start, period_of(condition.rhs))
                elif condition.lookup_name in {"lt", "lte"}:
                    end = min(end, period_of(condition.rhs) + 1)
        return start, end


def find_with_index(
    events: QuerySet[Event], conditions: Sequence[IndexCondition], *, unsealed_from: int | None
) -> QuerySet[Event]:
    """Return a query set that finds the given events with the search index.

    All events in `events` must meet `conditions`.
    """
    found = IndexedEvents(Event, query=events.query.chain(), using=events.db)
    found.search = IndexSearch(conditions, unsealed_from)
    return found


def read_unsealed_from() -> int | None:
    """Return the period of the current tenant's oldest unsealed event, or None if all events are sealed.

    If no event was ever sealed, return the first period.
    """
    log = logs.find_log(current_tenant().id)
    if log is None or not log.size:
        return 0
    oldest = rows.first_unsealed_id(Key(log.sealed_transaction, log.sealed_id))
    return None if oldest is None else period_of(oldest)


def _in_periods(ranges: Sequence[PeriodRange]) -> RawSQL:
    """Return the condition that an event was recorded in one of the given ranges of periods.

    The condition is SQL, because Django needs several milliseconds to build the same condition from `Q` objects.
    """
    bounds = [first_id_of(period) for period_range in ranges for period in period_range]
    # The SQL contains only placeholders. The values are passed as parameters.
    return RawSQL(" OR ".join([_IN_RANGE] * len(ranges)), bounds, output_field=BooleanField())  # noqa: S611


def _merge(periods: Sequence[int]) -> list[PeriodRange]:
    """Combine consecutive periods into ranges, and return the ranges."""
    ranges: list[PeriodRange] = []
    for period in sorted(periods):
        if ranges and ranges[-1][1] == period:
            ranges[-1] = (ranges[-1][0], period + 1)
        else:
            ranges.append((period, period + 1))
    return ranges
