"""Functions that record old events, and read the events and tiles that remain after a deletion of old events."""

from django.db import connection

from audit.models import Event
from audit.registry import EventType
from audit.sealing import logs
from audit.sealing.models import Log, StoredTile
from tenants.context import Tenant, context_of, platform_context
from tenants.database.connections import direct_connection
from tests.audit.sealing.trails import record_events, seal_trail

#: An age in days that is longer than the platform's retention period of ten years.
OLD_DAYS = 4000

_AGE = """
UPDATE audit_event SET at = at - make_interval(days => %(days)s), id = (
    lpad(to_hex(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint - %(days)s * 86400000::bigint), 12, '0')
    || substr(replace(id::text, '-', ''), 13))::uuid
WHERE transaction >= %(sealed)s
"""


def record_old_events(event_type: EventType, tenant: Tenant, number: int, *, days: int = OLD_DAYS) -> Log:
    """Record events that appear to be `days` days old, seal the events, and return the log.

    Unsealed events that the trail already contains appear to be equally old.
    """
    sealed = logs.open_log(tenant.id).sealed_transaction
    with context_of(tenant):
        record_events(event_type, number)
    with direct_connection(), context_of(tenant), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_event DISABLE TRIGGER USER")
        cursor.execute(_AGE, {"days": days, "sealed": sealed})
        cursor.execute("ALTER TABLE audit_event ENABLE TRIGGER USER")
    return seal_trail(tenant)


def stored_tiles(log: Log) -> list[tuple[int, int]]:
    """Return the level and the number of each stored tile of the log."""
    with platform_context():
        return list(
            StoredTile.objects.filter(log=log).order_by("level", "number").values_list("level", "number")
        )


def count_events(tenant: Tenant) -> int:
    with context_of(tenant):
        return Event.objects.count()
