"""The table with the numbers of failures of each hotel and of the platform, for metrics and alerts."""

from __future__ import annotations

import datetime
import uuid

from django.db import models

from tenants.context import current_tenant

#: The value of `tenant_id` in the row of the platform.
PLATFORM_ID = uuid.UUID(int=0)
#: The smallest possible id. A count that starts after this id includes all rows.
FIRST_ID = uuid.UUID(int=0)
_LONG_AGO = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


class FailureFiguresManager(models.Manager["FailureFigures"]):
    def for_tenant(self) -> models.QuerySet[FailureFigures]:
        """Return a query set with the row of the current tenant, which is empty before the first count."""
        return self.filter(tenant_id=current_tenant().id or PLATFORM_ID)

    def lock(self) -> FailureFigures:
        """Create the row of the current tenant if it does not exist, lock it, and return it."""
        row = self.model(tenant_id=current_tenant().id or PLATFORM_ID)
        self.bulk_create([row], ignore_conflicts=True)
        return self.for_tenant().select_for_update().get()


class FailureFigures(models.Model):
    """The counts of one tenant's failures, which are updated once a minute. The table is in the platform's schema only.

    `totals` maps the name of each count to its value since the hotel was created. The counts never decrease, even if
    old failures are deleted. `settled` contains the counts of the rows that will not change any more. Only the rows
    from `failures_from`, `attempts_from`, `events_from` and `groups_from` on are counted again.

    The table has no foreign key to the hotel, so the totals of a deleted hotel are kept. If the sum over all hotels
    decreased, Prometheus would report a restart of the counter.
    """

    tenant_id = models.UUIDField(primary_key=True)
    counted_at = models.DateTimeField(null=True)
    #: The number of seconds that the latest count took.
    seconds = models.FloatField(default=0)
    totals = models.JSONField(default=dict)
    settled = models.JSONField(default=dict)
    failures_from = models.UUIDField(default=FIRST_ID)
    attempts_from = models.UUIDField(default=FIRST_ID)
    events_from = models.UUIDField(default=FIRST_ID)
    groups_from = models.DateTimeField(default=_LONG_AGO)
    #: The number of open failures by status, and the time at which the oldest of them was captured.
    open_by_status = models.JSONField(default=dict)
    oldest_at = models.DateTimeField(null=True)
    #: The problems that were reported by e-mail, with the times of the e-mails (see `dlq.alerts.digest`).
    alert_state = models.JSONField(default=dict)

    objects = FailureFiguresManager()
