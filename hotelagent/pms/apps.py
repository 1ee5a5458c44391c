from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from hotelagent.pms.due_kinds import BOOKING, SYNC
from tenants.queue import due


class PmsConfig(AppConfig):
    name = "hotelagent.pms"
    label = "pms"
    verbose_name = _("Property management system")

    def ready(self) -> None:
        # Importing the module registers the kinds of failures.
        from dlq.kinds import task_payloads  # noqa: PLC0415

        # An attempt takes at most a minute, so a batch of three finishes within the time limit of a task.
        due.register(kind=BOOKING, task="pms.tasks.resolve_bookings", batch_size=3)
        due.register(kind=SYNC, task="pms.tasks.synchronize", batch_size=1, recurring=True)
        task_payloads.register_due_tasks()
        task_payloads.register_id_task("pms.tasks.resolve_booking")
