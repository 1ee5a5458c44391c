"""The scheduled verification of each trail: once a day, and when the first events of a trail were sealed."""

import datetime
from collections.abc import Iterable

import structlog

from audit.sealing.events import VERIFICATION_FAILED
from audit.sealing.logs import find_log
from audit.services import record
from audit.verification.results import Status, TrailReport
from audit.verification.verify import Options, verify_trail
from tenants.context import Tenant, hotel_context, platform_context
from tenants.database.clock import database_now
from tenants.queue import due
from tenants.queue.celery_task import send_on_commit

log = structlog.get_logger(__name__)

#: The kind of the due item (an entry of the queue of scheduled work) that verifies the trail of a hotel once a day.
VERIFICATION_DUE = "audit_verification"
#: In trails with more than LARGE_TRAIL events, only the newest events are read, because a task has four minutes.
#: In large trails, all hashes and checkpoints are verified, but only the command `audit_verify` reads all events.
LARGE_TRAIL = 1_000_000
LARGE_TRAIL_DAYS = 31


def verify_soon(tenants: Iterable[Tenant]) -> None:
    """Schedule the first verification of these trails for now. Their daily verification may be up to a day away."""
    for tenant in tenants:
        if tenant.id is None:
            with platform_context():
                send_on_commit("audit.tasks.verify_platform")
        else:
            with hotel_context(tenant):
                due.schedule(kind=VERIFICATION_DUE, items=[(tenant.id, database_now())])


def verify(tenant: Tenant) -> TrailReport:
    """Verify a trail. If the trail is invalid, record an event in the platform's trail."""
    known = find_log(tenant.id)
    with platform_context():
        now = database_now()
    is_large = known is not None and known.size - known.first_kept > LARGE_TRAIL
    report = verify_trail(
        tenant,
        Options(since=now - datetime.timedelta(days=LARGE_TRAIL_DAYS) if is_large else None, rows=True),
    )
    if report.status == Status.INVALID:
        log.error("audit.trail_invalid", trail=report.trail, position=report.position, reason=report.reason)
        with platform_context():
            record(
                VERIFICATION_FAILED,
                subject=("hotel", tenant.id) if tenant.id else None,
                position=report.position,
                reason=report.reason,
            )
    return report
