"""Tests of the metrics of sealing, and of the search for the transaction that delays sealing."""

import time
from threading import Barrier, Thread
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from audit import tasks
from audit.models import Event
from audit.registry import EventType
from audit.sealing.metrics import read_metrics
from audit.sealing.models import StoredTile
from audit.sealing.rows import OldestTransaction, find_oldest_transaction
from audit.sealing.run import seal_all
from hotelagent.core import metrics
from tenants.context import PLATFORM, hotel_context, platform_context
from tenants.models import DueItem, Hotel
from tests.audit.sealing.trails import TIMEOUT_SECONDS, record_event, seal_trail

pytestmark = pytest.mark.django_db(transaction=True)


def values() -> dict[str, float]:
    return {
        sample.name.removeprefix("hotelagent_audit_"): sample.value
        for metric in read_metrics()
        for sample in metric.samples
    }


def wait_until_oldest(application: str) -> OldestTransaction:
    """Wait until the application has the oldest open transaction of the server, and return the transaction.

    Other test workers use the same server, and may have older transactions.
    """
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while (oldest := find_oldest_transaction()) is None or oldest.application != application:
        assert time.monotonic() < deadline, oldest
        time.sleep(0.01)
    return oldest


def test_metrics_show_unsealed_events_and_the_transaction_that_delays_them(
    hotel: Hotel, lamp_lit: EventType
) -> None:
    written, end = (Barrier(2, timeout=2 * TIMEOUT_SECONDS) for _ in range(2))

    def write_slowly() -> None:
        try:
            with hotel_context(hotel), transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL application_name TO 'slow writer'")
                record_event(lamp_lit)
                written.wait()
                end.wait()
        finally:
            connection.close()

    writer = Thread(target=write_slowly)
    writer.start()
    written.wait()
    with hotel_context(hotel):
        record_event(lamp_lit)
    seal_all()
    delay = wait_until_oldest("slow writer")
    during = values()
    end.wait()
    writer.join()
    seal_trail(hotel.tenant)
    after = values()
    assert during["unsealed_events"] == 1
    assert during["unsealed_seconds"] > 0
    assert during["run_age_seconds"] < 60
    assert delay.pid is not None
    assert delay.started_at is not None
    assert during["oldest_transaction_seconds"] > 0
    assert (after["unsealed_events"], after["unsealed_seconds"]) == (0, 0)
    assert after["sealed_events"] >= 2


def test_prometheus_metrics_include_the_number_of_unsealed_events(hotel: Hotel) -> None:
    assert b"hotelagent_audit_unsealed_events" in metrics.exposition()


def test_failed_daily_verification_is_counted_and_recorded_in_the_platforms_trail(
    hotel: Hotel, lamp_lit: EventType
) -> None:
    with hotel_context(hotel):
        record_event(lamp_lit)
    log = seal_trail(hotel.tenant)
    with platform_context():
        call_command("check")
        tasks.verify_platform()
        DueItem.objects.filter(kind="audit_verification").delete()
    with hotel_context(hotel):
        tasks.verify([str(hotel.id)])
    assert values()["invalid_trails"] == 0
    with platform_context():
        StoredTile.objects.filter(log=log).update(hashes=bytes(32))
    with hotel_context(hotel):
        tasks.verify([str(hotel.id)])
    assert values()["invalid_trails"] == 1
    with platform_context():
        event = Event.objects.get(event="audit.verification_failed")
    assert (event.subject_id, event.data["position"]) == (str(hotel.id), 0)
    assert PLATFORM.id is None


def test_trail_is_not_verified_without_a_signing_key(hotel: Hotel, settings: Any) -> None:
    settings.AUDIT_SIGNING_KEY = ""
    with hotel_context(hotel):
        tasks.verify([str(hotel.id)])
    assert values()["invalid_trails"] == 0
