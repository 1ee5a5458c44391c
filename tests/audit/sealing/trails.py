"""Functions that record events in a trail and seal them."""

import math
import time
from itertools import count

from django.db import connection

from audit.registry import EventType
from audit.sealing import logs, rows
from audit.sealing.keys import load_signing_keys
from audit.sealing.models import Log
from audit.sealing.rows import Key
from audit.sealing.run import RunResult, seal_tenant
from audit.services import record, record_many
from tenants.context import Tenant, context_of

#: Other test workers use the same server, and their open transactions delay sealing.
TIMEOUT_SECONDS = 60.0

_numbers = count(1)


def record_events(event_type: EventType, number: int) -> None:
    """Record events of the type `lamp.lit` in the trail of the current tenant, in one transaction."""
    fields = ({"colour": f"red {next(_numbers)}"} for _ in range(number))
    record_many(event_type, ((("lamp", 1), event) for event in fields))


def record_event(event_type: EventType, colour: str = "red") -> None:
    record(event_type, subject=("lamp", 1), colour=colour)


def seal_once(tenant: Tenant) -> RunResult:
    """Seal the events of the trail that can be sealed now."""
    result = RunResult()
    seal_tenant(tenant, logs.open_log(tenant.id), load_signing_keys(), math.inf, result)
    return result


def seal_trail(tenant: Tenant) -> Log:
    """Seal all events of the trail that are committed now, and return the log."""
    with context_of(tenant), connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(transaction), 0) FROM audit_event")
        newest = cursor.fetchone()[0]
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        result = seal_once(tenant)
        log = logs.open_log(tenant.id)
        if log.sealed_transaction > newest or result.problems:
            return log
        assert time.monotonic() < deadline, "An open transaction delays sealing."


def sealed_colours(tenant: Tenant, log: Log) -> list[str]:
    """Return the field `colour` of each sealed event, in the order of the log."""
    with context_of(tenant):
        found = rows.read_rows(Key(0), Key(log.sealed_transaction, log.sealed_id), 1_000_000)
    return [row.data["colour"] for row in found if "colour" in row.data]
