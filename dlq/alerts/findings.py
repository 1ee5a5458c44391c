"""The problems that an alert reports: too many open, old or recent failures, and errors that are new or occur again."""

import datetime
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Min, QuerySet

from dlq.groups.models import FailureGroup, GroupState
from dlq.models import OPEN_STATUSES, Failure, FailureStatus
from dlq.retention.models import FailureSettings
from hotelagent.core.ids import first_uuid7_at

#: An alert reports a new or repeated error only if the error occurred within this period.
GROUP_PERIOD = datetime.timedelta(days=1)
_RATE_PERIOD = datetime.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit in the alert settings, and the current number that is compared with the limit.

    `key` says what is counted: `open` failures, the `age` of the oldest open failure in hours, or the `rate` (failures
    captured in the last hour).
    """

    key: str
    number: int
    limit: int


@dataclass(frozen=True, slots=True)
class GroupFinding:
    """A group whose error occurred for the first time, or occurred again."""

    group: FailureGroup
    is_new: bool
    open_count: int

    @property
    def key(self) -> str:
        if self.is_new:
            return f"new:{self.group.fingerprint}"
        return f"again:{self.group.fingerprint}"


Finding = Threshold | GroupFinding


def find_problems(settings: FailureSettings, now: datetime.datetime) -> list[Finding]:
    """Return the problems of the current tenant. Failures of muted groups are left out."""
    groups: QuerySet[Any] = FailureGroup.objects.visible().with_state()
    muted = list(groups.filter(state=GroupState.MUTED).values_list("fingerprint", flat=True))
    failures = Failure.objects.exclude(fingerprint__in=muted)
    return [
        *_thresholds(settings, failures, now),
        *_groups(settings, groups.exclude(fingerprint__in=muted), now),
    ]


def _thresholds(
    settings: FailureSettings, failures: QuerySet[Failure], now: datetime.datetime
) -> list[Threshold]:
    current = failures.filter(status__in=OPEN_STATUSES).aggregate(
        number=Count("id"), oldest=Min("created_at")
    )
    oldest_age = now - (current["oldest"] or now)
    recent = failures.filter(id__gte=first_uuid7_at(now - _RATE_PERIOD)).count()
    thresholds = [
        Threshold("open", current["number"], settings.alert_open),
        Threshold("age", int(oldest_age.total_seconds() // 3600), settings.alert_age_hours),
        Threshold("rate", recent, settings.alert_per_hour),
    ]
    return [threshold for threshold in thresholds if threshold.number >= threshold.limit]


def _groups(settings: FailureSettings, groups: QuerySet[Any], now: datetime.datetime) -> list[GroupFinding]:
    since = now - GROUP_PERIOD
    found: list[tuple[FailureGroup, bool]] = []
    if settings.alert_new:
        found += [(group, True) for group in groups.filter(created_at__gte=since, state=GroupState.OPEN)]
    if settings.alert_repeated:
        regressed = Failure.objects.filter(status=FailureStatus.PERMANENT, regressed_at__gte=since)
        again = groups.filter(state=GroupState.REGRESSED, regressed_at__gte=since) | groups.filter(
            fingerprint__in=regressed.values("fingerprint")
        )
        new = {group.fingerprint for group, _is_new in found}
        found += [(group, False) for group in again if group.fingerprint not in new]
    counts = dict(
        Failure.objects.filter(
            status__in=OPEN_STATUSES, fingerprint__in=[group.fingerprint for group, _is_new in found]
        )
        .values_list("fingerprint")
        .annotate(number=Count("id"))
    )
    return [GroupFinding(group, is_new, counts.get(group.fingerprint, 0)) for group, is_new in found]
