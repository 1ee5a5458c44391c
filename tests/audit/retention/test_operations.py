"""Tests of the daily task, of the metric and of the query plans of retention."""

from typing import Any

import pytest
from django.db import connection, transaction

from audit import tasks
from audit.models import Event
from audit.registry import EventType
from audit.retention import deletion, run
from audit.retention.deletion import _DELETE, _READ_TIMES
from audit.retention.metrics import _read_overdue_seconds
from audit.sealing import logs
from audit.sealing.models import Log
from hotelagent.core import metrics
from tenants.context import hotel_context, platform_context
from tenants.database.connections import direct_connection, execute_script
from tenants.models import Hotel
from tests.audit.retention.old_events import record_old_events
from tests.audit.sealing.trails import record_events, seal_trail

pytestmark = pytest.mark.django_db(transaction=True)


def test_metric_grows_until_the_daily_task_has_deleted_the_expired_events(
    hotel: Hotel, lamp_lit: EventType
) -> None:
    """In Keycloak, the deletion of old events stopped, which was noticed at 100 million events (keycloak#19833)."""
    log = record_old_events(lamp_lit, hotel.tenant, 256, days=3653)
    assert 3 * 86_400 <= _read_overdue_seconds() < 3 * 86_400 + 3600
    assert b"hotelagent_audit_retention_overdue_seconds 2" in metrics.exposition()
    with platform_context():
        Log.objects.filter(pk=log.pk).update(legal_hold=True)
    assert _read_overdue_seconds() == 0
    with platform_context():
        Log.objects.filter(pk=log.pk).update(legal_hold=False)
    with platform_context():
        assert tasks.delete_expired_events() == 256
    assert _read_overdue_seconds() == 0


def test_deletion_that_is_refused_does_not_reset_the_overdue_metric(
    hotel: Hotel, lamp_lit: EventType, settings: Any, tmp_path: Any
) -> None:
    record_old_events(lamp_lit, hotel.tenant, 256)
    settings.AUDIT_PUBLISH_DIRECTORY = str(tmp_path)
    with platform_context():
        assert tasks.delete_expired_events() == 0
    assert _read_overdue_seconds() > 0


def test_task_that_reaches_its_time_limit_is_sent_again(
    hotel: Hotel, lamp_lit: EventType, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_old_events(lamp_lit, hotel.tenant, 256)
    sent: list[None] = []
    monkeypatch.setattr(tasks.delete_expired_events, "try_delay", lambda: sent.append(None))
    monkeypatch.setattr(run, "BUDGET_SECONDS", -1)
    with platform_context():
        tasks.delete_expired_events()
    monkeypatch.setattr(run, "BUDGET_SECONDS", 60)
    with platform_context():
        tasks.delete_expired_events()
    assert len(sent) == 1


def plan_of(hotel: Hotel, statement: str, *values: Any) -> str:
    with direct_connection(), hotel_context(hotel), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}", values)
        return "\n".join(line for (line,) in cursor.fetchall())


def test_statements_of_retention_use_the_primary_key_of_a_large_trail(
    hotel: Hotel, lamp_lit: EventType
) -> None:
    with hotel_context(hotel):
        record_events(lamp_lit, 30_000)
        ids = list(Event.objects.order_by("id").values_list("id", flat=True)[:512])
    with direct_connection(), hotel_context(hotel), connection.cursor() as cursor:
        cursor.execute("ANALYZE audit_event")
    for statement in (_DELETE, _READ_TIMES):
        plan = plan_of(hotel, statement, ids)
        assert "audit_event_pkey" in plan, plan
        assert "Seq Scan on audit_event" not in plan, plan


def pages_read_by_transaction(hotel: Hotel) -> int:
    """Return the number of database pages that the search for the oldest remaining transaction reads."""
    with direct_connection(), hotel_context(hotel), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan TO off")
        cursor.execute(
            "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT id FROM audit_event WHERE transaction = ("
            "SELECT transaction FROM audit_event ORDER BY id LIMIT 1)"
        )
        text = "\n".join(line for (line,) in cursor.fetchall())
    blocks = [line for line in text.splitlines() if "Heap Blocks" in line]
    assert len(blocks) == 1, text
    return int(blocks[0].rpartition("lossy=")[2])


@pytest.mark.parametrize("is_summarized", [True, False])
def test_search_by_transaction_does_not_read_the_pages_of_deleted_events(
    hotel: Hotel, lamp_lit: EventType, monkeypatch: pytest.MonkeyPatch, is_summarized: bool
) -> None:
    """If `is_summarized` is false, the BRIN index is not computed again, so each search reads the freed pages."""
    if not is_summarized:
        monkeypatch.setattr(run, "summarize_pages", lambda _pages, _tenant: None)
    record_old_events(lamp_lit, hotel.tenant, 12_800)
    with hotel_context(hotel):
        record_events(lamp_lit, 1000)
    seal_trail(hotel.tenant)
    with direct_connection():
        # The table and the index are written again, so that no page has dead rows.
        execute_script(f'VACUUM FULL "{hotel.schema}".audit_event')
    assert run.delete_expired_events().deleted == 12_800
    assert logs.open_log(hotel.id).first_kept == 12_800
    with direct_connection():
        execute_script(f'VACUUM "{hotel.schema}".audit_event')
    # The following new events are stored in the pages of the deleted events.
    with hotel_context(hotel):
        record_events(lamp_lit, 12_000)
    assert deletion.PAGES_PER_RANGE == 32
    pages = pages_read_by_transaction(hotel)
    if is_summarized:
        assert pages < 200
    else:
        assert pages > 200
