"""The daily clean-up of redrives (jobs that retry or discard many failures)."""

import datetime

from django.db import connection, transaction

from audit.services import record_deletion
from dlq.policy import REDRIVE_DUE
from dlq.redrives import coverage
from dlq.redrives.models import ACTIVE_STATUSES, UNFINISHED_STATUSES, Redrive, StopReason
from dlq.retention.models import FailureSettings
from tenants.context import current_tenant
from tenants.database.clock import database_now

_WITHOUT_DUE_ITEM = """
SELECT redrive.id FROM dlq_redrive AS redrive
WHERE redrive.status = ANY(%s) AND NOT EXISTS (
    SELECT FROM public.tenants_dueitem AS item
    WHERE item.hotel_id = %s AND item.kind = %s AND item.item_id = redrive.id)
"""


def clean_up() -> None:
    """Stop redrive jobs that were lost, and delete old redrive jobs.

    Ended redrive jobs are kept as long as closed failures.
    """
    stop_lost_redrives()
    days = FailureSettings.objects.read().keep_failure_days
    before = database_now() - datetime.timedelta(days=days)
    with transaction.atomic():
        ended = Redrive.objects.exclude(status__in=UNFINISHED_STATUSES).filter(ended_at__lt=before)
        record_deletion(kind="redrive", count=ended.delete()[0], before=before)


def stop_lost_redrives() -> None:
    """Stop the hotel's redrive jobs whose next step is missing from the due queue (`tenants.queue.due`).

    `restore_hotel --discard-due` does not restore the step, because the redrive may have continued after the backup.
    """
    tenant = current_tenant()
    if tenant.is_platform:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_WITHOUT_DUE_ITEM, [list(ACTIVE_STATUSES), tenant.id, REDRIVE_DUE])
        lost = Redrive.objects.filter(id__in=[row[0] for row in cursor.fetchall()])
        for redrive in lost.filter(status__in=ACTIVE_STATUSES).order_by("id").select_for_update():
            coverage.stop(redrive, StopReason.RESTORED)
