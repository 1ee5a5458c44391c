"""A test of many failures with one cause that workers capture at the same time.

The benchmark `dlq-flood` captures 100,000 failures.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from dlq.groups.models import FailureGroup
from dlq.models import Failure
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.dlq.conftest import Lamp, capture_failure

WORKERS, EACH = 4, 100


@pytest.mark.django_db(transaction=True)
def test_flood_of_failures_with_one_cause_forms_one_group_while_pages_respond(
    hotel: Hotel, lamp: Lamp, staff: Client
) -> None:
    def capture(worker: int) -> None:
        try:
            with hotel_context(hotel):
                for number in range(EACH):
                    lamp_number = worker * EACH + number
                    capture_failure(message=f"lamp {lamp_number} is dark", number=lamp_number)
        finally:
            connection.close()

    pages = 0
    with ThreadPoolExecutor(WORKERS) as pool:
        started = timezone.now()
        captures = [pool.submit(capture, worker) for worker in range(WORKERS)]
        while not all(capture.done() for capture in captures):
            assert staff.get("/admin/dlq/failuregroup/?view=all").status_code == 200
            pages += 1
        for each in captures:
            each.result()
    assert pages > 0
    assert f"{WORKERS * EACH} failures" in staff.get("/admin/dlq/failuregroup/?view=all").content.decode()
    with hotel_context(hotel):
        group = FailureGroup.objects.get()
        assert Failure.objects.filter(fingerprint=group.pk).count() == WORKERS * EACH
    assert group.last_seen_at >= started
