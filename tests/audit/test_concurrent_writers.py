"""Test that no writer of events waits for another writer of the same hotel."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import OperationalError, connection, transaction

from audit.models import Event
from audit.registry import EventType
from audit.sealing import logs
from audit.services import record
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS = 8


def count_waiting_writers(hotel: Hotel, write: Callable[[], None]) -> int:
    """Run eight writers whose transactions overlap. Return the number of writers that waited for another writer."""
    written = Barrier(WRITERS, timeout=60)

    def write_in_transaction(_number: int) -> bool:
        is_waiting = False
        try:
            with hotel_context(hotel), transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL lock_timeout TO '1s'")
                try:
                    with transaction.atomic():
                        write()
                except OperationalError:
                    is_waiting = True
                # Every writer keeps its transaction open until all writers have written or waited.
                written.wait()
        finally:
            connection.close()
        return is_waiting

    with ThreadPoolExecutor(WRITERS) as threads:
        return sum(threads.map(write_in_transaction, range(WRITERS)))


def test_no_writer_waits_for_the_event_of_another_writer(hotel: Hotel, lamp_lit: EventType) -> None:
    """As a negative control, each writer updates one shared row. Then all writers except the first writer wait."""
    log = logs.open_log(hotel.id)

    def record_event() -> None:
        record(lamp_lit, subject=("lamp", 1), colour="red")

    def record_event_and_update_head() -> None:
        record_event()
        with platform_context(), connection.cursor() as cursor:
            cursor.execute("UPDATE audit_log SET unsealed = unsealed + 1 WHERE id = %s", [log.pk])

    with hotel_context(hotel):
        before = Event.objects.count()
    assert count_waiting_writers(hotel, record_event) == 0
    with hotel_context(hotel):
        assert Event.objects.count() == before + WRITERS
    assert count_waiting_writers(hotel, record_event_and_update_head) == WRITERS - 1
