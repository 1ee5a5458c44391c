"""The daily verification of each trail."""

import datetime

import structlog

from audit.events import VERIFICATION_FAILED
from audit.sealing.logs import find_log
from audit.services import record
from audit.verification.results import Status, TrailReport
from audit.verification.verify import Options, verify_trail
from tenants.context import Tenant, platform_context
from tenants.database.clock import database_now

log = structlog.get_logger(__name__)

#: The kind of due item that verifies a hotel's trail once a day.
VERIFICATION_DUE = "audit_verification"
#: Trails with more events are read from the last weeks only, because a task may run for four minutes at most. All their
#: hashes and checkpoints are verified nevertheless. `audit_verify` reads everything.
LARGE_TRAIL = 1_000_000
LARGE_TRAIL_DAYS = 31


def verify(tenant: Tenant) -> TrailReport:
    """Verify a trail, and record an event in the platform's trail if it is not valid."""
    known = find_log(tenant.id)
    with platform_context():
        now = database_now()
    is_large = known is not None and known.size > LARGE_TRAIL
    report = verify_trail(
        tenant, Options(since=now - datetime.timedelta(days=LARGE_TRAIL_DAYS) if is_large else None)
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
