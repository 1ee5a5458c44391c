from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from tenants.queue import due


class DlqConfig(AppConfig):
    name = "dlq"
    verbose_name = _("Failures")

    def ready(self) -> None:
        from dlq.capture import celery_messages  # noqa: F401, PLC0415 - registers itself; imports models
        from dlq.kinds import checks  # noqa: F401, PLC0415
        from dlq.retries import schedule  # noqa: PLC0415

        due.register(kind=schedule.KIND, task="dlq.tasks.retry_due")
        due.register(kind=schedule.CLEAN_UP_KIND, task="dlq.tasks.clean_up", daily=True)
