"""One run that deletes the expired events of all trails. Celery beat starts a run each day."""

import time
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from django.db import DatabaseError

from audit.errors import RetentionRefused
from audit.retention.deletion import delete_batch, remove_search_terms, summarize_pages
from audit.retention.expired import ExpiredTrail, find_expired_trails
from audit.sealing import logs
from audit.sealing.models import Log
from tenants.context import PLATFORM, Tenant, platform_context
from tenants.database.connections import direct_connection

log = structlog.get_logger(__name__)

#: The maximum duration of a retention run in seconds. Another run deletes the remaining events.
BUDGET_SECONDS = 120.0


@dataclass(slots=True)
class RunResult:
    """The result of a run that deletes expired events.

    `is_complete` is false if expired events remain. `problems` maps hotel ids to error messages.
    """

    deleted: int = 0
    is_complete: bool = True
    problems: dict[str, str] = field(default_factory=dict)


def delete_expired_events() -> RunResult:
    """Delete the expired events of the platform and of all hotels, until the time budget is used up.

    If the events of one trail cannot be deleted, the other trails are processed nevertheless. Uses the direct
    connection, because the roles that serve requests cannot delete events.
    """
    deadline = time.monotonic() + BUDGET_SECONDS
    result = RunResult()
    trails = find_expired_trails()
    if not trails:
        return result
    with direct_connection():
        tenants: dict[UUID | None, Tenant] = {hotel.id: hotel.tenant for hotel in logs.sealed_hotels()}
        tenants[None] = PLATFORM
        for trail in trails:
            if trail.hotel_id in tenants:
                _delete_events_of(trail, tenants[trail.hotel_id], deadline, result)
    return result


def _delete_events_of(trail: ExpiredTrail, tenant: Tenant, deadline: float, result: RunResult) -> None:
    pages: set[int] = set()
    has_more = True
    try:
        while has_more and time.monotonic() < deadline:
            batch = delete_batch(trail.log_id, tenant)
            result.deleted += batch.deleted
            pages |= batch.pages
            has_more = batch.has_more
        if pages:
            summarize_pages(pages, tenant)
            remove_search_terms(tenant)
    except (RetentionRefused, DatabaseError) as error:
        # A database error occurs, for example, if the hotel was deleted during the run.
        has_more = False
        _report(trail, str(error), result)
    result.is_complete &= not has_more


def _report(trail: ExpiredTrail, reason: str, result: RunResult) -> None:
    name = str(trail.hotel_id or "platform")
    result.problems[name] = reason
    log.error("audit.retention_refused", trail=name, reason=reason)
    with platform_context():
        Log.objects.filter(pk=trail.log_id).update(retention_problem=reason)
