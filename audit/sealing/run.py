"""The sealing of the new events of the platform and of all hotels. Celery beat starts a run every minute."""

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog
from django.db import DatabaseError

from audit.errors import SealingRefused
from audit.sealing import keys, logs, rows
from audit.sealing.models import Log
from audit.sealing.rows import Key
from audit.sealing.sealer import countersign, seal
from audit.transparency.notes import PrivateKey
from tenants.context import PLATFORM, Tenant, context_of, platform_context
from tenants.database.clock import database_now

log = structlog.get_logger(__name__)

#: The maximum duration of a sealing run in seconds. The next run seals the remaining events.
BUDGET_SECONDS = 45.0


@dataclass(slots=True)
class RunResult:
    """The result of a sealing run: `sealed` is the number of sealed events.

    `new` lists the tenants whose first events were sealed. `problems` maps the name of a log to its problem.
    """

    sealed: int = 0
    new: list[Tenant] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)


def seal_all() -> RunResult:
    """Seal the new events of the platform and of all hotels. Stop when the time budget is used up.

    If one trail cannot be sealed, the other trails are sealed nevertheless. Raises SigningKeyError.
    """
    signing_keys = keys.load_signing_keys()
    deadline = time.monotonic() + BUDGET_SECONDS
    result = RunResult()
    known = logs.open_logs()
    countersign_all(known.values(), signing_keys, result)
    hotels = [hotel.tenant for hotel in logs.sealed_hotels()]
    # The order is random, so that runs that reach the deadline do not always skip the same hotels.
    random.shuffle(hotels)
    for tenant in [PLATFORM, *hotels]:
        if time.monotonic() > deadline:
            log.warning("audit.sealing_not_finished", sealed=result.sealed)
            break
        seal_tenant(tenant, known.get(tenant.id), signing_keys, deadline, result)
    with platform_context():
        Log.objects.filter(hotel_id=None, closed_at=None).update(checked_at=database_now())
    return result


def countersign_all(known: Iterable[Log], signing_keys: list[PrivateKey], result: RunResult) -> None:
    """Add the signatures of new keys to the newest checkpoint of each log.

    Without new keys, the function executes only one query.
    """
    in_use = logs.keys_in_use()
    configured = {key.public.text for key in signing_keys}
    for log_ in known:
        if log_.size and in_use.get(log_.pk) != configured:
            try:
                countersign(log_, signing_keys)
            except SealingRefused as error:
                _report(log_.origin, log_, str(error), result)


def seal_tenant(
    tenant: Tenant, known: Log | None, signing_keys: list[PrivateKey], deadline: float, result: RunResult
) -> None:
    """Seal the events of one trail, and store the number of sealed events in `result`.

    Stop at `deadline`, a value of `time.monotonic()`. `known` is the log of the trail, or None if the log
    does not exist yet. If the trail cannot be sealed, the reason is stored in `result`.
    """
    try:
        if known is not None and _is_sealed(tenant, known):
            return
        known = known or logs.open_log(tenant.id)
        before, is_complete = result.sealed, False
        while not is_complete and time.monotonic() < deadline:
            batch = seal(known, tenant, signing_keys)
            result.sealed += batch.sealed
            is_complete = batch.is_complete
        if not known.size and result.sealed > before:
            result.new.append(tenant)
    except (SealingRefused, DatabaseError) as error:
        # A database error occurs, for example, if the hotel was deleted during the run.
        prefix = "" if isinstance(error, SealingRefused) else "The database refused a statement: "
        _report(known.origin if known else tenant.slug, known, f"{prefix}{error}", result)


def _is_sealed(tenant: Tenant, known: Log) -> bool:
    """Return whether the log already contains all events of the trail.

    This check costs one query for a hotel without new events.
    """
    if known.unsealed or known.refusal:
        return False
    with context_of(tenant):
        return rows.is_sealed(Key(known.sealed_transaction, known.sealed_id))


def _report(name: str, known: Log | None, reason: str, result: RunResult) -> None:
    result.problems[name] = reason
    log.error("audit.sealing_refused", log=name, reason=reason)
    if known is not None:
        with platform_context():
            Log.objects.filter(pk=known.pk).update(refusal=reason)
